//! Packs a [`LayerSource`] into a layer's blob: tar, compression, both digests, in one pass.
//!
//! Everything streams in bounded memory. The work is done on threads of its own; who takes the
//! chunks sets the pace, and dropping the [`Packing`] ends it.

use std::io;
use std::thread;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::buffer::{Buffer, Buffers};
use super::tar::{ReadError, TarReader};
use super::{Compression, Descriptor, Digest, Digester, Format, Layer, LayerSource};
use super::{codes, gzip, zstd};
use crate::report::{Details, Diagnose};

/// What is read, compressed and sent at a time. For gzip it is part of every digest.
pub(super) const BLOCK: usize = 512 << 10;

/// How many chunks may wait for whoever takes them.
const WAITING: usize = 2;

/// More threads compress no faster than one network or disk takes it, and cost memory each.
const MOST_THREADS: usize = 4;

/// A layer being packed.
#[derive(Debug)]
#[must_use = "whether the chunks are a whole layer is known by `finish` alone"]
pub struct Packing {
    /// The blob's bytes in order. The channel closes at the end and on failure alike: only
    /// [`Packing::finish`] says which it was.
    pub chunks: mpsc::Receiver<Bytes>,
    outcome: oneshot::Receiver<Result<Packed, PackError>>,
}

/// What is known of a layer once it is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// The digest of the tar.
    pub diff_id: Digest,
    /// The digest of the blob.
    pub digest: Digest,
    /// The blob's length in bytes.
    pub size: u64,
}

/// A failure to pack a layer.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file of the layer could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The system did not start a thread.
    #[error("could not start a thread to pack a layer")]
    Thread(#[source] io::Error),
    /// The compressor for gzip did not behave as documented.
    #[error("could not compress a block of a layer with gzip: {0}")]
    Gzip(String),
    /// The compressor for zstd failed.
    #[error("could not compress a layer with zstd")]
    Zstd(#[source] io::Error),
    /// The receiver of the chunks was dropped.
    #[error("packing a layer was interrupted")]
    Interrupted,
}

impl Diagnose for PackError {
    fn details(&self) -> Details {
        match self {
            Self::Read(ReadError::Changed { .. }) => Details::new(&codes::FILE_CHANGED)
                .hint("another program writes to the file: run again when it has finished"),
            Self::Read(ReadError::Io { .. })
            | Self::Thread(_)
            | Self::Gzip(_)
            | Self::Zstd(_)
            | Self::Interrupted => Details::new(&codes::LAYER_NOT_PACKED),
        }
    }
}

impl Packing {
    /// Waits for the end, throwing away the chunks that were not taken.
    pub async fn finish(mut self) -> Result<Packed, PackError> {
        while self.chunks.recv().await.is_some() {}
        self.outcome.await.unwrap_or(Err(PackError::Interrupted))
    }
}

impl Packed {
    /// The layer that was packed, for an image of that format.
    #[must_use]
    pub fn layer(&self, format: Format, compression: Compression) -> Layer {
        let media_type = format.layer(compression);
        Layer {
            descriptor: Descriptor::new(media_type, self.digest, self.size),
            diff_id: self.diff_id,
        }
    }
}

/// Begins to pack a layer, on at most four threads. The bytes do not depend on their number.
pub fn pack(source: LayerSource, compression: Compression, threads: usize) -> Packing {
    let threads = threads.clamp(1, MOST_THREADS);
    let (sender, chunks) = mpsc::channel(WAITING);
    let (report, outcome) = oneshot::channel();
    let work = move || {
        let tar_size = source.tar_size();
        let tar = Tar { reader: TarReader::new(source), size: tar_size, read: Digester::default() };
        let output = Output { sender, written: Digester::default() };
        let packed = match compression {
            Compression::None => copy(tar, output),
            Compression::Gzip { level } => gzip::compress(tar, level, threads, output),
            Compression::Zstd { level } => zstd::compress(tar, level, threads, output),
        };
        // Nobody listens any more: then nobody needs to know.
        let _ = report.send(packed);
    };
    let outcome = match thread::Builder::new().name("pack".to_owned()).spawn(work) {
        Ok(_) => outcome,
        Err(error) => {
            let (report, outcome) = oneshot::channel();
            let _ = report.send(Err(PackError::Thread(error)));
            outcome
        }
    };
    Packing { chunks, outcome }
}

/// A tar on its way into a compressor, digested as it is read.
pub(super) struct Tar {
    reader: TarReader,
    size: u64,
    read: Digester,
}

impl Tar {
    /// The length of the whole.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Fills a buffer; less than the whole is filled only at the end.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, PackError> {
        let count = self.reader.fill(buffer)?;
        self.read.update(&buffer[..count]);
        Ok(count)
    }

    /// The digest of what was read.
    pub(super) fn diff_id(self) -> Digest {
        self.read.finish()
    }
}

/// The way out for a blob's bytes, digested as they leave.
pub(super) struct Output {
    sender: mpsc::Sender<Bytes>,
    written: Digester,
}

impl Output {
    /// Sends a chunk, once there is room.
    pub(super) fn send(&mut self, chunk: Bytes) -> Result<(), PackError> {
        self.written.update(&chunk);
        self.sender.blocking_send(chunk).map_err(|_| PackError::Interrupted)
    }

    /// Sends a buffer, which is used again when its last reader has dropped it.
    pub(super) fn send_buffer(&mut self, buffer: Buffer) -> Result<(), PackError> {
        self.send(Bytes::from_owner(buffer))
    }

    /// What was sent is the blob.
    pub(super) fn finish(self, diff_id: Digest) -> Packed {
        let size = self.written.length();
        Packed { diff_id, digest: self.written.finish(), size }
    }
}

/// No compression: the tar is the blob.
fn copy(mut tar: Tar, output: Output) -> Result<Packed, PackError> {
    let buffers = Buffers::new(BLOCK, WAITING + 2);
    loop {
        let mut buffer = buffers.take();
        buffer.resize(BLOCK, 0);
        let count = tar.fill(&mut buffer)?;
        buffer.truncate(count);
        if count > 0 {
            // One digest serves for both, so the bytes are not digested again on their way out.
            output
                .sender
                .blocking_send(Bytes::from_owner(buffer))
                .map_err(|_| PackError::Interrupted)?;
        }
        if count < BLOCK {
            let size = tar.read.length();
            let digest = tar.read.finish();
            return Ok(Packed { diff_id: digest, digest, size });
        }
    }
}

#[cfg(test)]
mod tests;
