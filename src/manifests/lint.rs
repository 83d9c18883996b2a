//! What a manifest says that will not do what it seems to say. A lint finds it and points there;
//! whether that is silent, a warning or an error is for settings to say.
//!
//! Knows nothing of clusters, and of images what is handed to it.

mod containers;
mod embedded;
mod entries;
mod notes;

use std::collections::{BTreeMap, BTreeSet};

use super::{Manifests, Spot};

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
    pub const ALL: [Self; 4] =
        [Self::AlwaysPulled, Self::DuplicateEntry, Self::EmbeddedReference, Self::LatestTag];

    /// Its name in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AlwaysPulled => "always-pulled",
            Self::DuplicateEntry => "duplicate-entry",
            Self::EmbeddedReference => "embedded-reference",
            Self::LatestTag => "latest-tag",
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
            Self::LatestTag => {
                "An image without a tag, or with `latest`, in a set that pins others by digest"
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
            Self::LatestTag => "write a tag that stays, or a digest: `NAME@sha256:…`",
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
        let mut text = format!("{} [{}]", self.message, self.lint.name());
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
            let references: BTreeSet<usize> =
                file.occurrences.iter().map(|found| found.spot.span().start).collect();
            let mut found = file.notes.findings(&file.source);
            let mut pulled = Vec::new();
            let mut latest = Vec::new();
            for container in file.notes.containers() {
                let is_reference = references.contains(&container.image.start);
                pulled.extend(container.always_pulled(&file.source, loaded && is_reference));
                latest.extend(container.latest(&file.source, is_pinned && !is_reference));
                if pulled.len().max(latest.len()) >= KEPT {
                    break;
                }
            }
            found.extend(pulled);
            found.extend(latest);
            found.sort_by_key(|finding| finding.spot.span().start);
            findings.extend(found);
        }
        findings
    }
}

#[cfg(test)]
mod tests;
