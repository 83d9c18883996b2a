//! Folders whose paths must not be in an executable, and the fixed names that replace them.

use std::path::{Path, PathBuf};

use super::facts::Facts;
use super::program;
use super::toolchain::Toolchain;
use crate::process::Environment;

/// Each path and its replacement. The last match counts, so the longest come last.
#[derive(Clone, Debug)]
pub(crate) struct Prefixes(Vec<(PathBuf, String)>);

impl Prefixes {
    /// The workspace, the target directory, Cargo's home, other packages, the sources of the
    /// standard library.
    pub(crate) fn of(
        facts: &Facts,
        target_directory: &Path,
        toolchain: &Toolchain,
        environment: &Environment,
    ) -> Self {
        let mut prefixes = vec![
            (facts.root.clone(), "/workspace".to_owned()),
            (target_directory.to_owned(), "/target".to_owned()),
        ];
        if let Some(home) = program::cargo_home(environment, &facts.root) {
            prefixes.push((home, "/cargo".to_owned()));
        }
        for (name, folder) in &facts.outside {
            prefixes.push((folder.clone(), format!("/path/{name}")));
        }
        prefixes.extend(toolchain.sources());
        prefixes.sort_by_key(|(folder, _)| folder.as_os_str().len());
        Self(prefixes)
    }

    /// The folders that are replaced.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|(folder, _)| folder.as_path())
    }

    /// The flags for rustc.
    pub(crate) fn rustflags(&self) -> Vec<String> {
        self.flags("--remap-path-prefix")
    }

    /// The flags for C compilers: GCC since 8, Clang since 10.
    pub(crate) fn cflags(&self) -> Vec<String> {
        self.flags("-ffile-prefix-map")
    }

    fn flags(&self, name: &str) -> Vec<String> {
        let flag = |(from, to): &(PathBuf, String)| format!("{name}={}={to}", from.display());
        self.0.iter().map(flag).collect()
    }
}
