//! Cargo: which workspace, which binary a reference means, and its executable.
//!
//! A [`Workspace`] is what Cargo says of the user's crates; [`Workspace::find`] makes a
//! [`Binary`] of a reference, [`Workspace::compile`] makes [`Artifact`]s of [`Build`]s. Cargo is the
//! user's own, in the user's environment; its locks, configuration, toolchain files and wrappers
//! mean what they mean to `cargo build`. Knows nothing of images or of where they go.

mod c;
mod cause;
mod codes;
mod compile;
mod config;
mod dependencies;
mod elsewhere;
mod error;
mod explain;
mod facts;
mod find;
mod go_modules;
mod group;
mod linker;
mod locate;
mod messages;
mod neighbours;
mod paths;
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
use crate::reference::{CrateReference, ImportPath};
use crate::report::Reporter;
pub use cause::{Cause, Problem};
pub use dependencies::{Dependencies, Dependency, Origin};
pub use elsewhere::{CopyError, Elsewhere};
pub use error::Error;
use facts::Facts;
use find::Names;
pub(crate) use find::is_path;
use go_modules::GoModules;
pub use paths::StrayPath;
pub use program::Environment;
pub(crate) use program::on_path;
pub use target::{InvalidTargetTriple, TargetTriple};

/// Where the workspace is looked for and how Cargo is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The user's working directory, absolute.
    pub directory: PathBuf,
    /// `--manifest-path`: the `Cargo.toml` to use, and no other.
    pub manifest_path: Option<PathBuf>,
    /// The roots of workspaces that the settings name, absolute.
    pub workspaces: Vec<PathBuf>,
    /// The root of the Git repository, below which workspaces are looked for last.
    pub repository_root: Option<PathBuf>,
    /// What import paths start with, in place of the packages' `repository`.
    pub import_path: Option<String>,
    /// The user's whole environment.
    pub environment: Environment,
    /// `--locked`: the lock file must be as it should be.
    pub locked: bool,
    /// `--offline`: nothing is fetched.
    pub offline: bool,
    /// `--frozen`: both.
    pub frozen: bool,
}

/// The workspace, or those between which the references decide.
#[derive(Clone, Debug)]
pub struct Workspace {
    settings: Settings,
    cache: Cache,
    facts: Vec<Facts>,
    go_modules: Arc<OnceLock<GoModules>>,
}

/// A binary of a package: what a reference means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binary {
    /// The package's name.
    pub package: String,
    /// Cargo's own name for exactly this package.
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

/// Which features are switched on, as on Cargo's command line.
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
    /// What it shall run on.
    pub platform: Platform,
    /// The target, where it is not the one that follows from the platform.
    pub target: Option<TargetTriple>,
    /// Cargo's profile.
    pub profile: String,
    /// Cargo's features.
    pub features: Features,
    /// More arguments for `cargo build`.
    pub flags: Vec<String>,
    /// More flags for rustc, behind the user's own.
    pub rustflags: Vec<String>,
    /// Variables that go before those of the user's environment.
    pub environment: BTreeMap<String, String>,
    /// Whose wishes decide about the features of a shared dependency.
    pub unification: Unification,
    /// Whether the executable keeps what a debugger needs.
    pub debug: bool,
}

/// Whose wishes decide about the features of a dependency that packages share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unification {
    /// Only the package's: as if nothing else were built.
    #[default]
    Package,
    /// Those of all packages of the workspace.
    Workspace,
}

impl Build {
    /// A binary for a platform, compiled as nothing else says: release, default features.
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

    /// What rustc compiles for.
    pub fn target(&self) -> Result<TargetTriple, Error> {
        let target = self.target.clone().or_else(|| TargetTriple::for_platform(&self.platform));
        target.ok_or_else(|| Error::UnsupportedPlatform { platform: self.platform.clone() })
    }
}

/// What Cargo compiled.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// What was asked for.
    pub binary: Binary,
    /// What it runs on.
    pub platform: Platform,
    /// What rustc compiled for.
    pub target: TargetTriple,
    /// The executable, opened when Cargo named it: a later build may put another in its place.
    pub executable: OpenedFile,
}

impl Workspace {
    /// Finds the workspace. `wanted` decides between several, where settings or the repository have
    /// several.
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

    /// Keeps the workspaces that references point into. Without references nothing can be decided;
    /// with one that points nowhere all are kept, so that looking for it says where it was not.
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

    /// The root of the workspace; of the first, where there are several.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.facts.first().map_or(&self.settings.directory, |facts| &facts.root)
    }

    /// The folder in which Cargo builds for ko-rs, inside the target folder that Cargo reports; an
    /// editor's Cargo, which builds beside it, never waits for ko-rs or the other way round.
    #[must_use]
    pub fn target_directory(&self) -> PathBuf {
        let facts = self.facts.first();
        facts.map_or_else(|| self.settings.directory.join("target"), recipe::target_directory)
    }

    /// The binary that a reference of a manifest means.
    pub fn find(&self, reference: &CrateReference) -> Result<Binary, Error> {
        self.look_up(reference, false)
    }

    /// The binary that an argument of the command line means: as a reference, with a prefix or
    /// without, or a folder seen from the working directory.
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

    /// Every default binary; of a package without a default one, all.
    #[must_use]
    pub fn binaries(&self) -> Vec<Binary> {
        self.names().iter().flat_map(Names::binaries).collect()
    }

    /// All binaries, also those that are not the default of their package, and all examples.
    #[must_use]
    pub fn every_binary(&self) -> Vec<Binary> {
        self.names().iter().flat_map(Names::every_binary).collect()
    }

    /// Whether a package lies in the repository outside the workspaces that are open here.
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

    /// Compiles. Each build's artifact is handed over with the build's index as soon as it is there.
    /// A build that fails does not keep the others from being tried, so that all failures are seen.
    pub async fn compile(
        &self,
        builds: &[Build],
        report: &Reporter,
        on_artifact: &mut (dyn FnMut(usize, Artifact) + Send),
    ) -> Result<(), Error> {
        compile::compile(self, builds, report, on_artifact).await
    }

    /// What a build is made of, for the image's bill of materials.
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
