//! The files that the images of a plan are made from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::plan::{Order, Plan};
use crate::watch::resolved;

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

impl Inputs {
    /// Whether a file is one of these or in one of their folders. Builds may write into `written`.
    pub(crate) fn reach(&self, path: &Path) -> bool {
        let is_written = self.written.iter().any(|folder| path.starts_with(folder));
        let mut folders = self.packages.iter().chain(&self.data);
        self.files.contains(path) || (!is_written && folders.any(|folder| path.starts_with(folder)))
    }

    fn extend(&mut self, other: Self) {
        self.packages.extend(other.packages);
        self.data.extend(other.data);
        self.files.extend(other.files);
        self.written.extend(other.written);
    }
}

impl Plan {
    /// The files that its images are made from, as far as they are known: after a build, sources
    /// outside of packages are.
    #[must_use]
    pub(crate) fn inputs(&self) -> Inputs {
        let mut inputs = Inputs::default();
        self.orders().for_each(|order| inputs.extend(self.inputs_of(order)));
        inputs
    }

    /// The same of one image. Paths are as a watcher reports them.
    pub(super) fn inputs_of(&self, order: &Order) -> Inputs {
        let Some(workspace) = &self.workspace else { return Inputs::default() };
        let mut data = vec![order.binary.folder.join("kodata")];
        data.extend(order.recipe.files.iter().map(|rule| rule.from.clone()));
        let mut files = workspace.configuration();
        files.extend(order.builds.iter().flat_map(|build| workspace.sources(build)));
        let all = |paths: BTreeSet<PathBuf>| paths.iter().map(|path| resolved(path)).collect();
        let written: BTreeSet<PathBuf> = all(workspace.target_directories());
        let files: BTreeSet<PathBuf> = all(files);
        // Build scripts write sources of their own there.
        let is_written = |file: &PathBuf| written.iter().any(|folder| file.starts_with(folder));
        Inputs {
            packages: all(workspace.local_packages(&order.binary)),
            data: all(data.into_iter().collect()),
            files: files.into_iter().filter(|file| !is_written(file)).collect(),
            written,
        }
    }

    /// The plan of some of its images.
    pub(super) fn only(&self, is_wanted: impl Fn(&Order) -> bool) -> Self {
        let images = self.images.iter().filter(|image| is_wanted(&image.order)).cloned().collect();
        Self { images, requests: Vec::new(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_reaches_the_images_that_are_made_from_it() {
        let inputs = Inputs {
            packages: ["/w/a".into()].into(),
            data: ["/w/data".into()].into(),
            files: ["/w/Cargo.lock".into(), "/w/a/target/x".into()].into(),
            written: ["/w/a/target".into()].into(),
        };
        for path in ["/w/a/src/main.rs", "/w/data/x", "/w/Cargo.lock", "/w/a/target/x"] {
            assert!(inputs.reach(Path::new(path)), "{path}");
        }
        for path in ["/w/b/src/main.rs", "/w/a.rs", "/w/a/target/y", "/w/k8s/a.yaml"] {
            assert!(!inputs.reach(Path::new(path)), "{path}");
        }
    }
}
