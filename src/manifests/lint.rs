//! What a manifest says that will not do what it seems to say. A lint finds it and points there;
//! whether that is silent, a warning or an error is for settings to say.
//!
//! Knows nothing of clusters, and of images what is handed to it.

mod containers;
mod embedded;
mod entries;
mod images;
mod notes;
mod unmapped;

use std::collections::BTreeMap;

use super::file::File;
use super::{Manifests, Occurrence, Spot};
use crate::oci::ImageFacts;
use crate::reference::CrateReference;
use crate::source::visible;

pub(super) use notes::Notes;

/// The most findings of a kind that are kept of a source: hostile input has one in every line.
const KEPT: usize = 1000;

/// One kind of mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lint {
    /// `imagePullPolicy: Always` for an image that is loaded and lies in no registry.
    AlwaysPulled,
    /// A prefix of references where none is read: in longer text, or in a comment instead of a value.
    EmbeddedReference,
    /// An image under a tag that moves, in a set that pins others by digest.
    LatestTag,
    /// Two entries of a list that the API server tells apart by a key they share.
    DuplicateEntry,
    /// A user that the image lacks, or that may not run it.
    ImageUser,
    /// A `command:` that is not in the image.
    MissingCommand,
    /// A port that the image does not say it serves.
    UnexposedPort,
    /// A repository that looks like one of the image map and is none.
    UnmappedRepository,
    /// A template in settings that makes another image of every commit; whoever knows the settings
    /// looks for it.
    VolatileTemplate,
}

/// What a lint's findings are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Nothing is said.
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
        match self {
            Self::AlwaysPulled => "always-pulled",
            Self::DuplicateEntry => "duplicate-entry",
            Self::EmbeddedReference => "embedded-reference",
            Self::ImageUser => "image-user",
            Self::LatestTag => "latest-tag",
            Self::MissingCommand => "missing-command",
            Self::UnexposedPort => "unexposed-port",
            Self::UnmappedRepository => "unmapped-repository",
            Self::VolatileTemplate => "volatile-template",
        }
    }

    /// What it finds, in one line.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::AlwaysPulled => {
                "`imagePullPolicy: Always` for an image that is loaded and lies in no registry"
            }
            Self::DuplicateEntry => {
                "Two environment variables of a name, ports, volumes or containers that the API server refuses"
            }
            Self::EmbeddedReference => {
                "A reference inside longer text, or in a comment where its value should be"
            }
            Self::ImageUser => {
                "A user that the image lacks, or `runAsNonRoot` for one that runs as root or by a name"
            }
            Self::LatestTag => {
                "An image without a tag, or with `latest`, in a set that pins others by digest"
            }
            Self::MissingCommand => "A `command:` whose program is not in the image",
            Self::UnexposedPort => {
                "A `containerPort` that is none of those the image says it serves"
            }
            Self::UnmappedRepository => {
                "An image whose repository is nearly one of `images:`, and so is not replaced"
            }
            Self::VolatileTemplate => {
                "A template in `.ko-rs.yaml` (`Git.FullCommit`, `Date`) that makes another image of every commit"
            }
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::AlwaysPulled => {
                "leave out `imagePullPolicy`: it is `IfNotPresent` for what ko-rs puts in"
            }
            Self::DuplicateEntry => "remove one of them",
            Self::EmbeddedReference => {
                "a reference has to be the whole value; in anything else it stays as it is"
            }
            Self::ImageUser => {
                "set `image.user` of the build, or `runAsUser` here, to a number that is not 0"
            }
            Self::MissingCommand => {
                "leave out `command`: the image starts its program, and `args` are given to it"
            }
            Self::UnexposedPort => "add it to `image.ports` of the build, or correct it here",
            Self::UnmappedRepository => {
                "if it is meant, add it to `images:` in .ko-rs.yaml, or write it as it stands there"
            }
            Self::LatestTag => "write a tag that stays, or a digest: `NAME@sha256:…`",
            Self::VolatileTemplate => "`Git.Path…` changes only with the crate's own files",
        }
    }
}

/// The level of each lint; those that are not named warn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels(pub BTreeMap<Lint, Level>);

impl Levels {
    /// The level of a lint.
    #[must_use]
    pub fn of(&self, lint: Lint) -> Level {
        self.0.get(&lint).copied().unwrap_or_default()
    }
}

/// What lints ask of an image that only a look into it tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// Whether the program of a `command:` is there.
    pub command: bool,
    /// Whether the user is there that it runs as.
    pub user: bool,
}

/// Something that a lint found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which lint.
    pub lint: Lint,
    message: String,
    spot: Spot,
    label: &'static str,
    /// What it clashes with.
    other: Option<(Spot, &'static str)>,
}

impl Finding {
    /// What was found, the name of the lint, and the lines that are meant.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{} [{}]", visible(&self.message), self.lint.name());
        for (spot, label) in [(&self.spot, self.label)]
            .into_iter()
            .chain(self.other.iter().map(|(spot, label)| (spot, *label)))
        {
            text.push('\n');
            text.push_str(&spot.excerpt(label));
        }
        text
    }

    /// The way out.
    #[must_use]
    pub fn hint(&self) -> String {
        self.lint.hint().to_owned()
    }

    /// By place, then by what was found.
    fn order(&self) -> (usize, Lint, Option<usize>) {
        let other = self.other.as_ref().map(|(spot, _)| spot.span().start);
        (self.spot.span().start, self.lint, other)
    }

    /// Where it was found.
    #[must_use]
    pub fn spot(&self) -> &Spot {
        &self.spot
    }
}

impl Manifests {
    /// What the lints find without any image, in the order of the sources. `loaded` is whether
    /// images go where nothing can be pulled from.
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
            // What several aliases lead to is found as often.
            found.dedup_by_key(|finding| finding.order());
            findings.extend(found);
        }
        findings
    }

    /// The same without what only lints look at, which makes room for what is written.
    #[must_use]
    pub fn linted(mut self) -> Self {
        self.files.iter_mut().for_each(|file| file.notes = Notes::default());
        self
    }

    /// What lints ask of the images of references.
    #[must_use]
    pub fn asks(&self) -> BTreeMap<&CrateReference, Asks> {
        let mut all: BTreeMap<&CrateReference, Asks> = BTreeMap::new();
        for file in &self.files {
            for container in file.notes.containers() {
                let Some(run) = container.run.as_deref() else { continue };
                let own = Asks { command: run.command.is_some(), user: run.user.is_none() };
                if let Some(reference) = file.reference_at(container.image.start) {
                    let asks = all.entry(reference).or_default();
                    asks.command |= own.command;
                    asks.user |= own.user;
                }
            }
        }
        all
    }

    /// What the lints find once it is known what the images of references are.
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
    /// The reference that stands at a place.
    fn reference_at(&self, start: usize) -> Option<&CrateReference> {
        let at = |found: &Occurrence| found.spot.span().start;
        let found = self.occurrences.binary_search_by_key(&start, at).ok()?;
        Some(&self.occurrences[found].reference)
    }
}

#[cfg(test)]
mod tests;
