//! Go modules in the repository. Go's ko reads the same manifests, and its references look like ours.

use std::path::{Path, PathBuf};

use super::Settings;
use super::locate::{DEPTH, folders};
use crate::reference::{CrateReference, PREFIX};

/// The Go modules of a repository: the name of each, and the path of its `go.mod` in the repository.
#[derive(Debug)]
pub(crate) struct GoModules(Vec<(String, PathBuf)>);

impl GoModules {
    /// Searches the repository.
    pub(crate) fn of(settings: &Settings) -> Self {
        let root = settings.repository_root.as_ref().unwrap_or(&settings.directory);
        let mut modules = Vec::new();
        let mut todo = vec![(root.clone(), DEPTH)];
        while let Some((folder, depth)) = todo.pop() {
            let path = folder.join("go.mod");
            if let Some(name) = module(&path) {
                modules.push((name, path.strip_prefix(root).unwrap_or(&path).to_owned()));
            }
            if let Some(depth) = depth.checked_sub(1) {
                todo.extend(folders(&folder).map(|folder| (folder, depth)));
            }
        }
        Self(modules)
    }

    /// The `go.mod` of the innermost module that contains the path of a reference. References with
    /// another prefix than ko's are never for Go.
    pub(crate) fn containing(&self, reference: &CrateReference) -> Option<PathBuf> {
        let is_within = |module: &str| {
            let rest = reference.place().strip_prefix(module);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let modules = self.0.iter().filter(|(module, _)| is_within(module));
        let innermost = modules.max_by_key(|(module, _)| module.len());
        innermost.filter(|_| reference.prefix() == PREFIX).map(|(_, path)| path.clone())
    }
}

/// The name of a module in its `go.mod`.
fn module(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut names = text.lines().filter_map(|line| {
        let rest = line.trim().strip_prefix("module")?;
        let name = rest.starts_with([' ', '\t']).then_some(rest)?.split("//").next()?;
        Some(name.trim().trim_matches(['"', '`']).to_owned())
    });
    names.find(|name| !name.is_empty())
}
