//! zstd (RFC 8878) in parallel, as one frame.
//!
//! The library divides the input into jobs of a fixed size, so the bytes do not depend on the
//! number of threads. There must be at least one thread: without any, the library compresses
//! differently.

use std::io::{self, Write};

use ::zstd::stream::write::Encoder;
use ::zstd::zstd_safe::CParameter;

use super::buffer::{Buffer, Buffers};
use super::stream::{Output, PackError, Packed, Tar};

/// The number of bytes in a job. Every digest depends on it.
const JOB: u32 = 1 << 20;
/// Each thread takes some 3 MB of memory. Two are faster than any network that receives the bytes.
const MOST_THREADS: usize = 2;
/// The number of bytes that are read and sent at a time. No digest depends on it. Several chunks
/// are in memory at once, in addition to the buffers of the library.
const CHUNK: usize = 128 << 10;

/// Compresses a tar into one zstd frame.
pub(super) fn compress(
    mut tar: Tar,
    level: u8,
    threads: usize,
    output: Output,
) -> Result<Packed, PackError> {
    let buffers = Buffers::new(CHUNK, 3);
    let sink = Sink { buffer: buffers.take(), buffers, output };
    let mut encoder = Encoder::new(sink, i32::from(level)).map_err(failed)?;
    encoder.set_pledged_src_size(Some(tar.size())).map_err(failed)?;
    encoder
        .set_parameter(CParameter::NbWorkers(threads.min(MOST_THREADS) as u32))
        .map_err(failed)?;
    encoder.set_parameter(CParameter::JobSize(JOB)).map_err(failed)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = tar.fill(&mut chunk)?;
        encoder.write_all(&chunk[..count]).map_err(failed)?;
        if count < CHUNK {
            break;
        }
    }
    let mut sink = encoder.finish().map_err(failed)?;
    sink.flush().map_err(failed)?;
    Ok(sink.output.finish(tar.diff_id()))
}

/// An error of the encoder, or of its [`Sink`].
fn failed(error: io::Error) -> PackError {
    match error.kind() {
        io::ErrorKind::BrokenPipe => PackError::Interrupted,
        _ => PackError::Zstd(error),
    }
}

/// Collects the output of the encoder into chunks.
struct Sink {
    buffer: Buffer,
    buffers: Buffers,
    output: Output,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == CHUNK {
            self.flush()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, self.buffers.take());
        self.output.send_buffer(chunk).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
