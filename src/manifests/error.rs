//! Errors in manifests. All errors of a set are reported, not only the first.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Location, codes};
use crate::reference::{CrateReference, InvalidReference};
use crate::report::{Details, Diagnose, Diagnostic, Severity};
use crate::source::visible;

/// An error in a manifest, or in what was given as one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The path does not exist.
    #[error("`{}` does not exist", .0.display())]
    Missing(PathBuf),
    /// The path exists but cannot be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is larger than any manifest.
    #[error("`{name}` is larger than {} MiB", limit >> 20)]
    TooLarge {
        /// The file.
        name: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file is not UTF-8.
    #[error("`{name}` is not UTF-8: invalid byte 0x{byte:02x} in line {line}")]
    Encoding {
        /// The file.
        name: String,
        /// The line of the first invalid byte.
        line: usize,
        /// The first invalid byte.
        byte: u8,
    },
    /// The file uses two or four bytes for each character.
    #[error("`{0}` is not UTF-8; it looks like UTF-16 or UTF-32")]
    Wide(String),
    /// The folder contains no manifests.
    #[error("the folder `{}` contains no .yaml, .yml or .json files", path.display())]
    NoManifests {
        /// The folder.
        path: PathBuf,
        /// Whether its subfolders were searched.
        recursive: bool,
    },
    /// The pattern matches nothing.
    #[error("no file or folder matches `{}`", .0.display())]
    NoMatch(PathBuf),
    /// The file has too many references.
    #[error("`{0}` has more than a million references")]
    TooManyReferences(String),
    /// The document is not YAML.
    #[error("{reason}")]
    Syntax {
        /// Where the parser stopped.
        location: Location,
        /// The parser's message.
        reason: String,
    },
    /// A scalar starts like a reference but is not one.
    #[error("{reason}")]
    Reference {
        /// The scalar.
        location: Location,
        /// What is wrong with it.
        reason: InvalidReference,
        /// Whether a tag after a reference is ignored.
        ignores_tags: bool,
    },
    /// There is no image for a reference.
    #[error("there is no image for `{reference}`")]
    NoImage {
        /// The scalar.
        location: Location,
        /// The reference.
        reference: CrateReference,
    },
    /// A value cannot be sent to Kubernetes.
    #[error("{}", visible(reason))]
    Value {
        /// The value.
        location: Location,
        /// What is wrong with it.
        reason: String,
    },
    /// The document is not a Kubernetes object.
    #[error("not a Kubernetes object: {}", visible(reason))]
    NotAnObject {
        /// The document.
        location: Location,
        /// What it lacks.
        reason: String,
    },
    /// A selector cannot be applied to the items of a List.
    #[error("{reason}")]
    Select {
        /// The items.
        location: Location,
        /// The reason.
        reason: String,
    },
}

impl Error {
    /// The place of an error inside a manifest.
    #[must_use]
    pub fn location(&self) -> Option<&Location> {
        match self {
            Self::Missing(_)
            | Self::Read { .. }
            | Self::TooLarge { .. }
            | Self::Encoding { .. }
            | Self::Wide(_)
            | Self::NoManifests { .. }
            | Self::NoMatch(_)
            | Self::TooManyReferences(_) => None,
            Self::Syntax { location, .. }
            | Self::Reference { location, .. }
            | Self::NoImage { location, .. }
            | Self::Value { location, .. }
            | Self::NotAnObject { location, .. }
            | Self::Select { location, .. } => Some(location),
        }
    }
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::Missing(_) | Self::NoMatch(_) => Details::new(&codes::MANIFEST_NOT_FOUND),
            Self::Read { .. } | Self::TooLarge { .. } => {
                Details::new(&codes::MANIFEST_NOT_READABLE)
            }
            Self::Encoding { .. } => Details::new(&codes::INVALID_ENCODING),
            Self::Wide(name) => Details::new(&codes::INVALID_ENCODING)
                .hint(format!("convert it: `iconv -f UTF-16 -t UTF-8 {name}`")),
            Self::NoManifests { recursive, .. } => {
                let hint = "use `-R` to read subfolders too".to_owned();
                Details::new(&codes::EMPTY_FOLDER).hints((!recursive).then_some(hint))
            }
            Self::TooManyReferences(_) => Details::new(&codes::TOO_MANY_ERRORS),
            Self::Syntax { location, .. } => Details::new(&codes::INVALID_YAML)
                .spot(location.spot("here"))
                .hints(template_hint(location)),
            Self::Reference { location, reason, ignores_tags } => {
                let (details, spot) = (reason.details(), location.spot("not a reference"));
                if location.text().contains("{{") {
                    return Details::new(details.code()).spot(spot).hint(TEMPLATE);
                }
                let is_tagged = matches!(reason, InvalidReference::Suffix { .. });
                let ignore = "set `ignoreReferenceTags: true` in .ko-rs.yaml if a template adds it";
                let ignore = (is_tagged && !ignores_tags).then(|| ignore.to_owned());
                details.spot(spot).hints(ignore)
            }
            Self::NoImage { location, .. } => {
                Details::new(&codes::INVALID_FIELD).spot(location.spot("no image"))
            }
            Self::Value { location, .. } => Details::new(&codes::INVALID_FIELD)
                .spot(location.spot("this value"))
                .hints(template_hint(location)),
            Self::NotAnObject { location, .. } => {
                Details::new(&codes::NOT_AN_OBJECT).spot(location.spot("this document"))
            }
            Self::Select { location, .. } => {
                Details::new(&codes::LIST_NOT_SELECTABLE).spot(location.spot("these items"))
            }
        }
    }
}

const TEMPLATE: &str = "this looks like a template rather than YAML; render it first: `helm template … | ko-rs … -f -`";

/// How many lines before and after an error are searched for template syntax.
const CONTEXT_LINES: usize = 5;

/// A hint, if there is template syntax outside of quotes near an error.
fn template_hint(location: &Location) -> Option<String> {
    let (before, after) = location.around();
    let is_bare = |line: &str| {
        line.split_once("{{").is_some_and(|(before, _)| !before.contains(['"', '\'', '#']))
    };
    let mut lines =
        before.lines().rev().take(CONTEXT_LINES).chain(after.lines().take(CONTEXT_LINES));
    lines.any(is_bare).then(|| TEMPLATE.to_owned())
}

/// The maximum number of errors that are kept: hostile input may have one in every line.
const KEPT: usize = 10_000;

/// The maximum number of errors that are reported one by one.
const REPORTED: usize = 100;

/// The errors of a set of manifests in the order of their places; cheap to clone.
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

    /// Adds the errors of what follows.
    pub(super) fn extend(&mut self, following: Self) {
        self.more += following.more;
        following.kept.into_iter().for_each(|error| self.add(error));
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.more == 0
    }

    /// Fails if there is any error.
    pub(super) fn check<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// The errors other than those of references.
    pub(super) fn of_documents(&self) -> Self {
        self.clone().retain(|error| !matches!(error, Error::Reference { .. }))
    }

    /// The errors that match; all, if there are more than are kept.
    pub(super) fn retain(mut self, matches: impl Fn(&Error) -> bool) -> Self {
        self.kept.retain(|error| self.more > 0 || matches(error));
        self
    }

    /// All errors that are kept, reported or not.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Error> {
        self.kept.iter().map(|error| &**error)
    }

    /// The errors that are reported one by one.
    pub fn iter(&self) -> impl Iterator<Item = &Error> {
        self.kept.iter().take(REPORTED).map(|error| &**error)
    }

    /// The errors as values; a last one has the number of those that are not reported one by one.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let more = (self.more() > 0).then(|| Diagnostic {
            severity: Severity::Error,
            ..Diagnostic::warning(
                &codes::TOO_MANY_ERRORS,
                format!("{} more errors like these", self.more()),
            )
        });
        self.iter().map(Diagnostic::of).chain(more).collect()
    }

    /// The number of errors beyond those.
    #[must_use]
    pub fn more(&self) -> usize {
        self.more + self.kept.len().saturating_sub(REPORTED)
    }
}

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Self { kept: vec![Arc::new(error)], more: 0 }
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "\n" })?;
            if let Some(location) = error.location() {
                write!(f, "{}: ", location.place())?;
            }
            write!(f, "{error}")?;
        }
        if self.more() > 0 { write!(f, "\nand {} more", self.more()) } else { Ok(()) }
    }
}

impl std::error::Error for Errors {}

impl Diagnose for Errors {
    fn details(&self) -> Details {
        match self.kept.first() {
            Some(first) => first.details(),
            None => Details::new(&codes::TOO_MANY_ERRORS),
        }
    }
}
