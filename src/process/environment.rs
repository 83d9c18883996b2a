//! The environment of a child process, and where a program is on its PATH.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// All variables that a child process gets.
pub(crate) type Environment = BTreeMap<OsString, OsString>;

/// The value of a variable; a value that is not UTF-8 counts as not set.
pub(crate) fn variable<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    environment.get(OsStr::new(name)).and_then(|value| value.to_str())
}

/// The executable that a name means on the PATH.
pub(crate) fn find(name: &str, environment: &Environment) -> Option<PathBuf> {
    let path = environment.get(OsStr::new("PATH"))?;
    std::env::split_paths(path)
        .map(|folder| folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
        .find(|file| is_executable(file))
}

/// Whether two paths lead to one file.
pub(crate) fn are_same(one: &Path, other: &Path) -> bool {
    let found = |path: &Path| same_file_key(path);
    found(one).is_some_and(|key| found(other) == Some(key))
}

#[cfg(unix)]
fn same_file_key(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn same_file_key(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok()
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}
