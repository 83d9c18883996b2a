//! Passes on the parts of a blob while it is pulled.

use bytes::Bytes;
use tokio::sync::mpsc;

/// Where the pieces of a blob go while it is pulled, as long as each goes on where the last ended.
/// Each is none once something was missed, or nobody listens any more.
pub(super) struct Follower {
    pub(super) push: Option<mpsc::Sender<Bytes>>,
    pub(super) read: Option<mpsc::Sender<Bytes>>,
    pub(super) sent: u64,
}

impl Follower {
    /// Takes the piece of the blob that starts at `offset`. That it may have to wait for whoever
    /// listens is what bounds memory.
    pub(super) async fn take(&mut self, offset: u64, piece: &Bytes) {
        // A pull that began anew cannot be followed: what was sent may have been something else.
        if offset != self.sent {
            (self.push, self.read) = (None, None);
            return;
        }
        self.sent += piece.len() as u64;
        for listener in [&mut self.push, &mut self.read] {
            if let Some(to) = listener
                && to.send(piece.clone()).await.is_err()
            {
                *listener = None;
            }
        }
    }

    /// Whether all of a blob of that length went on to be pushed.
    pub(super) fn has_all(&self, size: u64) -> bool {
        self.push.is_some() && self.sent == size
    }
}
