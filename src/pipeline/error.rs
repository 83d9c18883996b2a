//! A failure of a run: one variant for each stage.

use std::process::ExitStatus;

use super::mismatch::Mismatch;
use crate::cargo;
use crate::cluster;
use crate::image::{self, BaseError, BaseName};
use crate::manifests::{self, Finding, Lint, Occurrence};
use crate::publish;
use crate::reference::CrateReference;
use crate::registry::FetchError;
use crate::settings::{TemplateError, UnknownBuild, Volatile};
use crate::source::Spot;

/// Why a run failed, by the stage that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Manifests cannot be read.
    #[error(transparent)]
    Manifests(manifests::Errors),
    /// Manifests that are not files cannot be read.
    #[error(transparent)]
    Source(SourceError),
    /// Manifests cannot be read, references cannot be resolved, or lints are denied.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nerror: "))]
    Faulty(Vec<Fault>),
    /// The workspace, or Cargo.
    #[error(transparent)]
    Workspace(cargo::Error),
    /// Entries of `builds[]` match no crate.
    #[error("{}", .0.iter().map(with_hint).collect::<Vec<_>>().join("\nerror: "))]
    UnknownBuilds(Vec<UnknownBuild>),
    /// The base has no platform that can be compiled for.
    #[error("cannot compile for any platform of the base image `{base}` ({offered})")]
    NoPlatform {
        /// The base.
        base: BaseName,
        /// Its platforms.
        offered: String,
    },
    /// A template of the settings.
    #[error(transparent)]
    Template(TemplateError),
    /// A base image.
    #[error(transparent)]
    Base(BaseError),
    /// An image cannot be made.
    #[error("could not make the image of `{binary}`")]
    Image {
        /// The binary.
        binary: String,
        /// The cause.
        source: image::Error,
    },
    /// An image cannot be published.
    #[error("could not publish the image of `{binary}`")]
    Publish {
        /// The binary.
        binary: String,
        /// The cause.
        source: publish::Error,
    },
    /// The destinations cannot be used.
    #[error(transparent)]
    Destinations {
        /// The cause.
        source: publish::Error,
    },
    /// Sources cannot be copied for a second build.
    #[error(transparent)]
    Copy(cargo::CopyError),
    /// The second build failed.
    #[error("could not build a second time in another folder")]
    Second {
        /// The cause.
        source: Box<Error>,
    },
    /// Two builds cannot be compared.
    #[error("could not compare two builds")]
    Compare {
        /// The cause.
        source: std::io::Error,
    },
    /// Two builds differ.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nerror: "))]
    Mismatch(Vec<Mismatch>),
    /// There is nothing to apply, for example because a selector matches nothing.
    #[error("there are no objects to apply")]
    NoObjects,
    /// The cluster.
    #[error(transparent)]
    Cluster(cluster::Error),
}

/// A failure to read manifests that are not files.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A URL cannot be fetched.
    #[error(transparent)]
    Fetch(FetchError),
    /// Neither program that builds kustomizations is installed.
    #[error("could not build `{0}`: neither `kustomize` nor `kubectl` is on the PATH")]
    NoKustomize(String),
    /// A program could not be run.
    #[error("could not run `{command}`")]
    Run {
        /// As its user would type it.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// A program failed.
    #[error("`{command}` failed ({status})\n{}", complaint.trim_end())]
    Failed {
        /// As its user would type it.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// Its output on standard error.
        complaint: String,
    },
}

impl SourceError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Fetch(error) => error.hint(),
            Self::NoKustomize(_) => {
                Some("install one of them; `-k` runs it to build kustomizations".to_owned())
            }
            Self::Run { .. } | Self::Failed { .. } => None,
        }
    }
}

/// Something that is wrong with manifests, or with what they need.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// They cannot be read.
    #[error(transparent)]
    Manifests(manifests::Errors),
    /// A reference cannot be resolved.
    #[error(transparent)]
    Unresolved(Unresolved),
    /// There are so many of these that the rest was not looked at.
    #[error("{0} more references were not checked")]
    Unseen(usize),
    /// There is no workspace that references could point into.
    #[error(transparent)]
    Workspace(cargo::Error),
    /// A denied lint found something.
    #[error("{}", .0.text())]
    Denied(Finding),
    /// There are more findings than are reported one by one.
    #[error("{more} more of [{}]", .lint.name())]
    More {
        /// The lint that is denied.
        lint: Lint,
        /// How many findings are not reported.
        more: usize,
    },
    /// A template makes another image of every commit.
    #[error("`{}` in `{}` makes another image of every commit [{}]\n{}", .0.name, .0.key, Lint::VolatileTemplate.name(), .0.spot.excerpt())]
    Volatile(Volatile),
}

impl Fault {
    /// What to do about it.
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

/// A reference that cannot be resolved, and where it is used.
#[derive(Debug, thiserror::Error)]
#[error("{error}{}", drawn(.spots))]
pub struct Unresolved {
    error: cargo::Error,
    /// Where it is used. The first has a label.
    spots: Vec<Spot>,
    hint: Option<String>,
}

/// The first place as rustc draws it, and the others below it.
fn drawn(spots: &[Spot]) -> String {
    const PLACES: usize = 10;
    let Some((first, others)) = spots.split_first() else { return String::new() };
    let mut drawn = format!("\n{}", first.excerpt());
    let indent = drawn.find("-->").unwrap_or(1) - 1;
    for Spot { file, line, column, .. } in others.iter().take(PLACES) {
        drawn.push_str(&format!("\n{:indent$}::: {file}:{line}:{column}", ""));
    }
    if others.len() > PLACES {
        let left = others.len() - PLACES;
        drawn.push_str(&format!("\n{:indent$}::: {left} more places", ""));
    }
    drawn
}

impl Unresolved {
    /// A reference that is used in these places.
    pub(super) fn new(
        reference: &CrateReference,
        occurrences: &[&Occurrence],
        error: cargo::Error,
        hint: Option<String>,
    ) -> Self {
        let label = |occurrence: &Occurrence| match (&error, occurrence.image()) {
            (_, Some(_)) => format!("`images` in the settings maps this to `{reference}`"),
            (
                cargo::Error::AmbiguousBinary { .. } | cargo::Error::AmbiguousWorkspace { .. },
                None,
            ) => "may refer to several".to_owned(),
            (_, None) => "refers to nothing here".to_owned(),
        };
        let spot = |(at, occurrence): (usize, &&Occurrence)| {
            let label = if at == 0 { label(occurrence) } else { String::new() };
            occurrence.spot().source().spot(occurrence.spot().span(), label)
        };
        let spots = occurrences.iter().enumerate().map(spot).collect();
        Self { error, spots, hint }
    }
}

fn with_hint(unknown: &UnknownBuild) -> String {
    let hint = unknown.suggestion.as_ref().map(|hint| format!("\nhint: {hint}"));
    format!("{unknown}{}", hint.unwrap_or_default())
}

impl Error {
    /// What to do about it.
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
                "files that Git ignores are not copied: commit a file that the build needs"
                    .to_owned(),
            ),
            Self::Compare { .. } => None,
            Self::Mismatch(mismatches) => mismatches.first().map(Mismatch::hint),
        }
    }

    /// Whether `cargo build` itself ran and failed, so that rustc has reported the reason.
    #[must_use]
    pub fn is_compilation(&self) -> bool {
        matches!(self, Self::Workspace(error) if error.is_compilation())
    }
}
