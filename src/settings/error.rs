//! What can be wrong with flags, variables and the settings file. Everything that is wrong with the
//! file is reported at once.

use std::io;
use std::path::PathBuf;

use super::codes;
use crate::report::{Code, Details, Diagnose, Diagnostic};
use crate::source::Spot;

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings file cannot be read.
    #[error("could not read the settings file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A place in the settings file is wrong.
    #[error("{message}")]
    File {
        /// The kind of error.
        code: &'static Code,
        /// What is wrong.
        message: String,
        /// The place.
        spot: Box<Spot>,
        /// What to do.
        hint: Option<String>,
    },
    /// The value of a setting is wrong.
    #[error("{origin}: {reason}")]
    Value {
        /// The flag, variable or key.
        origin: String,
        /// The place, if the value is in the settings file.
        spot: Option<Box<Spot>>,
        /// What is wrong with the value.
        reason: String,
        /// What to do.
        hint: Option<String>,
    },
    /// No folder for the files of a run can be created.
    #[error("could not create a folder for temporary files")]
    Cache {
        /// The cause.
        source: crate::cache::Error,
    },
    /// Settings that cannot be used together.
    #[error("{0}")]
    Together(String),
    /// The settings file requires another version of ko-rs.
    #[error("`{file}` requires ko-rs {required}, but this is ko-rs {running}")]
    Version {
        /// The settings file.
        file: String,
        /// The requirement.
        required: String,
        /// The version that runs.
        running: &'static str,
    },
    /// Several errors.
    #[error("there are {} errors in the settings", .0.len())]
    Several(Vec<Error>),
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::Read { .. } => Details::new(&codes::SETTINGS_NOT_READABLE),
            Self::File { code, spot, hint, .. } => {
                Details::new(code).spot((**spot).clone()).hints(hint.clone())
            }
            Self::Value { spot, hint, .. } => {
                let details = Details::new(&codes::INVALID_VALUE).hints(hint.clone());
                match spot {
                    Some(spot) => details.spot((**spot).clone()),
                    None => details,
                }
            }
            Self::Cache { .. } => Details::new(&codes::NO_TEMPORARY_FOLDER),
            Self::Together(_) => Details::new(&codes::CONFLICTING_SETTINGS),
            Self::Version { .. } => Details::new(&codes::REQUIRED_VERSION)
                .hint("install that version, or change `requiredVersion`"),
            Self::Several(errors) => match errors.first() {
                Some(first) => first.details(),
                None => Details::new(&codes::INVALID_SETTING),
            },
        }
    }
}

impl Error {
    /// Everything that is wrong, one diagnostic for each error.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Several(errors) => errors.iter().flat_map(Self::diagnostics).collect(),
            _ => vec![Diagnostic::of(self)],
        }
    }

    /// One error for one or more.
    pub(super) fn all(mut errors: Vec<Self>) -> Result<(), Self> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(Self::Several(errors)),
        }
    }
}

#[cfg(test)]
impl Error {
    /// Code, message, place, marked text, label and hints of every error.
    pub(super) fn summary(&self) -> String {
        let lines = self.diagnostics().into_iter().map(|found| {
            let code = found.code.map(|code| code.name).unwrap_or_default();
            let spots = found.spots.iter().map(|spot| {
                let marked = &spot.text[spot.highlight.clone()];
                format!("\n  {}:{} `{marked}`: {}", spot.line, spot.column, spot.label)
            });
            let hints = found.hints.iter().map(|hint| format!("\n  hint: {hint}"));
            format!("{code}: {}{}", found.message, spots.chain(hints).collect::<String>())
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}
