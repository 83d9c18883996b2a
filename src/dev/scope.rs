//! Which files a loop watches.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::pipeline::Inputs;
use crate::watch::{Scope, resolved};

/// What is watched for these inputs of images and these other files and folders. Paths are made
/// absolute, as the operating system reports them.
pub(super) fn scope(inputs: &Inputs, others: &BTreeSet<PathBuf>, directory: &Path) -> Scope {
    let mut scope = Scope::default();
    let absolute = |path: &PathBuf| resolved(&directory.join(path));
    for folder in &inputs.packages {
        scope.folders.insert(absolute(folder));
    }
    for path in inputs.data.iter().chain(&inputs.files).chain(others).map(absolute) {
        if path.is_dir() {
            scope.folders.insert(path);
        } else {
            scope.files.insert(path);
        }
    }
    scope.excluded = inputs.written.iter().map(absolute).collect();
    scope
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_files_are_told_apart_and_may_be_missing() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("k8s")).unwrap();
        let inputs = Inputs {
            packages: [root.join("a")].into(),
            data: [root.join("a/kodata")].into(),
            files: [root.join("Cargo.lock")].into(),
            written: [root.join("target")].into(),
        };
        let scope = scope(&inputs, &["k8s".into(), "x.yaml".into()].into(), &root);
        assert_eq!(scope.folders, [root.join("a"), root.join("k8s")].into());
        let files = ["a/kodata", "Cargo.lock", "x.yaml"].map(|file| root.join(file));
        assert_eq!(scope.files, files.into());
        assert_eq!(scope.excluded, [root.join("target")].into());
    }
}
