//! The files that the images of a plan are made from.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::plan::Plan;

/// The files on this machine that images are made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// The folders of packages.
    pub packages: BTreeSet<PathBuf>,
    /// Folders and files that go into images as they are.
    pub data: BTreeSet<PathBuf>,
    /// Files that configure Cargo, and sources outside of the packages that the last build read.
    pub files: BTreeSet<PathBuf>,
    /// Folders that builds write into.
    pub written: BTreeSet<PathBuf>,
}

impl Plan {
    /// The files that its images are made from, as far as they are known: after a build, sources
    /// outside of packages are.
    #[must_use]
    pub fn inputs(&self) -> Inputs {
        let mut inputs = Inputs::default();
        let Some(workspace) = &self.workspace else { return inputs };
        inputs.files = workspace.configuration();
        inputs.written = workspace.target_directories();
        for order in self.orders() {
            inputs.packages.extend(workspace.local_packages(&order.binary));
            inputs.data.insert(order.binary.folder.join("kodata"));
            inputs.data.extend(order.recipe.files.iter().map(|rule| rule.from.clone()));
            inputs.files.extend(order.builds.iter().flat_map(|build| workspace.sources(build)));
        }
        // Build scripts write sources of their own there.
        let is_written = |file: &PathBuf| inputs.written.iter().any(|it| file.starts_with(it));
        inputs.files = inputs.files.iter().filter(|file| !is_written(file)).cloned().collect();
        inputs
    }
}
