//! A folder of this machine as entries of a layer.
//!
//! Symbolic links are followed, since what they point at must be in the image, but only inside a
//! boundary: a link that leaves the repository would put something of this machine into it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::oci::file::SeenFile;
use crate::oci::layer::{Content, Entry};

/// More files than data for a container has; a link that multiplies folders ends here.
const MOST_ENTRIES: usize = 200_000;

/// What cannot be put into an image.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder cannot be read.
    #[error("could not read `{path}`")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A link's target is not there.
    #[error("the symbolic link `{link}` points at `{target}`, which cannot be found")]
    Dangling {
        /// The link.
        link: PathBuf,
        /// Its target as it is written.
        target: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A link leaves the boundary.
    #[error("the symbolic link `{link}` points at `{target}`, which lies outside `{boundary}`")]
    Outside {
        /// The link.
        link: PathBuf,
        /// Where it ends.
        target: PathBuf,
        /// What it must not leave.
        boundary: PathBuf,
    },
    /// A link leads to a folder that it lies in.
    #[error("the symbolic link `{link}` leads back to the folder `{target}` that it is in")]
    Loop {
        /// The link.
        link: PathBuf,
        /// Where it ends.
        target: PathBuf,
    },
    /// Neither a file nor a folder.
    #[error("`{0}` is neither a file nor a folder")]
    Special(PathBuf),
    /// A name that a layer cannot hold, or that means something else there.
    #[error("`{path}` cannot be put into an image: {reason}")]
    Name {
        /// The file or the path in the image.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// More than is meant.
    #[error("`{0}` holds more than {MOST_ENTRIES} files and folders")]
    TooMany(PathBuf),
    /// Two files for one place.
    #[error("both `{first}` and `{second}` would be `/{path}` in the image")]
    Twice {
        /// The place.
        path: String,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
}

impl DataError {
    /// The way out.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Outside { .. } => Some(
                "copy the file into the repository, or list it under `files:` in .ko-rs.yaml, \
                 which may name a file from anywhere"
                    .to_owned(),
            ),
            Self::Dangling { .. } => Some("remove the link or make its target first".to_owned()),
            _ => None,
        }
    }
}

/// Entries by path, and where each came from.
pub(super) type Entries = BTreeMap<String, (Entry, PathBuf)>;

/// Gathers files and folders, by their paths in the image.
pub(super) struct Gathering<'a> {
    /// What links may not leave, without links itself.
    boundary: &'a Path,
    /// The permissions of files; those of their sources' kind without.
    mode: Option<u32>,
    entries: &'a mut Entries,
    /// The folders that lie around the one that is read, without links.
    around: Vec<PathBuf>,
}

/// A path without links.
pub(super) fn real(path: &Path) -> Result<PathBuf, DataError> {
    fs::canonicalize(path).map_err(|source| DataError::Read { path: path.to_owned(), source })
}

impl<'a> Gathering<'a> {
    /// Gathers into `entries`.
    pub(super) fn new(boundary: &'a Path, mode: Option<u32>, entries: &'a mut Entries) -> Self {
        Self { boundary, mode, entries, around: Vec::new() }
    }

    /// Takes a file, or a folder with all that is in it, as `to` of the image. `from` is without
    /// links; an empty `to` is the image's root and no entry.
    pub(super) fn take(&mut self, from: &Path, to: &str) -> Result<(), DataError> {
        let failed = |source| DataError::Read { path: from.to_owned(), source };
        let metadata = fs::metadata(from).map_err(failed)?;
        if metadata.is_file() {
            let file = SeenFile::look(from).map_err(failed)?;
            let usual = if file.executable() { 0o755 } else { 0o644 };
            return self.put(to, from, Content::Seen(file), self.mode.unwrap_or(usual));
        }
        if !metadata.is_dir() {
            return Err(DataError::Special(from.to_owned()));
        }
        if !to.is_empty() {
            self.put(to, from, Content::Folder, 0o755)?;
        }
        let mut names: Vec<OsString> = fs::read_dir(from)
            .map_err(failed)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<io::Result<_>>()
            .map_err(failed)?;
        names.sort();
        self.around.push(from.to_owned());
        for name in names {
            let path = from.join(&name);
            let name = checked_name(&path, name.to_str())?;
            let target = self.follow(&path)?;
            let to = if to.is_empty() { name.to_owned() } else { format!("{to}/{name}") };
            self.take(&target, &to)?;
        }
        self.around.pop();
        Ok(())
    }

    /// What a path is after its links, if that is inside the boundary and no folder around it.
    fn follow(&self, path: &Path) -> Result<PathBuf, DataError> {
        let failed = |source| DataError::Read { path: path.to_owned(), source };
        if !fs::symlink_metadata(path).map_err(failed)?.is_symlink() {
            return Ok(path.to_owned());
        }
        let written = fs::read_link(path).map_err(failed)?;
        let link = || path.to_owned();
        let target = fs::canonicalize(path).map_err(|source| DataError::Dangling {
            link: link(),
            target: written,
            source,
        })?;
        if !target.starts_with(self.boundary) {
            let boundary = self.boundary.to_owned();
            return Err(DataError::Outside { link: link(), target, boundary });
        }
        if self.around.contains(&target) {
            return Err(DataError::Loop { link: link(), target });
        }
        Ok(target)
    }

    fn put(&mut self, to: &str, from: &Path, content: Content, mode: u32) -> Result<(), DataError> {
        if self.entries.len() >= MOST_ENTRIES {
            let outermost = self.around.first().map_or(from, PathBuf::as_path);
            return Err(DataError::TooMany(outermost.to_owned()));
        }
        let folder = matches!(content, Content::Folder);
        let entry =
            Entry { path: to.to_owned(), content, mode, uid: 0, gid: 0, capabilities: None };
        match self.entries.get(to) {
            // Two folders are one.
            Some((Entry { content: Content::Folder, .. }, _)) if folder => Ok(()),
            Some((_, first)) => {
                let (path, first, second) = (to.to_owned(), first.clone(), from.to_owned());
                Err(DataError::Twice { path, first, second })
            }
            None => {
                self.entries.insert(to.to_owned(), (entry, from.to_owned()));
                Ok(())
            }
        }
    }
}

/// A file's name as the last part of an entry's path.
pub(super) fn checked_name<'a>(path: &Path, name: Option<&'a str>) -> Result<&'a str, DataError> {
    let wrong = |reason| Err(DataError::Name { path: path.to_owned(), reason });
    match name {
        None => wrong("its name is not UTF-8"),
        Some(name) if name.contains('\0') => wrong("its name holds a zero byte"),
        Some(name) if name.starts_with(".wh.") => {
            wrong("a name that starts with `.wh.` removes a file of the base image")
        }
        Some(name) => Ok(name),
    }
}

#[cfg(test)]
mod tests;
