//! Completes settings from flags, variables and the settings file. Nothing is looked up later.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::builds::Reader;
use super::env::Environment;
use super::error::Error;
use super::load;
use super::output::Output;
use super::rules::{Partial, Platforms, Rules};
use super::short_names;
use super::sources::{Flags, Sources};
use super::table::Key;
use super::templates;
use crate::cache::{ByteSize, Cache};
use crate::cargo::{self, Unification};
use crate::cluster::{self, ApplyOptions, CreateOptions, DeleteOptions, DryRun};
use crate::image::BaseName;
use crate::manifests::{self, ImagesFile, Levels, Selector};
use crate::publish;
use crate::registry::{self, LocationFiles};
use crate::report::{Diagnostic, Reporter, public_url};
use crate::template::{Repository, Values};

/// How all stages work: complete.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the workspace is and how Cargo is run.
    pub cargo: cargo::Settings,
    /// How each binary is built.
    pub builds: Rules,
    /// How and where images are published.
    pub publish: publish::Settings,
    /// How registries are accessed.
    pub registry: registry::Settings,
    /// How a cluster is found.
    pub cluster: cluster::Settings,
    /// What is kept between runs.
    pub cache: Cache,
    /// The levels of lints.
    pub lints: Levels,
    /// How many images are published at once.
    pub jobs: usize,
}

/// Everything that a subcommand needs.
#[derive(Debug)]
pub struct Complete {
    /// What all stages need.
    pub settings: Settings,
    /// What `-f` names; `-` is standard input.
    pub filenames: Vec<String>,
    /// What `-k` names.
    pub kustomization: Option<String>,
    /// Which files of folders and patterns are read.
    pub search: manifests::Search,
    /// Which objects are selected.
    pub selector: Option<Selector>,
    /// What makes a string a reference.
    pub rules: manifests::Rules,
    /// How objects are applied.
    pub apply: ApplyOptions,
    /// How objects are created.
    pub create: CreateOptions,
    /// How objects are deleted.
    pub delete: DeleteOptions,
    /// How long to wait until objects are ready or deleted; none if not to wait.
    pub wait: Option<Duration>,
    /// The file to which the names of images are written.
    pub image_refs: Option<PathBuf>,
    /// The files to which images are written in the formats of other tools.
    pub images_files: Vec<ImagesFile>,
    /// Where resolved manifests go.
    pub output: Output,
}

/// The default limit of the cache's size.
const CACHE_SIZE: ByteSize = ByteSize(10 << 30);

/// Variables of Go's ko that are not read.
const GO_VARIABLES: [&str; 6] = [
    "KO_CONFIG_PATH",
    "KO_DEFAULTBASEIMAGE",
    "KO_DEFAULTPLATFORMS",
    "KO_DEFAULTENV",
    "KO_DEFAULTFLAGS",
    "KO_DEFAULTLDFLAGS",
];

/// Completes the settings of a run.
pub fn complete(
    flags: Flags,
    environment: &Environment,
    report: &Reporter,
) -> Result<Complete, Error> {
    sources(flags, environment, report)?.complete()
}

/// Completes the settings of subcommands that only access a registry.
pub(crate) fn registries(
    flags: Flags,
    environment: &Environment,
    report: &Reporter,
) -> Result<registry::Settings, Error> {
    sources(flags, environment, report)?.registry()
}

pub(super) fn sources(
    flags: Flags,
    environment: &Environment,
    report: &Reporter,
) -> Result<Sources, Error> {
    let directory = environment.directory().to_owned();
    let mut sources = Sources {
        flags,
        environment: environment.clone(),
        file: None,
        directory: directory.clone(),
    };
    if let Some(path) = sources.path(Key::Config).or_else(|| load::find(&directory)) {
        let path = if path.is_dir() { path.join(load::NAME) } else { path };
        let shown = path.strip_prefix(&directory).unwrap_or(&path).display().to_string();
        sources.file = Some(load::read(&path, &shown)?);
        check_version(&sources, &shown)?;
    }
    for variable in GO_VARIABLES {
        if environment.get(variable).is_some() {
            report.note(format!(
                "{variable} is not read, since it is specific to Go; the variables of ko-rs start with KO_RS_"
            ));
        }
    }
    Ok(sources)
}

/// Fails for prefixes that manifests can spell in different ways, so that they cannot be searched for.
fn check_prefix(prefix: &str) -> Result<(), &'static str> {
    let is_escaped =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '\\');
    match prefix {
        "" => Err("a prefix cannot be empty"),
        _ if prefix.contains(is_escaped) => {
            Err("a prefix cannot have a blank, a quote, a backslash or a control character in it")
        }
        _ => Ok(()),
    }
}

fn check_version(sources: &Sources, shown: &str) -> Result<(), Error> {
    use cargo_metadata::semver::{Version, VersionReq};
    let Some((text, origin)) = sources.text(Key::RequiredVersion) else { return Ok(()) };
    let required = VersionReq::parse(&text).map_err(|reason| origin.error(reason))?;
    let running = env!("CARGO_PKG_VERSION");
    match Version::parse(running) {
        Ok(version) if required.matches(&version) => Ok(()),
        _ => Err(Error::Version { file: shown.to_owned(), required: text, running }),
    }
}

impl Sources {
    pub(super) fn complete(&self) -> Result<Complete, Error> {
        let builds = self.rules()?;
        let publish = self.publish(builds.ask_for_several_platforms())?;
        let jobs = usize::try_from(self.number(Key::Jobs)?.unwrap_or(0)).unwrap_or(0);
        let jobs = if jobs == 0 { cores() } else { jobs };
        let settings = Settings {
            cargo: self.cargo()?,
            builds,
            publish,
            registry: self.registry()?,
            cluster: self.cluster()?,
            cache: self.cache()?,
            lints: self.lints()?,
            jobs,
        };
        let filenames = self.texts(Key::Filename).map(|(names, _)| names).unwrap_or_default();
        let wait = if self.switch(Key::Wait, false)? { Some(self.timeout()?) } else { None };
        let kustomization = self.text(Key::Kustomize).map(|(folder, _)| folder);
        if kustomization.is_some() && !filenames.is_empty() {
            return Err(Error::Together("--filename cannot be used with --kustomize".to_owned()));
        }
        let shown = shown_filenames(&filenames, kustomization.as_deref());
        let mut rules = manifests::Rules::default();
        if let Some((prefixes, origin)) = self.texts(Key::ReferencePrefixes) {
            for prefix in &prefixes {
                check_prefix(prefix).map_err(|reason| origin.error(reason))?;
            }
            rules.prefixes = prefixes;
        }
        if let Some(file) = &self.file {
            rules.images = Reader { file, locations: LocationFiles::default(), errors: Vec::new() }
                .nested()
                .images;
        }
        rules.ignore_tags = self.switch(Key::IgnoreReferenceTags, false)?;
        let (image_refs, images_files) = self.images_files()?;
        let output = self.output()?;
        let written = image_refs.iter().chain(images_files.iter().map(|file| &file.path));
        let apart = written.chain(output.path()).cloned().chain(self.path(Key::Config));
        let search = manifests::Search {
            recursive: self.switch(Key::Recursive, false)?,
            apart: apart.collect(),
        };
        Ok(Complete {
            settings,
            filenames,
            kustomization,
            search,
            selector: self.parse(Key::Selector)?,
            rules,
            apply: ApplyOptions {
                dry_run: self.dry_run()?,
                force_conflicts: self.switch(Key::ForceConflicts, false)?,
                change_cause: Some(format!("ko-rs apply{shown}")),
            },
            create: CreateOptions {
                dry_run: self.dry_run()?,
                change_cause: Some(format!("ko-rs create{shown}")),
            },
            delete: DeleteOptions {
                dry_run: self.dry_run()?,
                ignore_not_found: self.switch(Key::IgnoreNotFound, false)?,
            },
            wait,
            image_refs,
            images_files,
            output,
        })
    }

    fn cache(&self) -> Result<Cache, Error> {
        let folder = self.path(Key::CachePath).or_else(|| self.environment.cache_folder());
        let ByteSize(size) = self.parse(Key::CacheSize)?.unwrap_or(CACHE_SIZE);
        let parent = self.environment.temporary_folder();
        match folder {
            Some(folder) if !self.switch(Key::NoCache, false)? => {
                Ok(Cache::bounded(folder.join("ko-rs"), size, &parent))
            }
            _ => Cache::for_one_run(&parent).map_err(|source| Error::Cache { source }),
        }
    }

    fn cargo(&self) -> Result<cargo::Settings, Error> {
        let workspaces = match self.texts(Key::Workspaces) {
            Some((folders, origin)) => {
                folders.iter().map(|folder| self.base_of(&origin).join(folder)).collect()
            }
            None => Vec::new(),
        };
        let mut environment = self.environment.variables().clone();
        if let Some(jobs) = self.number(Key::Jobs)?.filter(|jobs| *jobs > 0) {
            environment.insert("CARGO_BUILD_JOBS".into(), jobs.to_string().into());
        }
        if self.switch(Key::Quiet, false)? {
            environment.insert("CARGO_TERM_QUIET".into(), "true".into());
        }
        if let Some(when) = self.flags.0.get(&Key::Color).and_then(|values| values.first()) {
            environment.insert("CARGO_TERM_COLOR".into(), when.into());
        }
        Ok(cargo::Settings {
            directory: self.directory.clone(),
            manifest_path: self.path(Key::ManifestPath),
            workspaces,
            repository_root: load::repository_root(&self.directory),
            import_path: self.text(Key::ImportPath).map(|(path, _)| path),
            locked: self.switch(Key::Locked, false)?,
            offline: self.switch(Key::Offline, false)?,
            frozen: self.switch(Key::Frozen, false)?,
            environment,
        })
    }

    fn rules(&self) -> Result<Rules, Error> {
        let mut rules = Rules {
            everything: Partial {
                profile: self.text(Key::Profile).map(|(profile, _)| profile),
                platforms: self.platforms(Key::Platform)?,
                base: self.base(Key::BaseImage)?,
                features: self.texts(Key::Features).map(|(features, _)| features),
                user: self.text(Key::ImageUser).map(|(user, _)| user),
                labels: self.map(Key::ImageLabels)?,
                annotations: self.map(Key::ImageAnnotations)?,
                ..Partial::default()
            },
            defaults: Partial {
                profile: self.text(Key::DefaultProfile).map(|(profile, _)| profile),
                platforms: self.platforms(Key::DefaultPlatforms)?,
                base: self.base(Key::DefaultBaseImage)?,
                flags: self.texts(Key::DefaultFlags).map(|(flags, _)| flags),
                environment: self.pairs(Key::DefaultEnv)?,
                ..Partial::default()
            },
            all_features: self.switch(Key::AllFeatures, false)?,
            no_default_features: self.switch(Key::NoDefaultFeatures, false)?,
            created: i64::try_from(self.number(Key::Created)?.unwrap_or(0)).unwrap_or(i64::MAX),
            data_modified: self.number(Key::DataModified)?.unwrap_or(0),
            repository_root: load::repository_root(&self.directory),
            values: self.values()?,
            keep_tag: self.text(Key::KeepTag).map(|(template, _)| template),
            without_link_check: !self.switch(Key::LinkCheck, true)?
                || self.switch(Key::NoLinkCheck, false)?,
            unification: self.unification()?,
            debug: self.switch(Key::Debug, false)?,
            ..Rules::default()
        };
        if let Some(file) = &self.file {
            let mut reader = Reader { file, locations: self.locations(), errors: Vec::new() };
            let nested = reader.nested();
            rules.volatile = templates::volatile(file);
            rules.builds = nested.builds;
            rules.defaults = Partial {
                profile: rules.defaults.profile,
                platforms: rules.defaults.platforms,
                base: rules.defaults.base,
                flags: rules.defaults.flags,
                environment: rules.defaults.environment,
                ..nested.defaults
            };
            rules.base_overrides = nested.base_overrides;
            Error::all(reader.errors)?;
        }
        Ok(rules)
    }

    fn lints(&self) -> Result<Levels, Error> {
        let Some(file) = &self.file else { return Ok(Levels::default()) };
        let mut reader = Reader { file, locations: LocationFiles::default(), errors: Vec::new() };
        let levels = reader.lints();
        Error::all(reader.errors).map(|()| levels)
    }

    /// The values of variables in templates.
    pub(super) fn values(&self) -> Result<Values, Error> {
        let variables = self.environment.variables().iter();
        let variables = variables
            .filter_map(|(name, value)| Some((name.to_str()?.into(), value.to_str()?.into())));
        // If the creation time of images is set, templates use the same time.
        let time = self.number(Key::Created)?.and_then(|time| i64::try_from(time).ok());
        let repository = Repository {
            root: load::repository_root(&self.directory),
            environment: self.environment.variables().clone(),
        };
        let time = time.unwrap_or_else(|| self.environment.now());
        Ok(Values::new(variables.collect(), time, repository))
    }

    /// A base image. The folder of a layout is relative to the settings file or the working directory.
    fn base(&self, key: Key) -> Result<Option<BaseName>, Error> {
        Ok(match (self.parse(key)?, self.text(key)) {
            (Some(BaseName::Layout(folder)), Some((_, origin))) => {
                Some(BaseName::Layout(self.base_of(&origin).join(folder)))
            }
            (Some(base), Some((written, origin))) => {
                let resolved = short_names::resolve(&self.locations(), base, &written);
                Some(resolved.map_err(|error| {
                    origin.error_with(&error, Diagnostic::of(&error).hints.pop())
                })?)
            }
            (base, _) => base,
        })
    }

    fn platforms(&self, key: Key) -> Result<Option<Platforms>, Error> {
        let Some((texts, origin)) = self.texts(key) else { return Ok(None) };
        Platforms::parse(&texts).map(Some).map_err(|reason| origin.error(reason))
    }

    fn unification(&self) -> Result<Unification, Error> {
        match self.text(Key::FeatureUnification) {
            None => Ok(Unification::Package),
            Some((how, origin)) => match how.as_str() {
                "package" => Ok(Unification::Package),
                "workspace" => Ok(Unification::Workspace),
                _ => Err(origin.error(format!("expected `package` or `workspace`, found `{how}`"))),
            },
        }
    }

    fn pairs(&self, key: Key) -> Result<Option<BTreeMap<String, String>>, Error> {
        if self.texts(key).is_none() { Ok(None) } else { self.map(key).map(Some) }
    }

    fn timeout(&self) -> Result<Duration, Error> {
        Ok(self.time(Key::Timeout)?.unwrap_or(Duration::from_secs(300)))
    }

    /// A duration.
    pub(super) fn time(&self, key: Key) -> Result<Option<Duration>, Error> {
        let Some((text, origin)) = self.text(key) else { return Ok(None) };
        let time = duration(&text).ok_or_else(|| {
            origin.error(format!(
                "expected a duration such as `90s`, `5m` or `1h30m`, found `{text}`"
            ))
        })?;
        Ok(Some(time))
    }

    fn dry_run(&self) -> Result<DryRun, Error> {
        match self.text(Key::DryRun) {
            None => Ok(DryRun::No),
            Some((how, origin)) => {
                match how.as_str() {
                    "none" => Ok(DryRun::No),
                    "client" => Ok(DryRun::Client),
                    "server" => Ok(DryRun::Server),
                    _ => Err(origin
                        .error(format!("expected `none`, `client` or `server`, found `{how}`"))),
                }
            }
        }
    }
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// `-f` and `-k` as they were typed, for the change cause of a revision, without the secrets of URLs.
fn shown_filenames(names: &[String], kustomization: Option<&str>) -> String {
    let named = names.iter().map(|name| format!(" --filename={}", public_url(name)));
    let built = kustomization.map(|name| format!(" --kustomize={}", public_url(name)));
    named.chain(built).collect()
}

/// Parses a duration as Go and kubectl write it: `1h30m`, `90s`, `500ms`; a bare number is seconds.
fn duration(text: &str) -> Option<Duration> {
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => text.parse::<jiff::SignedDuration>().ok()?.try_into().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_parsed_as_kubectl_parses_it() {
        for (text, seconds) in
            [("90s", 90), ("5m", 300), ("1h30m", 5400), ("30", 30), ("2000ms", 2), ("1.5h", 5400)]
        {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["", "m", "5x", "-5s", "5m3"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_password_in_a_url_is_not_part_of_the_change_cause() {
        let names =
            ["a.yaml".to_owned(), "https://me:secret@host.example/b.yaml?token=x".to_owned()];
        assert_eq!(
            shown_filenames(&names, Some("k8s")),
            " --filename=a.yaml --filename=https://host.example/b.yaml --kustomize=k8s"
        );
    }
}
