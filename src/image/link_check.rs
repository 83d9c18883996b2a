//! Checks that a base image contains what an executable needs to start.
//!
//! A container without its loader or a library fails with `no such file or directory`, which does not
//! name the file. Here it is found before anything is published.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::codes;
use super::contents::Contents;
use super::elf::{ElfFacts, NotElf};
use super::loader::{Asking, Loader};
use crate::oci::Platform;
use crate::report::{Details, Diagnose};

/// The maximum number of shared libraries of a program.
const MOST_LIBRARIES: usize = 4096;

/// The reason why an executable cannot run on a base image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It is not an executable for Linux.
    #[error("`{program}` cannot run in a container")]
    NotElf {
        /// The name of the executable.
        program: String,
        /// The cause.
        source: NotElf,
    },
    /// It is for another architecture.
    #[error("`{program}` is for {found}, but the image is for {wanted}")]
    Machine {
        /// The name of the executable.
        program: String,
        /// Its architecture.
        found: String,
        /// The platform of the image.
        wanted: Box<Platform>,
    },
    /// The base image does not have files that it needs.
    #[error("`{program}` needs {}, which the base image does not contain", list(.missing))]
    Missing {
        /// The name of the executable.
        program: String,
        /// The path of the loader, then the names of libraries.
        missing: Vec<Missing>,
    },
    /// The libraries of the base image are older than those that it was linked with.
    #[error("`{program}` needs {}", list(.older))]
    Older {
        /// The name of the executable.
        program: String,
        /// The libraries.
        older: Vec<Older>,
    },
}

/// A file that the base image does not contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The path of the loader, or the name of a library.
    name: String,
    /// The library that needs it, if it is not the executable.
    by: Option<String>,
    /// The path of a file of that name where the loader does not look.
    elsewhere: Option<String>,
}

/// A library without the needed symbol versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Older {
    library: String,
    /// The newest needed version that it does not have.
    wanted: String,
    /// The newest version of the same kind that it has.
    found: Option<String>,
    /// The library that needs it, if it is not the executable.
    by: Option<String>,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`", self.name)?;
        by(f, self.by.as_deref())
    }
}

impl std::fmt::Display for Older {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` with {}", self.library, self.wanted)?;
        by(f, self.by.as_deref())?;
        match &self.found {
            Some(found) => write!(f, ", but the base image has {found}"),
            None => f.write_str(", which the base image does not have"),
        }
    }
}

fn by(f: &mut std::fmt::Formatter<'_>, by: Option<&str>) -> std::fmt::Result {
    by.map_or(Ok(()), |by| write!(f, " (for `{by}`)"))
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

impl Diagnose for LinkError {
    fn details(&self) -> Details {
        let skip = "skip this check with --no-link-check".to_owned();
        match self {
            Self::Missing { missing, .. } => {
                let elsewhere = missing.iter().filter_map(|missing| {
                    let (folder, _) = missing.elsewhere.as_ref()?.rsplit_once('/')?;
                    Some(format!(
                        "`{}` is in `/{folder}`, where the loader does not look: run `ldconfig` in \
                         the base image, or set LD_LIBRARY_PATH under `image: {{env: …}}`",
                        missing.name
                    ))
                });
                Details::new(&codes::MISSING_SHARED_LIBRARY)
                    .hints(elsewhere)
                    .hint(
                        "compile a static executable, for a musl target (the default), or set a base \
                         image that contains these files (`baseImageOverrides` in .ko-rs.yaml); a \
                         crate that links a system library often has a feature (`vendored`, \
                         `bundled`, `rustls`) that avoids it",
                    )
                    .hint(skip)
            }
            Self::Older { older, .. } => {
                let glibc = older.iter().find_map(|older| {
                    Some((older.wanted.strip_prefix("GLIBC_")?, older.found.as_deref()))
                });
                let hint = match glibc {
                    Some((wanted, found)) => {
                        let found = found.and_then(|found| found.strip_prefix("GLIBC_"));
                        let suffix = found.map_or_else(String::new, |found| {
                            format!(", or link for the older one with zig: `target: …-gnu.{found}`")
                        });
                        format!(
                            "use a base image with glibc {wanted} or newer, or compile for a musl \
                             target (the default){suffix}"
                        )
                    }
                    None => "use a base image with newer libraries".to_owned(),
                };
                Details::new(&codes::MISSING_SHARED_LIBRARY).hint(hint).hint(skip)
            }
            Self::Machine { .. } => Details::new(&codes::WRONG_EXECUTABLE)
                .hint("set `target` in .ko-rs.yaml to a target for the platform of the image"),
            Self::NotElf { .. } => Details::new(&codes::WRONG_EXECUTABLE),
        }
    }
}

/// Checks that a program is for the architecture of a platform.
pub(super) fn check_machine(
    program: &str,
    facts: &ElfFacts,
    platform: &Platform,
) -> Result<(), LinkError> {
    if facts.runs_on(platform) == Some(false) {
        let (found, wanted) = (facts.architecture(), Box::new(platform.clone()));
        return Err(LinkError::Machine { program: program.to_owned(), found, wanted });
    }
    Ok(())
}

/// Checks a program of that name against the other contents of the image.
pub(super) fn check(
    program: &str,
    facts: &ElfFacts,
    contents: &Contents,
    library_path: Option<&str>,
) -> Result<(), LinkError> {
    let mut missing = Vec::new();
    let mut older = Vec::new();
    let interpreter = facts.interpreter.as_deref().unwrap_or_default();
    let there = contents.files().resolve(interpreter).filter(|path| !path.is_empty());
    if facts.interpreter.is_some() && there.is_none() {
        missing.push(Missing { name: interpreter.to_owned(), by: None, elsewhere: None });
    }
    let loader =
        Loader::new(contents, facts, there.as_deref().unwrap_or(interpreter), library_path);
    let mut found: BTreeMap<String, Option<String>> = BTreeMap::new();
    let first = Asking { facts, folder: "ko-app".to_owned(), inherited: Vec::new() };
    let mut waiting = VecDeque::from([(None::<String>, first)]);
    while let Some((by, asking)) = waiting.pop_front() {
        for library in &asking.facts.needed {
            if loader.is_it(library) || found.contains_key(library) {
                continue;
            }
            let path = loader.find(library, &asking);
            match &path {
                None => missing.push(Missing {
                    name: library.clone(),
                    by: by.clone(),
                    elsewhere: loader.elsewhere(library),
                }),
                Some(path) => {
                    if let Some(facts) = contents.library(path)
                        && found.len() < MOST_LIBRARIES
                    {
                        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                        let folder = folder.to_owned();
                        let inherited = loader.older(&asking);
                        let next = Asking { facts, folder, inherited };
                        waiting.push_back((Some(library.clone()), next));
                    }
                }
            }
            found.insert(library.clone(), path);
        }
        for (library, wanted) in asking.facts.wants.iter().filter(|_| loader.has_versions()) {
            let path = found.get(library).and_then(Option::as_deref);
            let path = path.or_else(|| there.as_deref().filter(|_| loader.is_it(library)));
            if let Some(has) = path.and_then(|path| contents.library(path)) {
                older.extend(missing_versions(library, wanted, &has.defines, by.clone()));
            }
        }
    }
    let program = program.to_owned();
    if !missing.is_empty() {
        Err(LinkError::Missing { program, missing })
    } else if !older.is_empty() {
        Err(LinkError::Older { program, older })
    } else {
        Ok(())
    }
}

/// The needed versions that a library does not have. To the loader, a library without versions has
/// every symbol.
fn missing_versions(
    library: &str,
    wanted: &BTreeSet<String>,
    defined: &BTreeSet<String>,
    by: Option<String>,
) -> Option<Older> {
    if defined.is_empty() {
        return None;
    }
    let newest = |versions: &mut dyn Iterator<Item = &String>| {
        versions.max_by_key(|version| numbers(version)).cloned()
    };
    let wanted = newest(&mut wanted.difference(defined))?;
    let kind = |version: &str| version.split_once('_').map(|(kind, _)| kind.to_owned());
    let same = |version: &&String| kind(version) == kind(&wanted) && !numbers(version).is_empty();
    let found = newest(&mut defined.iter().filter(same));
    Some(Older { library: library.to_owned(), wanted, found, by })
}

/// The numbers in a version: 2 and 34 for `GLIBC_2.34`, none for `GLIBC_PRIVATE`.
fn numbers(version: &str) -> Vec<u32> {
    let (_, numbers) = version.split_once('_').unwrap_or_default();
    numbers.split('.').map(str::parse).collect::<Result<_, _>>().unwrap_or_default()
}

#[cfg(test)]
mod tests;
