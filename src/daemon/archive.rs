//! A docker-archive (the format of `docker save`), written piece by piece: layers first, then the
//! configurations, and `manifest.json` last, which says by name what is what. So a layer's digest
//! need not be known before its last byte has gone, only the size of its tar.
//!
//! The bytes are a public contract: plain USTAR headers, mode 0644, root, no time, in the order in
//! which the entries were added. Knows nothing of engines: the stream goes to one, or to a file.

mod stream;

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;

use stream::Piece;
pub(crate) use stream::{ArchiveStream, Unfinished, transfer};

use crate::oci::ImageReference;

/// An error of whoever supplies or takes the bytes.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

const MANIFEST: &str = "manifest.json";
const BLOCK: usize = 512;
/// How many pieces may wait between writer and reader; a piece is as large as the writer made it.
const WAITING: usize = 4;
static ZEROS: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// Why an archive could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An entry's name does not fit a tar header or leads out of the archive.
    #[error("`{0}` cannot be the name of an archive's entry")]
    Name(String),
    /// Two entries of one name.
    #[error("the archive has an entry `{0}` already")]
    Duplicate(String),
    /// The entry's content is not as long as was announced.
    #[error("`{name}` should have {announced} bytes, not {found}")]
    Size {
        /// The entry.
        name: String,
        /// What its header says.
        announced: u64,
        /// What came.
        found: u64,
    },
    /// The entry's content could not be read.
    #[error("could not read the content of `{name}`")]
    Content {
        /// The entry.
        name: String,
        /// Why.
        source: BoxError,
    },
    /// Nobody reads any more; the reader knows why.
    #[error("the reader of the archive has gone")]
    Abandoned,
}

/// What `manifest.json` says of one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ArchivedImage {
    /// The entry with the image's configuration.
    pub config: String,
    /// The names the image gets, each with a tag.
    #[serde(serialize_with = "as_text")]
    pub repo_tags: Vec<ImageReference>,
    /// The entries with its layers, lowest first. A name without an entry is a layer that the
    /// reader has.
    pub layers: Vec<String>,
}

fn as_text<S: serde::Serializer>(names: &[ImageReference], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(names.iter().map(ToString::to_string))
}

/// What an archive's entries are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// As they are named: the same content always gives the same bytes. For files.
    Stable,
    /// With a beginning that no other archive has. For engines: containerd keeps an entry that it
    /// received in part, under its name, and goes on from there when the name comes again, whatever
    /// the content; after a load that was broken off, every later one with that name would fail.
    Once,
}

/// Writes an archive into the [`ArchiveStream`] that was made with it.
#[derive(Debug)]
pub(crate) struct ArchiveWriter {
    sender: mpsc::Sender<Piece>,
    prefix: String,
    names: BTreeSet<String>,
    open: Option<String>,
    abandoned: Arc<AtomicBool>,
}

/// An entry whose content is being written. One that is dropped instead of closed spoils the
/// archive: nothing can be added after it.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    writer: &'a mut ArchiveWriter,
    name: String,
    announced: u64,
    written: u64,
}

/// A writer and the stream of what it writes. Both ends have to be driven at the same time, as
/// [`transfer`] does.
#[must_use]
pub(crate) fn channel(naming: Naming) -> (ArchiveWriter, ArchiveStream) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let prefix = match naming {
        Naming::Stable => String::new(),
        Naming::Once => format!("{:016x}-", RandomState::new().build_hasher().finish()),
    };
    let (names, abandoned) = (BTreeSet::new(), Arc::new(AtomicBool::new(false)));
    let writer = ArchiveWriter { sender, prefix, names, open: None, abandoned };
    (writer, ArchiveStream { receiver, ended: false })
}

impl ArchiveWriter {
    /// Whether there is an entry of this name, so that a layer of several images is added once.
    #[must_use]
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Begins an entry of exactly `size` bytes.
    pub(crate) async fn entry(&mut self, name: &str, size: u64) -> Result<Entry<'_>, Error> {
        let header = self.announce(name, &format!("{}{name}", self.prefix), size)?;
        self.open = Some(name.to_owned());
        self.send(Bytes::copy_from_slice(header.as_bytes())).await?;
        Ok(Entry { writer: self, name: name.to_owned(), announced: size, written: 0 })
    }

    /// Adds an entry whose content is in memory: a configuration.
    pub(crate) async fn add_bytes(&mut self, name: &str, bytes: Bytes) -> Result<(), Error> {
        self.add_as(name, &format!("{}{name}", self.prefix), &bytes).await
    }

    /// Writes `manifest.json` and the end of the archive.
    pub(crate) async fn finish(mut self, images: &[ArchivedImage]) -> Result<(), Error> {
        let in_archive = |name: &String| format!("{}{name}", self.prefix);
        let images: Vec<_> = images
            .iter()
            .map(|image| ArchivedImage {
                config: in_archive(&image.config),
                repo_tags: image.repo_tags.clone(),
                layers: image.layers.iter().map(in_archive).collect(),
            })
            .collect();
        let manifest = serde_json::to_vec(&images)
            .map_err(|error| Error::Content { name: MANIFEST.to_owned(), source: error.into() })?;
        self.add_as(MANIFEST, MANIFEST, &manifest).await?;
        self.end().await
    }

    /// Writes the end of an archive without a `manifest.json`.
    pub(crate) async fn end(self) -> Result<(), Error> {
        self.send(Bytes::from_static(&ZEROS)).await?;
        self.send_piece(Piece::End).await
    }

    /// Takes note of an entry and makes its header.
    fn announce(&mut self, name: &str, in_archive: &str, size: u64) -> Result<tar::Header, Error> {
        if let Some(open) = &self.open {
            let source = "it was left unfinished".into();
            return Err(Error::Content { name: open.clone(), source });
        }
        let header = header(in_archive, size)?;
        match self.names.insert(name.to_owned()) {
            true => Ok(header),
            false => Err(Error::Duplicate(name.to_owned())),
        }
    }

    /// Adds an entry in one piece, so that no reader ever has a part of it.
    async fn add_as(&mut self, name: &str, in_archive: &str, bytes: &[u8]) -> Result<(), Error> {
        let header = self.announce(name, in_archive, bytes.len() as u64)?;
        let whole = [header.as_bytes(), bytes, padding(bytes.len() as u64)].concat();
        self.send(whole.into()).await
    }

    async fn send(&self, bytes: Bytes) -> Result<(), Error> {
        self.send_piece(Piece::Bytes(bytes)).await
    }

    async fn send_piece(&self, piece: Piece) -> Result<(), Error> {
        self.sender.send(piece).await.map_err(|_| {
            self.abandoned.store(true, Ordering::Relaxed);
            Error::Abandoned
        })
    }
}

impl Entry<'_> {
    /// Adds the next bytes of the content.
    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.written += bytes.len() as u64;
        if self.written > self.announced {
            return Err(self.wrong_size());
        }
        if bytes.is_empty() { Ok(()) } else { self.writer.send(bytes).await }
    }

    /// Ends the entry, whose content must now be whole.
    pub(crate) async fn close(self) -> Result<(), Error> {
        if self.written != self.announced {
            return Err(self.wrong_size());
        }
        let padding = padding(self.announced);
        if !padding.is_empty() {
            self.writer.send(Bytes::from_static(padding)).await?;
        }
        self.writer.open = None;
        Ok(())
    }

    fn wrong_size(&self) -> Error {
        Error::Size { name: self.name.clone(), announced: self.announced, found: self.written }
    }
}

/// The zeroes that follow a content of this size.
fn padding(size: u64) -> &'static [u8] {
    match (size % BLOCK as u64) as usize {
        0 => &[],
        over => &ZEROS[over..BLOCK],
    }
}

/// The header of a plain file. A size past USTAR's 8 GiB is written in binary, as GNU tar does and
/// every engine reads.
fn header(name: &str, size: u64) -> Result<tar::Header, Error> {
    let refuse = || Error::Name(name.chars().take(300).collect());
    let plain = name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if !plain || name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(refuse());
    }
    let mut header = tar::Header::new_ustar();
    header.set_path(name).map_err(|_| refuse())?;
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    Ok(header)
}

#[cfg(test)]
mod tests;
