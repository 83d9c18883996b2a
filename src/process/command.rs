//! Commands before they are started, and how they are shown.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Environment;

/// A command with the given environment and nothing else of this process, without standard input.
pub(crate) fn command(
    program: impl AsRef<OsStr>,
    environment: &Environment,
    folder: &Path,
) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(environment).current_dir(folder).stdin(Stdio::null());
    command
}

/// A command as its user would type it: without the folder of the program, the `--` that ends its
/// flags, and registry tokens.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let arguments = command.get_args().filter(|argument| *argument != "--");
    let words = std::iter::once(program).chain(arguments);
    shell_words::join(words.map(|word| without_token(&word.to_string_lossy())))
}

/// An argument without the value of a token that it sets (`--config registries.own.token="…"`).
pub(crate) fn without_token(argument: &str) -> String {
    match argument.to_ascii_lowercase().find("token") {
        Some(at) if argument[at..].contains('=') => format!("{}token=…", &argument[..at]),
        _ => argument.to_owned(),
    }
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
}
