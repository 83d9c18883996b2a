//! Reads the entries of a tar archive from an untrusted stream.
//!
//! Memory does not depend on headers: names are limited, and contents are read only on request and
//! up to a given limit ([layer.md][spec]: ustar, pax, the long names of GNU).
//!
//! [spec]: https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md

use std::io::{self, Read};

use tar::{EntryType, Header};

/// The maximum length of the names and attributes of an entry.
const LONGEST_EXTENSION: u64 = 1 << 20;
const RECORD: u64 = 512;

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TarEntry {
    /// The path without leading or trailing slash and without `.` and `..`.
    pub(super) path: String,
    pub(super) kind: EntryType,
    /// The target of a link, as it is written.
    pub(super) link: String,
    /// The length of the content.
    pub(super) size: u64,
}

/// Reads a tar archive.
#[derive(Debug)]
pub(super) struct TarEntries<R> {
    input: R,
    /// The unread part of the content of the current entry.
    content: u64,
    padding: u64,
}

/// Extended headers that apply to the next entry.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

impl<R: Read> TarEntries<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, content: 0, padding: 0 }
    }

    /// The next entry. The unread content of the current one is skipped.
    pub(super) fn next(&mut self) -> io::Result<Option<TarEntry>> {
        let mut extensions = Extensions::default();
        loop {
            self.pass()?;
            let mut header = Header::new_old();
            if !self.record(header.as_mut_bytes())? {
                return Ok(None);
            }
            let size = header.entry_size()?;
            let kind = header.entry_type();
            match kind {
                EntryType::GNULongName => extensions.path = Some(self.extension(size)?),
                EntryType::GNULongLink => extensions.link = Some(self.extension(size)?),
                EntryType::XHeader => {
                    let text = self.extension(size)?;
                    extensions.read(&text)?;
                }
                EntryType::XGlobalHeader => self.begin(size)?,
                _ => {
                    if kind == EntryType::GNUSparse {
                        self.pass_sparse_headers(&header)?;
                    }
                    let has_content = matches!(
                        kind,
                        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse
                    );
                    let size = extensions.size.unwrap_or(size);
                    // In old archives a hard link has the size of its target, but no content.
                    self.begin(if has_content { size } else { 0 })?;
                    let path = extensions.path.unwrap_or_else(|| header.path_bytes().into_owned());
                    let link = extensions
                        .link
                        .or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
                    let path = clean(&String::from_utf8_lossy(&path));
                    let link = String::from_utf8_lossy(&link.unwrap_or_default()).into_owned();
                    return Ok(Some(TarEntry { path, kind, link, size }));
                }
            }
        }
    }

    /// The content of the current entry, or `None` if it is longer than `most`.
    pub(super) fn content(&mut self, most: u64) -> io::Result<Option<Vec<u8>>> {
        if self.content > most {
            return Ok(None);
        }
        let mut content = Vec::new();
        let count = (&mut self.input).take(self.content).read_to_end(&mut content)? as u64;
        if count < self.content {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.content = 0;
        Ok(Some(content))
    }

    /// Writes the content of the current entry.
    pub(super) fn copy(&mut self, to: &mut impl io::Write) -> io::Result<()> {
        let count = io::copy(&mut (&mut self.input).take(self.content), to)?;
        if count < self.content {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.content = 0;
        Ok(())
    }

    /// The stream, at the end of the archive.
    pub(super) fn into_inner(self) -> R {
        self.input
    }

    fn begin(&mut self, size: u64) -> io::Result<()> {
        let padded = size.checked_next_multiple_of(RECORD);
        let padded = padded.ok_or_else(|| invalid("an entry is longer than any file"))?;
        (self.content, self.padding) = (size, padded - size);
        Ok(())
    }

    fn pass(&mut self) -> io::Result<()> {
        let left = self.content + self.padding;
        let passed = io::copy(&mut (&mut self.input).take(left), &mut io::sink())?;
        if passed < left {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (self.content, self.padding) = (0, 0);
        Ok(())
    }

    /// Reads a header. Returns false at the end, which is a record of zeroes or the end of the
    /// stream.
    fn record(&mut self, record: &mut [u8; 512]) -> io::Result<bool> {
        let count = (&mut self.input).take(RECORD).read(record)?;
        if count == 0 {
            return Ok(false);
        }
        self.input.read_exact(&mut record[count..])?;
        if record.iter().all(|&byte| byte == 0) {
            return Ok(false);
        }
        let (stated, mut sum) = (Header::from_byte_slice(record).cksum()?, 0_u32);
        for (at, &byte) in record.iter().enumerate() {
            sum += if (148..156).contains(&at) { 32 } else { u32::from(byte) };
        }
        if sum == stated { Ok(true) } else { Err(invalid("the checksum of a header is wrong")) }
    }

    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        self.begin(size)?;
        let mut text = self
            .content(LONGEST_EXTENSION)?
            .ok_or_else(|| invalid("the name of an entry is longer than any path"))?;
        if text.last() == Some(&0) {
            text.pop();
        }
        Ok(text)
    }

    /// The map of a sparse file continues in more records.
    fn pass_sparse_headers(&mut self, header: &Header) -> io::Result<()> {
        let mut more = header.as_gnu().is_some_and(tar::GnuHeader::is_extended);
        while more {
            let mut record = [0; 512];
            self.input.read_exact(&mut record)?;
            more = record[504] == 1;
        }
        Ok(())
    }
}

impl Extensions {
    /// Reads `LENGTH KEY=VALUE\n` repeatedly.
    fn read(&mut self, mut text: &[u8]) -> io::Result<()> {
        let broken = || invalid("an extended header is broken");
        while !text.is_empty() {
            let space = text.iter().position(|&byte| byte == b' ').ok_or_else(broken)?;
            let length = std::str::from_utf8(&text[..space]).ok().and_then(|n| n.parse().ok());
            let length: usize =
                length.filter(|&n| n > space + 1 && n <= text.len()).ok_or_else(broken)?;
            let (line, rest) = text.split_at(length);
            let line = line[space + 1..].strip_suffix(b"\n").ok_or_else(broken)?;
            let equals = line.iter().position(|&byte| byte == b'=').ok_or_else(broken)?;
            let value = &line[equals + 1..];
            match &line[..equals] {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|size| size.parse().ok());
                    self.size = Some(size.ok_or_else(broken)?);
                }
                _ => {}
            }
            text = rest;
        }
        Ok(())
    }
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// A path from the root, which it cannot leave.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(tar: &[u8]) -> io::Result<Vec<(String, String, u64)>> {
        let mut reader = TarEntries::new(tar);
        let mut found = Vec::new();
        while let Some(entry) = reader.next()? {
            found.push((entry.path, entry.link, entry.size));
        }
        Ok(found)
    }

    fn sample() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(3);
        header.set_entry_type(EntryType::Regular);
        let long = format!("{}/end", "folder/".repeat(40));
        builder.append_data(&mut header.clone(), &long, &b"abc"[..]).unwrap();
        builder.append_data(&mut header, "./short", &b"xyz"[..]).unwrap();
        let mut link = Header::new_gnu();
        link.set_entry_type(EntryType::Symlink);
        link.set_size(0);
        builder.append_link(&mut link, "link", "t".repeat(200)).unwrap();
        builder.append_pax_extensions([("path", &b"../../etc/x"[..]), ("a", b"\xff=\n")]).unwrap();
        let mut last = Header::new_ustar();
        last.set_path("replaced").unwrap();
        last.set_size(1);
        last.set_cksum();
        builder.append(&last, &b"1"[..]).unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn long_names_links_and_pax_paths_are_read_and_none_leaves_the_root() {
        let long = format!("{}end", "folder/".repeat(40));
        let expected = [
            (long, String::new(), 3),
            ("short".to_owned(), String::new(), 3),
            ("link".to_owned(), "t".repeat(200), 0),
            ("etc/x".to_owned(), String::new(), 1),
        ];
        assert_eq!(entries(&sample()).unwrap(), expected);
        let sample = sample();
        let mut reader = TarEntries::new(&*sample);
        reader.next().unwrap();
        assert_eq!(reader.content(2).unwrap(), None);
        reader.next().unwrap();
        assert_eq!(reader.content(3).unwrap().as_deref(), Some(&b"xyz"[..]));
        assert_eq!(reader.next().unwrap().unwrap().path, "link");
    }

    #[test]
    fn a_name_that_claims_gigabytes_is_refused_before_it_is_read() {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::GNULongName);
        header.set_size(1 << 40);
        header.set_cksum();
        let error = TarEntries::new(io::Cursor::new(header.as_bytes()).chain(io::repeat(b'a')));
        assert!({ error }.next().unwrap_err().to_string().contains("longer than any path"));
    }

    #[test]
    fn noise_and_cut_off_tars_are_errors_or_less_and_never_a_panic() {
        let whole = sample();
        for length in 0..whole.len() {
            let _ = entries(&whole[..length]);
        }
        for at in 0..whole.len() {
            let mut noise = whole.clone();
            noise[at] ^= 0xff;
            let _ = entries(&noise);
        }
    }
}
