//! Commands that are run to their end for what they print.

use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::{Error, Group, shown};
use crate::report::without_credentials;

/// What a command is given and what is kept of what it prints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits<'a> {
    /// What it reads on standard input; none is an empty input.
    pub(crate) stdin: Option<&'a [u8]>,
    /// How many bytes of standard output are kept. A command that prints more is cut off.
    pub(crate) stdout: u64,
    /// Where standard error goes.
    pub(crate) stderr: Stderr,
    /// How long it may take.
    pub(crate) time: Option<Duration>,
    /// Whether it stays in this process's group, so that it may ask something on the terminal.
    pub(crate) may_prompt: bool,
}

/// Where the standard error of a command goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stderr {
    /// To this process's: the command may fetch something, and shows its progress.
    Shown,
    /// It is kept for an error, up to 1 MiB.
    Kept,
    /// Nowhere: it may hold a secret.
    Dropped,
}

/// The largest standard error that is kept, in bytes.
const LARGEST_STDERR: u64 = 1 << 20;

impl Default for Limits<'_> {
    fn default() -> Self {
        Self { stdin: None, stdout: u64::MAX, stderr: Stderr::Kept, time: None, may_prompt: false }
    }
}

/// How a command ended and what it printed.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    command: String,
}

impl Output {
    /// The output, or an error with the command's own words if it failed.
    pub(crate) fn checked(self) -> Result<Self, Error> {
        if self.status.success() {
            return Ok(self);
        }
        let Self { command, status, stderr, .. } = self;
        Err(Error::Failed { command, status, stderr: without_credentials(stderr.trim()) })
    }

    /// Standard output as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Runs a command to its end without blocking. Dropped before that, the command is ended.
pub(crate) async fn output(mut command: Command, limits: Limits<'_>) -> Result<Output, Error> {
    let shown = shown(&command);
    let lost = |source| Error::Read { command: shown.clone(), source };
    if limits.stdin.is_some() {
        command.stdin(Stdio::piped());
    }
    command.stderr(match limits.stderr {
        Stderr::Shown => Stdio::inherit(),
        Stderr::Kept => Stdio::piped(),
        Stderr::Dropped => Stdio::null(),
    });
    let mut group = if limits.may_prompt { Group::join(command)? } else { Group::start(command)? };
    let (stdin, stdout, stderr) = group.pipes();
    let write = async {
        if let (Some(mut stdin), Some(input)) = (stdin, limits.stdin) {
            // A program that does not read its input is not an error.
            let _ = stdin.write_all(input).await;
        }
    };
    let run = async {
        let read = async {
            tokio::try_join!(bounded(stdout, limits.stdout), bounded(stderr, LARGEST_STDERR))
        };
        let ((), read) = tokio::join!(write, read);
        let (stdout, stderr) = read?;
        let status = group.wait().await?;
        Ok::<_, std::io::Error>((status, stdout, stderr))
    };
    let ended = match limits.time {
        None => run.await,
        Some(limit) => match tokio::time::timeout(limit, run).await {
            Ok(ended) => ended,
            Err(_) => return Err(Error::Slow { command: shown, limit }),
        },
    };
    let (status, stdout, stderr) = ended.map_err(lost)?;
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    Ok(Output { status, stdout, stderr, command: shown })
}

/// Runs a command that answers at once, and blocks meanwhile; its standard output as text.
pub(crate) fn capture(mut command: Command) -> Result<String, Error> {
    let output = command.output().map_err(|source| Error::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let (status, stdout, command) = (output.status, output.stdout, shown(&command));
    Output { status, stdout, stderr, command }.checked().map(|output| output.text())
}

/// Reads a pipe up to a bound. A program that prints more finds its pipe closed.
async fn bounded(pipe: Option<impl AsyncRead + Unpin>, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(limit).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_words_of_a_failed_program_are_repeated_without_passwords() {
        let script = "echo unable to update https://me:hunter2@h.example/a.git >&2; exit 3";
        let Err(Error::Failed { stderr, .. }) = capture(shell(script)) else { panic!("it fails") };
        assert_eq!(stderr, "unable to update https://h.example/a.git");
    }

    #[tokio::test]
    async fn input_output_and_time_are_bounded() {
        let limits = Limits { stdin: Some(b"abc"), stdout: 2, ..Limits::default() };
        let ended = output(shell("cat; echo x >&2"), limits).await.unwrap();
        assert_eq!((ended.stdout.as_slice(), ended.stderr.as_str()), (b"ab".as_slice(), "x\n"));
        let limits = Limits {
            time: Some(Duration::from_millis(100)),
            may_prompt: true,
            ..Limits::default()
        };
        let slow = output(shell("exec sleep 60"), limits).await;
        assert!(matches!(slow, Err(Error::Slow { .. })), "{slow:?}");
    }
}
