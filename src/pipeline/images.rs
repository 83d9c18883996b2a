//! The images of a run, by the names that the command line and manifests use for them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::Error;
use super::plan::Plan;
use super::run::Built;
use super::session::Session;
use crate::cargo::{self, Binary, Workspace};
use crate::manifests::{ImageMap, Manifests, Replacement};
use crate::publish::Published;
use crate::reference::{CrateReference, PREFIX};

/// The images of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Images {
    /// What was published, in the order of the requests.
    pub published: Vec<Published>,
    /// What each name that manifests use stands for.
    #[serde(skip)]
    pub replacements: Vec<Replacement>,
}

impl Images {
    /// The images of crates that were requested by name. What is named twice is published once and
    /// listed twice.
    pub(super) fn requested(plan: &Plan, built: &[Built], map: &ImageMap) -> Self {
        let mut images = Self::default();
        for (reference, at) in &plan.requests {
            let (planned, published) = (&plan.images[*at], &built[*at].published);
            let binary = &planned.order.binary;
            for name in names(plan.workspace.as_ref(), binary, reference.as_ref(), map) {
                let (image, bin) = (published.reference.clone(), binary.bin.clone());
                images.replacements.push(Replacement { written: name.clone(), name, image, bin });
            }
            images.published.push(published.clone());
        }
        images
    }
}

impl Session {
    /// The images that manifests refer to, and what is substituted for each reference. Runs the lints
    /// that look at images.
    pub(super) fn referenced_images(
        &self,
        manifests: &Manifests,
        plan: &Plan,
        built: Vec<Built>,
    ) -> Result<(Images, BTreeMap<CrateReference, String>), Error> {
        let mut by_reference = BTreeMap::new();
        for (reference, at) in &plan.requests {
            by_reference.extend(reference.clone().map(|reference| (reference, *at)));
        }
        let mut replacements: BTreeMap<String, Replacement> = BTreeMap::new();
        for occurrence in manifests.references() {
            let Some(&at) = by_reference.get(&occurrence.reference) else { continue };
            let bin = &plan.images[at].order.binary.bin;
            let replaced = occurrence.replaced(&built[at].published.reference, bin);
            replacements.insert(replaced.written.clone(), replaced);
        }
        let facts = by_reference.iter().filter_map(|(reference, at)| {
            Some((reference.clone(), built[*at].facts.first()?.clone()))
        });
        let denied = self.report_findings(manifests.lint_images(&facts.collect()));
        Error::check(denied)?;
        let name = |(reference, at): (CrateReference, usize)| {
            (reference, built[at].published.reference.clone())
        };
        let names = by_reference.into_iter().map(name).collect();
        let published = built.into_iter().map(|built| built.published).collect();
        Ok((Images { published, replacements: replacements.into_values().collect() }, names))
    }
}

/// The names by which manifests may refer to a binary: a reference, as the command line has it if it
/// is one, and the repositories that are mapped to the binary.
fn names(
    workspace: Option<&Workspace>,
    binary: &Binary,
    typed: Option<&CrateReference>,
    map: &ImageMap,
) -> Vec<String> {
    let is_it = |reference: &CrateReference| {
        let found = workspace.and_then(|workspace| workspace.find(reference).ok());
        found.is_some_and(|found| found.import_path == binary.import_path)
    };
    let is_name = |typed: &&CrateReference| !cargo::is_path(typed.place()) && is_it(typed);
    let typed = typed.filter(is_name).map(ToString::to_string);
    let name = typed.unwrap_or_else(|| binary.import_path.to_string());
    let prefixed = if name.contains("://") { name } else { format!("{PREFIX}{name}") };
    let mapped = map.mappings().filter(|mapping| is_it(&mapping.reference));
    std::iter::once(prefixed).chain(mapped.map(|mapping| mapping.written.clone())).collect()
}
