//! Stops a change to a cluster between two writes, so that all that was written is known.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A request to stop. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stopping(Arc<State>);

#[derive(Debug, Default)]
struct State {
    is_requested: AtomicBool,
    writing: AtomicUsize,
}

/// A change that is under way, until this is dropped.
#[derive(Debug)]
pub(super) struct Writing(Stopping);

impl Stopping {
    /// Asks for no new write to be started. Returns whether a change is under way, which then ends
    /// once the writes in flight are done.
    pub fn request(&self) -> bool {
        self.0.is_requested.store(true, Ordering::SeqCst);
        self.0.writing.load(Ordering::SeqCst) > 0
    }

    /// Whether no new write may be started.
    pub(super) fn is_requested(&self) -> bool {
        self.0.is_requested.load(Ordering::SeqCst)
    }

    pub(super) fn writing(&self) -> Writing {
        self.0.writing.fetch_add(1, Ordering::SeqCst);
        Writing(self.clone())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.0.writing.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Settings that differ in nothing else are equal.
impl PartialEq for Stopping {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Stopping {}
