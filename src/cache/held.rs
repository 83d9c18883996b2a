//! The blobs that this process uses. They are open and locked, so that no other process removes
//! them. The system releases the locks when the process ends, however it ends.

use std::collections::BTreeMap;
use std::fs::{File, FileTimes, Metadata, TryLockError};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::oci::Digest;
use crate::oci::file::Stamp;

/// The maximum number of locked blobs. After that many others, a blob has been read.
const MOST: usize = 256;

/// The age of the last use of a file from which the next one is recorded.
const OFTEN: Duration = Duration::from_secs(3600);

/// The blobs that this process uses.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<BTreeMap<Digest, Blob>>);

#[derive(Debug)]
struct Blob {
    /// Has the lock.
    _file: File,
    /// The stamp of the file when its whole content was verified, if it was.
    verified: Option<Stamp>,
}

impl Held {
    fn blobs(&self) -> MutexGuard<'_, BTreeMap<Digest, Blob>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a locked file open.
    pub(super) fn hold(&self, digest: Digest, file: File, verified: Option<Stamp>) {
        let mut blobs = self.blobs();
        if blobs.len() < MOST || blobs.contains_key(&digest) {
            blobs.insert(digest, Blob { _file: file, verified });
        }
    }

    /// Whether a file is unchanged since its whole content was verified.
    pub(super) fn is_verified(&self, digest: &Digest, metadata: &Metadata) -> bool {
        let now = Stamp::of(metadata);
        let blobs = self.blobs();
        let verified = blobs.get(digest).and_then(|blob| blob.verified.as_ref());
        // Recording a use changes `changed`, but not the content.
        verified.is_some_and(|then| Stamp { changed: then.changed, ..now } == *then)
    }

    /// Releases a blob.
    pub(super) fn release(&self, digest: &Digest) {
        self.blobs().remove(digest);
    }

    /// Releases all blobs.
    pub(super) fn release_all(&self) {
        self.blobs().clear();
    }
}

/// Locks a file against removal, shared with other users. `None` if the file is being removed.
/// Where a file system has no locks, nothing is removed either.
pub(super) fn lock(file: &File) -> bool {
    !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) && is_linked(file)
}

/// Whether no process uses a file. None can begin to while the lock is held.
pub(super) fn is_unused(file: &File) -> bool {
    file.try_lock().is_ok()
}

/// Whether an open file still has a name.
fn is_linked(file: &File) -> bool {
    #[cfg(unix)]
    return file
        .metadata()
        .is_ok_and(|metadata| std::os::unix::fs::MetadataExt::nlink(&metadata) > 0);
    #[cfg(not(unix))]
    return file.metadata().is_ok();
}

/// Records a use of a file, unless one was recorded recently.
pub(super) fn note_use(file: &File, metadata: &Metadata) {
    let now = now();
    let lately = metadata.accessed().is_ok_and(|at| at.checked_add(OFTEN).is_some_and(|t| t > now));
    if !lately {
        // A cache that cannot be written is not limited either.
        let _ = file.set_times(FileTimes::new().set_accessed(now));
    }
}

/// Whether a file was not written for so long that its writer must have ended.
pub(super) fn is_stale(path: &Path, age: Duration) -> bool {
    let modified = std::fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|at| at.checked_add(age).is_some_and(|end| end <= now()))
}

#[expect(clippy::disallowed_methods, reason = "what was used least lately goes first")]
fn now() -> SystemTime {
    SystemTime::now()
}
