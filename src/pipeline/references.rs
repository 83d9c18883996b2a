//! What can be known of a set of manifests before anything is built: what lints find in it, and
//! which binaries its references mean. All that is wrong is told at once.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use super::error::{Fault, Unresolved};
use super::{Error, Images, Pipeline, go};
use crate::cargo::{self, Binary, Workspace};
use crate::manifests::{Asks, Finding, Level, Lint, Manifests, Occurrence, Replacement};
use crate::oci::{ImageFacts, Platform};
use crate::publish;
use crate::reference::{CrateReference, ImportPath, PREFIX};

/// The most findings of a lint that are told one by one.
const TOLD: usize = 20;

/// The most references that are told to point nowhere: what is near to each takes a while.
const LOST: usize = 100;

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
        looking.rules.asked = self.asked(manifests, &paths);
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
        let wrong = manifests.errors();
        let mut faults = Vec::new();
        faults.extend((!wrong.is_empty()).then(|| Fault::Manifests(wrong.clone())));
        faults.extend(self.tell(manifests.lint(self.is_loading())));
        let mut references: Vec<&CrateReference> = Vec::new();
        let mut seen = BTreeSet::new();
        for occurrence in manifests.references() {
            if seen.insert(&occurrence.reference) {
                references.push(&occurrence.reference);
            }
        }
        if references.is_empty() {
            return if faults.is_empty() { Ok(None) } else { Err(Error::Faulty(faults)) };
        }
        let wanted: Vec<CrateReference> = references.iter().copied().cloned().collect();
        let workspace = match self.workspace(&wanted) {
            Err(Error::Workspace(error)) => {
                return Err(self.nowhere(manifests, &references, error, faults));
            }
            workspace => workspace?,
        };
        let mut binaries = Vec::new();
        let mut paths = BTreeMap::new();
        let mut lost = Vec::new();
        let mut unseen = references.len();
        for &reference in &references {
            if lost.len() == LOST {
                break;
            }
            unseen -= 1;
            match workspace.find(reference) {
                Ok(binary) => {
                    paths.insert(reference.clone(), binary.import_path.clone());
                    if !binaries.contains(&binary) {
                        binaries.push(binary);
                    }
                }
                Err(error) => lost.push((reference, error)),
            }
        }
        let places = places(manifests, lost.iter().map(|(reference, _)| *reference));
        let modules = LazyCell::new(|| self.go_modules());
        faults.extend(lost.into_iter().map(|(reference, error)| {
            let hint = hint(reference, &error, &modules);
            let places = places.get(reference).map(Vec::as_slice).unwrap_or_default();
            Fault::Unresolved(Unresolved::at(reference, places, error, hint))
        }));
        faults.extend((unseen > 0).then_some(Fault::Unseen(unseen)));
        faults.extend(self.volatile(&binaries));
        if faults.is_empty() {
            Ok(Some(Meant { workspace, binaries, paths }))
        } else {
            Err(Error::Faulty(faults))
        }
    }

    /// What the lints that are not off ask of the images of binaries.
    fn asked(
        &self,
        manifests: &Manifests,
        paths: &BTreeMap<CrateReference, ImportPath>,
    ) -> BTreeMap<ImportPath, Asks> {
        let is_on = |lint| self.lints.of(lint) != Level::Off;
        let (commands, users) = (is_on(Lint::MissingCommand), is_on(Lint::ImageUser));
        let mut asked: BTreeMap<ImportPath, Asks> = BTreeMap::new();
        for (reference, asks) in manifests.asks() {
            let Some(path) = paths.get(reference) else { continue };
            let all = asked.entry(path.clone()).or_default();
            all.command |= asks.command && commands;
            all.user |= asks.user && users;
        }
        asked
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
            let more = Fault::More { lint, more: times - TOLD };
            match self.lints.of(lint) {
                Level::Deny => denied.push(more),
                Level::Off | Level::Warn => self.report.warn(more.to_string(), None),
            }
        }
        denied
    }

    /// There is no workspace: the first reference that is meant for Go's ko tells why.
    fn nowhere(
        &self,
        manifests: &Manifests,
        references: &[&CrateReference],
        error: cargo::Error,
        mut faults: Vec<Fault>,
    ) -> Error {
        let of_go = match error {
            cargo::Error::NoWorkspace { .. } => {
                let modules = self.go_modules();
                let hint = |&reference| Some((reference, go_hint(reference, &modules)?));
                references.iter().find_map(hint)
            }
            _ => None,
        };
        match of_go {
            Some((reference, hint)) => {
                let places = places(manifests, std::iter::once(reference));
                let places = places.get(reference).map(Vec::as_slice).unwrap_or_default();
                let unresolved = Unresolved::at(reference, places, error, Some(hint));
                faults.push(Fault::Unresolved(unresolved));
            }
            None if faults.is_empty() => return Error::Workspace(error),
            None => faults.push(Fault::Workspace(error)),
        }
        Error::Faulty(faults)
    }

    /// The Go modules of the repository.
    fn go_modules(&self) -> go::Modules {
        go::Modules::of(self.cargo.repository_root.as_ref().unwrap_or(&self.cargo.directory))
    }
}

/// Where each of some references stands.
fn places<'a>(
    manifests: &'a Manifests,
    references: impl Iterator<Item = &'a CrateReference>,
) -> BTreeMap<&'a CrateReference, Vec<&'a Occurrence>> {
    let mut places: BTreeMap<_, Vec<&Occurrence>> =
        references.map(|reference| (reference, Vec::new())).collect();
    for occurrence in manifests.references() {
        if let Some(places) = places.get_mut(&occurrence.reference) {
            places.push(occurrence);
        }
    }
    places
}

/// The way out of a reference that points nowhere.
fn hint(
    reference: &CrateReference,
    error: &cargo::Error,
    modules: &LazyCell<go::Modules, impl FnOnce() -> go::Modules>,
) -> Option<String> {
    let nearest = match error {
        cargo::Error::NoSuchCrate { nearest, .. } => nearest,
        _ => return error.hint(),
    };
    match go_hint(reference, modules) {
        Some(go) => {
            Some(nearest.iter().map(|nearest| format!("{nearest}\n")).collect::<String>() + &go)
        }
        None => error.hint(),
    }
}

/// What to do about a reference that is meant for Go's ko.
fn go_hint(reference: &CrateReference, modules: &go::Modules) -> Option<String> {
    // Whoever writes another prefix means Rust.
    let is_of_ko = reference.prefix() == PREFIX;
    let module = modules.holding(reference.place()).filter(|_| is_of_ko)?;
    Some(format!(
        "that is in the Go module of `{}`. Where Go and Rust share manifests, write `ko-rs://` \
         for Rust's crates,\nset `referencePrefixes: [ko-rs://]` in .ko-rs.yaml, and run \
         `ko resolve -f PATH | ko-rs apply -f -`",
        module.display()
    ))
}
