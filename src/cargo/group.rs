//! A child process in a process group of its own, which does not outlive whoever waits for it.

use std::process::{Command, ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStdout};

use super::Error;
use super::program;

/// After how long what was interrupted is asked again, by the signal that is not ignored where a
/// shell started ko-rs, or what it runs, in the background.
#[cfg(unix)]
const ASKED_AGAIN: std::time::Duration = std::time::Duration::from_millis(500);

/// A running program with all that it starts. Dropped before its end, the whole group is
/// interrupted, then terminated, and killed where that is not enough.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    #[cfg(unix)]
    id: Option<rustix::process::Pid>,
    /// How long it may take to end when it is interrupted.
    #[cfg(unix)]
    patience: std::time::Duration,
}

impl Group {
    /// Starts a command whose standard output is read.
    pub(crate) fn start(mut command: Command) -> Result<Self, Error> {
        command.stdout(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let program = command.get_program().to_owned();
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true);
        let child = command.spawn().map_err(|source| Error::Start {
            program: program.to_string_lossy().into_owned(),
            source,
        })?;
        #[cfg(unix)]
        let id = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
        Ok(Self {
            child,
            #[cfg(unix)]
            id,
            #[cfg(unix)]
            patience: std::time::Duration::from_secs(5),
        })
    }

    /// The end from which its output is read; it can be taken once.
    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits for its end.
    pub(crate) async fn wait(mut self) -> std::io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        #[cfg(unix)]
        {
            self.id = None;
        }
        Ok(status)
    }
}

/// How a command ended and all that it said.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    command: String,
}

impl Output {
    /// An error in the command's own words, if it failed.
    pub(crate) fn checked(self) -> Result<Self, Error> {
        if self.status.success() {
            return Ok(self);
        }
        Err(Error::command(self.command, self.status, &self.stderr))
    }
}

/// Whether the user sees what a command says while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It goes where ours goes: the command may fetch something, which takes its time.
    Shown,
    /// It is kept.
    Hidden,
}

/// Runs a command to its end in a group of its own.
pub(crate) async fn output(mut command: Command, progress: Progress) -> Result<Output, Error> {
    let shown = program::shown(&command);
    let lost = |source| Error::Lost { command: shown.clone(), source };
    command.stderr(match progress {
        Progress::Shown => Stdio::inherit(),
        Progress::Hidden => Stdio::piped(),
    });
    let mut group = Group::start(command)?;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let (output, errors) = (group.child.stdout.take(), group.child.stderr.take());
    tokio::try_join!(read_all(output, &mut stdout), read_all(errors, &mut stderr)).map_err(lost)?;
    let status = group.wait().await.map_err(lost)?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Output { status, stdout: text(stdout), stderr: text(stderr), command: shown })
}

/// Reads a pipe to its end.
async fn read_all(pipe: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> std::io::Result<()> {
    match pipe {
        Some(mut pipe) => pipe.read_to_end(into).await.map(drop),
        None => Ok(()),
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        use rustix::process::{Signal, kill_process_group};
        let Some(group) = self.id else { return };
        let _ = kill_process_group(group, Signal::INT);
        let interrupted = std::time::Instant::now();
        let mut terminated = false;
        while interrupted.elapsed() < self.patience {
            let ended = !matches!(self.child.try_wait(), Ok(None));
            if ended && !is_alive(group) {
                return;
            }
            if !terminated && interrupted.elapsed() > ASKED_AGAIN {
                terminated = true;
                let _ = kill_process_group(group, Signal::TERM);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Whether a group has members that still do something. A member that has ended stays a member
/// until it is waited for, which in a container without an init may be never.
#[cfg(unix)]
fn is_alive(group: rustix::process::Pid) -> bool {
    if rustix::process::test_kill_process_group(group).is_err() {
        return false;
    }
    let Ok(processes) = std::fs::read_dir("/proc") else { return true };
    let group = group.as_raw_nonzero().to_string();
    let mut stats = processes
        .filter_map(Result::ok)
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
        .peekable();
    // Without a Linux `/proc` there is nothing to read, and the first answer stands.
    stats.peek().is_none()
        || stats.any(|stat| {
            // `pid (name) state parent group …`; the name may hold anything, also `)`.
            let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
            let mut fields = fields.split_whitespace();
            let state = fields.next();
            fields.nth(1) == Some(&group) && !matches!(state, Some("Z" | "X"))
        })
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::io::{AsyncBufReadExt, BufReader};

    use super::*;

    /// Starts a shell script and waits for its first line, the id of a process it started.
    async fn start(script: &str) -> (Group, rustix::process::Pid) {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::null());
        let mut group = Group::start(command).unwrap();
        let mut line = String::new();
        BufReader::new(group.stdout().unwrap()).read_line(&mut line).await.unwrap();
        let id = rustix::process::Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        (group, id)
    }

    fn runs(id: rustix::process::Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero()));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }

    /// Waits for the end of what was sent a signal that it cannot ignore.
    fn ends(id: rustix::process::Pid) -> bool {
        let start = Instant::now();
        while runs(id) && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(10));
        }
        !runs(id)
    }

    #[tokio::test]
    async fn what_does_not_end_when_asked_is_killed_with_the_whole_group() {
        let script = "trap '' INT TERM; sleep 60 & echo $!; wait";
        let (mut group, grandchild) = start(script).await;
        assert!(runs(grandchild));
        group.patience = ASKED_AGAIN + Duration::from_millis(200);
        drop(group);
        assert!(ends(grandchild));
    }

    #[tokio::test]
    async fn a_group_that_ends_when_asked_is_not_waited_for() {
        // The second is like what a shell starts in the background: SIGINT means nothing to it.
        for script in ["echo $$; exec sleep 60", "trap '' INT; echo $$; exec sleep 60"] {
            let (mut group, shell) = start(script).await;
            group.patience = Duration::from_secs(40);
            let before = Instant::now();
            drop(group);
            assert!(before.elapsed() < Duration::from_secs(20), "{script}");
            assert!(!runs(shell), "{script}");
        }
    }
}
