//! Finds the workspace: named, in a parent of the working directory, or anywhere in the repository.

use std::path::{Path, PathBuf};

use super::{Error, Settings};

/// How deep the repository is searched, and for how many workspaces.
pub(super) const DEPTH: usize = 6;
const MOST: usize = 64;

/// The `Cargo.toml` files of the possible workspaces. The references select among several.
pub(crate) fn manifests(settings: &Settings) -> Result<Vec<PathBuf>, Error> {
    if let Some(path) = &settings.manifest_path {
        let path = settings.directory.join(path);
        let path = if path.is_dir() { path.join("Cargo.toml") } else { path };
        return if path.is_file() { Ok(vec![path]) } else { Err(Error::NoManifest { path }) };
    }
    if !settings.workspaces.is_empty() {
        let manifest = |root: &PathBuf| {
            let path = settings.directory.join(root).join("Cargo.toml");
            if path.is_file() { Ok(path) } else { Err(Error::NoManifest { path }) }
        };
        return settings.workspaces.iter().map(manifest).collect();
    }
    let mut upwards = settings.directory.ancestors().map(|folder| folder.join("Cargo.toml"));
    if let Some(manifest) = upwards.find(|path| path.is_file()) {
        return Ok(vec![manifest]);
    }
    let mut found = Vec::new();
    if let Some(root) = &settings.repository_root {
        search(root, DEPTH, &mut found);
    }
    found.sort();
    if found.is_empty() {
        return Err(Error::NoWorkspace { directory: settings.directory.clone(), go: None });
    }
    Ok(found)
}

/// Whether any `Cargo.toml` of the repository, or of the workspaces that settings name, is that of a
/// package with this name.
pub(crate) fn has_package(settings: &Settings, name: &str) -> bool {
    let mut todo: Vec<(PathBuf, usize)> = settings
        .workspaces
        .iter()
        .chain(&settings.repository_root)
        .map(|root| (settings.directory.join(root), DEPTH))
        .collect();
    while let Some((folder, depth)) = todo.pop() {
        let text = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        let table = text.parse::<toml::Table>().unwrap_or_default();
        if table.get("package").and_then(|p| p.get("name")?.as_str()) == Some(name) {
            return true;
        }
        if let Some(depth) = depth.checked_sub(1) {
            todo.extend(folders(&folder).map(|folder| (folder, depth)));
        }
    }
    false
}

/// The folders in a folder that may contain sources of the user.
pub(super) fn folders(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries
        .filter(|entry| {
            let name = entry.file_name();
            let skipped = name.to_string_lossy().starts_with('.')
                || matches!(name.to_str(), Some("target" | "node_modules" | "vendor"));
            !skipped && entry.file_type().is_ok_and(|kind| kind.is_dir())
        })
        .map(|entry| entry.path())
}

/// Finds the topmost `Cargo.toml` of every branch. Those below it belong to it.
fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let manifest = folder.join("Cargo.toml");
    if manifest.is_file() {
        found.push(manifest);
        return;
    }
    for folder in folders(folder) {
        if depth == 0 || found.len() >= MOST {
            return;
        }
        search(&folder, depth - 1, found);
    }
}
