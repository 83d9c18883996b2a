//! Asks a credential helper, or has it keep or forget something: a program
//! `docker-credential-NAME` that reads a registry's name or JSON on stdin and writes JSON
//! ([protocol][protocol]).
//!
//! [protocol]: https://github.com/docker/docker-credential-helpers#development

use std::ffi::OsStr;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::secret::{Credentials, Secret};
use crate::process::{self, Limits, Stderr};

/// How long a helper may take.
const TIME: Duration = Duration::from_secs(30);

/// What is read of a helper's answer at most.
const LARGEST: u64 = 1 << 20;

/// The user name that says that the secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// A helper that gives no answer. What it wrote is not shown: it may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What names it cannot be part of a program's name.
    #[error("`{0}` is not a valid name of a credential helper")]
    Name(String),
    /// It is not installed.
    #[error("`{0}` is not on PATH")]
    Missing(String),
    /// It could not be started, its pipes broke, or it did not end in time.
    #[error(transparent)]
    Run(process::Error),
    /// It ended with a failure.
    #[error("`{program}` failed ({status})")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// It answered, but not with credentials.
    #[error("`{program}` answered with something else than credentials")]
    Answer {
        /// The program.
        program: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: Secret,
}

/// What a helper has for a server; none if it says that it knows none.
pub(super) async fn get(
    name: &str,
    server: &str,
    path: &OsStr,
) -> Result<Option<Credentials>, Error> {
    get_within(TIME, name, server, path).await
}

/// Has a helper keep a password for a server.
pub(super) async fn store(
    name: &str,
    server: &str,
    (user, password): (&str, &Secret),
    path: &OsStr,
) -> Result<(), Error> {
    let kept = json!({"ServerURL": server, "Username": user, "Secret": password.reveal()});
    let input = kept.to_string();
    run(TIME, name, "store", &input, path).await.map(|_| ())
}

/// Has a helper forget a server. That it knows none is fine.
pub(super) async fn erase(name: &str, server: &str, path: &OsStr) -> Result<(), Error> {
    run(TIME, name, "erase", server, path).await.map(|_| ())
}

async fn get_within(
    time: Duration,
    name: &str,
    server: &str,
    path: &OsStr,
) -> Result<Option<Credentials>, Error> {
    let Some(output) = run(time, name, "get", server, path).await? else { return Ok(None) };
    let program = format!("docker-credential-{name}");
    let answer: Answer = serde_json::from_slice(&output).map_err(|_| Error::Answer { program })?;
    if answer.secret.reveal().is_empty() {
        return Ok(None);
    }
    Ok(Some(if answer.username == TOKEN_USER {
        Credentials::IdentityToken(answer.secret)
    } else {
        Credentials::Password { user: answer.username, password: answer.secret }
    }))
}

/// Runs a helper with something on its stdin; none if it says that it knows no such server.
async fn run(
    time: Duration,
    name: &str,
    verb: &str,
    input: &str,
    path: &OsStr,
) -> Result<Option<Vec<u8>>, Error> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if name.is_empty() || !name.bytes().all(word) {
        return Err(Error::Name(name.chars().take(100).collect()));
    }
    let program = format!("docker-credential-{name}");
    let environment = process::Environment::from([("PATH".into(), path.to_owned())]);
    let file = process::find(&program, &environment).filter(|file| file.is_absolute());
    let file = file.ok_or_else(|| Error::Missing(program.clone()))?;
    let mut command = Command::new(file);
    command.arg(verb).env("PATH", path);
    let limits = Limits {
        stdin: Some(input.as_bytes()),
        stdout: LARGEST,
        // It may hold a secret.
        stderr: Stderr::Dropped,
        time: Some(time),
        may_prompt: true,
    };
    let output = process::output(command, limits).await.map_err(Error::Run)?;
    if !output.status.success() {
        let unknown = output.text().contains("credentials not found");
        let status = output.status;
        return if unknown { Ok(None) } else { Err(Error::Failed { program, status }) };
    }
    Ok(Some(output.stdout))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn helper(script: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("docker-credential-test");
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        folder
    }

    async fn ask_within(time: Duration, script: &str) -> Result<Option<Credentials>, Error> {
        let folder = helper(script);
        loop {
            match get_within(time, "test", "r.io", folder.path().as_os_str()).await {
                // Another test's child still holds the script open for writing.
                Err(Error::Run(process::Error::Start { source, .. }))
                    if source.kind() == std::io::ErrorKind::ExecutableFileBusy => {}
                other => return other,
            }
        }
    }

    async fn ask(script: &str) -> Result<Option<Credentials>, Error> {
        ask_within(TIME, script).await
    }

    #[tokio::test]
    async fn a_helper_is_asked_for_the_server_on_stdin() {
        let script = r#"[ "$1" = get ] && IFS= read -r s; echo "{\"ServerURL\":\"$s\",\"Username\":\"for-$s\",\"Secret\":\"p\"}""#;
        let found = ask(script).await.unwrap().unwrap();
        let password = Secret::new("p");
        assert_eq!(found, Credentials::Password { user: "for-r.io".to_owned(), password });
        let token = ask(r#"echo '{"Username":"<token>","Secret":"t"}'"#).await.unwrap();
        assert_eq!(token, Some(Credentials::IdentityToken(Secret::new("t"))));
    }

    #[tokio::test]
    async fn a_helper_that_knows_nothing_is_no_failure() {
        let unknown = "echo credentials not found in native keychain; exit 1";
        assert_eq!(ask(unknown).await.unwrap(), None);
        assert_eq!(ask(r#"echo '{"Username":"","Secret":""}'"#).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_helper_that_fails_says_how_and_nothing_of_what_it_wrote() {
        assert!(matches!(ask("echo hunter2; exit 3").await, Err(Error::Failed { .. })));
        assert!(matches!(ask("echo hunter2").await, Err(Error::Answer { .. })));
        let slow = ask_within(Duration::from_millis(100), "read a; while :; do :; done").await;
        assert!(matches!(slow, Err(Error::Run(process::Error::Slow { .. }))), "{slow:?}");
        let error = get("test", "r.io", OsStr::new("")).await.unwrap_err();
        assert_eq!(error.to_string(), "`docker-credential-test` is not on PATH");
        assert!(matches!(get("../x", "r.io", OsStr::new("")).await, Err(Error::Name(_))));
    }
}
