//! How each binary is built: what holds for everything, for one crate, and by default.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::error::{Error, Stranger};
use super::templates::Volatile;
use crate::cargo::{self, Binary, Build, Features, TargetTriple, Unification, Workspace};
use crate::image::{BaseName, FileRule, Recipe};
use crate::manifests::Asks;
use crate::oci::platform::InvalidPlatform;
use crate::oci::{CapabilityClause, Platform};
use crate::reference::{ImportPath, did_you_mean};
use crate::template::{self, Values};

/// What may be said about a build; what is not said is decided by the next source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partial {
    /// Cargo's profile.
    pub profile: Option<String>,
    /// The platforms.
    pub platforms: Option<Platforms>,
    /// The base image.
    pub base: Option<BaseName>,
    /// Targets in place of the platforms' own: of several, each platform takes the one for it.
    pub targets: Option<Vec<TargetTriple>>,
    /// `--features`.
    pub features: Option<Vec<String>>,
    /// More arguments for `cargo build`.
    pub flags: Option<Vec<String>>,
    /// More flags for rustc.
    pub rustflags: Option<Vec<String>>,
    /// Variables for Cargo.
    pub environment: Option<BTreeMap<String, String>>,
    /// The image's user.
    pub user: Option<String>,
    /// The executable's arguments.
    pub args: Option<Vec<String>>,
    /// The container's working directory.
    pub working_directory: Option<String>,
    /// The container's environment; of several sources all count.
    pub image_environment: BTreeMap<String, String>,
    /// Labels; of several sources all count.
    pub labels: BTreeMap<String, String>,
    /// Annotations; of several sources all count.
    pub annotations: BTreeMap<String, String>,
    /// What the executable may do when it is run.
    pub capabilities: Option<Vec<CapabilityClause>>,
    /// Ports; of several sources all count.
    pub ports: Vec<String>,
    /// Files; of several sources all count.
    pub files: Vec<FileRule>,
}

/// For which platforms something is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Platforms {
    /// All that its base has and rustc can compile for.
    All,
    /// These.
    These(Vec<Platform>),
}

impl Platforms {
    /// Reads a list: platforms, or `all`.
    pub fn parse(texts: &[String]) -> Result<Self, InvalidPlatform> {
        match texts {
            [all] if all == "all" => Ok(Self::All),
            texts => {
                texts.iter().map(|text| text.parse()).collect::<Result<_, _>>().map(Self::These)
            }
        }
    }

    fn are_several(&self) -> bool {
        match self {
            Self::All => true,
            Self::These(platforms) => platforms.len() > 1,
        }
    }
}

/// What is said about one crate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildRule {
    /// A name for messages: `builds[].id`, or its place in the settings file.
    pub id: String,
    /// The package it is about.
    pub package: Option<String>,
    /// The binary it is about; without it, all of the package.
    pub bin: Option<String>,
    /// The package's folder, instead of its name.
    pub folder: Option<PathBuf>,
    /// What is said.
    pub partial: Partial,
}

/// All that is said about builds. Flags and variables go before a crate's own settings, and those
/// before the defaults.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// For everything: flags and variables.
    pub everything: Partial,
    /// By crate.
    pub builds: Vec<BuildRule>,
    /// Base images by crate: a package, a folder or an import path.
    pub base_overrides: BTreeMap<String, BaseName>,
    /// By default.
    pub defaults: Partial,
    /// `--all-features`.
    pub all_features: bool,
    /// `--no-default-features`.
    pub no_default_features: bool,
    /// When images say they were created, in seconds since 1970.
    pub created: i64,
    /// When data says it was modified.
    pub data_modified: u64,
    /// The Git root, which data's symbolic links may not leave.
    pub repository_root: Option<PathBuf>,
    /// What templates stand for.
    pub values: Values,
    /// The tag that keeps each image: a template.
    pub keep_tag: Option<String>,
    /// Templates that are something else with every commit.
    pub volatile: Vec<Volatile>,
    /// Whether executables are held against their base.
    pub link_check: bool,
    /// What lints ask of the images of these binaries.
    pub asked: BTreeMap<ImportPath, Asks>,
    /// Whose wishes decide about the features of shared dependencies.
    pub unification: Unification,
    /// `--debug`.
    pub debug: bool,
}

/// How one binary is built: complete.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) binary: Binary,
    pub(super) platforms: Vec<Platform>,
    pub(super) base: BaseName,
    pub(super) builds: Vec<Build>,
    pub(super) recipe: Recipe,
}

impl BuildRule {
    fn is_about(&self, binary: &Binary) -> bool {
        self.package.as_ref().is_none_or(|package| *package == binary.package)
            && self.folder.as_ref().is_none_or(|folder| *folder == binary.folder)
            && self.bin.as_ref().is_none_or(|bin| *bin == binary.bin)
    }
}

impl Rules {
    /// Whether some image may be asked for on several platforms at once.
    #[must_use]
    pub fn ask_for_several_platforms(&self) -> bool {
        let builds = self.builds.iter().map(|rule| &rule.partial);
        let asked = match &self.everything.platforms {
            Some(_) => vec![&self.everything],
            None => builds.chain([&self.defaults]).collect(),
        };
        asked
            .into_iter()
            .filter_map(|partial| partial.platforms.as_ref())
            .any(Platforms::are_several)
    }

    /// Whether flags, variables or defaults say for which platforms everything is built.
    pub(super) fn platforms_are_set(&self) -> bool {
        self.everything.platforms.is_some() || self.defaults.platforms.is_some()
    }

    /// Refuses settings for crates and binaries that are nowhere: what is misspelt there would
    /// otherwise change nothing and say nothing. What lies in another workspace of the repository may
    /// be built another time.
    pub(super) fn check(&self, workspace: &Workspace) -> Result<(), Error> {
        let binaries = workspace.every_binary();
        let mut strangers = Vec::new();
        for rule in &self.builds {
            if binaries.iter().any(|binary| rule.is_about(binary)) {
                continue;
            }
            let package = BuildRule { bin: None, ..rule.clone() };
            let near: Vec<&Binary> =
                binaries.iter().filter(|binary| package.is_about(binary)).collect();
            let is_elsewhere = || match (&rule.folder, &rule.package) {
                (Some(folder), _) => folder.join("Cargo.toml").is_file(),
                (None, Some(package)) => workspace.is_elsewhere(package),
                (None, None) => true,
            };
            let (missing, suggestion) = match &rule.bin {
                Some(bin) if !near.is_empty() => (
                    format!("`{}` has no binary `{bin}`", near[0].package),
                    did_you_mean(bin, near.iter().map(|binary| binary.bin.as_str())),
                ),
                _ if near.is_empty() && !is_elsewhere() => match (&rule.package, &rule.folder) {
                    (Some(package), _) => (
                        format!("there is no package `{package}` with a binary"),
                        did_you_mean(package, binaries.iter().map(|b| b.package.as_str())),
                    ),
                    (None, Some(folder)) => {
                        (format!("there is no package in `{}`", folder.display()), None)
                    }
                    (None, None) => continue,
                },
                _ => continue,
            };
            strangers.push(Stranger { id: rule.id.clone(), missing, suggestion });
        }
        if strangers.is_empty() { Ok(()) } else { Err(Error::Strangers(strangers)) }
    }

    /// What is said about a binary, the most binding first, so that the first that says something
    /// decides.
    fn layers(&self, binary: &Binary) -> Vec<&Partial> {
        let about = self.builds.iter().filter(|rule| rule.is_about(binary));
        std::iter::once(&self.everything)
            .chain(about.map(|rule| &rule.partial))
            .chain(std::iter::once(&self.defaults))
            .collect()
    }

    /// On what and for which platforms a binary is built, where something says so.
    pub(super) fn wanted(&self, binary: &Binary) -> (BaseName, Option<Platforms>) {
        let layers = self.layers(binary);
        (self.base(binary, &layers), first(&layers, |p| p.platforms.clone()))
    }

    /// Of a base's platforms, those that a binary can be compiled for.
    pub(super) fn possible(&self, binary: &Binary, offered: Vec<Platform>) -> Vec<Platform> {
        let targets = first(&self.layers(binary), |p| p.targets.clone());
        let can = |platform: &Platform| match &targets {
            Some(targets) => targets.iter().any(|target| target.fits(platform)),
            None => TargetTriple::for_platform(platform).is_some(),
        };
        offered.into_iter().filter(can).collect()
    }

    /// How a binary is built for platforms.
    pub(super) fn order(
        &self,
        binary: &Binary,
        mut platforms: Vec<Platform>,
    ) -> Result<Order, cargo::Error> {
        let layers = self.layers(binary);
        // One that is asked for twice is one; their order is the index's.
        let mut seen = BTreeSet::new();
        platforms.retain(|platform| seen.insert(platform.clone()));
        let base = self.base(binary, &layers);
        let targets = first(&layers, |p| p.targets.clone());
        let build = |platform: &Platform| Build {
            target: None,
            profile: first(&layers, |p| p.profile.clone()).unwrap_or_else(|| "release".to_owned()),
            features: Features {
                list: first(&layers, |p| p.features.clone()).unwrap_or_default(),
                no_default: self.no_default_features,
                all: self.all_features,
            },
            flags: first(&layers, |p| p.flags.clone()).unwrap_or_default(),
            rustflags: first(&layers, |p| p.rustflags.clone()).unwrap_or_default(),
            environment: first(&layers, |p| p.environment.clone()).unwrap_or_default(),
            unification: self.unification,
            debug: self.debug,
            ..Build::new(binary.clone(), platform.clone())
        };
        let mut builds: Vec<Build> = platforms.iter().map(build).collect();
        for build in &mut builds {
            let platform = build.platform.clone();
            if let Some(targets) = &targets {
                let target = targets.iter().find(|target| target.fits(&platform)).cloned();
                build.target = Some(target.ok_or_else(|| cargo::Error::Contradiction {
                    targets: targets.clone(),
                    platform,
                })?);
            } else if !build.target()?.is_musl()
                && matches!(base, BaseName::Static | BaseName::Scratch)
            {
                return Err(cargo::Error::NeedsGlibc { platform });
            }
        }
        let recipe = self.recipe(binary, &layers);
        Ok(Order { builds, recipe, binary: binary.clone(), platforms, base })
    }

    /// Which of the templates that change with every commit count for a binary, by their numbers:
    /// those that are said for it and that nothing more binding stands before.
    pub(super) fn volatile_for(&self, binary: &Binary) -> Vec<usize> {
        let layers = self.layers(binary);
        let lists = [
            first(&layers, |p| p.flags.clone()),
            first(&layers, |p| p.rustflags.clone()),
            first(&layers, |p| p.args.clone()),
        ];
        let maps = |partial: &Partial| {
            [&partial.image_environment, &partial.labels, &partial.annotations]
                .map(|map| map.values().cloned().collect())
        };
        let environment = first(&layers, |p| p.environment.clone()).unwrap_or_default();
        let texts = lists.into_iter().flatten().chain(layers.into_iter().flat_map(maps)).flatten();
        let names: BTreeSet<String> = texts
            .chain(environment.into_values())
            .filter(|text| template::is_template(text))
            .flat_map(|text| template::volatile(&text))
            .collect();
        let is_said = |volatile: &Volatile| {
            let build = volatile.build.map(|at| self.builds.get(at));
            build.is_none_or(|rule| rule.is_some_and(|rule| rule.is_about(binary)))
                && names.contains(&volatile.name)
        };
        (0..self.volatile.len()).filter(|at| is_said(&self.volatile[*at])).collect()
    }

    fn base(&self, binary: &Binary, layers: &[&Partial]) -> BaseName {
        let (defaults, before) = layers.split_last().unzip();
        let overridden = || {
            let path = binary.import_path.to_string();
            let folder = binary.folder.strip_prefix(&binary.workspace).ok()?.to_str()?;
            [path.as_str(), folder, &binary.package].iter().find_map(|name| {
                let same = |(key, _): &(&String, _)| key.eq_ignore_ascii_case(name);
                self.base_overrides.iter().find(same).map(|(_, base)| base.clone())
            })
        };
        first(before.unwrap_or_default(), |p| p.base.clone())
            .or_else(overridden)
            .or_else(|| defaults.and_then(|p| p.base.clone()))
            .unwrap_or(BaseName::Static)
    }

    fn recipe(&self, binary: &Binary, layers: &[&Partial]) -> Recipe {
        let data = binary.folder.join("kodata");
        // The least binding first: a later source puts its value over an earlier one's.
        let merged = |of: fn(&Partial) -> &BTreeMap<String, String>| {
            let pairs = layers.iter().rev().flat_map(|partial| of(partial));
            pairs.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        Recipe {
            args: first(layers, |p| p.args.clone()),
            environment: merged(|p| &p.image_environment),
            user: first(layers, |p| p.user.clone()),
            working_directory: first(layers, |p| p.working_directory.clone()),
            labels: merged(|p| &p.labels),
            annotations: merged(|p| &p.annotations),
            capabilities: first(layers, |p| p.capabilities.clone()).unwrap_or_default(),
            ports: layers.iter().rev().flat_map(|p| p.ports.clone()).collect(),
            files: layers.iter().rev().flat_map(|p| p.files.clone()).collect(),
            created: self.created,
            data_modified: self.data_modified,
            data: data.is_dir().then_some(data),
            repository_root: self.repository_root.clone(),
            without_link_check: !self.link_check,
        }
    }
}

fn first<T>(layers: &[&Partial], of: impl Fn(&Partial) -> Option<T>) -> Option<T> {
    layers.iter().find_map(|partial| of(partial))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary() -> Binary {
        Binary {
            package: "link".into(),
            package_id: "path+file:///w/svc/link#0.1.0".into(),
            bin: "link".into(),
            import_path: ImportPath::new("github.com/a/b/svc/link", None),
            folder: "/w/svc/link".into(),
            workspace: "/w".into(),
            version: "0.1.0".into(),
            repository: None,
            license: None,
        }
    }

    fn profile(name: &str) -> Partial {
        Partial { profile: Some(name.into()), ..Partial::default() }
    }

    #[test]
    fn a_flag_goes_before_the_crate_s_own_and_that_before_the_default() {
        let rule = |package: &str, name| BuildRule {
            package: Some(package.into()),
            partial: profile(name),
            ..BuildRule::default()
        };
        let mut rules = Rules {
            everything: profile("flag"),
            builds: vec![rule("other", "no"), rule("link", "build")],
            defaults: profile("default"),
            ..Rules::default()
        };
        let chosen = |rules: &Rules| {
            rules.order(&binary(), vec![Platform::linux("amd64")]).unwrap().builds[0]
                .profile
                .clone()
        };
        assert_eq!(chosen(&rules), "flag");
        rules.everything = Partial::default();
        assert_eq!(chosen(&rules), "build");
        rules.builds.pop();
        assert_eq!(chosen(&rules), "default");
        rules.defaults = Partial::default();
        assert_eq!(chosen(&rules), "release");
    }

    #[test]
    fn a_base_is_overridden_by_package_folder_or_import_path() {
        for key in ["link", "svc/link", "GitHub.com/a/b/svc/link"] {
            let rules = Rules {
                base_overrides: BTreeMap::from([(key.to_owned(), BaseName::Scratch)]),
                defaults: Partial { base: Some(BaseName::Static), ..Partial::default() },
                ..Rules::default()
            };
            assert_eq!(
                rules.order(&binary(), Vec::new()).unwrap().base,
                BaseName::Scratch,
                "{key}"
            );
        }
    }

    #[test]
    fn labels_of_all_sources_count_and_the_most_binding_wins() {
        let labels = |pairs: &[(&str, &str)]| Partial {
            labels: pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            ..Partial::default()
        };
        let rules = Rules {
            everything: labels(&[("a", "flag")]),
            defaults: labels(&[("a", "default"), ("b", "default")]),
            ..Rules::default()
        };
        let expected =
            BTreeMap::from([("a".into(), "flag".into()), ("b".into(), "default".into())]);
        assert_eq!(rules.order(&binary(), Vec::new()).unwrap().recipe.labels, expected);
    }

    #[test]
    fn a_template_counts_for_the_builds_that_take_it() {
        let flags = |flags: &str| Partial { flags: Some(vec![flags.into()]), ..Partial::default() };
        let rule = |package: &str, partial| BuildRule {
            package: Some(package.into()),
            partial,
            ..BuildRule::default()
        };
        let volatile = |build| Volatile {
            build,
            key: "flags".into(),
            name: "Date".into(),
            excerpt: String::new(),
        };
        let mut rules = Rules {
            builds: vec![rule("other", flags("{{ Date }}")), rule("link", flags("{{ Date }}"))],
            defaults: flags("{{ Date }}"),
            volatile: vec![volatile(Some(0)), volatile(Some(1))],
            ..Rules::default()
        };
        assert_eq!(rules.volatile_for(&binary()), [1]);
        rules.builds[1].partial = flags("--a");
        rules.volatile = vec![volatile(None), volatile(Some(0))];
        assert_eq!(rules.volatile_for(&binary()), [0; 0], "the build's own flags stand before");
        rules.builds.pop();
        assert_eq!(rules.volatile_for(&binary()), [0]);
    }

    #[test]
    fn each_platform_takes_the_target_that_is_for_it() {
        let target = |text: &str| text.parse::<TargetTriple>().unwrap();
        let targets = vec![target("aarch64-unknown-linux-gnu"), target("x86_64-unknown-linux-gnu")];
        let rules = Rules {
            defaults: Partial {
                targets: Some(targets.clone()),
                base: Some("registry.example/base".parse().unwrap()),
                ..Partial::default()
            },
            ..Rules::default()
        };
        let platforms = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        let order = rules.order(&binary(), platforms(&["linux/amd64", "linux/arm64"])).unwrap();
        let taken: Vec<_> =
            order.builds.iter().map(|build| build.target.clone().unwrap()).collect();
        assert_eq!(taken, [targets[1].clone(), targets[0].clone()]);
        let error = rules.order(&binary(), platforms(&["linux/386"])).unwrap_err();
        assert!(matches!(error, cargo::Error::Contradiction { .. }), "{error}");
        let offered = platforms(&["linux/amd64", "linux/386", "windows/amd64"]);
        assert_eq!(rules.possible(&binary(), offered), platforms(&["linux/amd64"]));
    }

    #[test]
    fn what_only_glibc_can_do_needs_a_base_that_has_it() {
        let s390x = || vec![Platform::linux("s390x")];
        let on = |base: &str| Rules {
            everything: Partial { base: Some(base.parse().unwrap()), ..Partial::default() },
            ..Rules::default()
        };
        let error = on("static").order(&binary(), s390x()).unwrap_err();
        assert!(matches!(error, cargo::Error::NeedsGlibc { .. }), "{error}");
        let order = on("registry.example/base").order(&binary(), s390x()).unwrap();
        assert_eq!(order.builds[0].target().unwrap().as_str(), "s390x-unknown-linux-gnu");
    }
}
