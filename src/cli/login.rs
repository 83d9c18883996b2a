//! `login` and `logout`: who someone is comes from flags, standard input or a terminal that shows
//! nothing of a password.

use std::io::{BufRead as _, IsTerminal as _, Read as _};

use super::exit::Failure;
use super::{codes, print};
use crate::registry::{self, Account, Keeper, Secret};
use crate::report::{Diagnostic, Reporter};

/// What is read of a password at most; tokens of clouds have some thousand bytes.
const LONGEST: u64 = 1 << 20;

/// What `login` was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) registry: String,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) password_stdin: bool,
}

pub(super) async fn log_in(
    login: Login,
    settings: registry::Settings,
    report: Reporter,
) -> Result<(), Failure> {
    let account: Account = login.registry.parse().map_err(Failure::Account)?;
    let terminal = std::io::stdin().is_terminal();
    let user = match login.user {
        Some(user) => user,
        None if login.password_stdin || !terminal => return Err(Failure::NoUser),
        None => ask("Username: ").await?,
    };
    let password = match login.password {
        Some(password) => {
            let message = "other users can read a password on the command line";
            let code = &codes::PASSWORD_ON_COMMAND_LINE;
            report.diagnostic(Diagnostic::warning(code, message).hint("use `--password-stdin`"));
            password
        }
        None if login.password_stdin => on_a_thread(piped).await?,
        None if !terminal => return Err(Failure::NoPassword),
        None => Secret::new(ask_unseen("Password: ").await?),
    };
    let done = account.log_in(settings, user.trim(), password, report.clone()).await;
    let done = done.map_err(Failure::Login)?;
    if !done.was_asked_for {
        report.note(format!("`{account}` did not ask for a password, so it was not verified"));
    }
    match &done.kept {
        Keeper::File(path) => report.note(format!(
            "the password is stored unencrypted in `{}`; set `credsStore` there to use a credential helper",
            path.display()
        )),
        Keeper::Helper(program) => report.detail(format!("`{program}` keeps the password")),
    }
    super::print("Login Succeeded\n")
}

pub(super) async fn log_out(
    registry: &str,
    settings: registry::Settings,
    report: Reporter,
) -> Result<(), Failure> {
    let account: Account = registry.parse().map_err(Failure::Account)?;
    let done = account.log_out(&settings.credentials).await.map_err(Failure::Login)?;
    for path in &done.left {
        report.note(format!("`{}` still holds credentials for `{account}`", path.display()));
    }
    if done.was_logged_in {
        super::print(&format!("Removed login credentials for {account}\n"))
    } else {
        super::print(&format!("Not logged in to {account}\n"))
    }
}

/// Reads on a thread of its own: what waits there may wait for ever, and must keep neither a
/// signal from being heard nor the process from ending.
async fn on_a_thread<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (sender, result) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Nobody takes it any more where a signal came first.
        let _ = sender.send(read());
    });
    result.await.map_err(|_| Failure::Stdin)?
}

/// A password that was piped in, without the line break that `echo` adds.
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

/// Asks for a line that the terminal does not show. However this ends, by Ctrl-C too, the terminal
/// is as it was.
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

/// A terminal that shows nothing of what is typed, as long as this lives.
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
        // What was typed too early, and shown, is not the password.
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
