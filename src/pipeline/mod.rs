//! The order of all stages, the cluster's too, and what runs side by side.
//!
//! Everything is lazy: a set without references needs neither Cargo nor a destination, and nothing
//! reaches a cluster before every image has arrived.

mod base;
mod error;
mod go;
mod images;
mod references;
mod rules;
mod sources;
mod verify;
mod templates;

use std::time::Duration;

use crate::cache::Cache;
use crate::cargo::{self, Binary, Workspace};
use crate::cluster::{self, ApplyOptions, Cluster, CreateOptions, DeleteOptions, Nodes, Outcome};
use crate::daemon;
use crate::manifests::{self, ImageMap, Manifests, Rendered, Replacement};
use crate::oci::{ImageFacts, Platform};
use crate::publish::{self, Published, Publisher};
use crate::reference::{CrateReference, PREFIX};
use crate::registry;
use crate::report::Reporter;

pub use base::Error as BaseError;
pub use error::{Error, Fault, Stranger, Unresolved};
pub use references::Checked;
use references::Referenced;
pub use rules::{BuildRule, Partial, Platforms, Rules};
pub use sources::SourceError;
pub use templates::{TemplateError, Volatile};
pub use verify::Mismatch;

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
    /// Where the Docker Engine is, for bases that it has.
    pub engine: daemon::Settings,
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
    /// What lints ask, for each platform in the order of the index. The files of the first are known
    /// where [`Rules::asked`] asks for them.
    pub facts: Vec<ImageFacts>,
}

/// The images of a run.
#[derive(Clone, Debug, Default)]
pub struct Images {
    /// What was published, in the order in which it was first asked for.
    pub published: Vec<Published>,
    /// What each image stands for, by the names that manifests have for it.
    pub replacements: Vec<Replacement>,
}

/// A cluster after a change, and what became of each object.
#[derive(Debug)]
pub struct Changed {
    cluster: Cluster,
    /// What became of the objects, in their order.
    pub outcomes: Vec<Outcome>,
    /// The images in them.
    pub images: Images,
}

impl Changed {
    /// Waits until what was applied or created is ready, and what was deleted is gone.
    pub async fn wait(&self, limit: Duration) -> Result<(), Error> {
        self.cluster.wait(&self.outcomes, limit).await.map_err(Error::Cluster)
    }
}

impl Pipeline {
    /// Builds and publishes what the command line names, in its order; `map` says by which names
    /// manifests may know the images. `verified`, it is built in two places before, and published only
    /// if that is the same.
    pub async fn build(
        &self,
        wanted: &Wanted,
        map: &ImageMap,
        verified: bool,
    ) -> Result<Images, Error> {
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
        let denied = self.volatile(&once);
        if !denied.is_empty() {
            return Err(Error::Faulty(denied));
        }
        if verified {
            self.verify(&workspace, &once, &[Platform::host()]).await?;
        }
        let published = self.images(&workspace, &once, &[Platform::host()]).await?;
        let image = |binary: &Binary| {
            let mut images = once.iter().zip(&published);
            images.find(|(other, _)| *other == binary).map(|(_, built)| built.published.clone())
        };
        let published: Vec<Published> = binaries.iter().filter_map(image).collect();
        let mut replacements = Vec::new();
        for (at, (binary, image)) in binaries.iter().zip(&published).enumerate() {
            let typed = references.get(at);
            for name in names(&workspace, binary, typed, map) {
                let (image, bin) = (image.reference.clone(), binary.bin.clone());
                replacements.push(Replacement { written: name.clone(), name, image, bin });
            }
        }
        Ok(Images { published, replacements })
    }

    /// Builds and publishes what manifests refer to, and puts the images in its place.
    pub async fn resolve(&self, manifests: Manifests) -> Result<(Vec<Rendered>, Images), Error> {
        let found = self.referenced(&manifests, &[Platform::host()]).await?;
        let rendered = manifests.linted().substitute(&found.names).map_err(Error::Manifests)?;
        Ok((rendered, found.images))
    }

    /// Builds and publishes what manifests refer to, then applies them.
    pub async fn apply(
        &self,
        manifests: &Manifests,
        options: &ApplyOptions,
    ) -> Result<Changed, Error> {
        let (cluster, objects, images) = self.ready(manifests).await?;
        let outcomes = cluster.apply(objects, options).await.map_err(Error::Cluster)?;
        Ok(Changed { cluster, outcomes, images })
    }

    /// Builds and publishes what manifests refer to, then creates their objects.
    pub async fn create(
        &self,
        manifests: &Manifests,
        options: &CreateOptions,
    ) -> Result<Changed, Error> {
        let (cluster, objects, images) = self.ready(manifests).await?;
        let outcomes = cluster.create(objects, options).await.map_err(Error::Cluster)?;
        Ok(Changed { cluster, outcomes, images })
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
        Ok(Changed { cluster, outcomes, images: Images::default() })
    }

    /// A cluster, a set's objects with every image in its place, and these images.
    async fn ready(
        &self,
        manifests: &Manifests,
    ) -> Result<(Cluster, Vec<manifests::Object>, Images), Error> {
        let cluster = self.connect().await?;
        let platforms = match manifests.references().next() {
            Some(_) if self.rules.platforms_are_set() => {
                cluster.reach().await.map_err(Error::Cluster)?;
                vec![Platform::host()]
            }
            Some(_) => self.node_platforms(&cluster).await?,
            None => vec![Platform::host()],
        };
        let Referenced { names, images, .. } = self.referenced(manifests, &platforms).await?;
        let objects = manifests.objects(&names).map_err(Error::Manifests)?;
        if objects.is_empty() {
            return Err(Error::NoObjects);
        }
        Ok((cluster, objects, images))
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

/// The names by which manifests may know a binary's image: a reference to it, as the command line
/// writes it where that is one, and the repositories that are mapped to it.
fn names(
    workspace: &Workspace,
    binary: &Binary,
    typed: Option<&CrateReference>,
    map: &ImageMap,
) -> Vec<String> {
    let is_it = |reference: &CrateReference| {
        workspace.find(reference).is_ok_and(|found| found.import_path == binary.import_path)
    };
    let is_name = |typed: &&CrateReference| !cargo::is_path(typed.place()) && is_it(typed);
    let typed = typed.filter(is_name).map(ToString::to_string);
    let name = typed.unwrap_or_else(|| binary.import_path.to_string());
    let prefixed = if name.contains("://") { name } else { format!("{PREFIX}{name}") };
    let mapped = map.mappings().filter(|mapping| is_it(&mapping.reference));
    std::iter::once(prefixed).chain(mapped.map(|mapping| mapping.written.clone())).collect()
}
