//! Buffers that are reused: allocating half a megabyte again and again takes time, and fragmented
//! memory is not returned to the system.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Provides buffers of one capacity. A buffer returns when it is dropped, on any thread. If none is
/// available, a new one is allocated, so this never blocks.
#[derive(Clone, Debug)]
pub(super) struct Buffers {
    capacity: usize,
    kept: usize,
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Buffers {
    /// Buffers of a capacity, of which at most `kept` are kept.
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

/// A buffer that returns when it is dropped.
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
