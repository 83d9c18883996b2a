//! The contents of one layer, as far as checks, lints and SBOMs need them: its paths, its
//! libraries, and small files with the users, the library folders and the installed packages.
//!
//! Layers are untrusted input: the number of bytes, entries and names is limited.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use tar::EntryType;

use super::codes;
use super::elf::ElfFacts;
use super::ld_cache;
use super::packages::{self, Package};
use super::tar_entries::{TarEntries, TarEntry};
use crate::oci::{self, facts::Node};
use crate::report::{Details, Diagnose};

/// The maximum size of the tar archive. A few kilobytes of gzip can become any number of bytes.
pub(super) const LARGEST_TAR: u64 = 32 << 30;
/// The maximum number of entries.
const MOST_ENTRIES: usize = 1_000_000;
/// The maximum length of all names together.
const MOST_NAMES: usize = 64 << 20;
/// The maximum size of a library whose facts are read.
const LARGEST_LIBRARY: u64 = 64 << 20;
/// The maximum size of a small file that is kept.
pub(super) const LARGEST_TEXT: u64 = 1 << 20;
/// The maximum size of a database of packages.
const LARGEST_DATABASE: u64 = 64 << 20;

/// The changes that one layer makes to those below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LayerFacts {
    /// Removed paths of lower layers.
    removed: BTreeSet<String>,
    /// Folders from which everything in lower layers is removed.
    emptied: BTreeSet<String>,
    /// Added paths: by folder, then by name, which takes a third of the space of whole paths.
    folders: BTreeMap<String, BTreeMap<String, Kept>>,
    /// Shared libraries and their facts.
    pub(super) libraries: BTreeMap<String, ElfFacts>,
    /// Small files that are kept.
    pub(super) texts: BTreeMap<String, String>,
    /// Databases of packages and their contents.
    pub(super) packages: BTreeMap<String, Vec<Package>>,
}

/// A [`Node`] as it is serialised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kept {
    #[serde(rename = "f")]
    File,
    #[serde(rename = "d")]
    Folder,
    #[serde(rename = "l")]
    Link(String),
}

/// The reason why a layer cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Its bytes cannot be read or unpacked, or are not a tar archive.
    #[error("it cannot be unpacked")]
    Read(#[from] io::Error),
    /// Too many entries, or too long names.
    #[error("it has more entries than any layer of a container image")]
    TooMany,
    /// Too many bytes.
    #[error("it unpacks to more than {LARGEST_TAR} bytes")]
    TooLarge,
    /// It does not have the expected digest.
    #[error("its {what} has the digest {found}, expected {expected}")]
    Digest {
        /// The blob, or the tar archive in it.
        what: &'static str,
        /// The expected digest.
        expected: oci::Digest,
        /// The actual digest.
        found: oci::Digest,
    },
}

impl Diagnose for LayerError {
    fn details(&self) -> Details {
        match self {
            Self::Digest { .. } => Details::new(&oci::codes::WRONG_DIGEST),
            Self::Read(_) | Self::TooMany | Self::TooLarge => {
                Details::new(&codes::BASE_IMAGE_UNREADABLE)
            }
        }
    }
}

/// The text of a file that is kept, if it is one of these.
pub(super) fn kept(path: &str, text: &[u8]) -> Option<String> {
    match path {
        ld_cache::PATH => Some(ld_cache::paths(text).join("\n")),
        path if is_kept(path) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    }
}

/// Whether the text of a file is kept.
fn is_kept(path: &str) -> bool {
    matches!(
        path,
        "etc/passwd" | "etc/group" | "etc/os-release" | "usr/lib/os-release" | "etc/ld.so.conf"
    ) || (path.starts_with("etc/ld.so.conf.d/") && path.ends_with(".conf"))
        || (path.starts_with("etc/ld-musl-") && path.ends_with(".path"))
}

impl LayerFacts {
    /// Reads a tar archive to its end.
    pub(super) fn read(tar: impl Read) -> Result<Self, LayerError> {
        let mut facts = Self::default();
        let mut entries = TarEntries::new(tar);
        let (mut count, mut names) = (0, 0);
        while let Some(entry) = entries.next()? {
            count += 1;
            names += entry.path.len() + entry.link.len();
            if count > MOST_ENTRIES || names > MOST_NAMES {
                return Err(LayerError::TooMany);
            }
            facts.take(&entry, &mut entries)?;
        }
        // The digests include the bytes after the end of the archive.
        io::copy(&mut entries.into_inner(), &mut io::sink())?;
        Ok(facts)
    }

    fn take(&mut self, entry: &TarEntry, tar: &mut TarEntries<impl Read>) -> io::Result<()> {
        let path = entry.path.as_str();
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name == ".wh..wh..opq" {
            self.emptied.insert(folder.to_owned());
            return Ok(());
        }
        if let Some(name) = name.strip_prefix(".wh.") {
            // The files of AUFS itself are not whiteouts.
            if !name.starts_with(".wh.") {
                self.removed.insert(joined(folder, name));
            }
            return Ok(());
        }
        if path.is_empty() {
            return Ok(());
        }
        let kept = match entry.kind {
            EntryType::Directory => Kept::Folder,
            EntryType::Symlink => Kept::Link(entry.link.clone()),
            EntryType::Link => Kept::Link(format!("/{}", entry.link.trim_start_matches('/'))),
            _ => Kept::File,
        };
        if kept == Kept::File {
            self.look(path, name, tar)?;
        }
        self.folders.entry(folder.to_owned()).or_default().insert(name.to_owned(), kept);
        Ok(())
    }

    /// Reads a file if its name shows that it is needed.
    fn look(&mut self, path: &str, name: &str, tar: &mut TarEntries<impl Read>) -> io::Result<()> {
        if let Some(kind) = packages::database(path) {
            if let Some(text) = tar.content(LARGEST_DATABASE)? {
                let found = packages::read(kind, &String::from_utf8_lossy(&text));
                self.packages.insert(path.to_owned(), found);
            }
        } else if path == ld_cache::PATH || is_kept(path) {
            if let Some(text) = tar.content(LARGEST_TEXT)? {
                self.texts.extend(kept(path, &text).map(|text| (path.to_owned(), text)));
            }
        } else if (name.contains(".so") || name.starts_with("ld-"))
            && let Some(library) = tar.content(LARGEST_LIBRARY)?
            && let Ok(facts) = ElfFacts::read_from(&*library)
        {
            self.libraries.insert(path.to_owned(), facts);
        }
        Ok(())
    }

    /// Removed paths of lower layers.
    pub(super) fn removed(&self) -> impl Iterator<Item = &str> {
        self.removed.iter().map(String::as_str)
    }

    /// Folders from which everything in lower layers is removed.
    pub(super) fn emptied(&self) -> impl Iterator<Item = &str> {
        self.emptied.iter().map(String::as_str)
    }

    /// Added paths, folders before their contents.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (String, Node)> {
        self.folders.iter().flat_map(|(folder, names)| {
            names.iter().map(|(name, kept)| {
                let node = match kept {
                    Kept::File => Node::File,
                    Kept::Folder => Node::Folder,
                    Kept::Link(target) => Node::Link(target.clone()),
                };
                (joined(folder, name), node)
            })
        })
    }
}

fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
