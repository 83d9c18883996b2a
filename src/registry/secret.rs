//! Credentials as values, and errors about files of them.

use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use serde::Deserialize;

use super::codes;
use crate::report::{Details, Diagnose};

/// The size limit of a file of credentials.
pub(super) const LARGEST: u64 = 4 << 20;

/// Docker's key for the credentials of Docker Hub.
pub(super) const HUB_KEY: &str = "https://index.docker.io/v1/";

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What proves an identity to a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Credentials {
    /// A user name and a password.
    Password { user: String, password: Secret },
    /// What a token server takes instead of a password.
    IdentityToken(Secret),
    /// What a registry takes without asking a token server.
    RegistryToken(Secret),
}

impl Credentials {
    /// The parts that must not be printed, longest first.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::Password { user, password } => vec![pair(user, password), password.clone()],
            Self::IdentityToken(secret) | Self::RegistryToken(secret) => vec![secret.clone()],
        }
    }
}

/// A user name and a password as they are sent.
pub(super) fn pair(user: &str, password: &Secret) -> Secret {
    let pair = format!("{user}:{}", password.reveal());
    Secret(base64::engine::general_purpose::STANDARD.encode(pair))
}

/// A failure to read or write credentials.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("could not read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what it should be. Its text is not shown: it holds credentials.
    #[error("`{path}` is not in the format of Docker's config.json (line {line}, column {column})")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where the mistake is.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// A file has something else where it should have registries.
    #[error("`auths` in `{path}` must be an object")]
    Auths {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("could not write `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is too large to be what it should be.
    #[error("`{path}` is larger than {LARGEST} bytes")]
    Large {
        /// The file.
        path: PathBuf,
    },
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        Details::new(match self {
            Self::Write { .. } => &codes::CREDENTIALS_NOT_STORED,
            Self::Read { .. } | Self::Parse { .. } | Self::Auths { .. } | Self::Large { .. } => {
                &codes::CREDENTIALS_NOT_READABLE
            }
        })
    }
}
