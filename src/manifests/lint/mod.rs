//! Lints: valid manifests that will not do what they appear to do. Settings decide whether a lint is
//! off, a warning or an error.
//!
//! Does not access clusters; facts about images are passed in.

pub(crate) mod codes;
mod containers;
mod embedded;
mod entries;
mod images;
mod notes;
mod unmapped;

use std::collections::BTreeMap;

use crate::manifests::references::file::File;
use crate::manifests::{Location, Manifests, Occurrence};
use crate::oci::ImageFacts;
use crate::reference::CrateReference;
use crate::report::{Code, Details, Diagnose};
use crate::source::visible;

pub(crate) use notes::Notes;

/// The maximum number of findings of a lint in a source: hostile input may have one in every line.
const KEPT: usize = 1000;

/// A check for one kind of mistake. [`Lint::code`] describes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lint {
    /// `imagePullPolicy: Always` for an image that is only loaded into a node.
    AlwaysPulled,
    /// Two entries of a list with the same merge key.
    DuplicateEntry,
    /// A reference inside longer text, or in a comment in place of a value.
    EmbeddedReference,
    /// A user that does not exist in the image, or that may not run it.
    ImageUser,
    /// An image with a tag that moves, in a set that has images with digests.
    LatestTag,
    /// A `command` that does not exist in the image.
    MissingCommand,
    /// A port that the image does not expose.
    UnexposedPort,
    /// A repository that is similar to one of the image map.
    UnmappedRepository,
    /// A template in settings that makes another image of every commit. Found in settings, not in
    /// manifests.
    VolatileTemplate,
}

/// The level of a lint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Findings are ignored.
    Off,
    /// A warning; the run goes on.
    #[default]
    Warn,
    /// An error, before anything is built where that is possible.
    Deny,
}

impl Lint {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 9] = [
        Self::AlwaysPulled,
        Self::DuplicateEntry,
        Self::EmbeddedReference,
        Self::ImageUser,
        Self::LatestTag,
        Self::MissingCommand,
        Self::UnexposedPort,
        Self::UnmappedRepository,
        Self::VolatileTemplate,
    ];

    /// Its name in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.code().name
    }

    /// Its code, which has its name and what it finds.
    #[must_use]
    pub fn code(self) -> &'static Code {
        match self {
            Self::AlwaysPulled => &codes::ALWAYS_PULLED,
            Self::DuplicateEntry => &codes::DUPLICATE_ENTRY,
            Self::EmbeddedReference => &codes::EMBEDDED_REFERENCE,
            Self::ImageUser => &codes::IMAGE_USER,
            Self::LatestTag => &codes::LATEST_TAG,
            Self::MissingCommand => &codes::MISSING_COMMAND,
            Self::UnexposedPort => &codes::UNEXPOSED_PORT,
            Self::UnmappedRepository => &codes::UNMAPPED_REPOSITORY,
            Self::VolatileTemplate => &codes::VOLATILE_TEMPLATE,
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::AlwaysPulled => {
                "remove `imagePullPolicy`; the default is `IfNotPresent` for images of ko-rs"
            }
            Self::DuplicateEntry => "remove one of them",
            Self::EmbeddedReference => "a reference must be the whole value to be replaced",
            Self::ImageUser => {
                "set `image.user` of the build, or `runAsUser` here, to a number other than 0"
            }
            Self::LatestTag => "write a fixed tag or a digest: `NAME@sha256:…`",
            Self::MissingCommand => {
                "remove `command`: the image starts its program, and passes `args` to it"
            }
            Self::UnexposedPort => "add it to `image.ports` of the build, or correct it here",
            Self::UnmappedRepository => "add it to `images` in .ko-rs.yaml, or correct it here",
            Self::VolatileTemplate => "`Git.Path…` changes only with the crate's own files",
        }
    }
}

/// The level of each lint; the default is to warn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels(pub BTreeMap<Lint, Level>);

impl Levels {
    /// The level of a lint.
    #[must_use]
    pub fn of(&self, lint: Lint) -> Level {
        self.0.get(&lint).copied().unwrap_or_default()
    }
}

/// What lints need to know about the contents of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Whether the program of a `command` exists.
    pub command: bool,
    /// Whether the user that it runs as exists.
    pub user: bool,
}

/// A place where a lint found something. An error or a warning, depending on the lint's level.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", visible(message))]
pub struct Finding {
    /// Which lint.
    pub lint: Lint,
    message: String,
    location: Location,
    label: &'static str,
    /// A second place that it conflicts with.
    other: Option<(Location, &'static str)>,
}

impl Diagnose for Finding {
    fn details(&self) -> Details {
        let details = Details::new(self.lint.code())
            .spot(self.location.spot(self.label))
            .hint(self.lint.hint());
        match &self.other {
            Some((location, label)) => details.spot(location.spot(*label)),
            None => details,
        }
    }
}

impl Finding {
    /// By place, then by what was found.
    fn order(&self) -> (usize, Lint, Option<usize>) {
        let other = self.other.as_ref().map(|(location, _)| location.span().start);
        (self.location.span().start, self.lint, other)
    }
}

impl Manifests {
    /// The findings of lints that need no image, in the order of the sources. `loaded` is whether
    /// images are loaded into nodes, so that they cannot be pulled.
    #[must_use]
    pub fn lint(&self, loaded: bool) -> Vec<Finding> {
        let is_pinned = self.files.iter().any(|file| file.notes.is_pinned());
        let mut findings = Vec::new();
        for file in &self.files {
            let mut found = file.notes.findings(&file.source);
            let mut pulled = Vec::new();
            let mut latest = Vec::new();
            let mut root = Vec::new();
            for container in file.notes.containers() {
                let is_loaded = loaded && container.run.is_some();
                pulled.extend(container.always_pulled(&file.source, is_loaded));
                latest.extend(container.latest(&file.source, is_pinned));
                root.extend(container.root(&file.source));
                if pulled.len().max(latest.len()).max(root.len()) >= KEPT {
                    break;
                }
            }
            found.extend(pulled);
            found.extend(latest);
            found.extend(root);
            found.sort_by_key(Finding::order);
            // A node with several aliases is visited several times.
            found.dedup_by_key(|finding| finding.order());
            findings.extend(found);
        }
        findings
    }

    /// The same without the notes of lints, which frees memory.
    #[must_use]
    pub fn linted(mut self) -> Self {
        self.files.iter_mut().for_each(|file| file.notes = Notes::default());
        self
    }

    /// What lints need to know about the images of references.
    #[must_use]
    pub fn needs(&self) -> BTreeMap<&CrateReference, Needs> {
        let mut all: BTreeMap<&CrateReference, Needs> = BTreeMap::new();
        for file in &self.files {
            for container in file.notes.containers() {
                let Some(run) = container.run.as_deref() else { continue };
                let own = Needs { command: run.command.is_some(), user: run.user.is_none() };
                if let Some(reference) = file.reference_at(container.image.start) {
                    let needs = all.entry(reference).or_default();
                    needs.command |= own.command;
                    needs.user |= own.user;
                }
            }
        }
        all
    }

    /// The findings of lints that compare manifests with the images of references.
    #[must_use]
    pub fn lint_images(&self, facts: &BTreeMap<CrateReference, ImageFacts>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for file in &self.files {
            let mut found: Vec<Finding> = Vec::new();
            for container in file.notes.containers() {
                if found.len() < KEPT
                    && let Some(reference) = file.reference_at(container.image.start)
                    && let Some(facts) = facts.get(reference)
                {
                    let new = images::findings(container, facts, &file.source);
                    let is_new =
                        |new: &Finding| !found.iter().any(|found| found.order() == new.order());
                    let new: Vec<Finding> = new.into_iter().filter(is_new).collect();
                    found.extend(new);
                }
            }
            findings.extend(found);
        }
        findings
    }
}

impl File {
    /// The reference at an offset.
    fn reference_at(&self, start: usize) -> Option<&CrateReference> {
        let at = |found: &Occurrence| found.location.span().start;
        let found = self.occurrences.binary_search_by_key(&start, at).ok()?;
        Some(&self.occurrences[found].reference)
    }
}

#[cfg(test)]
mod tests;
