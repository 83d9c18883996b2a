//! A program that the user attends to: it reads and writes what ko-rs would.

use std::process::{Command, Stdio};

use super::Error;

/// Runs a program with ko-rs's own standard streams, in its own process group so that Ctrl-C reaches
/// both, and returns its exit status: 128 and the signal if one ended it.
pub(crate) async fn attended(mut command: Command) -> Result<u8, Error> {
    command.stdin(Stdio::inherit());
    let program = command.get_program().to_string_lossy().into_owned();
    let mut command = tokio::process::Command::from(command);
    let status = command.kill_on_drop(true).status().await;
    let status = status.map_err(|source| Error::Start { program, source })?;
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Ok(u8::try_from(128 + signal).unwrap_or(u8::MAX));
    }
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
