//! How each binary is built: what holds for everything, for one crate, and by default.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::cargo::{Binary, Build, Features, TargetTriple, Workspace};
use crate::image::{BaseName, FileRule, Recipe};
use crate::oci::Platform;
use crate::reference::did_you_mean;
use crate::report::Reporter;

/// What may be said about a build; what is not said is decided by the next source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partial {
    /// Cargo's profile.
    pub profile: Option<String>,
    /// The platforms.
    pub platforms: Option<Vec<Platform>>,
    /// The base image.
    pub base: Option<BaseName>,
    /// The target, in place of the platform's own.
    pub target: Option<TargetTriple>,
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
    /// Ports; of several sources all count.
    pub ports: Vec<String>,
    /// Files; of several sources all count.
    pub files: Vec<FileRule>,
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
    /// Whether executables are held against their base.
    pub link_check: bool,
    /// Whether somebody asks what is in an image: then every base is looked into.
    pub look_inside: bool,
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
    /// Whether flags, variables or defaults say for which platforms everything is built.
    pub(super) fn platforms_are_set(&self) -> bool {
        self.everything.platforms.is_some() || self.defaults.platforms.is_some()
    }

    /// Warns of settings for crates that the workspace does not have: a name misspelt there would
    /// otherwise change nothing and say nothing.
    pub(super) fn warn_of_strangers(&self, workspace: &Workspace, report: &Reporter) {
        let binaries = workspace.binaries();
        for rule in &self.builds {
            let known = |binary: &Binary| BuildRule { bin: None, ..rule.clone() }.is_about(binary);
            if !binaries.iter().any(known) {
                let hint = rule.package.as_ref().and_then(|package| {
                    did_you_mean(package, binaries.iter().map(|binary| binary.package.as_str()))
                });
                let message = format!(
                    "build {} of the settings is about no crate of this workspace",
                    rule.id
                );
                report.warn(message, hint);
            }
        }
    }

    /// How a binary is built; `platforms` where nothing says for which.
    pub(super) fn order(&self, binary: &Binary, platforms: &[Platform]) -> Order {
        let about: Vec<&Partial> = self
            .builds
            .iter()
            .filter(|rule| rule.is_about(binary))
            .map(|rule| &rule.partial)
            .collect();
        // The most binding first, so that the first that says something decides.
        let layers: Vec<&Partial> = std::iter::once(&self.everything)
            .chain(about)
            .chain(std::iter::once(&self.defaults))
            .collect();
        let mut platforms =
            first(&layers, |p| p.platforms.clone()).unwrap_or_else(|| platforms.to_vec());
        // One that is asked for twice is one; their order is the index's.
        let mut seen = BTreeSet::new();
        platforms.retain(|platform| seen.insert(platform.clone()));
        let base = self.base(binary, &layers);
        let build = |platform: &Platform| Build {
            target: first(&layers, |p| p.target.clone()),
            profile: first(&layers, |p| p.profile.clone()).unwrap_or_else(|| "release".to_owned()),
            features: Features {
                list: first(&layers, |p| p.features.clone()).unwrap_or_default(),
                no_default: self.no_default_features,
                all: self.all_features,
            },
            flags: first(&layers, |p| p.flags.clone()).unwrap_or_default(),
            rustflags: first(&layers, |p| p.rustflags.clone()).unwrap_or_default(),
            environment: first(&layers, |p| p.environment.clone()).unwrap_or_default(),
            ..Build::new(binary.clone(), platform.clone())
        };
        Order {
            builds: platforms.iter().map(build).collect(),
            recipe: self.recipe(binary, &layers),
            binary: binary.clone(),
            platforms,
            base,
        }
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
    use crate::reference::ImportPath;

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
            rules.order(&binary(), &[Platform::linux("amd64")]).builds[0].profile.clone()
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
            assert_eq!(rules.order(&binary(), &[]).base, BaseName::Scratch, "{key}");
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
        assert_eq!(rules.order(&binary(), &[]).recipe.labels, expected);
    }
}
