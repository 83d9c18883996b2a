//! What can be wrong with settings. All of it is the user's to mend, so all of it exits with 2,
//! and all that is wrong with a file is said at once.

use std::io;
use std::path::PathBuf;

/// Why the settings are not complete.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings file cannot be read.
    #[error("could not read the settings file `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A place in the settings file is wrong.
    #[error("{message}\n{excerpt}")]
    File {
        /// What is wrong.
        message: String,
        /// The place, with its line.
        excerpt: String,
        /// The way out.
        hint: Option<String>,
    },
    /// A flag's or variable's value is wrong.
    #[error("{origin}: {reason}")]
    Value {
        /// The flag or variable.
        origin: String,
        /// What is wrong with its value.
        reason: String,
        /// The way out.
        hint: Option<String>,
    },
    /// There is nowhere to keep what a run needs for a while.
    #[error("could not make a folder for this run")]
    Cache {
        /// Why.
        source: crate::cache::Error,
    },
    /// Settings that exclude each other.
    #[error("{0}")]
    Together(String),
    /// Another version of ko-rs is asked for.
    #[error("`{file}` requires ko-rs {required}, and this is {running}")]
    Version {
        /// The settings file.
        file: String,
        /// What it requires.
        required: String,
        /// What runs.
        running: &'static str,
    },
    /// Several of these at once, each with its own way out.
    #[error("{}", .0.iter().map(Error::with_hint).collect::<Vec<_>>().join("\nerror: "))]
    Several(Vec<Error>),
}

impl Error {
    /// The way out.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File { hint, .. } | Self::Value { hint, .. } => hint.clone(),
            Self::Version { .. } => {
                Some("install that version, or change `requiredVersion`".to_owned())
            }
            Self::Read { .. } | Self::Cache { .. } | Self::Together(_) | Self::Several(_) => None,
        }
    }

    fn with_hint(&self) -> String {
        match self.hint() {
            Some(hint) => format!("{self}\nhint: {hint}"),
            None => self.to_string(),
        }
    }

    /// One error of one or more.
    pub(super) fn all(mut errors: Vec<Self>) -> Result<(), Self> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(Self::Several(errors)),
        }
    }
}
