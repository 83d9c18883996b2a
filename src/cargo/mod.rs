//! Finds the Cargo workspace and the binary that a reference refers to, and compiles it.
//!
//! A [`Workspace`] contains what Cargo reports about the user's crates. [`Workspace::find`]
//! resolves a reference to a [`Binary`], and [`Workspace::compile`] compiles [`Build`]s to
//! [`Artifact`]s. Cargo runs in the user's environment: its locks, configuration, toolchain files
//! and wrappers have the same effect as with `cargo build`. This module does not deal with images
//! or destinations.

mod c;
mod cause;
pub(crate) mod codes;
mod compile;
mod config;
mod dependencies;
mod elsewhere;
mod error;
mod explain;
mod facts;
mod find;
mod go_modules;
mod interrupted;
mod linker;
mod local;
mod locate;
mod messages;
mod neighbours;
mod paths;
mod profile;
mod program;
mod recipe;
mod remap;
mod remedies;
mod rustflags;
mod target;
mod toolchain;
mod tools;
mod stamps;
mod zig;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::cache::Cache;
use crate::oci::Platform;
use crate::oci::file::OpenedFile;
use crate::process::Environment;
use crate::reference::{CrateReference, ImportPath};
use crate::report::Reporter;
pub(crate) use dependencies::{Dependencies, Dependency, Origin};
pub(crate) use elsewhere::{CopyError, Elsewhere};
pub(crate) use error::Error;
use facts::Facts;
use find::Names;
pub(crate) use find::is_path;
use go_modules::GoModules;
pub(crate) use profile::DEV as DEV_PROFILE;
pub(crate) use target::TargetTriple;

/// Where the workspace is searched and how Cargo is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The user's working directory, absolute.
    pub directory: PathBuf,
    /// `--manifest-path`: the only `Cargo.toml` to use.
    pub manifest_path: Option<PathBuf>,
    /// The roots of the workspaces in the settings, absolute.
    pub workspaces: Vec<PathBuf>,
    /// The root of the Git repository, which is searched for workspaces last.
    pub repository_root: Option<PathBuf>,
    /// The start of import paths, instead of the `repository` of packages.
    pub import_path: Option<String>,
    /// The user's whole environment.
    pub environment: Environment,
    /// `--locked`: the lock file must be up to date.
    pub locked: bool,
    /// `--offline`: nothing is downloaded.
    pub offline: bool,
    /// `--frozen`: both.
    pub frozen: bool,
}

/// The workspace, or those that references select from.
#[derive(Clone, Debug)]
pub struct Workspace {
    settings: Settings,
    cache: Cache,
    facts: Vec<Facts>,
    go_modules: Arc<OnceLock<GoModules>>,
}

/// A binary of a package, to which a reference resolves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binary {
    /// The package's name.
    pub package: String,
    /// The package ID of Cargo.
    pub package_id: String,
    /// The binary's name; `examples/NAME` for an example.
    pub bin: String,
    /// The canonical name, the same on every machine.
    pub import_path: ImportPath,
    /// The package's folder, absolute.
    pub folder: PathBuf,
    /// The root of its workspace, absolute.
    pub workspace: PathBuf,
    /// The package's version.
    pub version: String,
    /// The package's `repository`, as written.
    pub repository: Option<String>,
    /// The package's `license`.
    pub license: Option<String>,
}

impl Binary {
    /// The name of the executable.
    #[must_use]
    pub fn executable_name(&self) -> &str {
        self.bin.strip_prefix(facts::EXAMPLES).unwrap_or(&self.bin)
    }
}

/// The enabled features, as on Cargo's command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Features {
    /// `--features`.
    pub list: Vec<String>,
    /// `--no-default-features`.
    pub no_default: bool,
    /// `--all-features`.
    pub all: bool,
}

/// A binary and how it is compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// What is compiled.
    pub binary: Binary,
    /// The platform that it must run on.
    pub platform: Platform,
    /// The target, if it is not the default one of the platform.
    pub target: Option<TargetTriple>,
    /// Cargo's profile.
    pub profile: String,
    /// Cargo's features.
    pub features: Features,
    /// Additional arguments for `cargo build`.
    pub flags: Vec<String>,
    /// Additional flags for rustc, after those of the user.
    pub rustflags: Vec<String>,
    /// Variables that take precedence over the user's environment.
    pub environment: BTreeMap<String, String>,
    /// Which packages determine the features of a shared dependency.
    pub unification: Unification,
    /// Whether the executable keeps its debug information.
    pub debug: bool,
}

/// Which packages determine the features of a dependency that they share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unification {
    /// Only the package itself, as if nothing else was built.
    #[default]
    Package,
    /// All packages of the workspace.
    Workspace,
}

impl Build {
    /// A binary for a platform, with the defaults: release profile, default features.
    #[must_use]
    pub fn new(binary: Binary, platform: Platform) -> Self {
        Self {
            binary,
            platform,
            target: None,
            profile: "release".to_owned(),
            features: Features::default(),
            flags: Vec::new(),
            rustflags: Vec::new(),
            environment: BTreeMap::new(),
            unification: Unification::Package,
            debug: false,
        }
    }

    /// The target that rustc compiles for.
    pub fn target(&self) -> Result<TargetTriple, Error> {
        let target = self.target.clone().or_else(|| TargetTriple::for_platform(&self.platform));
        target.ok_or_else(|| Error::UnsupportedPlatform { platform: self.platform.clone() })
    }
}

/// What Cargo compiled.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// The requested binary.
    pub binary: Binary,
    /// Its platform.
    pub platform: Platform,
    /// The target that it was compiled for.
    pub target: TargetTriple,
    /// The executable, opened when Cargo reported it: a later build may replace it.
    pub executable: OpenedFile,
}

impl Workspace {
    /// Finds the workspace. `wanted` selects from several workspaces of the settings or the
    /// repository.
    pub fn open(
        settings: &Settings,
        cache: &Cache,
        report: &Reporter,
        wanted: &[CrateReference],
    ) -> Result<Self, Error> {
        let manifests = locate::manifests(settings).map_err(|error| match error {
            Error::NoWorkspace { directory, .. } => {
                let modules = GoModules::of(settings);
                let of_go =
                    |wanted: &CrateReference| Some((wanted.clone(), modules.containing(wanted)?));
                Error::NoWorkspace { directory, go: wanted.iter().find_map(of_go) }
            }
            error => error,
        })?;
        let mut facts: Vec<Facts> = Vec::with_capacity(manifests.len());
        for manifest in manifests {
            let read = Facts::read(&manifest, &settings.environment, cache, report)?;
            if !facts.iter().any(|known| known.root == read.root) {
                facts.push(read);
            }
        }
        let go_modules = Arc::default();
        let mut workspace =
            Self { settings: settings.clone(), cache: cache.clone(), facts, go_modules };
        if workspace.facts.len() > 1 {
            workspace.decide(wanted)?;
        }
        Ok(workspace)
    }

    /// Keeps the workspaces that references point into. Without references this is ambiguous. If a
    /// reference matches no crate, all are kept, so that the error lists every workspace that was
    /// searched.
    fn decide(&mut self, wanted: &[CrateReference]) -> Result<(), Error> {
        if wanted.is_empty() {
            let roots = self.facts.iter().map(|facts| facts.root.clone()).collect();
            return Err(Error::AmbiguousWorkspace { reference: None, roots });
        }
        let found = wanted.iter().map(|reference| self.look_up(reference, true));
        let used: Result<Vec<PathBuf>, Error> = found.map(|binary| Ok(binary?.workspace)).collect();
        if let Ok(used) = used {
            self.facts.retain(|facts| used.contains(&facts.root));
        }
        Ok(())
    }

    /// The root of the workspace, or of the first of several.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.facts.first().map_or(&self.settings.directory, |facts| &facts.root)
    }

    /// The binary that a reference in a manifest refers to.
    pub fn find(&self, reference: &CrateReference) -> Result<Binary, Error> {
        self.look_up(reference, false)
    }

    /// The binary that a command line argument refers to: a reference with or without its prefix,
    /// or a folder relative to the working directory.
    pub fn find_argument(&self, argument: &str) -> Result<Binary, Error> {
        let reference =
            CrateReference::bare(argument).map_err(|source| Error::InvalidReference { source })?;
        self.look_up(&reference, true)
    }

    fn look_up(&self, reference: &CrateReference, argument: bool) -> Result<Binary, Error> {
        let directory = argument.then_some(self.settings.directory.as_path());
        let mut found = find::across(&self.names(), reference, directory);
        if let Err(Error::NoSuchCrate { go_module, .. }) = &mut found {
            let modules = self.go_modules.get_or_init(|| GoModules::of(&self.settings));
            *go_module = modules.containing(reference);
        }
        found
    }

    /// Every default binary, and all binaries of packages without a default one.
    #[must_use]
    pub fn binaries(&self) -> Vec<Binary> {
        self.names().iter().flat_map(Names::binaries).collect()
    }

    /// All binaries, including those that are not the default of their package, and all examples.
    #[must_use]
    pub fn every_binary(&self) -> Vec<Binary> {
        self.names().iter().flat_map(Names::every_binary).collect()
    }

    /// Whether a package is in the repository, but outside of the open workspaces.
    #[must_use]
    pub fn is_elsewhere(&self, package: &str) -> bool {
        locate::has_package(&self.settings, package)
    }

    fn facts_of(&self, root: &Path) -> Result<&Facts, Error> {
        let facts = self.facts.iter().find(|facts| facts.root == root);
        facts.ok_or_else(|| Error::NoManifest { path: root.join("Cargo.toml") })
    }

    fn names(&self) -> Vec<Names<'_>> {
        let import_path = self.settings.import_path.as_deref();
        self.facts.iter().map(|facts| Names { facts, import_path }).collect()
    }

    /// Compiles. The artifact of each build is passed on with the index of the build as soon as it
    /// is complete. After a failure the other builds continue, so that all failures are reported.
    pub async fn compile(
        &self,
        builds: &[Build],
        report: &Reporter,
        on_artifact: &mut (dyn FnMut(usize, Artifact) + Send),
    ) -> Result<(), Error> {
        compile::compile(self, builds, report, on_artifact).await
    }

    /// The dependencies of a build, for the SBOM of the image.
    pub async fn dependencies(
        &self,
        build: &Build,
        report: &Reporter,
    ) -> Result<Dependencies, Error> {
        dependencies::of(self, build, report).await
    }
}

#[cfg(all(test, unix))]
mod tests;
