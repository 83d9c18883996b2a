//! Packs a [`LayerSource`] into the blob of a layer: tar, compression and both digests in one pass.
//!
//! Memory is bounded. The work runs on its own threads, at the pace of the receiver of the chunks;
//! dropping the [`Packing`] ends it.

use std::thread;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::buffer::Buffers;
use super::stream::{BLOCK, Output, PackError, Packed, Tar, WAITING};
use super::{Compression, LayerSource, gzip, zstd};

/// More threads compress faster than networks and disks accept the result, and cost memory.
const MOST_THREADS: usize = 4;

/// A layer being packed.
#[derive(Debug)]
#[must_use = "whether the chunks are a whole layer is known by `finish` alone"]
pub struct Packing {
    /// The bytes of the blob in order. The channel closes at the end and after a failure alike:
    /// only [`Packing::finish`] returns which it was.
    pub chunks: mpsc::Receiver<Bytes>,
    outcome: oneshot::Receiver<Result<Packed, PackError>>,
}

impl Packing {
    /// Waits for the end, and discards the chunks that were not received.
    pub async fn finish(mut self) -> Result<Packed, PackError> {
        while self.chunks.recv().await.is_some() {}
        self.outcome.await.unwrap_or(Err(PackError::Interrupted))
    }
}

/// Begins to pack a layer, on at most four threads. The bytes do not depend on their number.
pub fn pack(source: LayerSource, compression: Compression, threads: usize) -> Packing {
    let threads = threads.clamp(1, MOST_THREADS);
    let (sender, chunks) = mpsc::channel(WAITING);
    let (report, outcome) = oneshot::channel();
    let work = move || {
        let (tar, output) = (Tar::new(source), Output::new(sender));
        let packed = match compression {
            Compression::None => copy(tar, output),
            Compression::Gzip { level } => gzip::compress(tar, level, threads, output),
            Compression::Zstd { level } => zstd::compress(tar, level, threads, output),
        };
        // The receiver may have been dropped.
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

/// No compression: the tar archive is the blob.
fn copy(mut tar: Tar, output: Output) -> Result<Packed, PackError> {
    let buffers = Buffers::new(BLOCK, WAITING + 2);
    loop {
        let mut buffer = buffers.take();
        buffer.resize(BLOCK, 0);
        let count = tar.fill(&mut buffer)?;
        buffer.truncate(count);
        if count > 0 {
            // Both digests are the same, so the bytes are digested once.
            output.send_undigested(Bytes::from_owner(buffer))?;
        }
        if count < BLOCK {
            let size = tar.length();
            let digest = tar.diff_id();
            return Ok(Packed { diff_id: digest, digest, size });
        }
    }
}

#[cfg(test)]
mod tests;
