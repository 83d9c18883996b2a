//! What goes wrong between ko-rs and a registry: each failure names the registry, the repository
//! and the step, and none holds a credential or a URL (upload locations are signed).

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use ::http::StatusCode;

use super::answer::Answer;
use super::secret;
use crate::cache;
use crate::http;
use crate::oci::{Digest, Repository};

/// A step with a registry that failed.
#[derive(Debug, thiserror::Error)]
#[error("could not {step} `{repository}`")]
pub struct Error {
    /// What was being done.
    pub step: Step,
    /// In which repository; it names the registry.
    pub repository: Repository,
    /// Why it failed.
    #[source]
    pub failure: Failure,
}

/// What a client does with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Showing a registry credentials.
    LogIn,
    /// Asking, before anything is built, whether a push will be allowed.
    AskToPush,
    /// Asking what a tag points to.
    FindManifest,
    /// Fetching a manifest.
    PullManifest,
    /// Asking whether a blob is there.
    FindBlob,
    /// Fetching a blob.
    PullBlob,
    /// Taking over a blob of another repository of the registry.
    MountBlob,
    /// Sending a blob.
    PushBlob,
    /// Sending a manifest.
    PushManifest,
    /// Adding to the list of what refers to an image.
    ListReferrer,
    /// Asking what refers to an image.
    FindReferrers,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LogIn => "log in to",
            Self::AskToPush => "get push access to",
            Self::FindManifest => "look up an image in",
            Self::PullManifest => "pull a manifest from",
            Self::FindBlob => "look for a blob in",
            Self::PullBlob => "pull a blob from",
            Self::MountBlob => "mount a blob into",
            Self::PushBlob => "push a blob to",
            Self::PushManifest => "push a manifest to",
            Self::ListReferrer => "list what refers to an image in",
            Self::FindReferrers => "find what refers to an image in",
        })
    }
}

/// Why a step with a registry failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The registry answered, and not with what was asked for.
    #[error("the registry `{host}` responded with {status}{answer}")]
    Refused {
        /// Who answered; for a redirect, another host than the registry's.
        host: String,
        /// The status.
        status: StatusCode,
        /// What the registry said in its error document.
        answer: Answer,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// Whether no credentials were found to send.
        anonymous: bool,
    },
    /// A manifest was refused because the registry does not have what it names. What was thought to
    /// be there is not: pushing everything once more helps.
    #[error(
        "the registry `{host}` does not have a blob or manifest that the manifest refers to{answer}"
    )]
    MissingBlob {
        /// The registry.
        host: String,
        /// What the registry said in its error document.
        answer: Answer,
    },
    /// The server that hands out tokens for the registry refused.
    #[error("the token server `{host}` responded with {status}{answer}")]
    Token {
        /// The token server.
        host: String,
        /// The status.
        status: StatusCode,
        /// What it said.
        answer: Answer,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// Whether no credentials were found to send.
        anonymous: bool,
    },
    /// The connection.
    #[error(transparent)]
    Http(#[from] http::Failure),
    /// The registry answered with something that the distribution spec rules out.
    #[error("the response of `{host}` violates the distribution spec: {what}")]
    Protocol {
        /// Who answered.
        host: String,
        /// What is wrong with the answer.
        what: String,
    },
    /// Other bytes came than were asked for.
    #[error("`{host}` sent {size} bytes with the digest {found}, expected {expected}")]
    WrongBytes {
        /// Who answered.
        host: String,
        /// What was asked for.
        expected: Digest,
        /// What came.
        found: Digest,
        /// How many bytes came.
        size: u64,
    },
    /// The name of the registry makes no URL.
    #[error("`{0}` is not a valid host")]
    Host(String),
    /// Where pulls go cannot be told, or they are not allowed.
    #[error(transparent)]
    Locations(Box<super::locations::Error>),
    /// The credentials could not be read.
    #[error("could not read credentials")]
    Credentials(#[source] secret::Error),
    /// A file that was to be sent could not be read, or one that was to be kept not written.
    #[error("could not read or write `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file changed while it was sent.
    #[error("`{0}` changed while it was sent")]
    FileChanged(PathBuf),
    /// A file does not hold what its digest says; if it lies in the cache, that copy is spoilt.
    #[error("`{path}` has the digest {found}, expected {expected}")]
    WrongFile {
        /// The file.
        path: PathBuf,
        /// What it was said to hold.
        expected: Digest,
        /// What it holds.
        found: Digest,
    },
    /// What was to be sent is not as long as was said.
    #[error("expected {expected} bytes to send, found {found}")]
    WrongLength {
        /// What was announced.
        expected: u64,
        /// What there is.
        found: u64,
    },
    /// The cache could not be written.
    #[error(transparent)]
    Cache(cache::Error),
}

impl Error {
    /// Whether a manifest was refused for a blob that the registry does not have: then pushing
    /// everything once more helps.
    #[must_use]
    pub fn is_missing_blob(&self) -> bool {
        matches!(self.failure, Failure::MissingBlob { .. })
    }

    /// Whether a file that was to be sent does not hold the bytes of its digest.
    #[must_use]
    pub fn is_wrong_file(&self) -> bool {
        matches!(self.failure, Failure::WrongFile { .. })
    }

    /// The HTTP status that the registry or its token server answered with, if one of them did.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match &self.failure {
            Failure::Refused { status, .. } | Failure::Token { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl Failure {
    /// Whether the same request may succeed a moment later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Refused { status, .. } | Self::Token { status, .. } => http::is_passing(*status),
            Self::Http(failure) => failure.is_passing(),
            Self::WrongBytes { .. }
            | Self::MissingBlob { .. }
            | Self::Protocol { .. }
            | Self::Host(_)
            | Self::Locations(_)
            | Self::Credentials(_)
            | Self::File { .. }
            | Self::FileChanged(_)
            | Self::WrongLength { .. }
            | Self::WrongFile { .. }
            | Self::Cache(_) => false,
        }
    }

    /// Whether time was lost by waiting for someone who did not answer.
    pub(super) fn is_silence(&self) -> bool {
        matches!(self, Self::Http(failure) if failure.is_silence())
    }

    /// How long the other side asked to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } | Self::Token { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(super) fn protocol(host: &str, what: impl Into<String>) -> Self {
        Self::Protocol { host: host.to_owned(), what: what.into() }
    }
}
