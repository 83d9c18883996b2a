//! What a compressor reads and writes: a tar archive and a blob, both digested on the way.

use std::io;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::buffer::Buffer;
use super::tar::{ReadError, TarReader};
use super::{Compression, Descriptor, Digest, Digester, Format, Layer, LayerSource, codes};
use crate::report::{Details, Diagnose};

/// How many bytes are read, compressed and sent at a time. Every digest of gzip depends on it.
pub(super) const BLOCK: usize = 512 << 10;

/// How many chunks may wait for their receiver.
pub(super) const WAITING: usize = 2;

/// The digests and the size of a packed layer.
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
            Self::Read(ReadError::Changed { .. }) => Details::new(&codes::LAYER_NOT_PACKED)
                .hint("another program writes to the file: run again when it has finished"),
            Self::Read(ReadError::Io { .. })
            | Self::Thread(_)
            | Self::Gzip(_)
            | Self::Zstd(_)
            | Self::Interrupted => Details::new(&codes::LAYER_NOT_PACKED),
        }
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

/// The tar archive that a compressor reads, digested on the way.
pub(super) struct Tar {
    reader: TarReader,
    size: u64,
    read: Digester,
}

impl Tar {
    pub(super) fn new(source: LayerSource) -> Self {
        let size = source.tar_size();
        Self { reader: TarReader::new(source), size, read: Digester::default() }
    }

    /// The length of the archive.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Fills a buffer, partly only at the end of the archive.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, PackError> {
        let count = self.reader.fill(buffer)?;
        self.read.update(&buffer[..count]);
        Ok(count)
    }

    /// The number of bytes that were read.
    pub(super) fn length(&self) -> u64 {
        self.read.length()
    }

    /// The digest of what was read.
    pub(super) fn diff_id(self) -> Digest {
        self.read.finish()
    }
}

/// The receiver of the bytes of a blob, digested on the way.
pub(super) struct Output {
    sender: mpsc::Sender<Bytes>,
    written: Digester,
}

impl Output {
    pub(super) fn new(sender: mpsc::Sender<Bytes>) -> Self {
        Self { sender, written: Digester::default() }
    }

    /// Sends a chunk, waiting for room.
    pub(super) fn send(&mut self, chunk: Bytes) -> Result<(), PackError> {
        self.written.update(&chunk);
        self.send_undigested(chunk)
    }

    /// Sends a chunk of a blob whose digest is computed elsewhere.
    pub(super) fn send_undigested(&self, chunk: Bytes) -> Result<(), PackError> {
        self.sender.blocking_send(chunk).map_err(|_| PackError::Interrupted)
    }

    /// Sends a buffer, which is reused when its last reader has dropped it.
    pub(super) fn send_buffer(&mut self, buffer: Buffer) -> Result<(), PackError> {
        self.send(Bytes::from_owner(buffer))
    }

    /// Ends the blob.
    pub(super) fn finish(self, diff_id: Digest) -> Packed {
        let size = self.written.length();
        Packed { diff_id, digest: self.written.finish(), size }
    }
}
