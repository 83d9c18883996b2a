//! What can be wrong with manifests. Every error of a set is reported, not the first alone.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::Spot;
use crate::reference::{CrateReference, InvalidReference};

/// One thing that is wrong with a manifest, or with what was given as one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing is there.
    #[error("there is no file or folder `{}`", .0.display())]
    Missing(PathBuf),
    /// It is there and cannot be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// What was read.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file larger than any manifest.
    #[error("`{name}` is larger than {} MiB", limit >> 20)]
    TooLarge {
        /// The file.
        name: String,
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// Bytes that are no UTF-8.
    #[error("`{name}` is not UTF-8: line {line} has the byte 0x{byte:02x}")]
    Encoding {
        /// The file.
        name: String,
        /// Where it goes wrong.
        line: usize,
        /// What stands there.
        byte: u8,
    },
    /// A text of two or four bytes a character.
    #[error("`{0}` is not UTF-8; it looks like UTF-16 or UTF-32")]
    Wide(String),
    /// A folder with nothing to read in it.
    #[error("the folder `{}` has no .yaml, .yml or .json file in it", path.display())]
    NoManifests {
        /// The folder.
        path: PathBuf,
        /// Whether its subfolders were searched.
        recursive: bool,
    },
    /// A pattern that nothing matches.
    #[error("no file or folder matches `{}`", .0.display())]
    NoMatch(PathBuf),
    /// A file made of references.
    #[error("`{0}` has more than a million references in it")]
    TooManyReferences(String),
    /// A document that is no YAML.
    #[error("{}: {reason}", spot.place())]
    Syntax {
        /// Where the parser stopped.
        spot: Spot,
        /// Why.
        reason: String,
    },
    /// A scalar that starts like a reference and is none.
    #[error("{}: {reason}", spot.place())]
    Reference {
        /// The scalar.
        spot: Spot,
        /// What is wrong with it.
        reason: InvalidReference,
    },
    /// A reference for which no image was handed in.
    #[error("{}: `{reference}` has no image", spot.place())]
    NoImage {
        /// The scalar.
        spot: Spot,
        /// The reference.
        reference: CrateReference,
    },
    /// A value that Kubernetes cannot be sent.
    #[error("{}: {reason}", spot.place())]
    Value {
        /// The value.
        spot: Spot,
        /// What is wrong with it.
        reason: String,
    },
    /// A document that is no Kubernetes object.
    #[error("{}: no Kubernetes object: {reason}", spot.place())]
    NoObject {
        /// The document.
        spot: Spot,
        /// What it lacks.
        reason: String,
    },
    /// A List whose items cannot be chosen one by one.
    #[error("{}: {reason}", spot.place())]
    Select {
        /// The items.
        spot: Spot,
        /// Why not.
        reason: String,
    },
}

impl Error {
    /// Where it is, for what is wrong inside a manifest.
    #[must_use]
    pub fn spot(&self) -> Option<&Spot> {
        match self {
            Self::Missing(_)
            | Self::Read { .. }
            | Self::TooLarge { .. }
            | Self::Encoding { .. }
            | Self::Wide(_)
            | Self::NoManifests { .. }
            | Self::NoMatch(_)
            | Self::TooManyReferences(_) => None,
            Self::Syntax { spot, .. }
            | Self::Reference { spot, .. }
            | Self::NoImage { spot, .. }
            | Self::Value { spot, .. }
            | Self::NoObject { spot, .. }
            | Self::Select { spot, .. } => Some(spot),
        }
    }

    /// The line it is in, with carets under it.
    #[must_use]
    pub fn excerpt(&self) -> Option<String> {
        let label = match self {
            Self::Syntax { .. } => "here",
            Self::Reference { .. } => "not a reference",
            Self::NoImage { .. } => "no image",
            Self::Value { .. } => "this value",
            Self::NoObject { .. } => "this document",
            Self::Select { .. } => "these items",
            _ => "",
        };
        self.spot().map(|spot| spot.excerpt(label))
    }

    /// The way out.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Wide(name) => Some(format!("iconv -f UTF-16 -t UTF-8 {name}")),
            Self::NoManifests { recursive: false, .. } => {
                Some("-R searches subfolders too".to_owned())
            }
            Self::Reference { reason: reason @ InvalidReference::Suffix { .. }, .. } => {
                let write = reason.hint().map(|hint| format!("{hint},\nor "));
                Some(format!(
                    "{}set `ignoreReferenceTags: true` in .ko-rs.yaml where a template adds it",
                    write.unwrap_or_default()
                ))
            }
            Self::Reference { reason, .. } => reason.hint(),
            Self::Syntax { spot, .. } | Self::Value { spot, .. }
                if spot.source().text().contains("{{") =>
            {
                Some(
                    "this looks like a template, not like YAML: `helm template … | ko-rs … -f -`"
                        .to_owned(),
                )
            }
            Self::Syntax { .. }
            | Self::Missing(_)
            | Self::Read { .. }
            | Self::TooLarge { .. }
            | Self::Encoding { .. }
            | Self::NoManifests { .. }
            | Self::NoMatch(_)
            | Self::TooManyReferences(_)
            | Self::NoImage { .. }
            | Self::Value { .. }
            | Self::NoObject { .. }
            | Self::Select { .. } => None,
        }
    }
}

/// The most errors that are kept: hostile input has one in every line.
const KEPT: usize = 100;

/// Everything that is wrong with a set of manifests, in its order; never empty.
#[derive(Debug, Default)]
pub struct Errors {
    kept: Vec<Error>,
    more: usize,
}

impl Errors {
    pub(super) fn none() -> Self {
        Self::default()
    }

    pub(super) fn push(&mut self, error: Error) {
        if self.kept.len() < KEPT {
            self.kept.push(error);
        } else {
            self.more += 1;
        }
    }

    /// Adds what is wrong behind it.
    pub(super) fn extend(&mut self, behind: Self) {
        self.more += behind.more;
        behind.kept.into_iter().for_each(|error| self.push(error));
    }

    /// Fails if there is any error.
    pub(super) fn check<T>(self, value: T) -> Result<T, Self> {
        if self.kept.is_empty() { Ok(value) } else { Err(self) }
    }

    /// The errors, of which the first hundred are kept.
    pub fn iter(&self) -> std::slice::Iter<'_, Error> {
        self.kept.iter()
    }

    /// How many more there were.
    #[must_use]
    pub fn more(&self) -> usize {
        self.more
    }
}

impl<'a> IntoIterator for &'a Errors {
    type Item = &'a Error;
    type IntoIter = std::slice::Iter<'a, Error>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Self { kept: vec![error], more: 0 }
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.kept.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        if self.more > 0 { write!(f, "\nand {} more", self.more) } else { Ok(()) }
    }
}

impl std::error::Error for Errors {}
