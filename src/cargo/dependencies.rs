//! Lists the packages that Cargo compiles for a binary, as Cargo resolves them.
//!
//! Only used when an image is really built. Contains no path of this machine and no credentials.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, NodeDep};
use toml::{Table, Value};

use super::facts::{Facts, Package};
use super::neighbours::{self, Unit};
use super::recipe::{Alike, Recipe};
use super::{Build, Error, TargetTriple, Workspace};
use crate::process::{self, Limits, Stderr};
use crate::report::Reporter;
use crate::report::public_url;

/// The packages that a binary is compiled from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependencies {
    /// The packages, sorted by name, version and origin.
    pub packages: Vec<Dependency>,
    /// The index of the package with the binary.
    pub root: usize,
    /// The version of rustc, if known.
    pub rustc: Option<String>,
    /// The target that the binary is compiled for.
    pub target: TargetTriple,
}

/// A package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its origin.
    pub origin: Origin,
    /// Its `license`.
    pub license: Option<String>,
    /// Its `repository`, without credentials.
    pub repository: Option<String>,
    /// The SHA-256 of its archive, 64 hexadecimal digits, from the lock file.
    pub checksum: Option<String>,
    /// Whether it is in the executable, or only used to build it.
    pub linked: bool,
    /// Its dependencies, as indexes into the list.
    pub needs: BTreeSet<usize>,
}

/// The origin of a package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// crates.io.
    CratesIo,
    /// Another registry.
    Registry(String),
    /// A Git repository.
    Git {
        /// Its URL, without credentials.
        url: String,
        /// The commit.
        revision: String,
    },
    /// A folder of the workspace, relative to its root, or `None` for a folder outside of it.
    Folder(Option<String>),
}

/// A package by its package ID, with the IDs of its dependencies.
#[derive(Debug)]
struct Known {
    name: String,
    version: String,
    folder: PathBuf,
    license: Option<String>,
    repository: Option<String>,
    linked: bool,
    needs: BTreeSet<String>,
}

type Packages = BTreeMap<String, Known>;

pub(crate) async fn of(
    workspace: &Workspace,
    build: &Build,
    report: &Reporter,
) -> Result<Dependencies, Error> {
    let alike = Alike::of(build)?;
    let facts = workspace.facts_of(alike.root)?;
    let recipe = Recipe::make(workspace, facts, &alike, report).await?;
    let id = &build.binary.package_id;
    let wanted = [(id.clone(), [build.binary.bin.clone()].into())].into();
    let packages = match neighbours::graph(&recipe, &wanted, Stderr::Kept).await? {
        Some(units) => from_units(&units, facts),
        None => from_metadata(&metadata(&recipe).await?, id),
    };
    let lock = std::fs::read_to_string(facts.root.join("Cargo.lock")).unwrap_or_default();
    let (packages, root) = describe(packages, id, &facts.root, &Locked::all(&lock));
    Ok(Dependencies { packages, root, rustc: recipe.rustc, target: recipe.target })
}

/// The unit graph has the dependencies; the `Cargo.toml` of each package has the rest.
fn from_units(units: &[Unit], facts: &Facts) -> Packages {
    let mut packages = Packages::new();
    for unit in units {
        let id = &unit.pkg_id;
        if !packages.contains_key(id) {
            let member = facts.packages.iter().find(|package| package.id == *id);
            let known = member.map(Known::of_member).or_else(|| Known::of_unit(unit));
            let Some(known) = known else { continue };
            packages.insert(id.clone(), known);
        }
        let Some(known) = packages.get_mut(id) else { continue };
        let own = unit.target.kind.iter().all(|kind| kind != "custom-build");
        known.linked |= own && unit.platform.is_some();
        let needed = unit.dependencies.iter().filter_map(|edge| units.get(edge.index));
        known.needs.extend(needed.map(|unit| unit.pkg_id.clone()));
    }
    packages
}

impl Known {
    fn of_member(package: &Package) -> Self {
        Self {
            name: package.name.clone(),
            version: package.version.clone(),
            folder: package.folder.clone(),
            license: package.license.clone(),
            repository: package.repository.clone(),
            linked: false,
            needs: BTreeSet::new(),
        }
    }

    /// Reads the nearest `Cargo.toml` above the source of a package that is not a member. What it
    /// inherits from another workspace is ignored.
    fn of_unit(unit: &Unit) -> Option<Self> {
        let mut folders = unit.target.src_path.ancestors().skip(1);
        let folder = folders.find(|folder| folder.join("Cargo.toml").is_file())?;
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?;
        let manifest: Table = manifest.parse().ok()?;
        let text = |key: &str| Some(manifest.get("package")?.get(key)?.as_str()?.to_owned());
        // `…#name@version`, or `…/name#version`.
        let version = unit.pkg_id.rsplit(['@', '#']).next()?;
        Some(Self {
            name: text("name")?,
            version: version.to_owned(),
            folder: folder.to_owned(),
            license: text("license"),
            repository: text("repository"),
            linked: false,
            needs: BTreeSet::new(),
        })
    }
}

/// Everything in `cargo metadata` for the target.
async fn metadata(recipe: &Recipe) -> Result<Metadata, Error> {
    let mut command = process::command("cargo", &recipe.environment, &recipe.root);
    command.args(["metadata", "--format-version", "1", "--filter-platform"]);
    command.arg(recipe.target.as_str()).args(recipe.lock_arguments());
    let output = process::output(command, Limits::default()).await?.checked()?;
    MetadataCommand::parse(output.text()).map_err(|source| Error::Metadata { source })
}

/// Without a unit graph: every possible dependency, with the features of the whole workspace.
fn from_metadata(metadata: &Metadata, root: &str) -> Packages {
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let nodes: BTreeMap<&str, _> = nodes.map(|node| (node.id.repr.as_str(), node)).collect();
    let known = metadata.packages.iter();
    let known: BTreeMap<&str, _> = known.map(|package| (&*package.id.repr, package)).collect();
    let mut packages = Packages::new();
    let mut todo = vec![(root.to_owned(), true)];
    while let Some((id, linked)) = todo.pop() {
        let Some(package) = known.get(&*id) else { continue };
        if packages.get(&id).is_some_and(|seen| seen.linked || !linked) {
            continue;
        }
        let edges = nodes.get(&*id).into_iter().flat_map(|node| &node.deps);
        let has = |edge: &NodeDep, kind| edge.dep_kinds.iter().any(|info| info.kind == kind);
        let edges: Vec<(String, bool)> = edges
            .filter(|edge| has(edge, DependencyKind::Normal) || has(edge, DependencyKind::Build))
            .map(|edge| (edge.pkg.repr.clone(), linked && has(edge, DependencyKind::Normal)))
            .collect();
        let needs = edges.iter().map(|(id, _)| id.clone()).collect();
        todo.extend(edges);
        packages.insert(id, Known { linked, needs, ..Known::of_member(&Package::from(*package)) });
    }
    packages
}

/// Sorts packages in an order that does not depend on the machine, and sets their origins and the
/// root.
fn describe(
    packages: Packages,
    root: &str,
    folder: &Path,
    locked: &[Locked],
) -> (Vec<Dependency>, usize) {
    let mut described: Vec<(String, Dependency, BTreeSet<String>)> = packages
        .into_iter()
        .map(|(id, known)| {
            let entry = locked.iter().find(|entry| entry.is(&id, &known));
            let dependency = Dependency {
                origin: entry.map_or_else(|| at(&known.folder, folder), |entry| entry.origin()),
                checksum: entry.and_then(|entry| entry.checksum.clone()),
                name: known.name,
                version: known.version,
                license: known.license,
                repository: known.repository.as_deref().map(public_url),
                linked: known.linked,
                needs: BTreeSet::new(),
            };
            (id, dependency, known.needs)
        })
        .collect();
    described.sort_by(|a, b| a.1.cmp(&b.1));
    let ids = described.iter().enumerate().map(|(place, (id, ..))| (id.clone(), place));
    let places: BTreeMap<String, usize> = ids.collect();
    let packages = described.into_iter().enumerate().map(|(own, (_, dependency, needs))| {
        let needs = needs.iter().filter_map(|id| places.get(id).copied());
        Dependency { needs: needs.filter(|place| *place != own).collect(), ..dependency }
    });
    (packages.collect(), places.get(root).copied().unwrap_or_default())
}

fn at(folder: &Path, root: &Path) -> Origin {
    let relative = folder.strip_prefix(root).ok();
    Origin::Folder(relative.map(|folder| folder.to_string_lossy().replace('\\', "/")))
}

/// An external package of the lock file.
#[derive(Debug)]
struct Locked {
    name: String,
    version: String,
    source: String,
    checksum: Option<String>,
}

impl Locked {
    fn all(lock: &str) -> Vec<Self> {
        let lock: Table = lock.parse().unwrap_or_default();
        let packages = lock.get("package").and_then(Value::as_array).into_iter().flatten();
        packages
            .filter_map(|package| {
                let text = |key: &str| Some(package.get(key)?.as_str()?.to_owned());
                Some(Self {
                    name: text("name")?,
                    version: text("version")?,
                    source: text("source")?,
                    checksum: text("checksum"),
                })
            })
            .collect()
    }

    /// Whether this is the package of an ID, which starts with its source, except for the commit.
    fn is(&self, id: &str, known: &Known) -> bool {
        let source = self.source.split('#').next().unwrap_or(&self.source);
        self.name == known.name
            && self.version == known.version
            && id.split('#').next() == Some(source)
    }

    fn origin(&self) -> Origin {
        match self.source.split_once('+') {
            Some(("git", url)) => {
                let (url, revision) = url.split_once('#').unwrap_or((url, ""));
                Origin::Git { url: public_url(url), revision: revision.to_owned() }
            }
            Some((_, url)) if is_crates_io(url) => Origin::CratesIo,
            Some(("registry", url)) => Origin::Registry(public_url(url)),
            _ => Origin::Registry(public_url(&self.source)),
        }
    }
}

fn is_crates_io(url: &str) -> bool {
    let url = url.trim_end_matches('/');
    matches!(url, "https://github.com/rust-lang/crates.io-index" | "https://index.crates.io")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_url_keeps_its_credentials() {
        for (url, clean) in [
            (
                "https://user:token@git.example.org:8443/a/b?rev=1",
                "https://git.example.org:8443/a/b",
            ),
            ("ssh://git@example.org/a@b", "ssh://example.org/a@b"),
            ("sparse+https://t@example.org/index/", "sparse+https://example.org/index/"),
            ("https://token@example.org", "https://example.org"),
        ] {
            assert_eq!(public_url(url), clean);
        }
    }

    #[test]
    fn the_lock_file_says_where_packages_come_from() {
        let lock = "version = 4\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n\
            [[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"ff\"\n\
            source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
            [[package]]\nname = \"b\"\nversion = \"1.0.0\"\n\
            source = \"git+https://t@example.org/b?branch=main#0123\"\n\
            [[package]]\nname = \"c\"\nversion = \"1.0.0\"\n\
            source = \"sparse+https://example.org/index/\"\n";
        let locked = Locked::all(lock);
        let origins: Vec<Origin> = locked.iter().map(Locked::origin).collect();
        let git = Origin::Git { url: "https://example.org/b".into(), revision: "0123".into() };
        let other = Origin::Registry("sparse+https://example.org/index/".into());
        assert_eq!(origins, [Origin::CratesIo, git, other]);
        assert_eq!(locked[0].checksum.as_deref(), Some("ff"));
        assert!(Locked::all("no lock file").is_empty());
    }
}
