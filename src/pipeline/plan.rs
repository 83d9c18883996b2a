//! What is built how, for which platforms, and where it goes: decided before anything is built.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::error::Error;
use super::session::Session;
use super::several::Several;
use crate::cargo::{Binary, Build, Workspace};
use crate::image::{BaseName, Recipe};
use crate::manifests::Needs;
use crate::oci::{Digest, Platform};
use crate::publish::{Choice, KeepTag, Publisher};
use crate::reference::{CrateReference, ImportPath};
use crate::settings::{BuildOptions, Platforms};

/// What a run will build and where it will go. A plan is a value: it can be printed, serialised, and
/// executed by [`Session::run`].
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// Where images go, and why; none if nothing is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<Choice>,
    /// One image for each binary, in the order in which they are first requested.
    pub images: Vec<PlannedImage>,
    /// Each request and the index of its image.
    #[serde(skip)]
    pub(super) requests: Vec<(Option<CrateReference>, usize)>,
    #[serde(skip)]
    pub(super) workspace: Option<Workspace>,
}

/// An image that will be built.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlannedImage {
    /// The import path of its binary.
    pub import_path: String,
    /// The package of the binary.
    pub package: String,
    /// The binary.
    pub bin: String,
    /// Its names, one for each tag.
    pub names: Vec<String>,
    /// The base image.
    pub base: String,
    /// Which setting the base comes from.
    pub base_origin: String,
    /// How it is compiled, one build for each platform.
    pub builds: Vec<PlannedBuild>,
    /// Which setting the platforms come from.
    pub platforms_origin: String,
    #[serde(skip)]
    pub(super) order: Order,
}

/// How a binary is compiled for one platform.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlannedBuild {
    /// The platform.
    pub platform: String,
    /// The target triple.
    pub target: String,
    /// Cargo's profile.
    pub profile: String,
}

/// How one image is made: complete.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) binary: Binary,
    pub(super) base: BaseName,
    pub(super) builds: Vec<Build>,
    pub(super) recipe: Recipe,
    pub(super) keep: Option<KeepTag>,
    /// What lints need to know about the image.
    pub(super) needs: Needs,
}

/// The binaries that a run builds.
pub(super) struct Targets {
    pub(super) workspace: Workspace,
    /// Each once, in the order in which they are first requested.
    pub(super) binaries: Vec<Binary>,
    /// Each request and the index of its binary.
    pub(super) requests: Vec<(Option<CrateReference>, usize)>,
    /// What lints need to know about images.
    pub(super) needs: BTreeMap<ImportPath, Needs>,
}

impl Targets {
    pub(super) fn new(workspace: Workspace, found: Vec<(Option<CrateReference>, Binary)>) -> Self {
        let mut binaries: Vec<Binary> = Vec::new();
        let mut requests = Vec::with_capacity(found.len());
        for (reference, binary) in found {
            let known = binaries.iter().position(|other| *other == binary);
            requests.push((reference, known.unwrap_or(binaries.len())));
            if known.is_none() {
                binaries.push(binary);
            }
        }
        Self { workspace, binaries, requests, needs: BTreeMap::new() }
    }
}

impl Plan {
    /// Whether nothing is built.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    pub(super) fn orders(&self) -> impl Iterator<Item = &Order> {
        self.images.iter().map(|image| &image.order)
    }
}

impl Order {
    pub(super) fn platforms(&self) -> impl Iterator<Item = &Platform> {
        self.builds.iter().map(|build| &build.platform)
    }

    /// The binary, as messages name it.
    pub(super) fn name(&self) -> String {
        self.binary.import_path.to_string()
    }
}

impl Session {
    /// Plans the images of binaries.
    pub(super) async fn plan_targets(
        &self,
        targets: Targets,
        default: (Vec<Platform>, &str),
    ) -> Result<Plan, Error> {
        let Targets { workspace, binaries, requests, needs } = targets;
        let publisher = self.publisher()?;
        let paths = binaries.iter().map(|binary| &binary.import_path);
        publisher.check_names(paths).map_err(|source| Error::Destinations { source })?;
        if let Some(unknown) = Several::of(self.settings.builds.unknown(&workspace)) {
            return Err(Error::UnknownBuilds(unknown));
        }
        let mut images = Vec::with_capacity(binaries.len());
        for binary in &binaries {
            let needs = needs.get(&binary.import_path).copied().unwrap_or_default();
            images.push(self.plan_image(publisher, binary, &default, needs).await?);
        }
        for order in images.iter().map(|image: &PlannedImage| &image.order) {
            // Any digest will do: a template that makes no valid tag must not cost a build.
            let sample = order.keep.as_ref().map(|keep| keep.of(Digest::of(b""))).transpose();
            sample.map_err(|error| Error::Destinations { source: error.into() })?;
        }
        let destination = Some(publisher.choice().clone());
        Ok(Plan { destination, images, requests, workspace: Some(workspace) })
    }

    async fn plan_image(
        &self,
        publisher: &Publisher,
        binary: &Binary,
        default: &(Vec<Platform>, &str),
        needs: Needs,
    ) -> Result<PlannedImage, Error> {
        let options = self.settings.builds.options(binary).map_err(Error::Template)?;
        let mut platforms = self.platforms(binary, &options, &default.0).await?;
        // Without duplicates, in the order of the index.
        let mut seen = std::collections::BTreeSet::new();
        platforms.retain(|platform| seen.insert(platform.clone()));
        let builds = platforms.iter().map(|platform| options.build_for(platform));
        let builds: Vec<Build> = builds.collect::<Result<_, _>>().map_err(Error::Workspace)?;
        let planned = |build: &Build| {
            Ok(PlannedBuild {
                platform: build.platform.to_string(),
                target: build.target().map_err(Error::Workspace)?.to_string(),
                profile: build.profile.clone(),
            })
        };
        let planned = builds.iter().map(planned).collect::<Result<_, Error>>()?;
        let name = publisher.naming().name(&binary.import_path);
        let names = match publisher.naming().tags.as_slice() {
            [] => vec![name],
            tags => tags.iter().map(|tag| format!("{name}:{tag}")).collect(),
        };
        let BuildOptions { base, recipe, keep, .. } = options;
        Ok(PlannedImage {
            import_path: binary.import_path.to_string(),
            package: binary.package.clone(),
            bin: binary.bin.clone(),
            names,
            base: base.to_string(),
            base_origin: options.base_origin,
            builds: planned,
            platforms_origin: options.platforms_origin.unwrap_or_else(|| default.1.to_owned()),
            order: Order { binary: binary.clone(), base, builds, recipe, keep, needs },
        })
    }

    /// The platforms that a binary is built for.
    async fn platforms(
        &self,
        binary: &Binary,
        options: &BuildOptions,
        default: &[Platform],
    ) -> Result<Vec<Platform>, Error> {
        match &options.platforms {
            Some(Platforms::These(platforms)) => return Ok(platforms.clone()),
            None => return Ok(default.to_vec()),
            Some(Platforms::All) => {}
        }
        let base = &options.base;
        let offered = self.base_sources().platforms(base).await.map_err(Error::Base)?;
        let (possible, others): (Vec<_>, Vec<_>) =
            offered.into_iter().partition(|platform| options.can_build(platform));
        let others = others.iter().map(Platform::to_string).collect::<Vec<_>>().join(", ");
        if possible.is_empty() {
            return Err(Error::NoPlatform { base: base.clone(), offered: others });
        }
        if !others.is_empty() {
            let package = &binary.package;
            self.report.note(format!(
                "`{base}` also supports {others}, for which `{package}` cannot be compiled"
            ));
        }
        Ok(possible)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(destination) = &self.destination else { return f.write_str("nothing to build\n") };
        writeln!(f, "destination: {}", destination.reason)?;
        for image in &self.images {
            writeln!(f, "\n{}", image.import_path)?;
            image.names.iter().try_for_each(|name| writeln!(f, "  image: {name}"))?;
            writeln!(f, "  base: {} ({})", image.base, image.base_origin)?;
            for PlannedBuild { platform, target, profile } in &image.builds {
                writeln!(f, "  build: {platform} ({target}, profile {profile})")?;
            }
            writeln!(f, "  platforms from: {}", image.platforms_origin)?;
        }
        Ok(())
    }
}
