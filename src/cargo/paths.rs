//! Finds paths of this machine in executables, and the crates that they come from.
//!
//! Remapping changes the paths that compilers write, but not strings that a program contains:
//! `env!("CARGO_MANIFEST_DIR")`, the `OUT_DIR` of a build script, the value of a `-D` flag for C.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::Workspace;
use super::facts::Facts;
use super::program;

/// A path of this machine in an executable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StrayPath {
    /// The path.
    pub path: PathBuf,
    /// The crate that it probably comes from.
    pub package: Option<String>,
}

impl Workspace {
    /// The paths at the start of strings that were found in an executable, and their crates.
    #[must_use]
    pub fn stray_paths(&self, finds: &BTreeSet<String>) -> BTreeSet<StrayPath> {
        let stray = |find: &String| {
            let path = existing(find)?;
            let package = self.facts.iter().find_map(|facts| self.package_of(facts, &path));
            Some(StrayPath { path, package })
        };
        finds.iter().filter_map(stray).collect()
    }

    fn package_of(&self, facts: &Facts, path: &Path) -> Option<String> {
        if let Ok(inside) = path.strip_prefix(&facts.target_directory) {
            return names(inside).skip_while(|name| *name != "build").nth(1).map(without_hash);
        }
        let home = program::cargo_home(&self.settings.environment, &facts.root);
        if let Some(inside) = home.and_then(|home| path.strip_prefix(home).ok()) {
            // `registry/src/INDEX/NAME-VERSION/…`, `git/checkouts/NAME-HASH/…`
            let mut parts = names(inside);
            return match (parts.next(), parts.next()) {
                (Some("registry"), Some("src")) => parts.nth(1).map(str::to_owned),
                (Some("git"), Some("checkouts")) => parts.next().map(without_hash),
                _ => None,
            };
        }
        let members = facts.packages.iter().map(|package| (&package.name, &package.folder));
        let outside = facts.outside.iter();
        let owners = members.chain(outside).filter(|(_, folder)| path.starts_with(folder));
        owners.max_by_key(|(_, folder)| folder.as_os_str().len()).map(|(name, _)| name.clone())
    }
}

/// The folders that are searched for. A path with one component, such as `/app`, is in many
/// programs that mean the path in the container.
pub(crate) fn worth_looking_for<'a>(folders: impl Iterator<Item = &'a Path>) -> Vec<String> {
    folders
        .filter(|folder| {
            folder.components().filter(|c| matches!(c, Component::Normal(_))).count() > 1
        })
        .filter_map(|folder| folder.to_str().map(str::to_owned))
        .collect()
}

/// The longest existing path at the start of a string: in a program, strings follow each other
/// without a gap.
fn existing(find: &str) -> Option<PathBuf> {
    let ends = find.char_indices().map(|(at, _)| at).skip(1).chain([find.len()]);
    let mut ends: Vec<usize> = ends.collect();
    ends.reverse();
    ends.into_iter()
        .map(|end| Path::new(find[..end].trim_end_matches('/')))
        .find(|path| path.exists())
        .map(Path::to_owned)
}

fn names(path: &Path) -> impl Iterator<Item = &str> {
    path.components().filter_map(|component| component.as_os_str().to_str())
}

/// `ring` of `ring-0123456789abcdef`.
fn without_hash(name: &str) -> String {
    name.rsplit_once('-').map_or(name, |(name, _)| name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_ends_where_the_next_string_begins() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("svc/link");
        std::fs::create_dir_all(&inside).unwrap();
        let find = format!("{}hello there", inside.display());
        assert_eq!(existing(&find), Some(inside.clone()));
        assert_eq!(existing(inside.to_str().unwrap()), Some(inside.clone()));
        let find = format!("{}/svc/other", folder.path().display());
        assert_eq!(existing(&find), Some(folder.path().join("svc")));
    }

    #[test]
    fn folders_of_one_name_are_not_looked_for() {
        let folders = ["/app", "/work/app", "/"].map(Path::new);
        assert_eq!(worth_looking_for(folders.into_iter()), ["/work/app"]);
    }
}
