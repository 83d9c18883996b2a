//! The order of all stages, the cluster's too, and what runs side by side.
//!
//! Everything is lazy: a set without references needs neither Cargo nor a destination, and nothing
//! reaches a cluster before every image has arrived.

mod base;
mod bill;
mod error;
mod go;
mod images;
mod references;
mod rules;

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
pub use bill::{BillOf, Error as BillError, bill};
pub use error::{Error, Fault, Stranger, Unresolved};
pub use references::Checked;
use references::Referenced;
pub use rules::{BuildRule, Partial, Platforms, Rules};

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
    /// What is done about what lints find in manifests.
    pub lints: manifests::Levels,
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
        Ok((cluster, objects))
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

    fn publisher(&self, client: registry::Client) -> Result<Publisher, Error> {
        let settings = self.publish.clone().map_err(Error::NoDestination)?;
        Ok(Publisher::new(settings, client, self.cache.clone(), self.report.clone()))
    }
}
