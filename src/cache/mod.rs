//! Blobs by digest and small records: the sole owner of the cache folder.
//!
//! The cache only ever saves work. Any file of it may vanish or be torn, and writers may be killed
//! or run side by side: a file is written under a temporary name and renamed when it is whole, a
//! record carries its own digest, and a blob has the size that was asked for or is not there.
//! Whoever sends a blob's bytes to someone who verifies them finds out about noise in it.

mod blob;
mod record;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

pub use blob::BlobWriter;

/// The cache folder, or none: then every look-up misses and every write is thrown away.
#[derive(Clone, Debug)]
pub struct Cache(Folder);

#[derive(Clone, Debug)]
enum Folder {
    Lasting(PathBuf),
    /// Removed with its last clone.
    ForOneRun(Arc<TempDir>),
    None,
}

/// A failure to write into the cache. Reading never fails: what cannot be read is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of the cache could not be written.
    #[error("could not write `{path}` in the cache")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What was written is not what it was said to be.
    #[error("the bytes for {expected} have the digest {found}")]
    Digest {
        /// What was announced.
        expected: crate::oci::Digest,
        /// What came.
        found: crate::oci::Digest,
    },
}

impl Cache {
    /// A cache in a folder that need not exist yet.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self(Folder::Lasting(root.into()))
    }

    /// A cache for one run, in a folder inside `parent` that is removed with its last clone: it
    /// finds nothing from before and leaves nothing.
    pub fn for_one_run(parent: &Path) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix("ko-rs-").tempdir_in(parent);
        let folder = folder.map_err(|source| Error::Write { path: parent.to_owned(), source })?;
        Ok(Self(Folder::ForOneRun(Arc::new(folder))))
    }

    /// No cache.
    #[must_use]
    pub fn none() -> Self {
        Self(Folder::None)
    }

    /// The folder, where there is one.
    #[must_use]
    pub fn root(&self) -> Option<&Path> {
        match &self.0 {
            Folder::Lasting(path) => Some(path),
            Folder::ForOneRun(folder) => Some(folder.path()),
            Folder::None => None,
        }
    }

    /// A folder for files that become cache files by renaming.
    fn unfinished(&self) -> Result<Option<PathBuf>, Error> {
        let Some(root) = self.root() else { return Ok(None) };
        let folder = root.join("tmp");
        std::fs::create_dir_all(&folder)
            .map_err(|source| Error::Write { path: folder.clone(), source })?;
        Ok(Some(folder))
    }
}
