//! How a run ends: exit codes, and the words of every failure.
//!
//! 0 done; 1 failed; 2 wrong flags or settings; 101 `cargo build` ran and failed; 130 and 143 a
//! signal. The match has no arm for the rest, so that a new failure has to choose.

use std::io;
use std::path::PathBuf;

use super::{files, overwrite, print};
use crate::cache;
use crate::manifests;
use crate::pipeline::{self, Fault};
use crate::publish;
use crate::registry;
use crate::settings;

/// Wrong flags or settings.
pub(super) const WRONG_USE: u8 = 2;

/// How a run ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// All is done.
    Done,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    #[cfg(unix)]
    Terminated,
}

impl Stop {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Interrupted => 130,
            #[cfg(unix)]
            Self::Terminated => 143,
        }
    }
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Settings(settings::Error),
    #[error("no manifests are named")]
    NoFilename,
    #[error("could not change to `{path}`")]
    Directory { path: PathBuf, source: io::Error },
    #[error("could not find the working directory")]
    WorkingDirectory(#[source] io::Error),
    #[error("could not start")]
    Runtime(#[source] io::Error),
    #[error("the reader of standard input ended before its end")]
    Stdin,
    #[error("could not write to standard output")]
    Stdout(#[source] io::Error),
    #[error(transparent)]
    Files(files::Error),
    #[error(transparent)]
    ImagesFile(manifests::Unwritable),
    #[error(transparent)]
    Overwrite(#[from] overwrite::Error),
    #[error("`{name}` is no file, which {flag} needs")]
    NoPlace { name: String, flag: &'static str },
    #[error("`{}` and `{}` would both become `{}`", from[0].display(), from[1].display(), path.display())]
    SamePlace { path: PathBuf, from: [PathBuf; 2] },
    #[error("{0}")]
    Account(registry::InvalidAccount),
    #[error("there is no user name to log in with")]
    NoUser,
    #[error("there is no password to log in with")]
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
}

impl Failure {
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Settings(_)
            | Self::Overwrite(_)
            | Self::NoPlace { .. }
            | Self::SamePlace { .. }
            | Self::NoFilename
            | Self::Directory { .. }
            | Self::Account(_)
            | Self::NoUser
            | Self::NoPassword
            | Self::Pipeline(pipeline::Error::UnknownBuilds(_))
            | Self::Login(registry::LoginError::User | registry::LoginError::Empty) => WRONG_USE,
            Self::Pipeline(pipeline::Error::Destinations {
                source: publish::Error::Choose(publish::ChooseError::Unsupported { .. }),
            }) => WRONG_USE,
            Self::Pipeline(error) if error.is_compilation() => 101,
            Self::WorkingDirectory(_)
            | Self::Runtime(_)
            | Self::Stdin
            | Self::Stdout(_)
            | Self::Files(_)
            | Self::ImagesFile(_)
            | Self::Password(_)
            | Self::Login(_)
            | Self::Cache(_)
            | Self::FindSbom(_)
            | Self::PushBase(_)
            | Self::Manifests(_)
            | Self::Pipeline(_) => 1,
        }
    }

    /// `error:`, its causes and the way out.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Manifests(errors) | Self::Pipeline(pipeline::Error::Manifests(errors)) => {
                wrong(errors).join("\n")
            }
            Self::Pipeline(pipeline::Error::Faulty(faults)) => {
                let drawn = faults.iter().flat_map(|fault| match fault {
                    Fault::Manifests(errors) => wrong(errors),
                    fault => vec![print::error(fault, fault.hint())],
                });
                drawn.collect::<Vec<_>>().join("\n")
            }
            _ => print::error(self, self.hint()),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Settings(error) => error.hint(),
            Self::Overwrite(error) => error.hint(),
            Self::Pipeline(error) => error.hint(),
            Self::FindSbom(error) => error.hint(),
            Self::PushBase(error) => error.hint(),
            Self::NoFilename => Some("name a file, a folder, a URL or `-` with -f".to_owned()),
            Self::NoPlace { .. } => Some("write to one file with -o FILE".to_owned()),
            Self::Login(error) => error.hint(),
            Self::NoUser => Some("name one with --username".to_owned()),
            Self::NoPassword => Some(
                "pipe it in: `ko-rs login --username USER --password-stdin REGISTRY`".to_owned(),
            ),
            Self::Account(_)
            | Self::Password(_)
            | Self::Directory { .. }
            | Self::WorkingDirectory(_)
            | Self::Runtime(_)
            | Self::Stdin
            | Self::Stdout(_)
            | Self::Cache(_)
            | Self::Files(_)
            | Self::ImagesFile(_)
            | Self::SamePlace { .. }
            | Self::Manifests(_) => None,
        }
    }
}

/// What is wrong with manifests: each with its causes, the line that it is in and the way out.
fn wrong(errors: &manifests::Errors) -> Vec<String> {
    let drawn = errors.iter().map(|error| {
        let excerpt = error.excerpt().map(|excerpt| format!("\n{excerpt}"));
        let hint = error.hint().as_deref().map(print::hint);
        [Some(print::error(error, None)), excerpt, hint].map(Option::unwrap_or_default).concat()
    });
    let more = (errors.more() > 0).then(|| format!("error: {} more like these", errors.more()));
    drawn.chain(more).collect()
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
