//! How a run ends: its exit status, and the diagnostics of every failure.
//!
//! 0 done; 1 failed; 2 wrong flags or settings; 101 `cargo build` ran and failed; 130 and 143 a
//! signal. The status of a failure is that of its code, unless the command has its own rule
//! ([`Failing`]).

use std::io;
use std::path::PathBuf;

use super::flags::Foreign;
use super::{codes, files, outputs, overwrite};
use crate::cache;
use crate::dev;
use crate::manifests;
use crate::pipeline;
use crate::process;
use crate::publish;
use crate::registry;
use crate::report::{Details, Diagnose, Diagnostic, Exit};
use crate::settings;

/// How a run ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Everything is done.
    Done,
    /// `diff` found differences.
    Different,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    #[cfg(unix)]
    Terminated,
    /// A program that was run for the user ended like this.
    Exited(u8),
}

impl Stop {
    pub(super) fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Different => 1,
            Self::Interrupted => 130,
            #[cfg(unix)]
            Self::Terminated => 143,
            Self::Exited(status) => status,
        }
    }
}

impl Stop {
    /// Whether the command did everything that it was asked for.
    pub(super) fn is_complete(self) -> bool {
        matches!(self, Self::Done | Self::Different)
    }
}

/// How the failures of a command end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failing {
    /// Each with its own status.
    AsUsual,
    /// With 2, because 1 means something else; a failed compilation has its own status.
    WithTwo,
}

impl Failing {
    /// The exit status of a failure that usually ends with `status`.
    pub(super) fn status(self, status: u8) -> u8 {
        match self {
            Self::AsUsual => status,
            Self::WithTwo if status == Exit::Compilation.status() => status,
            Self::WithTwo => 2,
        }
    }
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Stopped(Box<Stopped>),
    #[error(transparent)]
    Settings(#[from] settings::Error),
    #[error("no manifests are given")]
    NoFilename,
    #[error("`-f {0}` names no manifest")]
    FollowFlag(String),
    #[error("--{} is not supported: it only has a meaning for Go", .0.flag)]
    ForeignFlag(Foreign),
    #[error("could not change to the folder `{}`", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("could not find the working directory")]
    WorkingDirectory(#[source] io::Error),
    #[error("could not start")]
    Runtime(#[source] io::Error),
    #[error("could not read standard input")]
    Stdin,
    #[error("could not write to standard output")]
    Stdout(#[source] io::Error),
    #[error(transparent)]
    Files(#[from] files::Error),
    #[error(transparent)]
    Overwrite(#[from] overwrite::Error),
    #[error(transparent)]
    Outputs(#[from] outputs::Error),
    #[error("{0}")]
    Account(registry::InvalidAccount),
    #[error("no user name to log in with")]
    NoUser,
    #[error("no password to log in with")]
    NoPassword,
    #[error("could not read the password")]
    Password(#[source] io::Error),
    #[error(transparent)]
    Login(registry::LoginError),
    #[error("could not clean the cache")]
    Cache(#[source] cache::Error),
    #[error(transparent)]
    FindSbom(publish::FindSbomError),
    #[error(transparent)]
    PushBase(publish::PushBaseError),
    #[error(transparent)]
    Manifests(manifests::Errors),
    #[error(transparent)]
    Pipeline(#[from] pipeline::Error),
    #[error(transparent)]
    Dev(#[from] dev::Error),
    #[error("standard input cannot be watched for changes")]
    Unwatchable,
    #[error("{objects} would be deleted with everything in them")]
    NotConfirmed { objects: String },
    #[error("could not run the command after `--`")]
    Command(#[source] process::Error),
}

impl Failure {
    /// The failure as values, and the exit status.
    pub(super) fn end(&self) -> (Vec<Diagnostic>, u8) {
        if let Self::Stopped(stopped) = self {
            return (stopped.failure.end().0, stopped.stop.status());
        }
        let diagnostics = match self {
            Self::Settings(error) => error.diagnostics(),
            Self::Manifests(errors) => errors.diagnostics(),
            Self::Pipeline(error) => error.diagnostics(),
            Self::Dev(error) => error.diagnostics(),
            _ => vec![Diagnostic::of(self)],
        };
        let exit = diagnostics.iter().find_map(|found| found.code?.exit);
        (diagnostics, exit.unwrap_or(Exit::Failure).status())
    }
}

/// A failure that a signal caused.
#[derive(Debug, thiserror::Error)]
#[error("{failure}")]
pub(super) struct Stopped {
    failure: Failure,
    stop: Stop,
}

impl Failure {
    /// What a signal made of a run that was changing a cluster: what was not done is shown.
    pub(super) fn stopped(result: Result<Stop, Self>, stop: Stop) -> Result<Stop, Self> {
        match result {
            Ok(_) => Ok(stop),
            Err(failure) => Err(Self::Stopped(Box::new(Stopped { failure, stop }))),
        }
    }
}

impl Diagnose for Failure {
    fn details(&self) -> Details {
        match self {
            Self::Stopped(stopped) => stopped.failure.details(),
            Self::Settings(error) => error.details(),
            Self::Files(error) => error.details(),
            Self::Outputs(error) => error.details(),
            Self::Overwrite(error) => error.details(),
            Self::NoFilename => Details::new(&codes::NO_MANIFESTS)
                .hint("name a file, a folder, a URL or `-` (standard input) with `-f`"),
            Self::FollowFlag(name) => Details::new(&codes::NO_MANIFESTS)
                .hint(format!("to follow its log, use `ko-rs logs --follow {name}`")),
            Self::ForeignFlag(foreign) => {
                Details::new(&codes::UNSUPPORTED_FLAG).hint(foreign.instead)
            }
            Self::Directory { .. } | Self::WorkingDirectory(_) => {
                Details::new(&codes::WORKING_DIRECTORY)
            }
            Self::Account(_) => Details::new(&codes::INVALID_REGISTRY),
            Self::NoUser => {
                Details::new(&codes::LOGIN_INCOMPLETE).hint("name one with `--username`")
            }
            Self::NoPassword => Details::new(&codes::LOGIN_INCOMPLETE)
                .hint("pipe it in: `ko-rs login --username USER --password-stdin REGISTRY`"),
            Self::Cache(_) => Details::new(&codes::CACHE_NOT_CLEANED),
            Self::Runtime(_) | Self::Stdin | Self::Stdout(_) | Self::Password(_) => {
                Details::new(&codes::SYSTEM)
            }
            Self::Login(error) => error.details(),
            Self::Manifests(errors) => errors.details(),
            Self::FindSbom(error) => error.details(),
            Self::PushBase(error) => error.details(),
            Self::Pipeline(error) => error.details(),
            Self::Dev(error) => error.details(),
            Self::Unwatchable => Details::new(&codes::UNWATCHABLE)
                .hint("name a file or a folder with `-f`, or pass --once"),
            Self::NotConfirmed { .. } => Details::new(&codes::NOT_CONFIRMED).hint("pass --yes"),
            Self::Command(_) => Details::new(&codes::COMMAND_NOT_RUN),
        }
    }
}

/// Waits for a signal that ends the run. What is under way is dropped then, which ends Cargo's
/// children and leaves nothing half-written.
pub(super) fn signalled() -> io::Result<impl Future<Output = Stop>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => Stop::Interrupted,
                _ = terminate.recv() => Stop::Terminated,
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
        Stop::Interrupted
    })
}
