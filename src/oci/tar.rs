//! The tar archive of a [`LayerSource`], read in pieces ([layer.md][spec], POSIX ustar and pax).
//!
//! The same source always produces the same bytes: entries in order, numeric owners without names,
//! one time for all, an extended header only if a value does not fit into a ustar field.
//!
//! [spec]: https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use tar::{EntryType, Header};

use super::capabilities::PAX_KEY;
use super::file::{OpenedFile, SeenFile, Stamp};
use super::layer::{Content, Entry, LayerSource};
use super::{Digest, Digester};

/// The size of a record. Headers, and contents with padding, are multiples of it.
const RECORD: u64 = 512;
/// A tar archive ends with two records of zeroes.
const END: u64 = 2 * RECORD;
/// The maximum value in 11 octal digits.
const LARGEST_SIZE: u64 = (1 << 33) - 1;
/// The maximum value in 7 octal digits.
const LARGEST_OWNER: u64 = (1 << 21) - 1;

/// A failure to read a file of a layer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read.
    #[error("could not read `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The stamp of the file changed since it was opened.
    #[error("`{path}` changed while it was read")]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

impl LayerSource {
    /// The length of the archive in bytes.
    #[must_use]
    pub fn tar_size(&self) -> u64 {
        let entries = self.entries.iter();
        entries.map(|entry| self.headers(entry).len() as u64 + padded(entry.size())).sum::<u64>()
            + END
    }

    /// A digest of everything that determines the archive, without reading files: headers, contents
    /// in memory, and the stamps of files. Sources with the same identity have the same archive, so
    /// the number in its first line must change whenever this module writes other bytes. `None` if
    /// the stamp of a file has not settled.
    #[must_use]
    pub fn identity(&self) -> Option<Digest> {
        let mut digester = Digester::default();
        digester.update(b"ko-rs layer 1\n");
        for entry in &self.entries {
            let headers = self.headers(entry);
            digester.update(&(headers.len() as u64).to_le_bytes());
            digester.update(&headers);
            match &entry.content {
                Content::Folder | Content::Link(_) => {}
                Content::Bytes(bytes) => digester.update(bytes),
                Content::File(file) if file.is_racy() => return None,
                Content::Seen(file) if file.is_racy() => return None,
                Content::File(file) => stamp(&mut digester, file.stamp()),
                Content::Seen(file) => stamp(&mut digester, file.stamp()),
            }
        }
        Some(digester.finish())
    }

    /// The bytes before the content of an entry: an extended header if necessary, and the ustar
    /// header.
    fn headers(&self, entry: &Entry) -> Vec<u8> {
        let mut header = Header::new_ustar();
        let (kind, link) = match &entry.content {
            Content::Folder => (EntryType::Directory, ""),
            Content::Bytes(_) | Content::File(_) | Content::Seen(_) => (EntryType::Regular, ""),
            Content::Link(target) => (EntryType::Symlink, target.as_str()),
        };
        let slash = if kind == EntryType::Directory { "/" } else { "" };
        let path = format!("{}{slash}", entry.path);
        let mut extended = Vec::new();
        let (prefix, name) = split(&path).unwrap_or_else(|| {
            extended.push(("path", path.clone().into_bytes()));
            ("", path.as_str())
        });
        if !fits(link, 100) {
            extended.push(("linkpath", link.as_bytes().to_vec()));
        }
        let mut number = |key, value: u64, largest| {
            if value > largest {
                extended.push((key, value.to_string().into_bytes()));
            }
            value.min(largest)
        };
        let size = number("size", entry.size(), LARGEST_SIZE);
        let uid = number("uid", entry.uid, LARGEST_OWNER);
        let gid = number("gid", entry.gid, LARGEST_OWNER);
        let modified = number("mtime", self.modified, LARGEST_SIZE);

        if let Some(capabilities) = entry.capabilities {
            extended.push((PAX_KEY, capabilities.attribute()));
        }

        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(entry.mode & 0o7777);
        header.set_uid(uid);
        header.set_gid(gid);
        header.set_mtime(modified);
        if let Some(fields) = header.as_ustar_mut() {
            put(&mut fields.name, name);
            put(&mut fields.prefix, prefix);
            put(&mut fields.linkname, link);
        }
        header.set_cksum();
        let mut bytes = if extended.is_empty() { Vec::new() } else { pax(&extended) };
        bytes.extend_from_slice(header.as_bytes());
        bytes
    }
}

impl Entry {
    /// The content's length in bytes.
    fn size(&self) -> u64 {
        match &self.content {
            Content::Folder | Content::Link(_) => 0,
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::File(file) => file.size(),
            Content::Seen(file) => file.size(),
        }
    }
}

/// Adds the stamp of a file to a digest.
fn stamp(digester: &mut Digester, stamp: &Stamp) {
    for number in [stamp.device, stamp.inode, stamp.size] {
        digester.update(&number.to_le_bytes());
    }
    for time in [stamp.modified, stamp.changed] {
        digester.update(&time.to_le_bytes());
    }
}

/// A length rounded up to whole records.
fn padded(size: u64) -> u64 {
    size.next_multiple_of(RECORD)
}

/// Whether a text fits into a ustar field: short enough, and only characters with the same meaning
/// everywhere.
fn fits(text: &str, length: usize) -> bool {
    text.len() <= length && text.is_ascii()
}

/// Splits a path into prefix and name of ustar, which are joined by a slash.
fn split(path: &str) -> Option<(&str, &str)> {
    if fits(path, 100) {
        return Some(("", path));
    }
    let slashes = path.char_indices().filter(|&(at, c)| c == '/' && at + 1 < path.len());
    slashes
        .map(|(at, _)| (&path[..at], &path[at + 1..]))
        .find(|(prefix, name)| !prefix.is_empty() && fits(prefix, 155) && fits(name, 100))
}

/// Writes as much of a text as fits into a field of zeroes.
fn put(field: &mut [u8], text: &str) {
    let length = text.len().min(field.len());
    field[..length].copy_from_slice(&text.as_bytes()[..length]);
}

/// An extended header: an entry with the content `LENGTH KEY=VALUE\n` for each value.
fn pax(values: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut content = Vec::new();
    for (key, value) in values {
        let rest = key.len() + value.len() + 3; // space, equals sign, newline
        // The length includes its own digits, whose number may grow by that.
        let mut length = rest;
        while rest + length.to_string().len() != length {
            length = rest + length.to_string().len();
        }
        content.extend_from_slice(format!("{length} {key}=").as_bytes());
        content.extend_from_slice(value);
        content.push(b'\n');
    }
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::XHeader);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    if let Some(fields) = header.as_ustar_mut() {
        put(&mut fields.name, "PaxHeaders.0/entry");
    }
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(&content);
    bytes.resize(padded(bytes.len() as u64) as usize, 0);
    bytes
}

/// Reads the archive of a source from its first byte to its last, each file once.
#[derive(Debug)]
pub(super) struct TarReader {
    source: LayerSource,
    /// The number of entries that were begun, plus one after the end was begun.
    begun: usize,
    /// The remaining parts of the current entry.
    parts: VecDeque<Part>,
    /// The number of bytes of the first part that were read.
    done: u64,
}

/// A part of an archive.
#[derive(Debug)]
enum Part {
    Bytes(Bytes),
    File(OpenedFile),
    Zeroes(u64),
}

impl Part {
    fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(file) => file.size(),
            Self::Zeroes(count) => *count,
        }
    }

    /// Fills a buffer from an offset, which must not reach beyond the part.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), ReadError> {
        match self {
            Self::Bytes(bytes) => {
                let offset = offset as usize; // less than a length in memory
                buffer.copy_from_slice(&bytes[offset..offset + buffer.len()]);
            }
            Self::Zeroes(_) => buffer.fill(0),
            Self::File(file) => {
                let path = || file.path().to_owned();
                let read = file
                    .read_at(buffer, offset)
                    .map_err(|source| ReadError::Io { path: path(), source })?;
                if read < buffer.len() {
                    return Err(ReadError::Changed { path: path() });
                }
            }
        }
        Ok(())
    }

    /// Checks after the last byte that the file did not change while it was read.
    fn check(&self) -> Result<(), ReadError> {
        let Self::File(file) = self else { return Ok(()) };
        let path = || file.path().to_owned();
        match file.is_unchanged() {
            Ok(true) => Ok(()),
            Ok(false) => Err(ReadError::Changed { path: path() }),
            Err(source) => Err(ReadError::Io { path: path(), source }),
        }
    }
}

impl TarReader {
    /// Starts with the first entry.
    pub(super) fn new(source: LayerSource) -> Self {
        Self { source, begun: 0, parts: VecDeque::new(), done: 0 }
    }

    /// Fills a buffer, partly only at the end of the archive.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let mut filled = 0;
        while filled < buffer.len() {
            let Some(part) = self.parts.front() else {
                if !self.begin()? {
                    break;
                }
                continue;
            };
            let room = buffer.len() - filled;
            let left = part.size() - self.done;
            let count = usize::try_from(left).map_or(room, |left| left.min(room));
            part.read_at(&mut buffer[filled..filled + count], self.done)?;
            if let Part::File(file) = part
                && let Some(search) = file.search()
            {
                search.see(self.done, &buffer[filled..filled + count]);
            }
            filled += count;
            self.done += count as u64;
            if self.done == part.size() {
                part.check()?;
                self.parts.pop_front();
                self.done = 0;
            }
        }
        Ok(filled)
    }

    /// Prepares the parts of the next entry, then the end. Returns false after that.
    fn begin(&mut self) -> Result<bool, ReadError> {
        let Some(entry) = self.source.entries.get(self.begun) else {
            let first = self.begun == self.source.entries.len();
            if first {
                self.parts.push_back(Part::Zeroes(END));
                self.begun += 1;
            }
            return Ok(first);
        };
        self.parts.push_back(Part::Bytes(self.source.headers(entry).into()));
        match &entry.content {
            Content::Folder | Content::Link(_) => {}
            Content::Bytes(bytes) => self.parts.push_back(Part::Bytes(bytes.clone())),
            Content::File(file) => self.parts.push_back(Part::File(file.clone())),
            Content::Seen(file) => self.parts.push_back(Part::File(opened(file)?)),
        }
        self.parts.push_back(Part::Zeroes(padded(entry.size()) - entry.size()));
        self.begun += 1;
        Ok(true)
    }
}

/// Opens a file if it is still the one that was seen.
fn opened(file: &SeenFile) -> Result<OpenedFile, ReadError> {
    let path = || file.path().to_owned();
    let opened = file.open().map_err(|source| ReadError::Io { path: path(), source })?;
    opened.ok_or_else(|| ReadError::Changed { path: path() })
}

#[cfg(test)]
mod tests;
