//! Cargo, rustc and rustup as programs: whose they are, where their homes are, and which variables
//! decide what they do.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::process::{Environment, are_same, find};

/// Whether a program is a proxy of rustup.
pub(crate) fn is_rustup_proxy(name: &str, environment: &Environment) -> bool {
    let found = find(name, environment);
    found.is_some_and(|file| are_same(&file, &file.with_file_name("rustup")))
}

/// Cargo's home: `CARGO_HOME`, else `.cargo` in the user's home.
pub(crate) fn cargo_home(environment: &Environment, directory: &Path) -> Option<PathBuf> {
    home(environment, directory, "CARGO_HOME", ".cargo")
}

/// rustup's home: `RUSTUP_HOME`, else `.rustup` in the user's home.
pub(crate) fn rustup_home(environment: &Environment, directory: &Path) -> Option<PathBuf> {
    home(environment, directory, "RUSTUP_HOME", ".rustup")
}

fn home(environment: &Environment, directory: &Path, name: &str, own: &str) -> Option<PathBuf> {
    let set = |name: &str| environment.get(OsStr::new(name)).filter(|value| !value.is_empty());
    match set(name) {
        Some(path) => Some(directory.join(path)),
        None => Some(Path::new(set("HOME").or_else(|| set("USERPROFILE"))?).join(own)),
    }
}

/// The variables that affect Cargo and rustup, as text.
pub(crate) fn relevant(environment: &Environment) -> String {
    let matters = |name: &str| {
        name.starts_with("CARGO")
            || name.starts_with("RUST")
            || matches!(name, "PATH" | "HOME" | "USERPROFILE")
    };
    let kept = environment.iter().filter(|(name, _)| name.to_str().is_some_and(matters));
    format!("{:?}", kept.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn rustup_s_programs_are_links_to_it() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["rustup", "rustc"] {
            std::fs::write(path(name), name).unwrap();
            std::fs::set_permissions(path(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
        symlink("rustup", path("cargo")).unwrap();
        std::fs::hard_link(path("rustup"), path("rustdoc")).unwrap();
        let environment = [("PATH".into(), folder.path().into())].into();
        let found =
            ["cargo", "rustdoc", "rustc", "gone"].map(|name| is_rustup_proxy(name, &environment));
        assert_eq!(found, [true, true, false, false]);
    }

    #[test]
    fn homes_are_where_rust_s_tools_look_for_them() {
        let environment: Environment =
            [("HOME".into(), "/home/me".into()), ("RUSTUP_HOME".into(), "rustup".into())].into();
        let work = Path::new("/work");
        assert_eq!(cargo_home(&environment, work), Some(PathBuf::from("/home/me/.cargo")));
        assert_eq!(rustup_home(&environment, work), Some(PathBuf::from("/work/rustup")));
        assert_eq!(cargo_home(&Environment::new(), work), None);
    }
}
