//! The files on this machine that a binary is compiled from, as far as they can be known before and
//! after a build.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::config;
use super::facts::EXAMPLES;
use super::profile::Profile;
use super::recipe;
use super::{Binary, Build, Workspace};

/// The tables of a `Cargo.toml` whose packages are part of a binary or of its build script.
const DEPENDENCIES: [&str; 2] = ["dependencies", "build-dependencies"];

impl Workspace {
    /// The folders of the packages that a binary is compiled from: its own, and those that it depends
    /// on by path.
    #[must_use]
    pub fn local_packages(&self, binary: &Binary) -> BTreeSet<PathBuf> {
        let root = read(&binary.workspace.join("Cargo.toml")).unwrap_or_default();
        let shared = root.get("workspace").and_then(|workspace| workspace.get("dependencies"));
        let shared = Shared { root: &binary.workspace, table: shared.and_then(Value::as_table) };
        let mut found = BTreeSet::new();
        let mut todo = vec![binary.folder.clone()];
        todo.extend(["patch", "replace"].iter().flat_map(|key| match root.get(*key) {
            Some(table) => nested_paths(table, &binary.workspace),
            None => Vec::new(),
        }));
        while let Some(folder) = todo.pop() {
            let Ok(folder) = folder.canonicalize() else { continue };
            let Some(manifest) = read(&folder.join("Cargo.toml")) else { continue };
            if found.insert(folder.clone()) {
                let own = tables(&manifest).into_iter().flatten();
                todo.extend(own.filter_map(|(name, value)| shared.path(name, value, &folder)));
            }
        }
        found
    }

    /// The files that configure how Cargo builds: the workspace's manifest, its lock file, and the
    /// configuration of Cargo and rustup.
    #[must_use]
    pub fn configuration(&self) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::new();
        for facts in &self.facts {
            let names = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "rust-toolchain"];
            files.extend(names.iter().map(|name| facts.root.join(name)));
            files.insert(facts.root.join(".cargo/config.toml"));
            let others = config::files(&facts.root, &self.settings.environment);
            files.extend(others.into_iter().filter(|file| file.is_file()));
        }
        files
    }

    /// The folders that Cargo writes into.
    #[must_use]
    pub fn target_directories(&self) -> BTreeSet<PathBuf> {
        self.facts.iter().map(|facts| facts.target_directory.clone()).collect()
    }

    /// The files that the last build of a binary read, as Cargo noted them beside the executable: all
    /// sources of packages on this machine, what they include, and what build scripts asked for.
    #[must_use]
    pub fn sources(&self, build: &Build) -> BTreeSet<PathBuf> {
        let Ok(facts) = self.facts_of(&build.binary.workspace) else { return BTreeSet::new() };
        let Ok(target) = build.target() else { return BTreeSet::new() };
        let profile = Profile::of(&build.profile, build.debug).folder().to_owned();
        let folder = recipe::target_directory(facts).join(target.as_str()).join(profile);
        let folder = match build.binary.bin.starts_with(EXAMPLES) {
            true => folder.join("examples"),
            false => folder,
        };
        let file = folder.join(format!("{}.d", build.binary.executable_name()));
        let text = std::fs::read_to_string(file).unwrap_or_default();
        prerequisites(&text).into_iter().map(PathBuf::from).collect()
    }
}

/// The dependencies that packages inherit from their workspace.
struct Shared<'a> {
    root: &'a Path,
    table: Option<&'a Table>,
}

impl Shared<'_> {
    /// The folder of a dependency, if it is one by path.
    fn path(&self, name: &str, value: &Value, folder: &Path) -> Option<PathBuf> {
        let path = |value: &Value| Some(value.get("path")?.as_str()?.to_owned());
        match value.get("workspace").and_then(Value::as_bool) {
            Some(true) => Some(self.root.join(path(self.table?.get(name)?)?)),
            _ => Some(folder.join(path(value)?)),
        }
    }
}

/// The tables of dependencies of a package, those for some targets too.
fn tables(manifest: &Table) -> Vec<&Table> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    std::iter::once(manifest)
        .chain(targets)
        .flat_map(|table| DEPENDENCIES.iter().filter_map(move |key| table.get(*key)?.as_table()))
        .collect()
}

/// Every `path` in the tables below a value.
fn nested_paths(value: &Value, folder: &Path) -> Vec<PathBuf> {
    let Some(table) = value.as_table() else { return Vec::new() };
    let own = table.get("path").and_then(Value::as_str).map(|path| folder.join(path));
    own.into_iter().chain(table.values().flat_map(|value| nested_paths(value, folder))).collect()
}

fn read(manifest: &Path) -> Option<Table> {
    std::fs::read_to_string(manifest).ok()?.parse().ok()
}

/// The prerequisites of a rule of make, in which a blank of a name is escaped.
fn prerequisites(rule: &str) -> Vec<String> {
    let line = rule.lines().next().unwrap_or_default();
    // The target may have a colon itself, but no blank behind it.
    let Some((_, names)) = line.split_once(": ") else { return Vec::new() };
    let mut found: Vec<String> = Vec::new();
    let mut name = String::new();
    let mut characters = names.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' if characters.peek() == Some(&' ') => {
                characters.next();
                name.push(' ');
            }
            ' ' if !name.is_empty() => found.push(std::mem::take(&mut name)),
            ' ' => {}
            c => name.push(c),
        }
    }
    found.extend((!name.is_empty()).then_some(name));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_file_names_sources_with_blanks_too() {
        let rule = "/t/a b/x: /w/src/main.rs /w/My\\ Files/notes.txt\n\nother: thing\n";
        assert_eq!(prerequisites(rule), ["/w/src/main.rs", "/w/My Files/notes.txt"]);
        assert!(prerequisites("").is_empty());
    }

    #[test]
    fn a_dependency_by_path_is_found_in_every_table() {
        let manifest: Table = "[dependencies]\na = { path = \"../a\" }\nb.workspace = true\nc = \"1\"\n\
             [build-dependencies]\nd = { path = \"../d\" }\n[dev-dependencies]\ne = { path = \"../e\" }\n\
             [target.'cfg(unix)'.dependencies]\nf = { path = \"../f\" }\n"
            .parse()
            .unwrap();
        let shared: Table = "b = { path = \"libs/b\" }".parse().unwrap();
        let shared = Shared { root: Path::new("/w"), table: Some(&shared) };
        let tables = tables(&manifest);
        let found = tables.into_iter().flatten();
        let paths: BTreeSet<_> =
            found.filter_map(|(name, value)| shared.path(name, value, Path::new("/w/x"))).collect();
        let expected = ["/w/x/../a", "/w/libs/b", "/w/x/../d", "/w/x/../f"];
        assert_eq!(paths, expected.iter().map(PathBuf::from).collect());
    }
}
