//! A failure of a run: one variant for each stage.

use super::codes;
use super::mismatch::Mismatch;
use super::several::Several;
use crate::cargo;
use crate::cluster;
use crate::http::FetchError;
use crate::image::{self, BaseError, BaseName};
use crate::manifests::{self, Finding, Lint, Occurrence};
use crate::process;
use crate::publish;
use crate::reference::CrateReference;
use crate::report::{Details, Diagnose, Diagnostic, Severity};
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
    #[error("there are {} errors in the manifests", .0.iter().count())]
    Faulty(Several<Fault>),
    /// The workspace, or Cargo.
    #[error(transparent)]
    Workspace(cargo::Error),
    /// Entries of `builds[]` match no crate.
    #[error("{} entries of `builds` match no crate", .0.iter().count())]
    UnknownBuilds(Several<UnknownBuild>),
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
    #[error("{} images differ when they are built in another folder", .0.len())]
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
    /// That program failed, or could not be run.
    #[error(transparent)]
    Kustomize(process::Error),
}

impl Diagnose for SourceError {
    fn details(&self) -> Details {
        match self {
            Self::Fetch(error) => error.details(),
            Self::NoKustomize(_) => Details::new(&codes::KUSTOMIZE_NOT_FOUND)
                .hint("install one of them; `-k` runs it to build kustomizations"),
            Self::Kustomize(_) => Details::new(&codes::KUSTOMIZE_FAILED),
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
    #[error(transparent)]
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
    #[error("`{}` in `{}` makes another image of every commit", .0.name, .0.key)]
    Volatile(Volatile),
}

impl Diagnose for Fault {
    fn details(&self) -> Details {
        match self {
            Self::Manifests(errors) => errors.details(),
            Self::Unresolved(unresolved) => unresolved.details(),
            Self::Unseen(_) | Self::More { .. } => Details::new(&codes::TOO_MANY_FINDINGS),
            Self::Workspace(error) => error.details(),
            Self::Denied(finding) => finding.details(),
            Self::Volatile(volatile) => Details::new(Lint::VolatileTemplate.code())
                .spot(volatile.spot.clone())
                .hint(volatile.hint()),
        }
    }
}

/// A reference that cannot be resolved, and where it is used.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Unresolved {
    error: cargo::Error,
    /// Where it is used. The first has a label.
    spots: Vec<Spot>,
}

impl Unresolved {
    /// A reference that is used in these places.
    pub(super) fn new(
        reference: &CrateReference,
        occurrences: &[&Occurrence],
        error: cargo::Error,
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
            occurrence.location().spot(label)
        };
        let spots = occurrences.iter().enumerate().map(spot).collect();
        Self { error, spots }
    }
}

impl Diagnose for Unresolved {
    fn details(&self) -> Details {
        self.spots.iter().cloned().fold(self.error.details(), Details::spot)
    }
}

impl Error {
    /// Fails if there are faults.
    pub(super) fn check(faults: Vec<Fault>) -> Result<(), Self> {
        Several::of(faults).map_or(Ok(()), |faults| Err(Self::Faulty(faults)))
    }

    /// The error as values: one, or several if several things are wrong.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Faulty(faults) => faults.iter().flat_map(Fault::diagnostics).collect(),
            Self::Manifests(errors) => errors.diagnostics(),
            Self::UnknownBuilds(unknown) => unknown.iter().map(Diagnostic::of).collect(),
            Self::Mismatch(mismatches) => mismatches.iter().map(Diagnostic::of).collect(),
            error => vec![Diagnostic::of(error)],
        }
    }
}

impl Fault {
    /// The same as a warning.
    pub(super) fn warning(&self) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::of(self) }
    }

    fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Manifests(errors) => errors.diagnostics(),
            fault => vec![Diagnostic::of(fault)],
        }
    }
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::Manifests(errors) => errors.details(),
            Self::Source(error) => error.details(),
            Self::Faulty(faults) => faults.first().details(),
            Self::Workspace(error) => error.details(),
            Self::UnknownBuilds(unknown) => unknown.first().details(),
            Self::NoPlatform { .. } => Details::new(&codes::NO_PLATFORM),
            Self::Template(error) => error.details(),
            Self::Base(error) => error.details(),
            Self::Image { source, .. } => source.details(),
            Self::Publish { source, .. } | Self::Destinations { source } => source.details(),
            Self::Copy(error) => {
                Details::new(&codes::VERIFICATION_FAILED).hints(error.hint().map(str::to_owned))
            }
            Self::Second { .. } => Details::new(&codes::VERIFICATION_FAILED)
                .hint("files that Git ignores are not copied: commit a file that the build needs"),
            Self::Compare { .. } => Details::new(&codes::VERIFICATION_FAILED),
            Self::Mismatch(_) => Details::new(&codes::NOT_REPRODUCIBLE),
            Self::NoObjects => Details::new(&codes::NO_OBJECTS),
            Self::Cluster(error) => error.details(),
        }
    }
}
