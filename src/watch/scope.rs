//! What is watched: trees of folders, and single files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use super::ignored;

/// What to watch, as absolute paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Folders whose files are watched, in subfolders too, except for those that Git ignores.
    pub(crate) folders: BTreeSet<PathBuf>,
    /// Single files, which need not exist, and which Git may ignore.
    pub(crate) files: BTreeSet<PathBuf>,
    /// Folders that are never watched, such as those that a build writes into.
    pub(crate) excluded: BTreeSet<PathBuf>,
}

/// The files and folders of a scope at some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The files whose contents matter.
    pub(super) files: BTreeSet<PathBuf>,
    /// The folders in which files may change.
    pub(super) folders: BTreeSet<PathBuf>,
}

impl Scope {
    /// Lists the files and folders of the scope.
    pub(super) fn find(&self) -> Found {
        let mut found = Found::default();
        let roots = self.folders.iter().filter(|folder| !self.is_excluded(folder));
        // A folder below another one that is watched is found with it, unless Git ignores it.
        for root in roots {
            if found.folders.contains(root) {
                continue;
            }
            self.walk(root, &mut found);
        }
        for file in &self.files {
            found.files.insert(file.clone());
            // An editor may rename another file over it, so that its folder has to be watched.
            found.folders.extend(nearest_folder(file));
        }
        found
    }

    fn walk(&self, root: &Path, found: &mut Found) {
        let excluded = self.excluded.clone();
        let walk = WalkBuilder::new(root)
            .hidden(false)
            .require_git(false)
            .follow_links(false)
            .filter_entry(move |entry| {
                !excluded.contains(entry.path()) && !ignored::is_repository_data(entry.path())
            })
            .build();
        for entry in walk.filter_map(Result::ok) {
            let path = entry.path();
            match entry.file_type() {
                Some(kind) if kind.is_dir() => drop(found.folders.insert(path.to_owned())),
                Some(_) if !ignored::is_of_editor(path) && !is_folder(path) => {
                    found.files.insert(path.to_owned());
                }
                _ => {}
            }
        }
    }

    fn is_excluded(&self, path: &Path) -> bool {
        path.ancestors().any(|folder| self.excluded.contains(folder))
    }
}

/// Whether a link leads to a folder, which is not followed: it could lead anywhere, back up too.
fn is_folder(path: &Path) -> bool {
    path.is_dir()
}

/// A path as a watcher reports it: without links in its folders. The file may be one that does not
/// exist.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => resolved(folder).join(name),
        _ => path.to_owned(),
    }
}

/// The folder of a file, or the nearest one above it that exists.
fn nearest_folder(file: &Path) -> Option<PathBuf> {
    file.ancestors().skip(1).find(|folder| folder.is_dir()).map(Path::to_owned)
}
