//! Whether a base holds what an executable needs to be started.
//!
//! A container whose loader or library is missing fails with `no such file or directory` and no
//! word of which; so it is said before anything is sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use super::contents::Contents;
use super::elf::{ElfFacts, NotElf};
use super::loader::{Asking, Loader};
use crate::oci::Platform;

/// More shared libraries than a program has.
const MOST_LIBRARIES: usize = 4096;

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
        missing: Vec<Missing>,
    },
    /// The base's libraries are older than those that were linked with.
    #[error("`{program}` needs {}", list(.older))]
    Older {
        /// The executable's name.
        program: String,
        /// The libraries.
        older: Vec<Older>,
    },
}

/// A file that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The loader's path or a library's name.
    name: String,
    /// The library that needs it, if it is not the executable.
    by: Option<String>,
    /// Where a file of that name lies, though nobody looks there.
    elsewhere: Option<String>,
}

/// A library that lacks symbol versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Older {
    library: String,
    /// The newest of the versions that are wanted and not there.
    wanted: String,
    /// The newest of the same kind that is there.
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
            Some(found) => write!(f, ", and the base image's has {found}"),
            None => f.write_str(", which the base image's does not have"),
        }
    }
}

fn by(f: &mut std::fmt::Formatter<'_>, by: Option<&str>) -> std::fmt::Result {
    by.map_or(Ok(()), |by| write!(f, " (for `{by}`)"))
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

impl LinkError {
    /// The way out.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let without = "--no-link-check takes it as it is";
        match self {
            Self::Missing { missing, .. } => {
                let mut hint = String::new();
                for (name, path) in
                    missing.iter().filter_map(|m| m.elsewhere.as_ref().map(|path| (&m.name, path)))
                {
                    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                    let _ = write!(
                        hint,
                        "`{name}` lies in `/{folder}`, where the loader does not look: run \
                         `ldconfig` in the base image, or set LD_LIBRARY_PATH under `image: \
                         {{env: …}}`; "
                    );
                }
                Some(format!(
                    "{hint}build it static, for a musl target (the default), or name a base image \
                     that has these files under `baseImageOverrides` in .ko-rs.yaml; a crate that \
                     links a system library often has a feature (`vendored`, `bundled`, `rustls`) \
                     that does without; {without}"
                ))
            }
            Self::Older { older, .. } => {
                let glibc = older.iter().find_map(|older| {
                    Some((older.wanted.strip_prefix("GLIBC_")?, older.found.as_deref()))
                });
                let way = match glibc {
                    Some((wanted, found)) => {
                        let found = found.and_then(|found| found.strip_prefix("GLIBC_"));
                        let suffix = found.map_or_else(String::new, |found| {
                            format!(", or link with zig for the older one: `target: …-gnu.{found}`")
                        });
                        format!(
                            "take a base image with glibc {wanted} or newer, or build for a musl \
                             target (the default){suffix}"
                        )
                    }
                    None => "take a base image with newer libraries".to_owned(),
                };
                Some(format!("{way}; {without}"))
            }
            Self::Machine { .. } => Some(
                "`target:` in .ko-rs.yaml must name a target of the image's platform".to_owned(),
            ),
            Self::NotElf { .. } => None,
        }
    }
}

/// Whether a program is made for a platform's machines.
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

/// Checks a program of that name against what the image holds beside it.
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
                older.extend(lacking(library, wanted, &has.defines, by.clone()));
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

/// What a library lacks of the versions that are wanted of it. One without any versions has every
/// symbol, as far as a loader is concerned.
fn lacking(
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

/// The numbers of a version: `GLIBC_2.34` is 2 and 34; `GLIBC_PRIVATE` has none.
fn numbers(version: &str) -> Vec<u32> {
    let (_, numbers) = version.split_once('_').unwrap_or_default();
    numbers.split('.').map(str::parse).collect::<Result<_, _>>().unwrap_or_default()
}

#[cfg(test)]
mod tests;
