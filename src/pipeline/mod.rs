//! The order of all stages, the cluster's too, and what runs side by side.
//!
//! Everything is lazy: a set without references needs neither Cargo nor a destination, and nothing
//! reaches a cluster before every image has arrived.

mod base;
mod error;
mod go;
mod images;
mod rules;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cache::Cache;
use crate::cargo::{self, Binary, Workspace};
use crate::cluster::{self, ApplyOptions, Cluster, CreateOptions, DeleteOptions, Nodes, Outcome};
use crate::manifests::{self, Manifests, Rendered};
use crate::oci::{ImageFacts, Platform};
use crate::publish::{self, Published, Publisher};
use crate::reference::CrateReference;
use crate::registry;
use crate::report::Reporter;

pub use base::Error as BaseError;
pub use error::{Error, Unresolved};
pub use rules::{BuildRule, Partial, Rules};

/// All that a run needs to know: complete.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Where the workspace is and how Cargo runs.
    pub cargo: cargo::Settings,
    /// How each binary is built.
    pub rules: Rules,
    /// Where images go. Where nothing says so, the reason is kept until an image is made.
    pub publish: Result<publish::Settings, NoDestination>,
    /// How registries are spoken to.
    pub registry: registry::Settings,
    /// How a cluster is found.
    pub cluster: cluster::Settings,
    /// What earlier runs left.
    pub cache: Cache,
    /// How many images are published at once.
    pub jobs: usize,
    /// Who is told what happens.
    pub report: Reporter,
}

/// Nothing says where images go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no destination for the images is set")]
pub struct NoDestination;

/// What `build` is asked to build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// These, as the command line names them.
    Crates(Vec<String>),
    /// Every binary of the workspace.
    Workspace,
}

/// An image that has arrived, and what is known about it.
#[derive(Clone, Debug)]
pub struct Built {
    /// What it is called there.
    pub published: Published,
    /// What lints ask, for each platform in the order of the index. The files are known where
    /// [`Rules::look_inside`] asks for them.
    pub facts: Vec<ImageFacts>,
}

/// What became of a set's references.
#[derive(Default)]
struct Referenced {
    /// What is put in the place of each.
    images: BTreeMap<CrateReference, String>,
    /// All images, in the order in which they first stand there.
    published: Vec<Published>,
    /// What is known of the image of each, on its first platform.
    facts: BTreeMap<CrateReference, ImageFacts>,
}

/// A cluster after a change, and what became of each object.
#[derive(Debug)]
pub struct Changed {
    cluster: Cluster,
    /// What became of the objects, in their order.
    pub outcomes: Vec<Outcome>,
}

impl Changed {
    /// Waits until what was applied or created is ready, and what was deleted is gone.
    pub async fn wait(&self, limit: Duration) -> Result<(), Error> {
        self.cluster.wait(&self.outcomes, limit).await.map_err(Error::Cluster)
    }
}

impl Pipeline {
    /// Builds and publishes what the command line names, in its order.
    pub async fn build(&self, wanted: &Wanted) -> Result<Vec<Published>, Error> {
        let references = match wanted {
            Wanted::Workspace => Vec::new(),
            Wanted::Crates(crates) => {
                let read = crates.iter().map(|argument| CrateReference::bare(argument));
                read.collect::<Result<_, _>>()
                    .map_err(|source| Error::Workspace(cargo::Error::InvalidReference { source }))?
            }
        };
        let workspace = self.workspace(&references)?;
        let binaries: Vec<Binary> = match wanted {
            Wanted::Workspace => workspace.binaries(),
            Wanted::Crates(crates) => {
                let found = crates.iter().map(|argument| workspace.find_argument(argument));
                found.collect::<Result<_, _>>().map_err(Error::Workspace)?
            }
        };
        // What is named twice is published once, and printed for each time it was named.
        let mut once: Vec<Binary> = Vec::new();
        for binary in &binaries {
            if !once.contains(binary) {
                once.push(binary.clone());
            }
        }
        let published = self.images(&workspace, &once, &[Platform::host()]).await?;
        let image = |binary: &Binary| {
            let mut images = once.iter().zip(&published);
            images.find(|(other, _)| *other == binary).map(|(_, built)| built.published.clone())
        };
        Ok(binaries.iter().filter_map(image).collect())
    }

    /// Builds and publishes what manifests refer to, and puts the images in its place.
    pub async fn resolve(
        &self,
        manifests: &Manifests,
    ) -> Result<(Vec<Rendered>, Vec<Published>), Error> {
        let found = self.referenced(manifests, &[Platform::host()]).await?;
        let rendered = manifests.substitute(&found.images).map_err(Error::Manifests)?;
        Ok((rendered, found.published))
    }

    /// Builds and publishes what manifests refer to, then applies them.
    pub async fn apply(
        &self,
        manifests: &Manifests,
        options: &ApplyOptions,
    ) -> Result<Changed, Error> {
        let (cluster, objects) = self.ready(manifests).await?;
        let outcomes = cluster.apply(objects, options).await.map_err(Error::Cluster)?;
        Ok(Changed { cluster, outcomes })
    }

    /// Builds and publishes what manifests refer to, then creates their objects.
    pub async fn create(
        &self,
        manifests: &Manifests,
        options: &CreateOptions,
    ) -> Result<Changed, Error> {
        let (cluster, objects) = self.ready(manifests).await?;
        let outcomes = cluster.create(objects, options).await.map_err(Error::Cluster)?;
        Ok(Changed { cluster, outcomes })
    }

    /// Deletes the objects of manifests. Builds nothing: an object is known by its name.
    pub async fn delete(
        &self,
        manifests: &Manifests,
        options: &DeleteOptions,
    ) -> Result<Changed, Error> {
        let cluster = self.connect().await?;
        let objects = manifests.objects_as_written().map_err(Error::Manifests)?;
        let outcomes = cluster.delete(objects, options).await.map_err(Error::Cluster)?;
        Ok(Changed { cluster, outcomes })
    }

    /// A cluster, and a set's objects with every image in its place.
    async fn ready(
        &self,
        manifests: &Manifests,
    ) -> Result<(Cluster, Vec<manifests::Object>), Error> {
        let cluster = self.connect().await?;
        let platforms = match manifests.references().next() {
            Some(_) if self.rules.platforms_are_set() => {
                cluster.reach().await.map_err(Error::Cluster)?;
                vec![Platform::host()]
            }
            Some(_) => self.node_platforms(&cluster).await?,
            None => vec![Platform::host()],
        };
        let Referenced { images, .. } = self.referenced(manifests, &platforms).await?;
        let objects = manifests.objects(&images).map_err(Error::Manifests)?;
        if objects.is_empty() {
            return Err(Error::NoObjects);
        }
        self.warn_of_pulls(&objects, &images);
        Ok((cluster, objects))
    }

    /// An image that was loaded into a daemon can be pulled from nowhere.
    fn warn_of_pulls(
        &self,
        objects: &[manifests::Object],
        images: &BTreeMap<CrateReference, String>,
    ) {
        let to = |to: &publish::Destination| matches!(to, publish::Destination::Daemon(_));
        if !self.publish.as_ref().is_ok_and(|publish| publish.destinations.iter().any(to)) {
            return;
        }
        let loaded = images.values().map(String::as_str).collect();
        for object in manifests::always_pulled(objects, &loaded) {
            self.report.warn(
                format!("{}: a container pulls an image that was loaded, and cannot", object.place),
                Some("leave out `imagePullPolicy: Always`".to_owned()),
            );
        }
    }

    async fn connect(&self) -> Result<Cluster, Error> {
        let cluster = Cluster::connect(&self.cluster, self.report.clone()).await;
        let cluster = cluster.map_err(Error::Cluster)?;
        self.report.note(cluster.describe());
        Ok(cluster)
    }

    /// What the cluster's nodes run; the host's architecture where they may not be listed.
    async fn node_platforms(&self, cluster: &Cluster) -> Result<Vec<Platform>, Error> {
        match cluster.node_platforms().await.map_err(Error::Cluster)? {
            Nodes::Platforms(platforms) if !platforms.is_empty() => {
                Ok(platforms.into_iter().collect())
            }
            Nodes::Platforms(_) => Ok(vec![Platform::host()]),
            Nodes::Forbidden => {
                let host = Platform::host();
                self.report.note(format!("the nodes may not be listed; building for {host}"));
                Ok(vec![host])
            }
        }
    }

    fn workspace(&self, references: &[CrateReference]) -> Result<Workspace, Error> {
        Workspace::open(&self.cargo, &self.cache, &self.report, references)
            .map_err(Error::Workspace)
    }

    /// Builds and publishes what a set refers to.
    async fn referenced(
        &self,
        manifests: &Manifests,
        platforms: &[Platform],
    ) -> Result<Referenced, Error> {
        let mut references: Vec<CrateReference> = Vec::new();
        for occurrence in manifests.references() {
            if !references.contains(&occurrence.reference) {
                references.push(occurrence.reference.clone());
            }
        }
        if references.is_empty() {
            return Ok(Referenced::default());
        }
        let workspace = self.workspace(&references)?;
        let mut binaries = Vec::new();
        let mut meant = BTreeMap::new();
        let mut unresolved = Vec::new();
        for reference in &references {
            match workspace.find(reference) {
                Ok(binary) => {
                    meant.insert(reference.clone(), binary.import_path.clone());
                    if !binaries.contains(&binary) {
                        binaries.push(binary);
                    }
                }
                Err(error) => {
                    let hint = self.hint(reference, &error);
                    unresolved.push(Unresolved::at(manifests, reference, error, hint));
                }
            }
        }
        if !unresolved.is_empty() {
            return Err(Error::Unresolved(unresolved));
        }
        let built = self.images(&workspace, &binaries, platforms).await?;
        let by_path: BTreeMap<_, _> =
            binaries.iter().map(|binary| &binary.import_path).zip(&built).collect();
        let mut found = Referenced::default();
        for (reference, path) in meant {
            let Some(built) = by_path.get(&path) else { continue };
            found.images.insert(reference.clone(), built.published.reference.clone());
            found.facts.extend(built.facts.first().map(|facts| (reference, facts.clone())));
        }
        found.published = built.into_iter().map(|built| built.published).collect();
        Ok(found)
    }

    /// The way out of a reference that points nowhere: it may be meant for Go's ko.
    fn hint(&self, reference: &CrateReference, error: &cargo::Error) -> Option<String> {
        let root = self.cargo.repository_root.as_ref().unwrap_or(&self.cargo.directory);
        let go = match error {
            cargo::Error::NoSuchCrate { .. } => go::module_of(reference.place(), root),
            _ => None,
        };
        go.map(|module| {
            format!(
                "that is in the Go module of `{}`. Where Go and Rust share manifests, write `ko-rs://` \
                 for Rust's crates,\nset `referencePrefixes: [ko-rs://]` in .ko-rs.yaml, and run \
                 `ko resolve -f PATH | ko-rs apply -f -`",
                module.display()
            )
        })
        .or_else(|| error.hint())
    }

    fn publisher(&self, client: registry::Client) -> Result<Publisher, Error> {
        let settings = self.publish.clone().map_err(Error::NoDestination)?;
        Ok(Publisher::new(settings, client, self.cache.clone(), self.report.clone()))
    }
}
