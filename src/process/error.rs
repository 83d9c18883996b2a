//! How a child process can fail.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

/// A program that could not be run to its end, or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be started.
    #[error("could not run `{program}`")]
    Start {
        /// The program.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// Its output or its exit status could not be read.
    #[error("could not read the output of `{command}`")]
    Read {
        /// As its user would type it.
        command: String,
        /// The cause.
        source: io::Error,
    },
    /// It did not end in time.
    #[error("`{command}` took longer than {} seconds", .limit.as_secs())]
    Slow {
        /// As its user would type it.
        command: String,
        /// How long it was given.
        limit: Duration,
    },
    /// It ended with a failure.
    #[error("`{command}` failed ({status}){}", indented(stderr))]
    Failed {
        /// As its user would type it.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed on standard error, without credentials in URLs.
        stderr: String,
    },
}

/// Lines of a program, each on an indented line of its own.
fn indented(text: &str) -> String {
    text.lines().map(|line| format!("\n  {line}")).collect()
}
