//! What can be known of a set of manifests before anything is built: what lints find in it, and
//! which binaries its references mean. All that is wrong is told at once.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{Fault, Unresolved};
use super::{Error, Images, Pipeline, go};
use crate::cargo::{self, Binary, Workspace};
use crate::manifests::{Finding, Level, Lint, Manifests, Replacement};
use crate::oci::{ImageFacts, Platform};
use crate::publish;
use crate::reference::{CrateReference, ImportPath};

/// The most findings of a lint that are told one by one.
const TOLD: usize = 20;

/// What a set of manifests holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// How often a reference stands in it.
    pub references: usize,
    /// How many binaries they mean.
    pub binaries: usize,
}

/// The binaries that references mean, in the order in which they first stand there.
struct Meant {
    workspace: Workspace,
    binaries: Vec<Binary>,
    paths: BTreeMap<CrateReference, ImportPath>,
}

/// What became of a set's references.
#[derive(Default)]
pub(super) struct Referenced {
    /// What is put in the place of each.
    pub(super) names: BTreeMap<CrateReference, String>,
    /// All images, in the order in which they first stand there.
    pub(super) images: Images,
    /// What is known of the image of each, on its first platform.
    pub(super) facts: BTreeMap<CrateReference, ImageFacts>,
}

impl Pipeline {
    /// Runs the lints and finds what references mean, and builds nothing.
    pub fn check(&self, manifests: &Manifests) -> Result<Checked, Error> {
        let meant = self.meant(manifests)?;
        Ok(Checked {
            references: manifests.references().count(),
            binaries: meant.map_or(0, |meant| meant.binaries.len()),
        })
    }

    /// Builds and publishes what a set refers to.
    pub(super) async fn referenced(
        &self,
        manifests: &Manifests,
        platforms: &[Platform],
    ) -> Result<Referenced, Error> {
        let mut found = Referenced::default();
        let Some(Meant { workspace, binaries, paths }) = self.meant(manifests)? else {
            return Ok(found);
        };
        let mut looking = self.clone();
        looking.rules.look_inside |= manifests.asks_inside() && self.asks_about_commands();
        let built = looking.images(&workspace, &binaries, platforms).await?;
        let pairs = binaries.iter().zip(&built);
        let by_path: BTreeMap<_, _> =
            pairs.map(|(binary, built)| (&binary.import_path, (binary, built))).collect();
        let mut replacements: BTreeMap<String, Replacement> = BTreeMap::new();
        for occurrence in manifests.references() {
            let path = paths.get(&occurrence.reference);
            let Some((binary, built)) = path.and_then(|path| by_path.get(path)) else { continue };
            let replaced = occurrence.replaced(&built.published.reference, &binary.bin);
            replacements.insert(replaced.written.clone(), replaced);
        }
        for (reference, path) in paths {
            let Some((_, built)) = by_path.get(&path) else { continue };
            found.names.insert(reference.clone(), built.published.reference.clone());
            found.facts.extend(built.facts.first().map(|facts| (reference, facts.clone())));
        }
        let published = built.into_iter().map(|built| built.published).collect();
        found.images = Images { published, replacements: replacements.into_values().collect() };
        let denied = self.tell(manifests.lint_images(&found.facts));
        if denied.is_empty() { Ok(found) } else { Err(Error::Faulty(denied)) }
    }

    /// What a set's references mean; nothing where it has none.
    fn meant(&self, manifests: &Manifests) -> Result<Option<Meant>, Error> {
        let mut faults = self.tell(manifests.lint(self.is_loading()));
        let mut references: Vec<CrateReference> = Vec::new();
        let mut seen = BTreeSet::new();
        for occurrence in manifests.references() {
            if seen.insert(&occurrence.reference) {
                references.push(occurrence.reference.clone());
            }
        }
        if references.is_empty() {
            return if faults.is_empty() { Ok(None) } else { Err(Error::Faulty(faults)) };
        }
        let workspace = match self.workspace(&references) {
            Err(_) if !faults.is_empty() => return Err(Error::Faulty(faults)),
            Err(Error::Workspace(error)) => {
                return Err(self.nowhere(manifests, &references, error));
            }
            workspace => workspace?,
        };
        let mut binaries = Vec::new();
        let mut paths = BTreeMap::new();
        for reference in &references {
            match workspace.find(reference) {
                Ok(binary) => {
                    paths.insert(reference.clone(), binary.import_path.clone());
                    if !binaries.contains(&binary) {
                        binaries.push(binary);
                    }
                }
                Err(error) => {
                    let hint = self.hint(reference, &error);
                    let unresolved = Unresolved::at(manifests, reference, error, hint);
                    faults.push(Fault::Unresolved(unresolved));
                }
            }
        }
        if faults.is_empty() {
            Ok(Some(Meant { workspace, binaries, paths }))
        } else {
            Err(Error::Faulty(faults))
        }
    }

    fn asks_about_commands(&self) -> bool {
        self.lints.of(Lint::MissingCommand) != Level::Off
    }

    /// Whether images go where nothing can be pulled from.
    fn is_loading(&self) -> bool {
        let to = |to: &publish::Destination| matches!(to, publish::Destination::Daemon(_));
        self.publish.as_ref().is_ok_and(|publish| publish.destinations.iter().any(to))
    }

    /// Warns of what lints found; gives back what is denied.
    fn tell(&self, findings: Vec<Finding>) -> Vec<Fault> {
        let mut told: BTreeMap<Lint, usize> = BTreeMap::new();
        let mut denied = Vec::new();
        for finding in findings {
            let level = self.lints.of(finding.lint);
            let times = told.entry(finding.lint).or_default();
            *times += usize::from(level != Level::Off);
            match level {
                Level::Warn if *times <= TOLD => {
                    self.report.warn(finding.text(), Some(finding.hint()));
                }
                Level::Deny if *times <= TOLD => denied.push(Fault::Denied(finding)),
                Level::Off | Level::Warn | Level::Deny => {}
            }
        }
        for (lint, times) in told.into_iter().filter(|(_, times)| *times > TOLD) {
            self.report.warn(format!("{} more of [{}]", times - TOLD, lint.name()), None);
        }
        denied
    }

    /// There is no workspace: the first reference that is meant for Go's ko tells why.
    fn nowhere(
        &self,
        manifests: &Manifests,
        references: &[CrateReference],
        error: cargo::Error,
    ) -> Error {
        let of_go = match error {
            cargo::Error::NoWorkspace { .. } => {
                // Each is a look through the whole repository.
                let mut few = references.iter().take(10);
                few.find_map(|reference| Some((reference, self.go_hint(reference)?)))
            }
            _ => None,
        };
        match of_go {
            Some((reference, hint)) => {
                let unresolved = Unresolved::at(manifests, reference, error, Some(hint));
                Error::Faulty(vec![Fault::Unresolved(unresolved)])
            }
            None => Error::Workspace(error),
        }
    }

    /// The way out of a reference that points nowhere.
    fn hint(&self, reference: &CrateReference, error: &cargo::Error) -> Option<String> {
        let go = match error {
            cargo::Error::NoSuchCrate { .. } => self.go_hint(reference),
            _ => None,
        };
        go.or_else(|| error.hint())
    }

    /// What to do about a reference that is meant for Go's ko.
    fn go_hint(&self, reference: &CrateReference) -> Option<String> {
        let root = self.cargo.repository_root.as_ref().unwrap_or(&self.cargo.directory);
        let module = go::module_of(reference.place(), root)?;
        Some(format!(
            "that is in the Go module of `{}`. Where Go and Rust share manifests, write `ko-rs://` \
             for Rust's crates,\nset `referencePrefixes: [ko-rs://]` in .ko-rs.yaml, and run \
             `ko resolve -f PATH | ko-rs apply -f -`",
            module.display()
        ))
    }
}
