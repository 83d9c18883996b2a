//! Go modules in the same repository: Go's ko reads the same manifests, and its references look
//! like ours.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// How many files and folders are looked at: enough for a large repository, and no wait.
const ENTRIES: usize = 50_000;

/// How much of a `go.mod` is read; its first lines name the module.
const LARGEST: u64 = 64 << 10;

/// The Go modules of a repository, by name, each with its `go.mod`.
#[derive(Debug)]
pub(super) struct Modules(BTreeMap<String, PathBuf>);

impl Modules {
    /// Looks through a repository; the paths are relative to it. Of very many files and folders only the
    /// first are looked at, those near to the root before those below them.
    pub(super) fn of(repository: &Path) -> Self {
        let mut modules = BTreeMap::new();
        let mut folders = VecDeque::from([repository.to_owned()]);
        let mut left = ENTRIES;
        while let Some(folder) = folders.pop_front() {
            // What cannot be read holds no hint.
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                if left == 0 {
                    return Self(modules);
                }
                left -= 1;
                let name = entry.file_name();
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() && !is_skipped(&name.to_string_lossy()) {
                    folders.push_back(entry.path());
                } else if kind.is_file() && name == "go.mod" {
                    let path = entry.path();
                    let shown = path.strip_prefix(repository).unwrap_or(&path).to_owned();
                    if let Some(module) = module(&path) {
                        modules.entry(module).or_insert(shown);
                    }
                }
            }
        }
        Self(modules)
    }

    /// The `go.mod` of the module that an import path lies in: of several the one with the longest
    /// name.
    pub(super) fn holding(&self, place: &str) -> Option<&Path> {
        let mut within = self.0.iter().rev().filter(|(module, _)| is_within(place, module));
        within.next().map(|(_, path)| path.as_path())
    }
}

/// Folders of what others made.
fn is_skipped(name: &str) -> bool {
    name.starts_with('.') || matches!(name, "target" | "node_modules" | "vendor")
}

fn is_within(place: &str, module: &str) -> bool {
    place.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The name that a `go.mod` gives its module.
fn module(path: &Path) -> Option<String> {
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(LARGEST).read_to_string(&mut text).ok()?;
    let mut names = text.lines().filter_map(|line| {
        let rest = line.trim().strip_prefix("module")?;
        let name = rest.starts_with([' ', '\t']).then_some(rest)?.split("//").next()?;
        Some(name.trim().trim_matches(['"', '`']).to_owned())
    });
    names.find(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_of_an_import_path_is_found_in_the_repository() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for (path, text) in [
            ("go/go.mod", "// Shop.\nmodule example.org/shop // the shop\n\ngo 1.24\n"),
            ("go/tools/go.mod", "module \"example.org/shop/tools\"\n"),
            ("vendor/x/go.mod", "module example.org/vendored\n"),
            ("modules/go.mod", "modules example.org/no\n"),
        ] {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let modules = Modules::of(root);
        let found = |place: &str| modules.holding(place).map(|path| path.display().to_string());
        assert_eq!(found("example.org/shop").as_deref(), Some("go/go.mod"));
        assert_eq!(found("example.org/shop/cmd/web").as_deref(), Some("go/go.mod"));
        assert_eq!(found("example.org/shop/tools/x").as_deref(), Some("go/tools/go.mod"));
        for stranger in ["example.org/shopping", "example.org/vendored", "example.org/no", "shop"] {
            assert_eq!(found(stranger), None, "{stranger}");
        }
    }
}
