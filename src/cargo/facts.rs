//! The facts of a workspace as Cargo reports them, cached under the stamps of the files they were
//! read from.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::Error;
use super::config::{self, CargoConfig};
use super::program;
use super::stamps::{self, Stamps};
use crate::cache::Cache;
use crate::oci::Digest;
use crate::process::{self, Environment};
use crate::report::Reporter;

/// The kind of the records of facts.
const KIND: &str = "cargo-workspace";

/// The prefix of the name of an example where a binary may be named.
pub(crate) const EXAMPLES: &str = "examples/";

/// The used part of the output of `cargo metadata --no-deps`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) root: PathBuf,
    pub(crate) target_directory: PathBuf,
    pub(crate) packages: Vec<Package>,
    /// Path dependencies outside of the root: name and folder.
    pub(crate) outside: BTreeMap<String, PathBuf>,
    stamps: Stamps,
    /// Whether every later change of the files will be noticed, so that more may be cached under
    /// this.
    #[serde(skip)]
    pub(crate) kept: bool,
}

/// A package of a workspace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) folder: PathBuf,
    pub(crate) repository: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) default_run: Option<String>,
    pub(crate) bins: Vec<String>,
    /// Examples that are programs, as references name them: `examples/NAME`.
    pub(crate) examples: Vec<String>,
}

impl Facts {
    /// The facts of the workspace of a `Cargo.toml`: from the cache if no file has changed, else
    /// from Cargo.
    pub(crate) fn read(
        manifest: &Path,
        environment: &Environment,
        cache: &Cache,
        report: &Reporter,
    ) -> Result<Self, Error> {
        let key = format!("{}\n{}", manifest.display(), program::relevant(environment));
        let key = Digest::of(key.as_bytes());
        let known = cache.record::<Self>(KIND, &key);
        if let Some(facts) = known.filter(|facts| facts.stamps.is_unchanged()) {
            return Ok(Self { kept: true, ..facts });
        }
        let now = cache.root().and_then(|root| stamps::now(&root.join("tmp")));
        let mut facts = Self::ask(manifest, environment)?;
        facts.kept = now.is_some_and(|now| facts.stamps.is_settled(now));
        if facts.kept
            && let Err(error) = cache.put_record(KIND, &key, &facts)
        {
            report.detail(format!("could not cache the facts of the workspace: {error}"));
        }
        Ok(facts)
    }

    fn ask(manifest: &Path, environment: &Environment) -> Result<Self, Error> {
        let folder = manifest.parent().unwrap_or(manifest);
        let mut metadata = metadata(manifest, folder, environment)?;
        let root = metadata.workspace_root.clone().into_std_path_buf();
        if root != folder {
            // Cargo builds in the root, so its configuration and toolchain are used.
            metadata = self::metadata(&root.join("Cargo.toml"), &root, environment)?;
        }
        let mut stamps = Stamps::default();
        let outside = outside(&metadata, &root, &mut stamps);
        record_workspace(&metadata, &root, environment, &mut stamps);
        let packages = metadata.packages.iter().map(Package::from).collect();
        Ok(Self {
            target_directory: metadata.target_directory.into_std_path_buf(),
            packages,
            outside,
            stamps,
            kept: false,
            root,
        })
    }

    /// A key for the state of all `Cargo.toml` files, the lock file and Cargo's configuration.
    pub(crate) fn fingerprint(&self) -> String {
        self.stamps.fingerprint()
    }
}

fn metadata(manifest: &Path, folder: &Path, environment: &Environment) -> Result<Metadata, Error> {
    let mut command = process::command("cargo", environment, folder);
    command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]);
    command.arg(manifest);
    let text = process::capture(command)?;
    MetadataCommand::parse(&text).map_err(|source| Error::Metadata { source })
}

impl Package {
    /// Everything an image can be built from: binaries, then examples.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &String> {
        self.bins.iter().chain(&self.examples)
    }
}

impl From<&cargo_metadata::Package> for Package {
    fn from(package: &cargo_metadata::Package) -> Self {
        let manifest = package.manifest_path.as_std_path();
        let mut bins: Vec<String> = package
            .targets
            .iter()
            .filter(|target| target.is_bin())
            .map(|target| target.name.clone())
            .collect();
        bins.sort();
        let programs = package.targets.iter().filter(|target| {
            target.is_example() && target.crate_types.iter().any(|kind| kind.to_string() == "bin")
        });
        let mut examples: Vec<String> =
            programs.map(|target| format!("{EXAMPLES}{}", target.name)).collect();
        examples.sort();
        Self {
            id: package.id.repr.clone(),
            name: package.name.to_string(),
            version: package.version.to_string(),
            folder: manifest.parent().unwrap_or(manifest).to_owned(),
            repository: package.repository.clone(),
            license: package.license.clone(),
            default_run: package.default_run.clone(),
            bins,
            examples,
        }
    }
}

/// Records the stamps of everything that can change the answer of Cargo.
fn record_workspace(
    metadata: &Metadata,
    root: &Path,
    environment: &Environment,
    stamps: &mut Stamps,
) {
    for folder in root.ancestors() {
        stamps.content(folder.join("Cargo.toml"));
        stamps.content(folder.join("rust-toolchain.toml"));
        stamps.content(folder.join("rust-toolchain"));
    }
    stamps.content(root.join("Cargo.lock"));
    for file in config::files(root, environment) {
        stamps.presence(file.with_file_name("config"));
        stamps.content(file);
    }
    // Cargo has already reported files that cannot be read.
    for file in CargoConfig::read(root, environment, &[]).iter().flat_map(CargoConfig::files) {
        stamps.content(file);
    }
    for package in &metadata.packages {
        stamps.content(package.manifest_path.as_std_path());
        let folder = package.manifest_path.parent().map(|folder| folder.as_std_path());
        let Some(folder) = folder else { continue };
        stamps.presence(folder.join("src/main.rs"));
        for programs in [folder.join("src/bin"), folder.join("examples")] {
            stamps.content(&programs);
            for folder in folders(&programs) {
                stamps.presence(folder.join("main.rs"));
            }
        }
    }
    let manifest = read(&root.join("Cargo.toml")).unwrap_or_default();
    let members = manifest.get("workspace").and_then(|w| w.get("members")?.as_array());
    for pattern in members.into_iter().flatten().filter_map(Value::as_str) {
        record_members(root, pattern, stamps);
    }
}

/// Records the stamps of the folders that a pattern for members matches, so that new members are
/// found.
fn record_members(root: &Path, pattern: &str, stamps: &mut Stamps) {
    let mut level = vec![root.to_owned()];
    for part in Path::new(pattern).components() {
        let name = part.as_os_str().to_string_lossy();
        if !matches!(part, Component::Normal(_)) || !name.contains(['*', '?', '[']) {
            level = level.into_iter().map(|folder| folder.join(part)).collect();
            continue;
        }
        for folder in &level {
            stamps.content(folder);
        }
        level = level.iter().flat_map(|folder| folders(folder)).collect();
    }
    for folder in level {
        stamps.presence(folder.join("Cargo.toml"));
    }
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// The path dependencies outside of the root, direct and transitive.
fn outside(metadata: &Metadata, root: &Path, stamps: &mut Stamps) -> BTreeMap<String, PathBuf> {
    let dependencies = metadata.packages.iter().flat_map(|package| &package.dependencies);
    let mut todo: Vec<PathBuf> =
        dependencies.filter_map(|d| Some(d.path.as_ref()?.as_std_path().to_owned())).collect();
    todo.extend(
        metadata
            .packages
            .iter()
            .filter_map(|package| Some(package.manifest_path.as_std_path().parent()?.to_owned())),
    );
    let manifest = read(&root.join("Cargo.toml")).unwrap_or_default();
    for table in ["patch", "replace"] {
        todo.extend(manifest.get(table).map(|table| paths(table, root)).unwrap_or_default());
    }
    let mut found = BTreeMap::new();
    while let Some(folder) = todo.pop() {
        let folder = normal(&folder);
        if folder.starts_with(root) || found.values().any(|known| *known == folder) {
            continue;
        }
        let path = folder.join("Cargo.toml");
        stamps.content(&path);
        let Some(manifest) = read(&path) else { continue };
        let name = manifest.get("package").and_then(|package| package.get("name")?.as_str());
        let name = name.map_or_else(|| format!("path-{}", found.len()), str::to_owned);
        todo.extend(manifest.values().flat_map(|value| paths(value, &folder)));
        found.insert(name, folder);
    }
    found
}

/// Every `path` of a dependency anywhere below a table, relative to `folder`.
fn paths(value: &Value, folder: &Path) -> Vec<PathBuf> {
    let Some(table) = value.as_table() else { return Vec::new() };
    let own = table.get("path").and_then(Value::as_str).map(|path| folder.join(path));
    let own = own.filter(|path| path.join("Cargo.toml").is_file());
    own.into_iter().chain(table.values().flat_map(|value| paths(value, folder))).collect()
}

/// A path without `.` and `..`, normalised as Cargo does: by name, without following links.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

fn read(manifest: &Path) -> Option<Table> {
    std::fs::read_to_string(manifest).ok()?.parse().ok()
}
