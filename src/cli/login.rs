//! `ko-rs login`: verifies a password and stores it. Terminals do not show it while it is typed.
//!
//! The terminal is restored by a guard of our own because Ctrl-C ends the run while a thread still
//! reads; libraries restore it only when that read returns.

use std::io::{BufRead as _, IsTerminal as _, Read as _};

use clap::Args;

use super::context::Context;
use super::exit::Failure;
use super::flags::{FlagsOf, Registries};
use super::result::LoginResult;
use super::{codes, print};
use crate::registry::{Account, Keeper, Secret};
use crate::report::Diagnostic;

/// The longest password that is read; tokens of cloud providers have a few thousand bytes.
const LONGEST: u64 = 1 << 20;

/// The options of `login`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// `ghcr.io`, `localhost:5000`, `docker.io`; or a path of one, as `quay.io/team`
    #[arg(value_name = "REGISTRY")]
    registry: String,
    /// User name; by default asked for on the terminal
    #[arg(short, long, value_name = "USER")]
    username: Option<String>,
    /// Password, for scripts made for ko; other users can see it in the list of processes
    #[arg(short, long, value_name = "PASSWORD", hide = true, conflicts_with = "password_stdin")]
    password: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    flags: FlagsOf<Registries>,
}

/// Runs `login`.
pub(super) async fn run(options: Options, context: &Context) -> Result<(), Failure> {
    let Options { registry, username, password, password_stdin, flags } = options;
    let (settings, report) = (context.registries(flags)?, &context.report);
    let account: Account = registry.parse().map_err(Failure::Account)?;
    let terminal = std::io::stdin().is_terminal();
    let user = match username {
        Some(user) => user,
        None if password_stdin || !terminal => return Err(Failure::NoUser),
        None => ask("Username: ").await?,
    };
    let password = match password {
        Some(password) => {
            let message = "other users can read a password on the command line";
            let code = &codes::PASSWORD_ON_COMMAND_LINE;
            report.diagnostic(Diagnostic::warning(code, message).hint("use `--password-stdin`"));
            Secret::new(password)
        }
        None if password_stdin => on_a_thread(piped).await?,
        None if !terminal => return Err(Failure::NoPassword),
        None => Secret::new(ask_unseen("Password: ").await?),
    };
    let done = account.log_in(settings, user.trim(), password, report.clone()).await;
    let done = done.map_err(Failure::Login)?;
    if !done.was_asked_for {
        report.note(format!("`{account}` did not ask for a password, so it was not verified"));
    }
    let stored_in = match &done.kept {
        Keeper::File(path) => {
            let path = path.display().to_string();
            report.note(format!(
                "the password is stored unencrypted in `{path}`; set `credsStore` there to use a credential helper"
            ));
            path
        }
        Keeper::Helper(program) => {
            report.detail(format!("`{program}` stores the password"));
            program.clone()
        }
    };
    let (registry, verified) = (account.to_string(), done.was_asked_for);
    context.results.show(&LoginResult { registry, verified, stored_in })
}

/// Reads on a separate thread: a read may wait forever, and must not delay signals or the end of the
/// process.
async fn on_a_thread<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (sender, result) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // The receiver is gone if a signal ended the run.
        let _ = sender.send(read());
    });
    result.await.map_err(|_| Failure::Stdin)?
}

/// A password from standard input, without the line break that `echo` adds.
fn piped() -> Result<Secret, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(LONGEST).read_to_string(&mut text);
    read.map_err(Failure::Password)?;
    Ok(Secret::new(without_line_break(&text)))
}

fn without_line_break(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

fn line() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().lock().take(LONGEST).read_line(&mut text).map_err(Failure::Password)?;
    Ok(without_line_break(&text).to_owned())
}

async fn ask(prompt: &str) -> Result<String, Failure> {
    print::prompt(prompt);
    on_a_thread(line).await
}

/// Asks for a line that the terminal does not show. The terminal is restored however this ends.
#[cfg(unix)]
async fn ask_unseen(prompt: &str) -> Result<String, Failure> {
    let hidden = Hidden::start().map_err(Failure::Password)?;
    let answer = ask(prompt).await;
    drop(hidden);
    print::prompt("\n");
    answer
}

#[cfg(not(unix))]
async fn ask_unseen(_: &str) -> Result<String, Failure> {
    Err(Failure::NoPassword)
}

/// Stops the terminal from showing what is typed until this is dropped.
#[cfg(unix)]
struct Hidden(rustix::termios::Termios);

#[cfg(unix)]
impl Hidden {
    fn start() -> std::io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(std::io::stdin())?;
        let mut modes = before.clone();
        modes.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
        modes.local_modes.insert(LocalModes::ICANON | LocalModes::ISIG);
        // What was typed before was shown, so it is not the password.
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &modes)?;
        Ok(Self(before))
    }
}

#[cfg(unix)]
impl Drop for Hidden {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_is_not_part_of_a_password() {
        for (text, password) in
            [("p", "p"), ("p\n", "p"), ("p\r\n", "p"), (" p \n\n", " p \n"), ("\n", "")]
        {
            assert_eq!(without_line_break(text), password, "{text:?}");
        }
    }
}
