//! Resolves references to binaries.

use std::path::{Component, Path, PathBuf};

use super::facts::{Facts, Package};
use super::{Binary, Error};
use crate::reference::{CrateReference, ImportPath, did_you_mean, normalise_repository};

/// One workspace, and the import path that the settings give it.
#[derive(Clone, Debug)]
pub(crate) struct Names<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) import_path: Option<&'a str>,
}

impl<'a> Names<'a> {
    /// The package that WHERE names: by name, by folder, or by import path, in this order.
    pub(crate) fn package(&self, place: &str) -> Option<&'a Package> {
        let packages = || self.facts.packages.iter();
        let by_folder = relative(Path::new(place));
        packages()
            .find(|package| package.name == place)
            .or_else(|| packages().find(|p| by_folder.is_some() && self.folder(p) == by_folder))
            .or_else(|| packages().find(|package| self.is_at(package, place)))
    }

    /// The package whose folder is an absolute path.
    pub(crate) fn package_in(&self, folder: &Path) -> Option<&'a Package> {
        let same = |package: &&Package| {
            package.folder == folder
                || std::fs::canonicalize(&package.folder).ok().as_deref() == Some(folder)
        };
        self.facts.packages.iter().find(same)
    }

    /// All valid values of WHERE, for suggestions.
    pub(crate) fn candidates(&self) -> Vec<String> {
        let with_bins = self.facts.packages.iter().filter(|package| !package.bins.is_empty());
        with_bins
            .flat_map(|package| {
                let folder = self.folder(package).filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.map(|folder| slashed(&folder));
                [
                    Some(package.name.clone()),
                    folder,
                    self.prefix(package).map(|_| self.path(package)),
                ]
            })
            .flatten()
            .collect()
    }

    fn is_at(&self, package: &Package, place: &str) -> bool {
        let Some(prefix) = self.prefix(package) else { return false };
        // The host of a normalised repository is in lower case; that of a reference may not be.
        let Some((host, rest)) = place.split_once('/') else { return false };
        let place = format!("{}/{rest}", host.to_lowercase());
        place.starts_with(&prefix) && place == self.path(package)
    }

    fn prefix(&self, package: &Package) -> Option<String> {
        match self.import_path {
            Some(prefix) => Some(prefix.trim_end_matches('/').to_owned()),
            None => normalise_repository(package.repository.as_deref()?),
        }
    }

    /// The folder relative to the root, or `None` for a member outside of it.
    fn folder(&self, package: &Package) -> Option<PathBuf> {
        package.folder.strip_prefix(&self.facts.root).ok().map(Path::to_owned)
    }

    /// The import path without the binary.
    fn path(&self, package: &Package) -> String {
        let folder = self.folder(package).map_or_else(|| package.name.clone(), |f| slashed(&f));
        match (self.prefix(package), folder.is_empty()) {
            (Some(prefix), true) => prefix,
            (Some(prefix), false) => format!("{prefix}/{folder}"),
            (None, true) => package.name.clone(),
            (None, false) => folder,
        }
    }

    /// A binary of a package: the named one, or its default.
    pub(crate) fn binary(
        &self,
        package: &Package,
        bin: Option<&str>,
        reference: &str,
    ) -> Result<Binary, Error> {
        let default = default_bin(package);
        let chosen = match bin {
            Some(bin) if !package.programs().any(|known| known == bin) => {
                return Err(Error::NoSuchBinary {
                    reference: reference.to_owned(),
                    package: package.name.clone(),
                    bins: package.bins.clone(),
                    suggestion: did_you_mean(bin, package.programs().map(String::as_str)),
                });
            }
            Some(bin) => bin,
            None if package.bins.is_empty() => {
                return Err(Error::NoBinary {
                    reference: reference.to_owned(),
                    package: package.name.clone(),
                });
            }
            None => default.ok_or_else(|| Error::AmbiguousBinary {
                reference: reference.to_owned(),
                package: package.name.clone(),
                bins: package.bins.clone(),
            })?,
        };
        Ok(self.named(package, chosen))
    }

    fn named(&self, package: &Package, bin: &str) -> Binary {
        let shown = (default_bin(package) != Some(bin)).then(|| bin.to_owned());
        Binary {
            package: package.name.clone(),
            package_id: package.id.clone(),
            bin: bin.to_owned(),
            import_path: ImportPath::new(self.path(package), shown),
            folder: package.folder.clone(),
            workspace: self.facts.root.clone(),
            version: package.version.clone(),
            repository: package.repository.clone(),
            license: package.license.clone(),
        }
    }

    /// The default binary of every package, and all binaries of packages without one.
    pub(crate) fn binaries(&self) -> Vec<Binary> {
        let mut binaries = Vec::new();
        for package in &self.facts.packages {
            match default_bin(package) {
                Some(bin) => binaries.push(self.named(package, bin)),
                None => binaries.extend(package.bins.iter().map(|bin| self.named(package, bin))),
            }
        }
        binaries.sort_by(|a, b| a.import_path.cmp(&b.import_path));
        binaries
    }

    /// All binaries and examples of all packages.
    pub(crate) fn every_binary(&self) -> impl Iterator<Item = Binary> {
        let packages = self.facts.packages.iter();
        packages.flat_map(|package| package.programs().map(|bin| self.named(package, bin)))
    }
}

/// `default-run`, else the only binary, else the one with the name of the package.
fn default_bin(package: &Package) -> Option<&str> {
    match (&package.default_run, package.bins.as_slice()) {
        (Some(bin), _) => Some(bin),
        (None, [only]) => Some(only),
        (None, bins) => bins.iter().find(|bin| **bin == package.name).map(String::as_str),
    }
}

/// A relative path without `.`, or `None` if it leaves the folder that it starts in.
fn relative(path: &Path) -> Option<PathBuf> {
    let mut relative = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => relative.push(name),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(relative)
}

fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

/// Whether an argument is a path rather than the name of a package: `.`, `./svc/link`, `/abs`.
pub(crate) fn is_path(place: &str) -> bool {
    let first = place.split(['/', std::path::MAIN_SEPARATOR]).next();
    matches!(first, Some("." | "..")) || Path::new(place).is_absolute()
}

/// The binary in the first workspace that has the package, or an error with the nearest names.
pub(crate) fn across(
    workspaces: &[Names<'_>],
    reference: &CrateReference,
    directory: Option<&Path>,
) -> Result<Binary, Error> {
    let place = reference.place();
    let from_directory = |names: &Names<'_>| {
        let folder = std::fs::canonicalize(directory?.join(place)).ok()?;
        let package =
            names.package_in(&directory?.join(place)).or_else(|| names.package_in(&folder));
        package.map(|package| names.binary(package, reference.bin(), &reference.to_string()))
    };
    let by_name = |names: &Names<'_>| {
        let package = names.package(place)?;
        Some(names.binary(package, reference.bin(), &reference.to_string()))
    };
    let found: Vec<Result<Binary, Error>> = if directory.is_some() && is_path(place) {
        workspaces.iter().filter_map(from_directory).collect()
    } else {
        let named: Vec<_> = workspaces.iter().filter_map(by_name).collect();
        if named.is_empty() {
            workspaces.iter().filter_map(from_directory).collect()
        } else {
            named
        }
    };
    if found.len() > 1 {
        let roots = workspaces.iter().filter(|names| by_name(names).is_some());
        return Err(Error::AmbiguousWorkspace {
            reference: Some(reference.to_string()),
            roots: roots.map(|names| names.facts.root.clone()).collect(),
        });
    }
    found.into_iter().next().unwrap_or_else(|| {
        let candidates: Vec<String> = workspaces.iter().flat_map(Names::candidates).collect();
        Err(Error::NoSuchCrate {
            reference: reference.to_string(),
            workspaces: workspaces.iter().map(|names| names.facts.root.clone()).collect(),
            nearest: did_you_mean(place, candidates.iter().map(String::as_str)),
            crates: packages(workspaces),
            go_module: None,
        })
    })
}

/// The crates that can be named, for a reference that is similar to none of them.
fn packages(workspaces: &[Names<'_>]) -> Option<String> {
    const MOST: usize = 10;
    let packages = workspaces.iter().flat_map(|names| &names.facts.packages);
    let mut names: Vec<&str> = packages
        .filter(|package| !package.bins.is_empty())
        .map(|package| package.name.as_str())
        .collect();
    names.sort_unstable();
    let shown: Vec<String> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!shown.is_empty()).then(|| format!("the crates with a binary are {}{more}", shown.join(", ")))
}
