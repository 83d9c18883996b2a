//! Finds the differences between two images that should be the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::draft::ImageDraft;
use super::elf::{Section, sections};
use crate::oci::file::OpenedFile;
use crate::oci::layer::{Content, Entry};

/// The number of bytes that are compared at once.
const PIECE: usize = 256 << 10;
/// The length of the text that is shown around a difference.
const BEFORE: u64 = 60;
const BEHIND: u64 = 240;
/// The number of sections of an executable that are shown in full.
const MOST: usize = 3;

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The file in the image, or `None` for its configuration.
    pub path: Option<String>,
    /// The kind of difference.
    pub what: What,
}

/// A kind of difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Only one image has it: the first, or the second.
    Only(Build),
    /// Kind, permissions or owner.
    Header,
    /// Labels, variables, annotations and similar.
    Configuration,
    /// The content at an offset, with the surrounding text in both.
    Content {
        /// The section of an executable, if it is one.
        section: Option<String>,
        /// The first differing byte, from the start of the file or section.
        at: u64,
        /// The text in the first image.
        first: String,
        /// The text in the second image.
        second: String,
    },
    /// Another section of an executable that was already reported.
    Section(String),
}

/// One of two builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// The first.
    First,
    /// The second.
    Second,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "/{path}: ")?,
            None => f.write_str("the image's ")?,
        }
        match &self.what {
            What::Only(Build::First) => f.write_str("only the first build has it"),
            What::Only(Build::Second) => f.write_str("only the second build has it"),
            What::Header => f.write_str("kind, permissions or size differ"),
            What::Configuration => f.write_str("configuration differs"),
            What::Content { section, at, first, second } => {
                match section {
                    Some(section) => write!(f, "section {section} differs at {at:#x}")?,
                    None => write!(f, "differs at byte {at}")?,
                }
                write!(f, "\n  first:  {first:?}\n  second: {second:?}")
            }
            What::Section(section) => write!(f, "section {section} differs"),
        }
    }
}

/// All differences; none for images that will have the same digest.
pub fn differences(first: &ImageDraft, second: &ImageDraft) -> io::Result<Vec<Difference>> {
    let mut found = Vec::new();
    if !first.is_same_except_layers(second) {
        found.push(Difference { path: None, what: What::Configuration });
    }
    let (ours, theirs) = (entries(first), entries(second));
    let paths: BTreeSet<&str> = ours.keys().chain(theirs.keys()).copied().collect();
    for path in paths {
        let whats = match (ours.get(path), theirs.get(path)) {
            (Some(first), Some(second)) => compare(first, second)?,
            (Some(_), None) => vec![What::Only(Build::First)],
            (None, _) => vec![What::Only(Build::Second)],
        };
        found
            .extend(whats.into_iter().map(|what| Difference { path: Some(path.to_owned()), what }));
    }
    Ok(found)
}

fn entries(draft: &ImageDraft) -> BTreeMap<&str, &Entry> {
    let entries = draft.sources().iter().flat_map(|source| &source.entries);
    entries.map(|entry| (entry.path.as_str(), entry)).collect()
}

fn compare(first: &Entry, second: &Entry) -> io::Result<Vec<What>> {
    let header = |entry: &Entry| (entry.mode, entry.uid, entry.gid);
    if header(first) != header(second) {
        return Ok(vec![What::Header]);
    }
    match (file(&first.content)?, file(&second.content)?) {
        (Some(first), Some(second)) => files(&first, &second),
        (None, None) => Ok(match (&first.content, &second.content) {
            (Content::Folder, Content::Folder) => Vec::new(),
            (Content::Bytes(one), Content::Bytes(other)) if one == other => Vec::new(),
            (Content::Link(one), Content::Link(other)) if one == other => Vec::new(),
            _ => vec![What::Header],
        }),
        _ => Ok(vec![What::Header]),
    }
}

fn file(content: &Content) -> io::Result<Option<OpenedFile>> {
    match content {
        Content::File(file) => Ok(Some(file.clone())),
        Content::Seen(seen) => {
            let path: PathBuf = seen.path().to_owned();
            let changed = || io::Error::other(format!("`{}` changed meanwhile", path.display()));
            seen.open()?.ok_or_else(changed).map(Some)
        }
        Content::Folder | Content::Bytes(_) | Content::Link(_) => Ok(None),
    }
}

fn files(first: &OpenedFile, second: &OpenedFile) -> io::Result<Vec<What>> {
    let whole = |file: &OpenedFile| Section { name: String::new(), offset: 0, size: file.size() };
    let Some(at) = first_difference((first, &whole(first)), (second, &whole(second)))? else {
        return Ok(Vec::new());
    };
    let (Ok(ours), Ok(theirs)) = (sections(first), sections(second)) else {
        return Ok(vec![What::Content {
            section: None,
            at,
            first: around(first, &whole(first), at)?,
            second: around(second, &whole(second), at)?,
        }]);
    };
    let mut found = Vec::new();
    for one in &ours {
        let Some(other) = theirs.iter().find(|other| other.name == one.name) else { continue };
        let Some(at) = first_difference((first, one), (second, other))? else { continue };
        let section = one.name.clone();
        let (first, second) = (around(first, one, at)?, around(second, other, at)?);
        found.push((section, at, first, second));
    }
    // Differences in texts explain more than those in code, which moves because of them.
    found.sort_by_key(|(section, ..)| rank(section));
    let mut shown = 0;
    let whats = found.into_iter().map(|(section, at, first, second)| {
        shown += 1;
        if shown > MOST {
            return What::Section(section);
        }
        What::Content { section: Some(section), at, first, second }
    });
    let whats: Vec<What> = whats.collect();
    if whats.is_empty() {
        // Between the sections, or in the section table.
        let (first, second) =
            (around(first, &whole(first), at)?, around(second, &whole(second), at)?);
        return Ok(vec![What::Content { section: None, at, first, second }]);
    }
    Ok(whats)
}

fn rank(section: &str) -> usize {
    const TELLING: [&str; 6] = [".rodata", ".data", ".comment", ".strtab", ".dep-v0", ".debug_str"];
    TELLING.iter().position(|name| section.starts_with(name)).unwrap_or(TELLING.len())
}

/// The position where parts of two files begin to differ.
fn first_difference(
    (first, one): (&OpenedFile, &Section),
    (second, other): (&OpenedFile, &Section),
) -> io::Result<Option<u64>> {
    let (mut ours, mut theirs) = (vec![0; PIECE], vec![0; PIECE]);
    let mut at = 0;
    let common = one.size.min(other.size);
    while at < common {
        let length = usize::try_from(common - at).unwrap_or(PIECE).min(PIECE);
        let read = first.read_at(&mut ours[..length], one.offset + at)?;
        let read = read.min(second.read_at(&mut theirs[..length], other.offset + at)?);
        let differs = |at: &usize| ours[*at] != theirs[*at];
        if let Some(within) = (0..read).find(differs) {
            return Ok(Some(at + within as u64));
        }
        if read < length {
            return Ok(Some(at + read as u64)); // cut off meanwhile
        }
        at += length as u64;
    }
    Ok((one.size != other.size).then_some(common))
}

/// The printable text around a byte, with dots for other bytes.
fn around(file: &OpenedFile, section: &Section, at: u64) -> io::Result<String> {
    let start = at.saturating_sub(BEFORE);
    let end = (at + BEHIND).min(section.size);
    let mut bytes = vec![0; usize::try_from(end.saturating_sub(start)).unwrap_or(0)];
    let count = file.read_at(&mut bytes, section.offset + start)?;
    bytes.truncate(count);
    let before = usize::try_from(at - start).unwrap_or(0).min(bytes.len());
    let is_text = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    let from = bytes[..before].iter().rposition(|byte| !is_text(byte)).map_or(0, |at| at + 1);
    let to = bytes[before..].iter().position(|byte| !is_text(byte));
    let to = to.map_or(bytes.len(), |to| before + to);
    if to - from < 4 {
        // Not text: the bytes themselves.
        let shown = &bytes[before..bytes.len().min(before + 16)];
        return Ok(shown.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "));
    }
    Ok(String::from_utf8_lossy(&bytes[from..to]).into_owned())
}
