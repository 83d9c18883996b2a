//! gzip (RFC 1952) in parallel. The bytes depend only on the input and the level.
//!
//! The input is divided into blocks of a fixed size. Each is deflated on its own, with the
//! preceding 32 KiB as its dictionary, and ends at a byte boundary, so that all blocks in a row are
//! one deflate stream. The output of deflate depends on the sizes of its calls, so a block is one
//! call of a fresh compressor: neither threads nor buffers can change a byte.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bytes::Bytes;
use flate2::{Compress, Compression as Level, FlushCompress, Status};

use super::Digest;
use super::buffer::{Buffer, Buffers};
use super::stream::{BLOCK, Output, PackError, Packed, Tar};

/// The size of the window of deflate.
const WINDOW: usize = 32 << 10;
/// The maximum size of a compressed block. Incompressible blocks grow a little.
const LARGEST_OUTPUT: usize = BLOCK + BLOCK / 8 + (8 << 10);
/// Deflate, without flags, time, level and operating system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A block to compress: the end of the preceding input, and the block.
struct Job {
    number: u64,
    /// Up to [`WINDOW`] bytes from before the block, then the block.
    input: Buffer,
    dictionary: usize,
    last: bool,
}

/// A compressed block.
struct Done {
    number: u64,
    output: Buffer,
    checksum: crc32fast::Hasher,
}

/// The receiving end of a channel that several threads share.
type Shared<T> = Arc<Mutex<Receiver<T>>>;

/// Compresses a tar into one gzip member.
pub(super) fn compress(
    tar: Tar,
    level: u8,
    threads: usize,
    mut output: Output,
) -> Result<Packed, PackError> {
    let tar_size = tar.size();
    let (jobs, waiting_jobs) = sync_channel(1);
    let (finished, done) = channel();
    let (room, rooms) = channel();
    let outputs = Buffers::new(LARGEST_OUTPUT, threads + 2);
    for _ in 0..threads + 2 {
        let _ = room.send(outputs.take()); // its receiver is two lines above
    }
    thread::scope(move |scope| {
        let spawn = |name: &str| thread::Builder::new().name(name.to_owned());
        let (jobs_left, rooms) = (Arc::new(Mutex::new(waiting_jobs)), Arc::new(Mutex::new(rooms)));
        let reader = spawn("pack-read")
            .spawn_scoped(scope, move || read(tar, threads, &jobs))
            .map_err(PackError::Thread)?;
        for _ in 0..threads {
            let (jobs_left, rooms, finished) = (jobs_left.clone(), rooms.clone(), finished.clone());
            spawn("pack-gzip")
                .spawn_scoped(scope, move || work(level, &jobs_left, &rooms, &finished))
                .map_err(PackError::Thread)?;
        }
        drop((jobs_left, rooms, finished));
        output.send(Bytes::from_static(&HEADER))?;
        let collected = collect(&done, &room, &outputs, &mut output);
        // The remaining threads find their channel closed, and end.
        drop((done, room));
        let diff_id = reader.join().map_err(|_| PackError::Interrupted);
        let checksum = collected?;
        let diff_id = diff_id??;
        let mut trailer = checksum.finalize().to_le_bytes().to_vec();
        // The length modulo 2^32, as the format requires.
        trailer.extend_from_slice(&(tar_size as u32).to_le_bytes());
        output.send(trailer.into())?;
        Ok(output.finish(diff_id))
    })
}

/// Divides the tar archive into blocks.
fn read(mut tar: Tar, threads: usize, jobs: &SyncSender<Job>) -> Result<Digest, PackError> {
    let inputs = Buffers::new(WINDOW + BLOCK, threads + 2);
    let mut dictionary = Vec::with_capacity(WINDOW);
    let blocks = tar.size().div_ceil(BLOCK as u64);
    for number in 0..blocks {
        let mut input = inputs.take();
        input.extend_from_slice(&dictionary);
        input.resize(dictionary.len() + BLOCK, 0);
        let count = tar.fill(&mut input[dictionary.len()..])?;
        input.truncate(dictionary.len() + count);
        let job = Job { number, dictionary: dictionary.len(), last: number + 1 == blocks, input };
        dictionary.clear();
        dictionary.extend_from_slice(&job.input[job.input.len().saturating_sub(WINDOW)..]);
        jobs.send(job).map_err(|_| PackError::Interrupted)?;
    }
    Ok(tar.diff_id())
}

/// Compresses blocks until the channel closes.
fn work(
    level: u8,
    jobs: &Shared<Job>,
    rooms: &Shared<Buffer>,
    finished: &Sender<Result<Done, PackError>>,
) {
    loop {
        // The output buffer is taken first, so that the thread with the lowest block can always
        // finish. Otherwise later blocks could take all buffers and wait for one that has none.
        let room = rooms.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(output) = room else { return };
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if finished.send(deflate(level, job, output)).is_err() {
            return;
        }
    }
}

/// Compresses one block in one call of a fresh compressor.
fn deflate(level: u8, job: Job, mut output: Buffer) -> Result<Done, PackError> {
    let failed = |what: &dyn std::fmt::Display| PackError::Gzip(what.to_string());
    let (dictionary, block) = job.input.split_at(job.dictionary);
    let mut compressor = Compress::new(Level::new(u32::from(level.clamp(1, 9))), false);
    if !dictionary.is_empty() {
        compressor.set_dictionary(dictionary).map_err(|error| failed(&error))?;
    }
    let flush = if job.last { FlushCompress::Finish } else { FlushCompress::Sync };
    let status =
        compressor.compress_vec(block, &mut output, flush).map_err(|error| failed(&error))?;
    let ended = status == if job.last { Status::StreamEnd } else { Status::Ok };
    if !ended || compressor.total_in() != block.len() as u64 || output.len() == output.capacity() {
        return Err(failed(&"it left input over"));
    }
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(block);
    Ok(Done { number: job.number, output, checksum })
}

/// Sends the compressed blocks in order. Returns the checksum of all input.
fn collect(
    done: &Receiver<Result<Done, PackError>>,
    room: &Sender<Buffer>,
    outputs: &Buffers,
    output: &mut Output,
) -> Result<crc32fast::Hasher, PackError> {
    let mut checksum = crc32fast::Hasher::new();
    let mut early = BTreeMap::new();
    let mut next = 0;
    while let Ok(block) = done.recv() {
        let block = block?;
        early.insert(block.number, block);
        while let Some(block) = early.remove(&next) {
            checksum.combine(&block.checksum);
            output.send_buffer(block.output)?;
            let _ = room.send(outputs.take()); // no worker left: then nobody needs it
            next += 1;
        }
    }
    Ok(checksum)
}
