//! What this process uses of the cache: held open and locked, so that no other process removes it
//! to keep the bound. The system gives locks back when a process ends, however it ends.

use std::collections::BTreeMap;
use std::fs::{File, FileTimes, Metadata, TryLockError};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::oci::Digest;
use crate::oci::file::Stamp;

/// How many blobs are held at once. One that is used after that many others has been read by then.
const MOST: usize = 256;

/// How old a file's last use must be for the next one to be written down.
const OFTEN: Duration = Duration::from_secs(3600);

/// The blobs that this process holds.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<BTreeMap<Digest, Blob>>);

#[derive(Debug)]
struct Blob {
    /// Carries the lock.
    _file: File,
    /// The file as it was when all its bytes were seen to be the blob's; none before that.
    verified: Option<Stamp>,
}

impl Held {
    fn blobs(&self) -> MutexGuard<'_, BTreeMap<Digest, Blob>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a blob's file, which is locked.
    pub(super) fn hold(&self, digest: Digest, file: File, verified: Option<Stamp>) {
        let mut blobs = self.blobs();
        if blobs.len() < MOST || blobs.contains_key(&digest) {
            blobs.insert(digest, Blob { _file: file, verified });
        }
    }

    /// Whether a file is the one whose bytes were all seen to be the blob's.
    pub(super) fn is_verified(&self, digest: &Digest, metadata: &Metadata) -> bool {
        let now = Stamp::of(metadata);
        let blobs = self.blobs();
        let verified = blobs.get(digest).and_then(|blob| blob.verified.as_ref());
        // Noting a use, as any process may, moves `changed` and no content.
        verified.is_some_and(|then| Stamp { changed: then.changed, ..now } == *then)
    }

    /// Lets go of a blob.
    pub(super) fn release(&self, digest: &Digest) {
        self.blobs().remove(digest);
    }

    /// Lets go of everything.
    pub(super) fn release_all(&self) {
        self.blobs().clear();
    }
}

/// Locks a file against removal, beside others who use it. A file that is being removed at this
/// moment is as good as gone; where a file system has no locks, nothing is removed either.
pub(super) fn lock(file: &File) -> bool {
    !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) && is_linked(file)
}

/// Whether no process uses a file. As long as the lock is held, none begins to.
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

/// Notes that a file was used now, if that was not noted lately.
pub(super) fn note_use(file: &File, metadata: &Metadata) {
    let now = now();
    let lately = metadata.accessed().is_ok_and(|at| at.checked_add(OFTEN).is_some_and(|t| t > now));
    if !lately {
        // A cache that cannot be written has no bound to keep either.
        let _ = file.set_times(FileTimes::new().set_accessed(now));
    }
}

/// Whether a file was not written for so long that whoever began it has given up or been killed.
pub(super) fn is_stale(path: &Path, age: Duration) -> bool {
    let modified = std::fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|at| at.checked_add(age).is_some_and(|end| end <= now()))
}

#[expect(clippy::disallowed_methods, reason = "what was used least lately goes first")]
fn now() -> SystemTime {
    SystemTime::now()
}
