//! How Cargo is run for similar builds: with which arguments, in which environment.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use super::c::{self, Compiler};
use super::config::CargoConfig;
use super::facts::{EXAMPLES, Facts, Package};
use super::linker;
use super::paths;
use super::profile::Profile;
use super::remap::Prefixes;
use super::rustflags::{self, UserFlags};
use super::toolchain::Toolchain;
use super::tools;
use super::tools::Tools;
use super::{Build, Error, Features, Settings, TargetTriple, Unification, Workspace};
use crate::process::{self, Environment, Limits, variable};
use crate::report::Reporter;

/// Builds that differ only in the binary.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Alike<'a> {
    pub(crate) root: &'a PathBuf,
    pub(crate) target: TargetTriple,
    pub(crate) profile: &'a str,
    pub(crate) features: &'a Features,
    pub(crate) flags: &'a [String],
    pub(crate) rustflags: &'a [String],
    pub(crate) environment: &'a BTreeMap<String, String>,
    pub(crate) unification: Unification,
    pub(crate) debug: bool,
}

impl<'a> Alike<'a> {
    /// What a build shares with others.
    pub(crate) fn of(build: &'a Build) -> Result<Self, Error> {
        Ok(Self {
            root: &build.binary.workspace,
            target: build.target()?,
            profile: &build.profile,
            features: &build.features,
            flags: &build.flags,
            rustflags: &build.rustflags,
            environment: &build.environment,
            unification: build.unification,
            debug: build.debug,
        })
    }
}

/// The packages of one run of Cargo, each with its binaries.
pub(crate) type Packages = BTreeMap<String, BTreeSet<String>>;

/// What all runs of Cargo for similar builds have in common.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) root: PathBuf,
    pub(crate) target: TargetTriple,
    pub(crate) environment: Environment,
    pub(crate) compiler: Compiler,
    pub(crate) tools: Tools,
    pub(crate) rustc: Option<String>,
    pub(crate) unification: Unification,
    /// Whether only the default features of packages are enabled.
    pub(crate) default_features: bool,
    features: Vec<String>,
    members: Vec<Package>,
    /// Folders of this machine that no executable should contain.
    pub(crate) stray: Vec<String>,
    /// The folder with incremental caches, if there are any.
    pub(crate) incremental: Option<PathBuf>,
    target_directory: PathBuf,
    /// Cargo, by its name or its path.
    cargo: PathBuf,
    arguments: Vec<String>,
}

/// Cargo's target directory for ko-rs.
pub(crate) fn target_directory(facts: &Facts) -> PathBuf {
    facts.target_directory.join("ko-rs")
}

impl Recipe {
    /// Determines how similar builds are compiled, and installs their target if it is missing.
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
        let tools = Tools::of(&target_directory, target);
        let mut ours = linker::flags(target, &user, &toolchain, &environment, &tools, report)?;
        // The executables of a development loop leave this machine for a cluster on it at most.
        let is_dev = Profile::of(alike.profile, alike.debug) == Profile::Dev;
        if !is_dev {
            ours.extend(prefixes.rustflags());
        }
        let compiler = Compiler::choose(&environment, &config, target, &toolchain.host);
        let mut set = c::flags(&environment, &config, target, &prefixes.cflags());
        set.extend(compiler.variables(target, &tools)?);
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
        let found = toolchain.cargo(&facts.root, &environment);
        let (cargo, set) = found.unwrap_or_else(|| ("cargo".into(), Environment::new()));
        environment.extend(set);
        Ok(Recipe {
            root: facts.root.clone(),
            target: target.clone(),
            compiler,
            tools,
            rustc: toolchain.release,
            unification: alike.unification,
            default_features: *alike.features == Features::default(),
            features: alike.features.list.clone(),
            members: facts.packages.clone(),
            stray: if is_dev { Vec::new() } else { paths::worth_looking_for(prefixes.folders()) },
            incremental: is_dev.then(|| target_directory.join(target.as_str()).join(alike.profile)),
            arguments: arguments(settings, locked, alike),
            environment,
            target_directory,
            cargo,
        })
    }

    /// `cargo build` for some packages, without the flags for its output.
    pub(crate) fn cargo(&self, packages: &Packages) -> Command {
        let mut command = process::command(&self.cargo, &self.environment, &self.root);
        command.env(tools::RUN, tools::run());
        command.arg("build").arg("--target-dir").arg(&self.target_directory);
        command.args(&self.arguments);
        match self.unification {
            Unification::Package => {
                for package in packages.keys() {
                    command.args(["-p", &specification(package)]);
                }
                if !self.features.is_empty() {
                    command.args(["--features", &self.features.join(",")]);
                }
            }
            Unification::Workspace => {
                command.arg("--workspace");
                for other in self.namesakes(packages) {
                    command.args(["--exclude", other]);
                }
                for feature in self.features_by_package(packages) {
                    command.args(["--features", &feature]);
                }
            }
        }
        for bin in packages.values().flatten().collect::<BTreeSet<_>>() {
            match bin.strip_prefix(EXAMPLES) {
                Some(example) => command.args(["--example", example]),
                None => command.args(["--bin", bin]),
            };
        }
        command
    }

    /// The same command with the features of the whole workspace.
    pub(crate) fn beside_all(&self) -> Self {
        Self { unification: Unification::Workspace, ..self.clone() }
    }

    /// Packages with a binary that has the name of a requested one: `--bin` would select both.
    fn namesakes<'a>(&'a self, packages: &'a Packages) -> impl Iterator<Item = &'a str> {
        let wanted = |bin: &String| packages.values().any(|bins| bins.contains(bin));
        let others = self.members.iter().filter(|member| !packages.contains_key(&member.id));
        others.filter(move |member| member.programs().any(wanted)).map(|member| &*member.name)
    }

    /// Features, enabled only for the packages that request them.
    fn features_by_package(&self, packages: &Packages) -> Vec<String> {
        let members = self.members.iter().filter(|member| packages.contains_key(&member.id));
        let of = |member: &Package| {
            let own = self.features.iter().map(|feature| match feature.contains('/') {
                true => feature.clone(),
                false => format!("{}/{feature}", member.name),
            });
            own.collect::<Vec<_>>()
        };
        members.flat_map(of).collect()
    }

    /// The arguments that forbid downloads or changes of the lock file.
    pub(crate) fn lock_arguments(&self) -> impl Iterator<Item = &String> {
        let known = ["--locked", "--offline", "--frozen"];
        self.arguments.iter().filter(move |argument| known.contains(&argument.as_str()))
    }

    /// The arguments that determine what is compiled.
    pub(crate) fn arguments(&self) -> &[String] {
        &self.arguments
    }
}

/// The value of `-p` for a package. Package IDs are valid values since Cargo 1.77; before, they
/// were `name version (source)`.
pub(crate) fn specification(package_id: &str) -> String {
    let mut words = package_id.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some(name), Some(version), Some(_)) => format!("{name}@{version}"),
        _ => package_id.to_owned(),
    }
}

/// Whether this runs in CI, where no one would commit a changed lock file.
fn in_ci(environment: &Environment) -> bool {
    variable(environment, "CI").is_some_and(|ci| !matches!(ci, "" | "0" | "false"))
}

fn arguments(settings: &Settings, locked: bool, alike: &Alike<'_>) -> Vec<String> {
    let mut arguments = vec!["--target".to_owned(), alike.target.as_str().to_owned()];
    let profile = Profile::of(alike.profile, alike.debug);
    for value in profile.definition() {
        arguments.extend(["--config".to_owned(), value]);
    }
    arguments.extend(["--profile".to_owned(), profile.name().to_owned()]);
    let features = alike.features;
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

/// Whether the standard library is compiled too, so that it need not be installed.
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
    if offline || process::find("rustup", environment).is_none() {
        return Err(Error::MissingTarget { target: target.clone(), sysroot, offline });
    }
    report.note(format!("adding the Rust target `{0}` (`rustup target add {0}`)", target.as_str()));
    let mut command = process::command("rustup", environment, &facts.root);
    command.args(["target", "add", target.as_str()]);
    process::output(command, Limits::default()).await?.checked()?;
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
