//! Buffers that are used again: packing a large layer would otherwise ask the system for every
//! half megabyte anew, and memory that was given back in pieces stays in the process.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Hands out buffers of one capacity. A buffer comes back when it is dropped, wherever that is; if
/// none has come back, there is a new one, so holding on to buffers never blocks anybody.
#[derive(Clone, Debug)]
pub(super) struct Buffers {
    capacity: usize,
    kept: usize,
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Buffers {
    /// Buffers of a capacity, of which so many are kept for the next use.
    pub(super) fn new(capacity: usize, kept: usize) -> Self {
        Self { capacity, kept, free: Arc::default() }
    }

    /// An empty buffer.
    pub(super) fn take(&self) -> Buffer {
        let used = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut bytes = used.unwrap_or_else(|| Vec::with_capacity(self.capacity));
        bytes.clear();
        Buffer { bytes, home: self.clone() }
    }
}

/// A buffer on loan.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    home: Buffers,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = self.home.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < self.home.kept {
            free.push(std::mem::take(&mut self.bytes));
        }
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_lent_again_and_no_more_are_kept_than_said() {
        let buffers = Buffers::new(8, 1);
        let (mut one, two) = (buffers.take(), buffers.take());
        one.push(1);
        let address = one.as_ptr();
        drop(one);
        drop(two);
        let again = buffers.take();
        assert_eq!((again.as_ptr(), again.len()), (address, 0));
        assert_eq!(buffers.free.lock().unwrap().len(), 0);
    }
}
