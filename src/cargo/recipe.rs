//! How Cargo is run for builds that are alike: with which arguments, in which environment.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use super::c::{self, Compiler};
use super::config::CargoConfig;
use super::facts::Facts;
use super::group::{self, Progress};
use super::program::{self, Environment, variable};
use super::remap::Prefixes;
use super::rustflags::{self, UserFlags};
use super::toolchain::Toolchain;
use super::{Build, Error, Features, Settings, TargetTriple, Workspace};
use crate::report::Reporter;

/// Builds that differ in nothing but the binary.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Alike<'a> {
    pub(crate) root: &'a PathBuf,
    pub(crate) target: TargetTriple,
    pub(crate) profile: &'a str,
    pub(crate) features: &'a Features,
    pub(crate) flags: &'a [String],
    pub(crate) rustflags: &'a [String],
    pub(crate) environment: &'a BTreeMap<String, String>,
}

impl<'a> Alike<'a> {
    /// What a build has in common with others.
    pub(crate) fn of(build: &'a Build) -> Result<Self, Error> {
        Ok(Self {
            root: &build.binary.workspace,
            target: build.target()?,
            profile: &build.profile,
            features: &build.features,
            flags: &build.flags,
            rustflags: &build.rustflags,
            environment: &build.environment,
        })
    }
}

/// The packages of one run of Cargo, each with its binaries.
pub(crate) type Packages = BTreeMap<String, BTreeSet<String>>;

/// All that runs of Cargo for alike builds have in common.
pub(crate) struct Recipe {
    pub(crate) root: PathBuf,
    pub(crate) target: TargetTriple,
    pub(crate) environment: Environment,
    pub(crate) compiler: Compiler,
    pub(crate) rustc: Option<String>,
    target_directory: PathBuf,
    arguments: Vec<String>,
}

/// Cargo's target folder for ko-rs.
pub(crate) fn target_directory(facts: &Facts) -> PathBuf {
    facts.target_directory.join("ko-rs")
}

impl Recipe {
    /// Works out how alike builds are made; sees to it that their target is there.
    pub(crate) async fn make(
        workspace: &Workspace,
        facts: &Facts,
        alike: &Alike<'_>,
        report: &Reporter,
    ) -> Result<Recipe, Error> {
        let settings = &workspace.settings;
        let target = &alike.target;
        let mut environment = settings.environment.clone();
        let own = alike.environment.iter();
        environment.extend(own.map(|(name, value)| (OsString::from(name), OsString::from(value))));
        let config = CargoConfig::read(&facts.root, &environment, alike.flags)?;
        let toolchain =
            Toolchain::find(&facts.root, target, &environment, &config, &workspace.cache)?;
        let cfg = toolchain.cfg();
        let user = UserFlags::find(&environment, &config, target, &cfg, alike.rustflags);
        user.check()?;
        if !builds_std(&config, alike.flags, &environment) {
            add_target(settings, facts, target, &toolchain, &environment, report).await?;
        }
        let target_directory = target_directory(facts);
        let prefixes = Prefixes::of(facts, &target_directory, &toolchain, &environment);
        let mut ours = linking(target, &user, &toolchain, report);
        ours.extend(prefixes.rustflags());
        let compiler = Compiler::choose(&environment, &config, target, &toolchain.host);
        let mut set = c::flags(&environment, &config, target, &prefixes.cflags());
        set.extend(compiler.variables(target));
        set.insert("CARGO_ENCODED_RUSTFLAGS".to_owned(), rustflags::encode(&user.extended(ours)));
        set.insert(
            "CARGO_BUILD_BUILD_DIR".to_owned(),
            target_directory.to_string_lossy().into_owned(),
        );
        if variable(&environment, "SOURCE_DATE_EPOCH").is_none_or(str::is_empty) {
            set.insert("SOURCE_DATE_EPOCH".to_owned(), "0".to_owned());
        }
        let locked = settings.locked || in_ci(&environment);
        environment.extend(set.into_iter().map(|(name, value)| (name.into(), value.into())));
        Ok(Recipe {
            root: facts.root.clone(),
            target: target.clone(),
            compiler,
            rustc: toolchain.release,
            arguments: arguments(settings, locked, alike),
            environment,
            target_directory,
        })
    }

    /// `cargo build` of some packages, with everything but where its output goes.
    pub(crate) fn cargo(&self, packages: &Packages) -> Command {
        let mut command = program::command("cargo", &self.environment, &self.root);
        command.arg("build").arg("--target-dir").arg(&self.target_directory);
        command.args(&self.arguments);
        for package in packages.keys() {
            command.args(["-p", &specification(package)]);
        }
        for bin in packages.values().flatten().collect::<BTreeSet<_>>() {
            command.args(["--bin", bin]);
        }
        command
    }

    /// The arguments that forbid to fetch or to write the lock file.
    pub(crate) fn lock_arguments(&self) -> impl Iterator<Item = &String> {
        let known = ["--locked", "--offline", "--frozen"];
        self.arguments.iter().filter(move |argument| known.contains(&argument.as_str()))
    }

    /// The arguments that decide what is compiled.
    pub(crate) fn arguments(&self) -> &[String] {
        &self.arguments
    }
}

/// What `-p` takes for a package. Cargo's own names are that since 1.77; before, they were
/// `name version (source)`.
pub(crate) fn specification(package_id: &str) -> String {
    let mut words = package_id.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some(name), Some(version), Some(_)) => format!("{name}@{version}"),
        _ => package_id.to_owned(),
    }
}

/// Whether this runs where nobody is there to commit a changed lock file.
fn in_ci(environment: &Environment) -> bool {
    variable(environment, "CI").is_some_and(|ci| !matches!(ci, "" | "0" | "false"))
}

fn arguments(settings: &Settings, locked: bool, alike: &Alike<'_>) -> Vec<String> {
    let mut arguments = vec!["--target".to_owned(), alike.target.to_string()];
    arguments.extend(["--profile".to_owned(), alike.profile.to_owned()]);
    let features = alike.features;
    if !features.list.is_empty() {
        arguments.extend(["--features".to_owned(), features.list.join(",")]);
    }
    let switches = [
        (features.no_default, "--no-default-features"),
        (features.all, "--all-features"),
        (locked, "--locked"),
        (settings.offline, "--offline"),
        (settings.frozen, "--frozen"),
    ];
    arguments.extend(switches.iter().filter(|(on, _)| *on).map(|(_, flag)| (*flag).to_owned()));
    arguments.extend(alike.flags.iter().cloned());
    arguments
}

/// Flags that make a musl executable static and link it by what comes with rustc.
fn linking(
    target: &TargetTriple,
    user: &UserFlags,
    toolchain: &Toolchain,
    report: &Reporter,
) -> Vec<String> {
    if !target.is_musl() {
        return Vec::new();
    }
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
    if let Some(why) = user.own_linker() {
        report.detail(format!("linked by your own linker: `{}` ({})", why.value, why.place));
    } else if toolchain.has_lld() {
        flags.extend(["-Clinker=rust-lld".to_owned(), "-Clinker-flavor=ld.lld".to_owned()]);
    } else {
        report.warn(
            format!(
                "`{}` has no rust-lld, so the system's linker links",
                toolchain.sysroot.display()
            ),
            Some("install Rust with rustup (https://rustup.rs)".to_owned()),
        );
    }
    flags
}

/// Whether the standard library is compiled too, so that none need be installed.
fn builds_std(config: &CargoConfig, flags: &[String], environment: &Environment) -> bool {
    flags.iter().any(|flag| flag.contains("build-std"))
        || config.has(&["unstable", "build-std"])
        || variable(environment, "CARGO_UNSTABLE_BUILD_STD").is_some()
}

async fn add_target(
    settings: &Settings,
    facts: &Facts,
    target: &TargetTriple,
    toolchain: &Toolchain,
    environment: &Environment,
    report: &Reporter,
) -> Result<(), Error> {
    if toolchain.has_std(target) {
        return Ok(());
    }
    let offline = settings.offline || settings.frozen;
    let sysroot = toolchain.sysroot.clone();
    if offline || program::on_path("rustup", environment).is_none() {
        return Err(Error::MissingTarget { target: target.clone(), sysroot, offline });
    }
    report.note(format!("adding the Rust target `{target}` (`rustup target add {target}`)"));
    let mut command = program::command("rustup", environment, &facts.root);
    command.args(["target", "add", target.as_str()]);
    group::output(command, Progress::Hidden).await?.checked()?;
    if toolchain.has_std(target) {
        Ok(())
    } else {
        Err(Error::MissingTarget { target: target.clone(), sysroot, offline: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_as_each_cargo_takes_them() {
        for id in ["path+file:///a%20b/c#0.1.0", "registry+https://x/y#ring@0.17.14"] {
            assert_eq!(specification(id), id);
        }
        assert_eq!(specification("a 0.1.0 (path+file:///a)"), "a@0.1.0");
    }

    #[test]
    fn ci_is_not_what_says_that_it_is_not() {
        let ci = |value: &str| in_ci(&[("CI".into(), value.into())].into());
        assert!(ci("true") && ci("1") && ci("woodpecker"));
        assert!(!ci("") && !ci("false") && !ci("0") && !in_ci(&Environment::new()));
    }
}
