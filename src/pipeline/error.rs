//! A failure of a run: a variant a stage, so that it reads as the pipeline.

use super::base;
use super::sources::SourceError;
use super::verify::Mismatch;
use crate::cargo;
use crate::cluster;
use crate::image::{self, BaseName};
use crate::manifests::{self, Finding, Lint, Occurrence};
use crate::publish;
use crate::reference::CrateReference;
use crate::settings::{TemplateError, UnknownBuild, Volatile};

/// Why a run failed, by the stage that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Manifests cannot be read.
    #[error(transparent)]
    Manifests(manifests::Errors),
    /// Manifests cannot be had from where they are.
    #[error(transparent)]
    Source(SourceError),
    /// Manifests that cannot be read, references that point nowhere, lints that are denied: all of it.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nerror: "))]
    Faulty(Vec<Fault>),
    /// The workspace, or Cargo.
    #[error(transparent)]
    Workspace(cargo::Error),
    /// Entries of `builds[]` match no crate.
    #[error("{}", .0.iter().map(with_hint).collect::<Vec<_>>().join("\nerror: "))]
    UnknownBuilds(Vec<UnknownBuild>),
    /// All platforms of a base are asked for, and none can be compiled for.
    #[error("nothing can be compiled for any platform of `{base}` ({offered})")]
    NoPlatform {
        /// The base.
        base: BaseName,
        /// What it is there for.
        offered: String,
    },
    /// A template of the settings.
    #[error(transparent)]
    Template(TemplateError),
    /// A base image.
    #[error(transparent)]
    Base(base::Error),
    /// An image cannot be made.
    #[error("could not make the image of `{binary}`")]
    Image {
        /// The binary.
        binary: String,
        /// Why.
        source: image::Error,
    },
    /// An image did not arrive.
    #[error("could not publish the image of `{binary}`")]
    Publish {
        /// The binary.
        binary: String,
        /// Why.
        source: publish::Error,
    },
    /// The destinations, for the images of a run as a whole.
    #[error(transparent)]
    Destinations {
        /// Why.
        source: publish::Error,
    },
    /// Sources could not be copied, to build them a second time.
    #[error(transparent)]
    Copy(cargo::CopyError),
    /// The copy could not be built.
    #[error("it was built here, and could not be built a second time in another folder")]
    Second {
        /// Why.
        source: Box<Error>,
    },
    /// Two builds could not be compared.
    #[error("could not compare two builds")]
    Compare {
        /// Why.
        source: std::io::Error,
    },
    /// Two builds differ.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nerror: "))]
    Mismatch(Vec<Mismatch>),
    /// Nothing would be done, as after a selector that matches nothing.
    #[error("there are no objects to apply")]
    NoObjects,
    /// The cluster.
    #[error(transparent)]
    Cluster(cluster::Error),
}

/// Something that is wrong with a set of manifests, or with what it needs.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Some of it cannot be read.
    #[error(transparent)]
    Manifests(manifests::Errors),
    /// A reference points nowhere.
    #[error(transparent)]
    Unresolved(Unresolved),
    /// So many do that the rest was not looked at.
    #[error("{0} more references were not looked at")]
    Unseen(usize),
    /// There is nothing that references could point at.
    #[error(transparent)]
    Workspace(cargo::Error),
    /// A lint that is denied found something.
    #[error("{}", .0.text())]
    Denied(Finding),
    /// There is more of it than is told one by one.
    #[error("{more} more of [{}]", .lint.name())]
    More {
        /// The lint that is denied.
        lint: Lint,
        /// How many findings are not told.
        more: usize,
    },
    /// The same in settings.
    #[error("`{}` in `{}` makes another image of every commit [{}]\n{}", .0.name, .0.key, Lint::VolatileTemplate.name(), .0.spot.excerpt())]
    Volatile(Volatile),
}

impl Fault {
    /// The way out.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Manifests(_) | Self::Unseen(_) | Self::More { .. } => None,
            Self::Unresolved(unresolved) => unresolved.hint.clone(),
            Self::Workspace(error) => error.hint(),
            Self::Denied(finding) => Some(finding.hint()),
            Self::Volatile(volatile) => Some(volatile.hint()),
        }
    }
}

/// A reference that points nowhere, and where it stands.
#[derive(Debug, thiserror::Error)]
#[error("{error}{}", .places.iter().map(|place| format!("\n{place}")).collect::<String>())]
pub struct Unresolved {
    error: cargo::Error,
    /// The line that it stands in first, and where else it does.
    places: Vec<String>,
    hint: Option<String>,
}

/// The most places of a reference that are named.
const PLACES: usize = 10;

impl Unresolved {
    /// A reference that stands at `occurrences`.
    pub(super) fn at(
        reference: &CrateReference,
        occurrences: &[&Occurrence],
        error: cargo::Error,
        hint: Option<String>,
    ) -> Self {
        let label = match &error {
            cargo::Error::AmbiguousBinary { .. } | cargo::Error::AmbiguousWorkspace { .. } => {
                "may mean several"
            }
            _ => "refers to nothing here",
        };
        let excerpt = |occurrence: &&&Occurrence| match occurrence.image() {
            None => occurrence.excerpt(label),
            Some(_) => {
                occurrence.excerpt(&format!("`images` of the settings makes this `{reference}`"))
            }
        };
        let first: Option<String> = occurrences.first().as_ref().map(excerpt);
        // As rustc marks what else belongs to an excerpt.
        let indent = first.as_deref().and_then(|first| first.find("-->")).unwrap_or_default();
        let indented = |place: &str| format!("{:indent$}::: {place}", "");
        let others = occurrences.iter().skip(1);
        let named = others.take(PLACES).map(|occurrence| indented(&occurrence.place()));
        let left = occurrences.len().saturating_sub(1 + PLACES);
        let left = (left > 0).then(|| indented(&format!("{left} more places")));
        let places = first.into_iter().chain(named).chain(left).collect();
        Self { error, places, hint }
    }
}

fn with_hint(unknown: &UnknownBuild) -> String {
    let hint = unknown.suggestion.as_ref().map(|hint| format!("\nhint: {hint}"));
    format!("{unknown}{}", hint.unwrap_or_default())
}

impl Error {
    /// The way out.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Manifests(_)
            | Self::NoObjects
            | Self::Faulty(_)
            | Self::UnknownBuilds(_)
            | Self::NoPlatform { .. } => None,
            Self::Source(error) => error.hint(),
            Self::Workspace(error) => error.hint(),
            Self::Base(error) => error.hint(),
            Self::Template(error) => error.hint(),
            Self::Image { source, .. } => source.hint(),
            Self::Publish { source, .. } | Self::Destinations { source } => source.hint(),
            Self::Cluster(error) => error.hint(),
            Self::Copy(error) => error.hint(),
            Self::Second { .. } => Some(
                "what Git ignores is not copied; a file that a build needs should be committed"
                    .to_owned(),
            ),
            Self::Compare { .. } => None,
            Self::Mismatch(mismatches) => mismatches.first().map(Mismatch::hint),
        }
    }

    /// Whether `cargo build` itself ran and failed, so that rustc has said why.
    #[must_use]
    pub fn is_compilation(&self) -> bool {
        matches!(self, Self::Workspace(error) if error.is_compilation())
    }
}
