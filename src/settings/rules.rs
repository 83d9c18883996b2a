//! How each binary is built: which of flags, variables, `builds[]` and defaults decides.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::codes;
use crate::cargo::{self, Binary, Build, Features, TargetTriple, Unification};
use crate::image::{BaseName, FileRule, Recipe};
use crate::oci::platform::InvalidPlatform;
use crate::oci::{CapabilityClause, Platform};
use crate::publish::KeepTag;
use crate::report::{Details, Diagnose};
use crate::source::Spot;
use crate::template::{self, Values};

/// What one source sets for a build. What it leaves out is decided by the next source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Partial {
    /// Cargo's profile.
    pub(super) profile: Option<String>,
    pub(super) platforms: Option<Platforms>,
    /// The base image.
    pub(super) base: Option<BaseName>,
    /// Targets in place of those that follow from the platforms: each platform takes the one that
    /// fits it.
    pub(super) targets: Option<Vec<TargetTriple>>,
    /// `--features`.
    pub(super) features: Option<Vec<String>>,
    /// Further arguments of `cargo build`.
    pub(super) flags: Option<Vec<String>>,
    /// Further flags of rustc.
    pub(super) rustflags: Option<Vec<String>>,
    /// Environment variables of Cargo.
    pub(super) environment: Option<BTreeMap<String, String>>,
    /// The image's user.
    pub(super) user: Option<String>,
    /// The executable's arguments.
    pub(super) args: Option<Vec<String>>,
    /// The container's working directory.
    pub(super) working_directory: Option<String>,
    /// The container's environment; merged over all sources.
    pub(super) image_environment: BTreeMap<String, String>,
    /// Labels; merged over all sources.
    pub(super) labels: BTreeMap<String, String>,
    /// Annotations; merged over all sources.
    pub(super) annotations: BTreeMap<String, String>,
    /// The executable's capabilities.
    pub(super) capabilities: Option<Vec<CapabilityClause>>,
    /// Ports; merged over all sources.
    pub(super) ports: Vec<String>,
    /// Files; merged over all sources.
    pub(super) files: Vec<FileRule>,
}

/// The platforms that a binary is built for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Platforms {
    /// All that its base has and rustc can compile for.
    All,
    /// These.
    These(Vec<Platform>),
}

impl Platforms {
    /// Parses a list of platforms, or `all`.
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

/// An entry of `builds[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BuildRule {
    /// Its `id`, or its position as `#1`.
    pub(super) id: String,
    /// Where the settings file has `package` or `dir`.
    pub(super) spot: Option<Spot>,
    /// Where it has `bin`.
    pub(super) bin_spot: Option<Spot>,
    /// The package that it applies to.
    pub(super) package: Option<String>,
    /// The binary that it applies to; all of the package if not set.
    pub(super) bin: Option<String>,
    /// The package's folder, instead of its name.
    pub(super) folder: Option<PathBuf>,
    pub(super) partial: Partial,
}

impl BuildRule {
    pub(super) fn applies_to(&self, binary: &Binary) -> bool {
        self.package.as_ref().is_none_or(|package| *package == binary.package)
            && self.folder.as_ref().is_none_or(|folder| *folder == binary.folder)
            && self.bin.as_ref().is_none_or(|bin| *bin == binary.bin)
    }
}

/// All that is set about builds. Flags and variables take precedence over `builds[]`, and these over
/// the defaults.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Flags and variables, for every build.
    pub(super) everything: Partial,
    pub(super) builds: Vec<BuildRule>,
    /// Base images by crate: a package, a folder or an import path.
    pub(super) base_overrides: BTreeMap<String, BaseName>,
    pub(super) defaults: Partial,
    /// `--all-features`.
    pub(super) all_features: bool,
    /// `--no-default-features`.
    pub(super) no_default_features: bool,
    /// The creation time of images, in seconds since 1970.
    pub(super) created: i64,
    /// The modification time of data, in seconds since 1970.
    pub(super) data_modified: u64,
    /// The Git root, which symbolic links in data may not leave.
    pub(super) repository_root: Option<PathBuf>,
    /// What templates stand for.
    pub(super) values: Values,
    /// The template of the tag that keeps each image.
    pub(super) keep_tag: Option<String>,
    /// Templates whose value changes with every commit.
    pub(super) volatile: Vec<Volatile>,
    pub(super) without_link_check: bool,
    pub(super) unification: Unification,
    /// `--debug`.
    pub(super) debug: bool,
}

/// How one binary is built: complete, and with templates filled in.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// The base image.
    pub base: BaseName,
    /// Which setting the base comes from.
    pub base_origin: String,
    /// The platforms; if not set, those of the cluster or the host.
    pub platforms: Option<Platforms>,
    /// Which setting the platforms come from.
    pub platforms_origin: Option<String>,
    /// How the image is made.
    pub recipe: Recipe,
    /// The tag that keeps the image.
    pub keep: Option<KeepTag>,
    /// How Cargo is run, for whatever platform.
    build: Build,
    targets: Option<Vec<TargetTriple>>,
}

impl BuildOptions {
    /// Whether the binary can be compiled for a platform.
    #[must_use]
    pub fn can_build(&self, platform: &Platform) -> bool {
        match &self.targets {
            Some(targets) => targets.iter().any(|target| target.fits(platform)),
            None => TargetTriple::for_platform(platform).is_some(),
        }
    }

    /// How the binary is compiled for a platform.
    pub fn build_for(&self, platform: &Platform) -> Result<Build, cargo::Error> {
        let mut build = Build { platform: platform.clone(), ..self.build.clone() };
        if let Some(targets) = &self.targets {
            let target = targets.iter().find(|target| target.fits(platform)).cloned();
            build.target = Some(target.ok_or_else(|| cargo::Error::Contradiction {
                targets: targets.clone(),
                platform: platform.clone(),
            })?);
        } else if !build.target()?.is_musl()
            && matches!(self.base, BaseName::Static | BaseName::Scratch)
        {
            return Err(cargo::Error::NeedsGlibc { platform: platform.clone() });
        }
        Ok(build)
    }
}

/// A template whose value changes with every commit or every run, and the image with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volatile {
    /// The index of its entry in `builds[]`; none if it applies to all builds.
    pub(super) build: Option<usize>,
    /// The setting.
    pub key: String,
    /// The name in the template.
    pub name: String,
    /// Where it is in the settings file.
    pub spot: Spot,
}

impl Volatile {
    /// What to use instead.
    #[must_use]
    pub fn hint(&self) -> String {
        match self.name.strip_prefix("Git.") {
            Some(rest) => {
                format!("`Git.Path{rest}` changes only with commits to the crate's own files")
            }
            None if self.name == "Git" => "use a single value: `Git.PathFullCommit`".to_owned(),
            None => "`Git.PathCommitDate` is when the crate's own files last changed".to_owned(),
        }
    }
}

/// A template that cannot be filled in for a binary.
#[derive(Debug, thiserror::Error)]
#[error("could not fill in the template `{text}` for `{binary}`")]
pub struct TemplateError {
    binary: String,
    text: String,
    source: template::Error,
}

impl Diagnose for TemplateError {
    fn details(&self) -> Details {
        Details::new(&codes::TEMPLATE_FAILED).hints(self.source.hint())
    }
}

/// The settings of one source, and how it is named.
struct Layer<'a> {
    origin: String,
    partial: &'a Partial,
}

impl Rules {
    /// Whether any image may be built for several platforms.
    #[must_use]
    pub(super) fn ask_for_several_platforms(&self) -> bool {
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

    /// Whether flags, variables or defaults set the platforms of every build.
    pub(crate) fn platforms_are_set(&self) -> bool {
        self.everything.platforms.is_some() || self.defaults.platforms.is_some()
    }

    /// The sources that apply to a binary, in order of precedence.
    fn layers(&self, binary: &Binary) -> Vec<Layer<'_>> {
        let layer = |origin: &str, partial| Layer { origin: origin.to_owned(), partial };
        let builds = self.builds.iter().filter(|rule| rule.applies_to(binary));
        std::iter::once(layer("flags and variables", &self.everything))
            .chain(builds.map(|rule| layer(&format!("builds: {}", rule.id), &rule.partial)))
            .chain(std::iter::once(layer("defaults", &self.defaults)))
            .collect()
    }

    /// How a binary is built.
    pub fn options(&self, binary: &Binary) -> Result<BuildOptions, TemplateError> {
        let layers = self.layers(binary);
        let first =
            |of: fn(&Partial) -> Option<Vec<String>>| first(&layers, of).unwrap_or_default();
        let build = Build {
            profile: self::first(&layers, |p| p.profile.clone())
                .unwrap_or_else(|| "release".to_owned()),
            features: Features {
                list: first(|p| p.features.clone()),
                no_default: self.no_default_features,
                all: self.all_features,
            },
            flags: first(|p| p.flags.clone()),
            rustflags: first(|p| p.rustflags.clone()),
            environment: self::first(&layers, |p| p.environment.clone()).unwrap_or_default(),
            unification: self.unification,
            debug: self.debug,
            ..Build::new(binary.clone(), Platform::host())
        };
        let (base, base_origin) = self.base(binary, &layers);
        let (platforms, platforms_origin) =
            first_with_origin(&layers, |p| p.platforms.clone()).unzip();
        let values = self.values.about(&binary.folder);
        let keep = self.keep_tag.clone().map(|template| KeepTag::new(template, values.clone()));
        let mut options = BuildOptions {
            base,
            base_origin,
            platforms,
            platforms_origin,
            recipe: self.recipe(binary, &layers),
            keep,
            build,
            targets: self::first(&layers, |p| p.targets.clone()),
        };
        options.fill_in(&values)?;
        Ok(options)
    }

    /// The templates that change with every commit and apply to a binary: those that no source of
    /// higher precedence overrides.
    pub(crate) fn volatile(&self, binary: &Binary) -> impl Iterator<Item = &Volatile> {
        let layers = self.layers(binary);
        let lists = [
            first(&layers, |p| p.flags.clone()),
            first(&layers, |p| p.rustflags.clone()),
            first(&layers, |p| p.args.clone()),
        ];
        let maps = |layer: &Layer<'_>| {
            let partial = layer.partial;
            [&partial.image_environment, &partial.labels, &partial.annotations]
                .map(|map| map.values().cloned().collect())
        };
        let environment = first(&layers, |p| p.environment.clone()).unwrap_or_default();
        let texts = lists.into_iter().flatten().chain(layers.iter().flat_map(maps)).flatten();
        let names: BTreeSet<String> = texts
            .chain(environment.into_values())
            .filter(|text| template::is_template(text))
            .flat_map(|text| template::volatile(&text))
            .collect();
        let binary = binary.clone();
        self.volatile.iter().filter(move |volatile| {
            let build = volatile.build.map(|at| self.builds.get(at));
            build.is_none_or(|rule| rule.is_some_and(|rule| rule.applies_to(&binary)))
                && names.contains(&volatile.name)
        })
    }

    fn base(&self, binary: &Binary, layers: &[Layer<'_>]) -> (BaseName, String) {
        let (defaults, before) = layers.split_last().unzip();
        let overridden = || {
            let path = binary.import_path.to_string();
            let folder = binary.folder.strip_prefix(&binary.workspace).ok()?.to_str()?;
            [path.as_str(), folder, &binary.package].iter().find_map(|name| {
                let same = |(key, _): &(&String, _)| key.eq_ignore_ascii_case(name);
                let (key, base) = self.base_overrides.iter().find(same)?;
                Some((base.clone(), format!("baseImageOverrides: {key}")))
            })
        };
        let set = |layers: &[Layer<'_>]| first_with_origin(layers, |p| p.base.clone());
        set(before.unwrap_or_default())
            .or_else(overridden)
            .or_else(|| set(defaults.map(std::slice::from_ref)?))
            .unwrap_or_else(|| (BaseName::Static, "default".to_owned()))
    }

    fn recipe(&self, binary: &Binary, layers: &[Layer<'_>]) -> Recipe {
        let data = binary.folder.join("kodata");
        // In reverse, so that a source of higher precedence replaces the value of a lower one.
        let merged = |of: fn(&Partial) -> &BTreeMap<String, String>| {
            let pairs = layers.iter().rev().flat_map(|layer| of(layer.partial));
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
            ports: layers.iter().rev().flat_map(|layer| layer.partial.ports.clone()).collect(),
            files: layers.iter().rev().flat_map(|layer| layer.partial.files.clone()).collect(),
            created: self.created,
            data_modified: self.data_modified,
            data: data.is_dir().then_some(data),
            repository_root: self.repository_root.clone(),
            without_link_check: self.without_link_check,
        }
    }
}

impl BuildOptions {
    /// Fills in every template.
    fn fill_in(&mut self, values: &Values) -> Result<(), TemplateError> {
        let binary = self.build.binary.import_path.to_string();
        let fill = |text: &mut String| {
            *text = template::render(text, values).map_err(|source| TemplateError {
                binary: binary.clone(),
                text: text.clone(),
                source,
            })?;
            Ok::<_, TemplateError>(())
        };
        let map = |pairs: &mut BTreeMap<String, String>| pairs.values_mut().try_for_each(fill);
        let build = &mut self.build;
        build.flags.iter_mut().try_for_each(fill)?;
        build.rustflags.iter_mut().try_for_each(fill)?;
        map(&mut build.environment)?;
        let recipe = &mut self.recipe;
        recipe.args.iter_mut().flatten().try_for_each(fill)?;
        map(&mut recipe.environment)?;
        map(&mut recipe.labels)?;
        map(&mut recipe.annotations)
    }
}

fn first<T>(layers: &[Layer<'_>], of: impl Fn(&Partial) -> Option<T>) -> Option<T> {
    layers.iter().find_map(|layer| of(layer.partial))
}

fn first_with_origin<T>(
    layers: &[Layer<'_>],
    of: impl Fn(&Partial) -> Option<T>,
) -> Option<(T, String)> {
    layers.iter().find_map(|layer| Some((of(layer.partial)?, layer.origin.clone())))
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
    fn flags_override_builds_and_builds_override_defaults() {
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
        let chosen = |rules: &Rules| rules.options(&binary()).unwrap().build.profile;
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
            let options = rules.options(&binary()).unwrap();
            assert_eq!(options.base, BaseName::Scratch, "{key}");
            assert_eq!(options.base_origin, format!("baseImageOverrides: {key}"));
        }
    }

    #[test]
    fn labels_are_merged_over_all_sources_in_order_of_precedence() {
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
        assert_eq!(rules.options(&binary()).unwrap().recipe.labels, expected);
    }

    #[test]
    fn a_volatile_template_applies_to_the_builds_that_use_it() {
        let flags = |flags: &str| Partial { flags: Some(vec![flags.into()]), ..Partial::default() };
        let rule = |package: &str, partial| BuildRule {
            package: Some(package.into()),
            partial,
            ..BuildRule::default()
        };
        let spot = crate::source::Source::new("x", "x").spot(0..1, "");
        let volatile = |build| Volatile {
            build,
            key: "flags".into(),
            name: "Date".into(),
            spot: spot.clone(),
        };
        let builds = |rules: &Rules| -> Vec<Option<usize>> {
            rules.volatile(&binary()).map(|volatile| volatile.build).collect()
        };
        let mut rules = Rules {
            builds: vec![rule("other", flags("{{ Date }}")), rule("link", flags("{{ Date }}"))],
            defaults: flags("{{ Date }}"),
            volatile: vec![volatile(Some(0)), volatile(Some(1))],
            ..Rules::default()
        };
        assert_eq!(builds(&rules), [Some(1)]);
        rules.builds[1].partial = flags("--a");
        rules.volatile = vec![volatile(None), volatile(Some(0))];
        assert_eq!(builds(&rules), [None; 0], "the build's own flags take precedence");
        rules.builds.pop();
        assert_eq!(builds(&rules), [None]);
    }

    #[test]
    fn each_platform_takes_the_target_that_fits_it() {
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
        let options = rules.options(&binary()).unwrap();
        let target = |platform: &str| {
            let build = options.build_for(&platform.parse().unwrap())?;
            Ok::<_, cargo::Error>(build.target.unwrap())
        };
        assert_eq!(target("linux/amd64").unwrap(), targets[1]);
        assert_eq!(target("linux/arm64").unwrap(), targets[0]);
        let error = target("linux/386").unwrap_err();
        assert!(matches!(error, cargo::Error::Contradiction { .. }), "{error}");
        let can = |platform: &str| options.can_build(&platform.parse().unwrap());
        assert!(can("linux/amd64") && !can("linux/386") && !can("windows/amd64"));
    }

    #[test]
    fn a_target_with_glibc_requires_a_base_that_has_it() {
        let build = |base: &str| {
            let everything = Partial { base: Some(base.parse().unwrap()), ..Partial::default() };
            let rules = Rules { everything, ..Rules::default() };
            rules.options(&binary()).unwrap().build_for(&Platform::linux("s390x"))
        };
        let error = build("static").unwrap_err();
        assert!(matches!(error, cargo::Error::NeedsGlibc { .. }), "{error}");
        let build = build("registry.example/base").unwrap();
        assert_eq!(build.target().unwrap().as_str(), "s390x-unknown-linux-gnu");
    }
}
