//! What can be wrong with manifests. Every error of a set is reported, not the first alone.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::Spot;
use crate::reference::{CrateReference, InvalidReference};
use crate::source::visible;

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
        /// Whether a tag would go, were it one.
        ignores_tags: bool,
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
    #[error("{}: {}", spot.place(), visible(reason))]
    Value {
        /// The value.
        spot: Spot,
        /// What is wrong with it.
        reason: String,
    },
    /// A document that is no Kubernetes object.
    #[error("{}: no Kubernetes object: {}", spot.place(), visible(reason))]
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
            Self::Reference { spot, .. } if spot.text().contains("{{") => Some(TEMPLATE.to_owned()),
            Self::Reference {
                reason: reason @ InvalidReference::Suffix { .. },
                ignores_tags: false,
                ..
            } => {
                let write = reason.hint().map(|hint| format!("{hint},\nor "));
                Some(format!(
                    "{}set `ignoreReferenceTags: true` in .ko-rs.yaml where a template adds it",
                    write.unwrap_or_default()
                ))
            }
            Self::Reference { reason, .. } => reason.hint(),
            Self::Syntax { spot, .. } | Self::Value { spot, .. } if is_template(spot) => {
                Some(TEMPLATE.to_owned())
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

const TEMPLATE: &str =
    "this looks like a template, not like YAML: `helm template … | ko-rs … -f -`";

/// How many lines around an error may hold what makes it one.
const AROUND: usize = 5;

/// Whether something that a template engine would replace stands around a place, and not in quotes.
fn is_template(spot: &Spot) -> bool {
    let (before, behind) = spot.around();
    let is_bare = |line: &str| {
        line.split_once("{{").is_some_and(|(before, _)| !before.contains(['"', '\'', '#']))
    };
    before.lines().rev().take(AROUND).chain(behind.lines().take(AROUND)).any(is_bare)
}

/// The most errors that are kept: hostile input has one in every line.
const KEPT: usize = 10_000;

/// The most errors that are told.
const TOLD: usize = 100;

/// Everything that is wrong with a set of manifests, in its order; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    kept: Vec<Arc<Error>>,
    more: usize,
}

impl Errors {
    pub(super) fn none() -> Self {
        Self::default()
    }

    pub(super) fn push(&mut self, error: Error) {
        self.add(Arc::new(error));
    }

    fn add(&mut self, error: Arc<Error>) {
        if self.kept.len() < KEPT {
            self.kept.push(error);
        } else {
            self.more += 1;
        }
    }

    /// Adds what is wrong behind it.
    pub(super) fn extend(&mut self, behind: Self) {
        self.more += behind.more;
        behind.kept.into_iter().for_each(|error| self.add(error));
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.more == 0
    }

    /// Fails if there is any error.
    pub(super) fn check<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// What is wrong with documents as a whole, whatever their references are.
    pub(super) fn of_documents(&self) -> Self {
        self.clone().retain(|error| !matches!(error, Error::Reference { .. }))
    }

    /// Those of the errors which are wanted; all where there are more than are known.
    pub(super) fn retain(mut self, is_wanted: impl Fn(&Error) -> bool) -> Self {
        self.kept.retain(|error| self.more > 0 || is_wanted(error));
        self
    }

    /// The errors that are known, told or not.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Error> {
        self.kept.iter().map(|error| &**error)
    }

    /// The errors that are told.
    pub fn iter(&self) -> impl Iterator<Item = &Error> {
        self.kept.iter().take(TOLD).map(|error| &**error)
    }

    /// How many more there were.
    #[must_use]
    pub fn more(&self) -> usize {
        self.more + self.kept.len().saturating_sub(TOLD)
    }
}

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Self { kept: vec![Arc::new(error)], more: 0 }
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separated = |index: usize| if index == 0 { "" } else { "\n" };
        self.iter()
            .enumerate()
            .try_for_each(|(at, error)| write!(f, "{}{error}", separated(at)))?;
        if self.more() > 0 { write!(f, "\nand {} more", self.more()) } else { Ok(()) }
    }
}

impl std::error::Error for Errors {}
