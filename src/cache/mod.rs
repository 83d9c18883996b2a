//! Stores blobs by digest and small records. Only this module accesses the cache folder.
//!
//! The cache only saves work. Any file may disappear or be torn, and writers may be killed or run
//! concurrently: files are written under a temporary name and renamed when they are complete,
//! records contain their own digest, and blobs are verified. When the cache exceeds its limit, the
//! least recently used files are removed, except those that a running process uses.

mod blob;
mod bound;
pub(crate) mod codes;
mod held;
mod record;
mod size;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;

use crate::oci::{self, Digest};
use crate::report::{Details, Diagnose};
use held::Held;

pub(crate) use blob::BlobWriter;
pub(crate) use bound::{Count, Usage};
pub(crate) use size::ByteSize;

/// The cache folder, or none: then every lookup misses and nothing is stored. Clones share their
/// locks.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: Folder,
    /// The maximum size in bytes.
    limit: Option<u64>,
    /// Where blobs are written for this run if the folder cannot be written.
    aside: Option<Aside>,
    held: Held,
    /// Whether this process added a blob.
    grown: AtomicBool,
}

#[derive(Debug)]
enum Folder {
    Lasting(PathBuf),
    /// Removed with the last clone.
    ForOneRun(TempDir),
    None,
}

#[derive(Debug)]
struct Aside {
    parent: PathBuf,
    folder: OnceLock<TempDir>,
}

/// A failure to write to the cache. Reading never fails: an unreadable file is a miss.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of the cache could not be written.
    #[error("could not write `{path}` in the cache")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file of the cache could not be removed.
    #[error("could not remove `{path}` from the cache")]
    Remove {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// What was written does not have the expected digest.
    #[error("expected content with the digest {expected}, found {found}")]
    Digest {
        /// The expected digest.
        expected: Digest,
        /// The digest of what was written.
        found: Digest,
    },
}

/// The hint for a cache folder that is full or cannot be written.
pub(crate) const ANOTHER_FOLDER: &str =
    "set KOCACHE to use another folder for the cache, or pass --no-cache";

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::Write { .. } => Details::new(&codes::CACHE_NOT_WRITABLE).hint(ANOTHER_FOLDER),
            Self::Remove { .. } => Details::new(&codes::CACHE_NOT_WRITABLE),
            Self::Digest { .. } => Details::new(&oci::codes::WRONG_DIGEST),
        }
    }
}

impl Cache {
    fn new(folder: Folder, limit: Option<u64>, aside: Option<Aside>) -> Self {
        let (held, grown) = (Held::default(), AtomicBool::new(false));
        Self(Arc::new(Inner { folder, limit, aside, held, grown }))
    }

    /// A cache in a folder that may not exist yet.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self::new(Folder::Lasting(root.into()), None, None)
    }

    /// A cache with a limit. If its folder cannot be written, blobs of this run are written to a
    /// folder inside of `parent` that is removed with the last clone.
    #[must_use]
    pub fn bounded(root: impl Into<PathBuf>, limit: u64, parent: &Path) -> Self {
        let aside = Aside { parent: parent.to_owned(), folder: OnceLock::new() };
        Self::new(Folder::Lasting(root.into()), Some(limit), Some(aside))
    }

    /// A cache for one run, in a folder inside of `parent` that is removed with its last clone.
    pub fn for_one_run(parent: &Path) -> Result<Self, Error> {
        Ok(Self::new(Folder::ForOneRun(folder_for_one_run(parent)?), None, None))
    }

    /// No cache.
    #[must_use]
    pub fn none() -> Self {
        Self::new(Folder::None, None, None)
    }

    /// The folder, where there is one.
    #[must_use]
    pub fn root(&self) -> Option<&Path> {
        match &self.0.folder {
            Folder::Lasting(path) => Some(path),
            Folder::ForOneRun(folder) => Some(folder.path()),
            Folder::None => None,
        }
    }

    /// The folder that replaces one that cannot be written, if that was necessary.
    fn aside(&self) -> Option<&Path> {
        Some(self.0.aside.as_ref()?.folder.get()?.path())
    }

    /// Whether the folder could not be written, so that nothing of this run is kept.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.aside().is_some()
    }

    /// The folders with blobs.
    fn roots(&self) -> impl Iterator<Item = &Path> {
        self.root().into_iter().chain(self.aside())
    }

    /// The folder for unfinished files, which are renamed into a root.
    fn unfinished(&self) -> Result<Option<(&Path, PathBuf)>, Error> {
        let Some(root) = self.root() else { return Ok(None) };
        let folder = root.join("tmp");
        match std::fs::create_dir_all(&folder) {
            Ok(()) => Ok(Some((root, folder))),
            Err(source) => Err(Error::Write { path: folder, source }),
        }
    }

    /// A new unfinished blob, and its root.
    fn begin(&self) -> Result<Option<(PathBuf, tempfile::NamedTempFile)>, Error> {
        let begun = self.unfinished().and_then(|unfinished| {
            let Some((root, folder)) = unfinished else { return Ok(None) };
            let file = tempfile::NamedTempFile::new_in(&folder);
            let file = file.map_err(|source| Error::Write { path: folder, source })?;
            Ok(Some((root.to_owned(), file)))
        });
        match (begun, &self.0.aside) {
            (Err(Error::Write { source, .. }), Some(aside)) if is_forbidden(&source) => {
                let folder = match aside.folder.get() {
                    Some(folder) => folder,
                    None => {
                        let made = folder_for_one_run(&aside.parent)?;
                        aside.folder.get_or_init(|| made)
                    }
                };
                let file = tempfile::NamedTempFile::new_in(folder.path());
                let path = folder.path().to_owned();
                let file = file.map_err(|source| Error::Write { path, source })?;
                Ok(Some((folder.path().to_owned(), file)))
            }
            (begun, _) => begun,
        }
    }

    /// Releases all blobs and enforces the limit if a blob was added.
    pub fn close(&self) {
        self.0.held.release_all();
        if let Some(limit) = self.0.limit
            && self.0.grown.load(Ordering::Relaxed)
        {
            self.keep_to(limit);
        }
    }
}

fn folder_for_one_run(parent: &Path) -> Result<TempDir, Error> {
    let folder = tempfile::Builder::new().prefix("ko-rs-").tempdir_in(parent);
    folder.map_err(|source| Error::Write { path: parent.to_owned(), source })
}

/// Whether a folder belongs to another user, or is on a read-only file system.
fn is_forbidden(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}
