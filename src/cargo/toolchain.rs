//! The toolchain that Cargo uses in a workspace: the location of its parts, and facts about a
//! target.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use cargo_metadata::cargo_platform::Cfg;
use serde::{Deserialize, Serialize};

use super::config::CargoConfig;
use super::program;
use super::stamps::{self, Stamps};
use super::{Error, TargetTriple};
use crate::cache::Cache;
use crate::oci::Digest;
use crate::process::{self, Environment, variable};

const KIND: &str = "cargo-toolchain";

/// Facts about rustc for one target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Toolchain {
    /// Where the standard library, `rust-lld` and possibly `rust-src` are.
    pub(crate) sysroot: PathBuf,
    /// The host triple of rustc.
    pub(crate) host: String,
    /// The commit that rustc was built from, if known.
    commit: Option<String>,
    /// rustc's version.
    pub(crate) release: Option<String>,
    cfg: Vec<String>,
    /// Its name in rustup, if rustup selected it.
    name: Option<String>,
    stamps: Stamps,
}

impl Toolchain {
    /// Finds the toolchain of a workspace, from the cache if nothing that it depends on has
    /// changed.
    pub(crate) fn find(
        root: &Path,
        target: &TargetTriple,
        environment: &Environment,
        config: &CargoConfig,
        cache: &Cache,
    ) -> Result<Self, Error> {
        let rustc = rustc(environment, config);
        let key = format!(
            "{}\n{}\n{rustc}\n{}",
            root.display(),
            target.as_str(),
            program::relevant(environment)
        );
        let key = Digest::of(key.as_bytes());
        let known = cache.record::<Self>(KIND, &key);
        if let Some(toolchain) = known.filter(|toolchain| toolchain.stamps.is_unchanged()) {
            return Ok(toolchain);
        }
        let now = cache.root().and_then(|root| stamps::now(&root.join("tmp")));
        let toolchain = Self::ask(root, target, environment, &rustc)?;
        if now.is_some_and(|now| toolchain.stamps.is_settled(now)) {
            // A failure to cache the result does not affect this run.
            let _ = cache.put_record(KIND, &key, &toolchain);
        }
        Ok(toolchain)
    }

    fn ask(
        root: &Path,
        target: &TargetTriple,
        environment: &Environment,
        rustc: &str,
    ) -> Result<Self, Error> {
        let run = |arguments: &[&str]| {
            let mut command = process::command(rustc, environment, root);
            command.args(arguments);
            process::capture(command)
        };
        let version = run(&["-vV"])?;
        let field = |name: &str| {
            let line = version.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.filter(|value| *value != "unknown").map(str::to_owned)
        };
        let printed = run(&["--print", "sysroot", "--print", "cfg", "--target", target.as_str()])?;
        let (sysroot, cfg) = printed.split_once('\n').unwrap_or((&printed, ""));
        let sysroot = PathBuf::from(sysroot);
        let mut stamps = Stamps::default();
        for name in ["rustc", "cargo"] {
            stamps.content(
                sysroot.join("bin").join(format!("{name}{}", std::env::consts::EXE_SUFFIX)),
            );
        }
        for folder in root.ancestors() {
            stamps.content(folder.join("rust-toolchain.toml"));
            stamps.content(folder.join("rust-toolchain"));
        }
        if let Some(home) = program::rustup_home(environment, root) {
            stamps.content(home.join("settings.toml"));
        }
        if let Some(program) = process::find(rustc, environment) {
            stamps.content(program);
        }
        let name = name_by_rustup(root, environment, rustc, &sysroot, &mut stamps);
        Ok(Self {
            sysroot,
            name,
            host: field("host").unwrap_or_default(),
            commit: field("commit-hash"),
            release: field("release"),
            cfg: cfg.lines().map(str::to_owned).collect(),
            stamps,
        })
    }

    /// The `cfg(…)` values of the target.
    pub(crate) fn cfg(&self) -> Vec<Cfg> {
        self.cfg.iter().filter_map(|cfg| cfg.parse().ok()).collect()
    }

    /// Whether the standard library of a target is installed.
    pub(crate) fn has_std(&self, target: &TargetTriple) -> bool {
        let folder = self.sysroot.join("lib/rustlib").join(target.as_str()).join("lib");
        let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        entries.map(|entry| entry.file_name()).any(|name| {
            name.to_str()
                .is_some_and(|name| name.starts_with("libstd-") || name.starts_with("libcore-"))
        })
    }

    /// Cargo itself where `cargo` is a proxy of rustup, and the variables that the proxy would set:
    /// it needs a third of the time of a no-op build to find what is known here. `None` if anything
    /// but rustup decides.
    pub(crate) fn cargo(
        &self,
        root: &Path,
        environment: &Environment,
    ) -> Option<(PathBuf, Environment)> {
        let name = self.name.as_ref()?;
        if !program::is_rustup_proxy("cargo", environment) {
            return None;
        }
        let home = program::rustup_home(environment, root)?;
        let folder = home.join("toolchains").join(name);
        let mut libraries = folder.join("lib").into_os_string();
        let before = environment.get(OsStr::new("LD_LIBRARY_PATH"));
        if let Some(before) = before.filter(|before| !before.is_empty()) {
            libraries.push(":");
            libraries.push(before);
        }
        let mut set = Environment::from([
            ("RUSTUP_TOOLCHAIN".into(), name.into()),
            ("RUSTUP_HOME".into(), home.into()),
            ("LD_LIBRARY_PATH".into(), libraries),
        ]);
        if let Some(home) = program::cargo_home(environment, root) {
            set.insert("CARGO_HOME".into(), home.into());
        }
        Some((folder.join("bin/cargo"), set))
    }

    /// Whether the toolchain contains `rust-lld`; those of some distributions do not.
    pub(crate) fn has_lld(&self) -> bool {
        let name = format!("rust-lld{}", std::env::consts::EXE_SUFFIX);
        self.sysroot.join("lib/rustlib").join(&self.host).join("bin").join(name).is_file()
    }

    /// The sources of the standard library, and the name that rustc gives them where they are not
    /// installed, so that executables do not depend on whether they are.
    pub(crate) fn sources(&self) -> Option<(PathBuf, String)> {
        let commit = self.commit.as_ref()?;
        Some((self.sysroot.join("lib/rustlib/src/rust"), format!("/rustc/{commit}")))
    }
}

/// The name in rustup of the toolchain with this sysroot, if rustup selected it and it is in one
/// folder. The files that decide this are recorded in `stamps`.
fn name_by_rustup(
    root: &Path,
    environment: &Environment,
    rustc: &str,
    sysroot: &Path,
    stamps: &mut Stamps,
) -> Option<String> {
    // On other systems the proxy sets other variables.
    let usual = cfg!(target_os = "linux") && rustc == "rustc";
    if !usual || !program::is_rustup_proxy("rustc", environment) {
        return None;
    }
    let mut command = process::command("rustup", environment, root);
    command.args(["show", "active-toolchain"]);
    let shown = process::capture(command).ok()?;
    let name = shown.split_whitespace().next()?;
    let toolchains = program::rustup_home(environment, root)?.join("toolchains");
    // A toolchain that is selected by its path has no name.
    if Path::new(name).components().count() != 1 {
        return None;
    }
    for program in ["rustc", "cargo"] {
        let file = toolchains.join(name).join("bin").join(program);
        if !process::are_same(&file, &sysroot.join("bin").join(program)) {
            return None;
        }
        stamps.content(file);
    }
    Some(name.to_owned())
}

/// The compiler that Cargo would run.
fn rustc(environment: &Environment, config: &CargoConfig) -> String {
    let set =
        ["RUSTC", "CARGO_BUILD_RUSTC"].into_iter().find_map(|name| variable(environment, name));
    set.map(str::to_owned)
        .or_else(|| config.text(&["build", "rustc"]).map(|rustc| rustc.value))
        .unwrap_or_else(|| "rustc".to_owned())
}
