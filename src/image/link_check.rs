//! Whether a base holds what an executable needs to be started.
//!
//! A container whose loader or library is missing fails with `no such file or directory` and no
//! word of which; so it is said before anything is sent.

use super::base::BaseImage;
use super::contents::Contents;
use super::elf::{ElfFacts, NotElf};
use crate::oci::Platform;

/// Why an executable cannot run on a base.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It is no executable for Linux.
    #[error("`{program}` cannot run in a container")]
    NotElf {
        /// The executable's name.
        program: String,
        /// Why not.
        source: NotElf,
    },
    /// It is made for other machines.
    #[error("`{program}` is made for {found}, the image for {wanted}")]
    Machine {
        /// The executable's name.
        program: String,
        /// What it is made for.
        found: String,
        /// What the image is for.
        wanted: Box<Platform>,
    },
    /// The base lacks files.
    #[error("`{program}` needs {}, which the base image does not hold", list(.missing))]
    Missing {
        /// The executable's name.
        program: String,
        /// The loader's path, then names of libraries.
        missing: Vec<String>,
    },
}

/// The last part of a path.
fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl LinkError {
    /// The way out.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some(
                "build it static, for a musl target (the default), or name a base image that has \
                 these files under `baseImageOverrides` in .ko-rs.yaml; a crate that links a \
                 system library often has a feature (`vendored`, `bundled`, `rustls`) that does \
                 without; --no-link-check takes it as it is"
                    .to_owned(),
            ),
            Self::Machine { .. } => Some(
                "`target:` in .ko-rs.yaml must name a target of the image's platform".to_owned(),
            ),
            Self::NotElf { .. } => None,
        }
    }
}

/// Checks a program of that name against platform and base. A base nobody has looked into is not
/// judged.
pub(super) fn check(
    program: &str,
    facts: &ElfFacts,
    base: &BaseImage,
    contents: &Contents,
) -> Result<(), LinkError> {
    if facts.runs_on(&base.platform) == Some(false) {
        let (found, wanted) = (facts.architecture(), Box::new(base.platform.clone()));
        return Err(LinkError::Machine { program: program.to_owned(), found, wanted });
    }
    let loader = facts.interpreter.iter().filter(|path| contents.has_file(path) == Some(false));
    // The loader is found by its path, libraries wherever the loader's own rules find them.
    let libraries = facts.needed.iter().filter(|library| {
        let is_loader =
            facts.interpreter.as_deref().is_some_and(|path| name(path) == name(library));
        !is_loader && contents.has_name(name(library)) == Some(false)
    });
    let missing: Vec<String> = loader.chain(libraries).cloned().collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(LinkError::Missing { program: program.to_owned(), missing })
    }
}
