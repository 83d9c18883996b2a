//! What is read of the folders and patterns that `-f` names.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Names under which no manifest lies: Git's own folder, the settings of ko-rs and of Go's ko, and what
/// Cargo puts into packages.
const NEVER: [&str; 4] = [".git", ".ko-rs.yaml", ".ko.yaml", ".cargo_vcs_info.json"];

/// What marks a folder as one that a program can make again: Cargo's own, and any cache.
const MADE: [&str; 2] = [".rustc_info.json", "CACHEDIR.TAG"];

/// How folders and patterns are searched. A file that is named itself is read whatever it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Whether the folders below a folder are read.
    pub recursive: bool,
    /// Files and folders that are no input where they are merely found: what the run writes, and its
    /// settings.
    pub apart: Vec<PathBuf>,
}

impl Search {
    /// What of a folder, or of what a pattern may match, is passed over.
    pub(crate) fn below(&self, named: &Path) -> Passed {
        let named = real(named);
        let apart = self.apart.iter().filter_map(|path| real(path));
        // Who names the folder for the output, or one in it, means what is there.
        let is_in = |path: &PathBuf| named.as_ref().is_some_and(|named| named.starts_with(path));
        Passed(apart.filter(|path| !is_in(path)).collect())
    }
}

/// What is passed over in a search, by its real path.
pub(crate) struct Passed(Vec<PathBuf>);

impl Passed {
    pub(crate) fn has(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default();
        let is_apart = |path: PathBuf| self.0.iter().any(|apart| path.starts_with(apart));
        NEVER.iter().any(|never| name == OsStr::new(never))
            || (!self.0.is_empty() && real(path).is_some_and(is_apart))
    }

    /// Whether a folder that was found below another is passed over: a hidden one, too.
    pub(crate) fn has_folder(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default();
        name.as_encoded_bytes().starts_with(b".") || self.has(path) || is_made(path)
    }
}

/// Whether a folder holds only what can be made again, as Cargo's `target` does.
pub(crate) fn is_made(folder: &Path) -> bool {
    MADE.iter().any(|mark| folder.join(mark).is_file())
}

/// The path of what is there, without links.
fn real(path: &Path) -> Option<PathBuf> {
    let here = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    here.canonicalize().ok()
}
