//! Runs Cargo, rustc and rustup in the user's environment and in a given folder.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Error;
use crate::oci::file::Stamp;

/// The user's whole environment, as a value.
pub type Environment = BTreeMap<OsString, OsString>;

/// A variable whose value is UTF-8. Others are treated as unset.
pub(crate) fn variable<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    environment.get(OsStr::new(name)).and_then(|value| value.to_str())
}

/// A command with the given environment and no other variables.
pub(crate) fn command(
    program: impl AsRef<OsStr>,
    environment: &Environment,
    folder: &Path,
) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(environment).current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs a command and returns its standard output as text.
pub(crate) fn capture(mut command: Command) -> Result<String, Error> {
    let output = command.output().map_err(|source| Error::start(&command, source))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::command(shown(&command), output.status, &said));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command line as a user would type it, without tokens of registries.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    // A user does not type the path.
    let program =
        program.file_name().filter(|name| *name == "cargo").unwrap_or(program.as_os_str());
    let words = std::iter::once(program).chain(command.get_args());
    shell_words::join(words.map(|word| without_token(&word.to_string_lossy())))
}

/// An argument without the token that it sets (`--config registries.own.token="…"`).
pub(crate) fn without_token(argument: &str) -> String {
    match argument.to_ascii_lowercase().find("token") {
        Some(at) if argument[at..].contains('=') => format!("{}token=…", &argument[..at]),
        _ => argument.to_owned(),
    }
}

/// The path of a program on the PATH.
pub(crate) fn on_path(name: &str, environment: &Environment) -> Option<PathBuf> {
    let path = environment.get(OsStr::new("PATH"))?;
    std::env::split_paths(path)
        .map(|folder| folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
        .find(|file| is_executable(file))
}

/// Whether a program is a proxy of rustup.
pub(crate) fn is_rustup_proxy(name: &str, environment: &Environment) -> bool {
    let found = on_path(name, environment);
    found.is_some_and(|file| are_same(&file, &file.with_file_name("rustup")))
}

/// Whether two paths lead to the same file.
pub(crate) fn are_same(one: &Path, other: &Path) -> bool {
    let stamp = |path: &Path| std::fs::metadata(path).ok().map(|found| Stamp::of(&found));
    stamp(one).is_some_and(|found| stamp(other) == Some(found))
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

    #[test]
    fn a_command_is_shown_without_tokens() {
        let mut command = Command::new("/sysroot/bin/cargo");
        command.args(["build", "--config", "registries.own.token = \"secret\"", "--bin", "a b"]);
        let shown = shown(&command);
        assert_eq!(shown, "cargo build --config 'registries.own.token=…' --bin 'a b'");
    }

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

    #[cfg(unix)]
    #[test]
    fn what_a_program_said_is_repeated_without_passwords() {
        let mut command = Command::new("sh");
        command
            .args(["-c", "echo unable to update https://me:hunter2@h.example/a.git >&2; exit 3"]);
        let Err(Error::Command { stderr, .. }) = capture(command) else { panic!("it fails") };
        assert_eq!(stderr, "unable to update https://h.example/a.git");
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
