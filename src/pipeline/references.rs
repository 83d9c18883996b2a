//! What is known about a request before anything is built: what lints find in manifests, and which
//! binaries are requested. All errors are reported at once.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{Error, Fault, Unresolved};
use super::plan::Targets;
use super::session::Session;
use super::several::Several;
use serde::Serialize;

use crate::cargo::{self, Binary, Workspace};
use crate::manifests::{Finding, Level, Lint, Manifests, Needs, Occurrence};
use crate::publish::{Destination, choose};
use crate::reference::{CrateReference, ImportPath};

/// How many findings of one lint are reported one by one.
const REPORTED: usize = 20;

/// How many unresolved references are reported: finding similar names takes a while for each.
const UNRESOLVED: usize = 100;

/// What a check of manifests found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Checked {
    /// The number of references.
    pub references: usize,
    /// The number of binaries that they refer to.
    pub binaries: usize,
}

impl Session {
    /// Runs the lints and resolves references. Builds nothing.
    pub fn check(&self, manifests: &Manifests) -> Result<Checked, Error> {
        let targets = self.referenced(manifests)?;
        Ok(Checked {
            references: manifests.references().count(),
            binaries: targets.map_or(0, |targets| targets.binaries.len()),
        })
    }

    /// The binaries that the command line names.
    pub(super) fn named(&self, crates: &[String]) -> Result<Targets, Error> {
        let read = crates.iter().map(|argument| CrateReference::bare(argument));
        let references = read
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| Error::Workspace(cargo::Error::InvalidReference { source }))?;
        let workspace = self.workspace(&references)?;
        let found = crates.iter().map(|argument| workspace.find_argument(argument));
        let found: Vec<Binary> = found.collect::<Result<_, _>>().map_err(Error::Workspace)?;
        self.targets(workspace, references.into_iter().map(Some).zip(found).collect())
    }

    /// Every default binary of the workspace.
    pub(super) fn all_binaries(&self) -> Result<Targets, Error> {
        let workspace = self.workspace(&[])?;
        let found = workspace.binaries().into_iter().map(|binary| (None, binary)).collect();
        self.targets(workspace, found)
    }

    fn targets(
        &self,
        workspace: Workspace,
        found: Vec<(Option<CrateReference>, Binary)>,
    ) -> Result<Targets, Error> {
        let targets = Targets::new(workspace, found);
        let denied = self.volatile(&targets.binaries);
        Error::check(denied)?;
        Ok(targets)
    }

    /// The binaries that manifests refer to; none if they have no references.
    pub(super) fn referenced(&self, manifests: &Manifests) -> Result<Option<Targets>, Error> {
        let wrong = manifests.errors();
        let mut faults = Vec::new();
        faults.extend((!wrong.is_empty()).then(|| Fault::Manifests(wrong.clone())));
        faults.extend(self.report_findings(manifests.lint(self.loads_images())));
        let mut references: Vec<&CrateReference> = Vec::new();
        let mut seen = BTreeSet::new();
        for occurrence in manifests.references() {
            if seen.insert(&occurrence.reference) {
                references.push(&occurrence.reference);
            }
        }
        if references.is_empty() {
            Error::check(faults)?;
            return Ok(None);
        }
        let wanted: Vec<CrateReference> = references.iter().copied().cloned().collect();
        let workspace = match self.workspace(&wanted) {
            Err(Error::Workspace(error)) => {
                return Err(no_workspace(manifests, error, faults));
            }
            workspace => workspace?,
        };
        let mut found = Vec::new();
        let mut unresolved = Vec::new();
        let mut left = references.len();
        for &reference in &references {
            if unresolved.len() == UNRESOLVED {
                break;
            }
            left -= 1;
            match workspace.find(reference) {
                Ok(binary) => found.push((Some(reference.clone()), binary)),
                Err(error) => unresolved.push((reference, error)),
            }
        }
        let places = places(manifests, unresolved.iter().map(|(reference, _)| *reference));
        faults.extend(unresolved.into_iter().map(|(reference, error)| {
            let places = places.get(reference).map(Vec::as_slice).unwrap_or_default();
            Fault::Unresolved(Unresolved::new(reference, places, error))
        }));
        faults.extend((left > 0).then_some(Fault::Unseen(left)));
        let mut targets = Targets::new(workspace, found);
        faults.extend(self.volatile(&targets.binaries));
        Error::check(faults)?;
        targets.needs = self.needs(manifests, &targets);
        Ok(Some(targets))
    }

    /// What the enabled lints need to know about the images of binaries.
    fn needs(&self, manifests: &Manifests, targets: &Targets) -> BTreeMap<ImportPath, Needs> {
        let is_on = |lint| self.settings.lints.of(lint) != Level::Off;
        let (commands, users) = (is_on(Lint::MissingCommand), is_on(Lint::ImageUser));
        let requests = targets.requests.iter();
        let by_reference: BTreeMap<_, _> =
            requests.filter_map(|(reference, at)| Some((reference.as_ref()?, *at))).collect();
        let mut needs: BTreeMap<ImportPath, Needs> = BTreeMap::new();
        for (reference, own) in manifests.needs() {
            let Some(&at) = by_reference.get(&reference) else { continue };
            let all = needs.entry(targets.binaries[at].import_path.clone()).or_default();
            all.command |= own.command && commands;
            all.user |= own.user && users;
        }
        needs
    }

    /// Whether images go to an engine or to nodes, from which other machines cannot pull.
    fn loads_images(&self) -> bool {
        let choice = choose(&self.settings.publish.asked, &self.facts());
        choice.is_ok_and(|choice| {
            let mut destinations = choice.destinations.iter();
            destinations.any(|to| matches!(to, Destination::Engine | Destination::Nodes(_)))
        })
    }

    /// Warns about templates that make another image of every commit in what is set for these
    /// binaries; returns what is denied.
    fn volatile(&self, binaries: &[Binary]) -> Vec<Fault> {
        let level = self.settings.lints.of(Lint::VolatileTemplate);
        if level == Level::Off {
            return Vec::new();
        }
        let mut found = Vec::new();
        for volatile in binaries.iter().flat_map(|binary| self.settings.builds.volatile(binary)) {
            if !found.contains(&volatile) {
                found.push(volatile);
            }
        }
        found.sort_by_key(|volatile| volatile.spot.span.start);
        let faults = found.into_iter().cloned().map(Fault::Volatile);
        if level == Level::Deny {
            return faults.collect();
        }
        faults.for_each(|fault| self.report.diagnostic(fault.warning()));
        Vec::new()
    }

    /// Warns about what lints found; returns what is denied.
    pub(super) fn report_findings(&self, findings: Vec<Finding>) -> Vec<Fault> {
        let mut reported: BTreeMap<Lint, usize> = BTreeMap::new();
        let mut denied = Vec::new();
        for finding in findings {
            let level = self.settings.lints.of(finding.lint);
            let times = reported.entry(finding.lint).or_default();
            *times += usize::from(level != Level::Off);
            match level {
                Level::Warn if *times <= REPORTED => {
                    self.report.diagnostic(Fault::Denied(finding).warning());
                }
                Level::Deny if *times <= REPORTED => denied.push(Fault::Denied(finding)),
                Level::Off | Level::Warn | Level::Deny => {}
            }
        }
        for (lint, times) in reported.into_iter().filter(|(_, times)| *times > REPORTED) {
            let more = Fault::More { lint, more: times - REPORTED };
            match self.settings.lints.of(lint) {
                Level::Deny => denied.push(more),
                Level::Off | Level::Warn => self.report.diagnostic(more.warning()),
            }
        }
        denied
    }
}

/// The error for manifests without a workspace. If a reference is meant for Go's ko, that is the
/// reason.
fn no_workspace(manifests: &Manifests, error: cargo::Error, faults: Vec<Fault>) -> Error {
    let of_go = match &error {
        cargo::Error::NoWorkspace { go: Some((reference, _)), .. } => Some(reference.clone()),
        _ => None,
    };
    let last = match of_go {
        Some(reference) => {
            let places = places(manifests, std::iter::once(&reference));
            let places = places.get(&reference).map(Vec::as_slice).unwrap_or_default();
            Fault::Unresolved(Unresolved::new(&reference, places, error))
        }
        None if faults.is_empty() => return Error::Workspace(error),
        None => Fault::Workspace(error),
    };
    Error::Faulty(Several::new(faults, last))
}

/// Where each of some references is.
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
