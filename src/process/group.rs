//! A child process with all that it starts, which does not outlive the future that waits for it.

use std::process::{Command, ExitStatus, Stdio};

use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};

use super::Error;

/// How long after SIGINT comes SIGTERM: a shell makes what it starts in the background ignore SIGINT.
#[cfg(unix)]
const TERMINATE_AFTER: std::time::Duration = std::time::Duration::from_millis(500);

/// How long a program may take to end after SIGINT.
#[cfg(unix)]
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// A running program. Dropped before its end, its whole group gets SIGINT, then SIGTERM, and SIGKILL
/// if it is still there after 5 s.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    #[cfg(unix)]
    id: Option<rustix::process::Pid>,
    /// How long it may take to end after SIGINT.
    #[cfg(unix)]
    patience: std::time::Duration,
}

impl Group {
    /// Starts a command in a process group of its own. Its standard output is read.
    pub(crate) fn start(command: Command) -> Result<Self, Error> {
        let child = spawn(in_own_group(command))?;
        #[cfg(unix)]
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Ok(Self {
            child,
            #[cfg(unix)]
            id: id.and_then(rustix::process::Pid::from_raw),
            #[cfg(unix)]
            patience: PATIENCE,
        })
    }

    /// Starts a command in this process's own group. Its standard output is read; dropped before
    /// its end, only the program itself is killed.
    pub(crate) fn join(command: Command) -> Result<Self, Error> {
        Ok(Self {
            child: spawn(command)?,
            #[cfg(unix)]
            id: None,
            #[cfg(unix)]
            patience: PATIENCE,
        })
    }

    /// The end from which its output is read; it can be taken once.
    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The ends of all its pipes; they can be taken once.
    pub(super) fn pipes(
        &mut self,
    ) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        let child = &mut self.child;
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
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

/// Starts a command whose standard output is read.
fn spawn(mut command: Command) -> Result<Child, Error> {
    command.stdout(Stdio::piped());
    let program = command.get_program().to_owned();
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true);
    command
        .spawn()
        .map_err(|source| Error::Start { program: program.to_string_lossy().into_owned(), source })
}

#[cfg(unix)]
fn in_own_group(mut command: Command) -> Command {
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

#[cfg(not(unix))]
fn in_own_group(command: Command) -> Command {
    command
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
            if !terminated && interrupted.elapsed() > TERMINATE_AFTER {
                terminated = true;
                let _ = kill_process_group(group, Signal::TERM);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Whether a group has members that still run. A member that has ended stays a member until it is
/// waited for, which in a container without an init may be never.
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
    async fn a_group_that_ignores_signals_is_killed() {
        let script = "trap '' INT TERM; sleep 60 & echo $!; wait";
        let (mut group, grandchild) = start(script).await;
        assert!(runs(grandchild));
        group.patience = TERMINATE_AFTER + Duration::from_millis(200);
        drop(group);
        assert!(ends(grandchild));
    }

    #[tokio::test]
    async fn a_group_that_ends_at_a_signal_is_not_waited_for() {
        // The second ignores SIGINT, as what a shell starts in the background.
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
