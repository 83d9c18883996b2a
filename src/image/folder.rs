//! Collects files and folders of this machine as entries of a layer.
//!
//! Symbolic links are followed, but only inside of a boundary: a link to the outside of the repository
//! would put private files of this machine into the image.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::codes;
use crate::oci::file::SeenFile;
use crate::oci::layer::{Content, Entry};
use crate::report::{Details, Diagnose};

/// The maximum number of files. Links can multiply folders without limit.
const MOST_ENTRIES: usize = 200_000;

/// The reason why files cannot be added to an image.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder cannot be read.
    #[error("could not read `{path}`")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The target of a link does not exist.
    #[error("the symbolic link `{link}` points to `{target}`, which cannot be found")]
    Dangling {
        /// The link.
        link: PathBuf,
        /// Its target as it is written.
        target: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The target of a link is outside of the boundary.
    #[error("the symbolic link `{link}` points to `{target}`, which is outside of `{boundary}`")]
    Outside {
        /// The link.
        link: PathBuf,
        /// Its target.
        target: PathBuf,
        /// The folder that links must stay in.
        boundary: PathBuf,
    },
    /// The target of a link is a folder that the link is in.
    #[error("the symbolic link `{link}` points to the folder `{target}`, which contains it")]
    Loop {
        /// The link.
        link: PathBuf,
        /// Its target.
        target: PathBuf,
    },
    /// Neither a file nor a folder.
    #[error("`{0}` is neither a file nor a folder")]
    Special(PathBuf),
    /// A name that a layer cannot contain, or that has another meaning there.
    #[error("`{path}` cannot be added to an image: {reason}")]
    Name {
        /// The file, or its path in the image.
        path: PathBuf,
        /// The reason.
        reason: &'static str,
    },
    /// Too many files.
    #[error("`{0}` contains more than {MOST_ENTRIES} files and folders")]
    TooMany(PathBuf),
    /// Two files with one path.
    #[error("both `{first}` and `{second}` would be `/{path}` in the image")]
    Twice {
        /// The path.
        path: String,
        /// One file.
        first: PathBuf,
        /// The other file.
        second: PathBuf,
    },
}

impl Diagnose for DataError {
    fn details(&self) -> Details {
        match self {
            Self::Read { .. } => Details::new(&codes::FILE_UNREADABLE),
            Self::Outside { .. } => Details::new(&codes::LINK_OUTSIDE_REPOSITORY).hint(
                "copy the file into the repository, or list it under `files` in .ko-rs.yaml, which \
                 may name any file",
            ),
            Self::Dangling { .. } => Details::new(&codes::BROKEN_LINK)
                .hint("remove the link, or create its target before running ko-rs"),
            Self::Loop { .. } => Details::new(&codes::BROKEN_LINK),
            Self::Special(_) | Self::Name { .. } | Self::TooMany(_) => {
                Details::new(&codes::UNSUPPORTED_FILE)
            }
            Self::Twice { .. } => Details::new(&codes::DUPLICATE_FILE),
        }
    }
}

/// Entries by path, each with its source.
pub(super) type Entries = BTreeMap<String, (Entry, PathBuf)>;

/// Collects files and folders by their paths in the image.
pub(super) struct Collector<'a> {
    /// The folder that links must stay in, without links.
    boundary: &'a Path,
    /// The permissions of files; by default those of their sources.
    mode: Option<u32>,
    entries: &'a mut Entries,
    /// The folders that contain the one being read, without links.
    around: Vec<PathBuf>,
}

/// A path without links.
pub(super) fn real(path: &Path) -> Result<PathBuf, DataError> {
    fs::canonicalize(path).map_err(|source| DataError::Read { path: path.to_owned(), source })
}

impl<'a> Collector<'a> {
    /// Collects into `entries`.
    pub(super) fn new(boundary: &'a Path, mode: Option<u32>, entries: &'a mut Entries) -> Self {
        Self { boundary, mode, entries, around: Vec::new() }
    }

    /// Adds a file, or a folder with all of its contents, at `to` in the image. `from` must not contain
    /// links; an empty `to` is the root of the image, which is not an entry.
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

    /// Resolves links in a path. The result must be inside of the boundary and not contain the path.
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
            let outer = self.around.first().map_or(from, PathBuf::as_path);
            return Err(DataError::TooMany(outer.to_owned()));
        }
        let folder = matches!(content, Content::Folder);
        let entry =
            Entry { path: to.to_owned(), content, mode, uid: 0, gid: 0, capabilities: None };
        match self.entries.get(to) {
            // Two folders are merged.
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
        Some(name) if name.contains('\0') => wrong("its name contains a zero byte"),
        Some(name) if name.starts_with(".wh.") => {
            wrong("a name that starts with `.wh.` removes a file of the base image")
        }
        Some(name) => Ok(name),
    }
}

#[cfg(test)]
mod tests;
