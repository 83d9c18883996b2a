//! The order of all stages, those of the cluster too, and what runs concurrently.
//!
//! A [`Session`] is opened once from [`Settings`](crate::settings::Settings). [`Session::plan`] decides
//! what is built how and where it goes; [`Session::run`] compiles and publishes what a [`Plan`] says:
//!
//! ```text
//! Request ─► Plan ─► Built images ─► names in manifests ─► objects in a cluster
//!        plan     run           substitute             apply
//! ```
//!
//! Everything is lazy: manifests without references need neither Cargo nor a destination, and nothing
//! reaches a cluster before every image has been published.

mod artifacts;
pub(crate) mod codes;
mod error;
mod images;
mod inputs;
mod mismatch;
mod plan;
mod references;
mod reuse;
mod run;
mod session;
mod several;
mod sources;
mod verify;
mod view;

use std::time::Duration;

use crate::cluster::{ApplyOptions, CreateOptions, DeleteOptions, ObjectDiff, Outcome};
use crate::manifests::{ImageMap, Manifests, Object, Rendered};
use crate::oci::Platform;
use crate::report::Stage;

pub use error::{Error, Fault, SourceError, Unresolved};
pub use images::Images;
pub use inputs::Inputs;
pub use mismatch::Mismatch;
pub use plan::{Plan, PlannedBuild, PlannedImage};
pub use references::Checked;
pub(crate) use reuse::Known;
pub use run::Built;
pub use session::Session;
pub use several::Several;

/// What is requested to be built.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// Crates, as the command line names them.
    Crates(&'a [String]),
    /// Every default binary of the workspace.
    Workspace,
    /// What manifests refer to.
    Manifests(&'a Manifests),
}

/// What became of the objects in a cluster.
#[derive(Debug)]
pub struct Changed {
    /// What became of each object, in their order.
    pub outcomes: Vec<Outcome>,
    /// The images in them.
    pub images: Images,
}

impl Session {
    /// Decides what is built how, for which platforms, and where it goes. Builds nothing.
    pub async fn plan(&self, request: Request<'_>) -> Result<Plan, Error> {
        let plan = async {
            let is_empty = |manifests: &Manifests| manifests.references().next().is_none();
            if !matches!(request, Request::Manifests(manifests) if is_empty(manifests)) {
                self.look_at_cluster().await?;
            }
            let default = match request {
                Request::Manifests(manifests) if manifests.references().next().is_some() => {
                    self.default_platforms().await?
                }
                _ => (vec![Platform::host()], "this machine's architecture"),
            };
            let targets = match request {
                Request::Manifests(manifests) => self.referenced(manifests)?,
                Request::Crates(crates) => Some(self.named(crates)?),
                Request::Workspace => Some(self.all_binaries()?),
            };
            match targets {
                Some(targets) => self.plan_targets(targets, default).await,
                None => Ok(Plan::default()),
            }
        };
        self.stage(Stage::Plan, plan).await
    }

    /// Builds and publishes a plan. `map` gives further names by which manifests may refer to the
    /// images.
    pub async fn build(&self, plan: &Plan, map: &ImageMap) -> Result<Images, Error> {
        let built = self.run(plan).await?;
        Ok(Images::requested(plan, &built, map))
    }

    /// Builds and publishes what manifests refer to, and substitutes the images.
    pub async fn resolve(&self, manifests: Manifests) -> Result<(Vec<Rendered>, Images), Error> {
        let plan = self.plan(Request::Manifests(&manifests)).await?;
        let built = self.run(&plan).await?;
        let (images, names) = self.referenced_images(&manifests, &plan, built)?;
        let rendered = manifests.linted().substitute(&names).map_err(Error::Manifests)?;
        Ok((rendered, images))
    }

    /// Builds and publishes what manifests refer to, then applies their objects.
    pub async fn apply(
        &self,
        manifests: &Manifests,
        options: &ApplyOptions,
    ) -> Result<Changed, Error> {
        let cluster = self.cluster().await?;
        let (objects, images) = self.objects(manifests).await?;
        let outcomes = self.stage(Stage::Apply, cluster.apply(objects, options)).await;
        Ok(Changed { outcomes: outcomes.map_err(Error::Cluster)?, images })
    }

    /// Builds and publishes what manifests refer to, then creates their objects.
    pub async fn create(
        &self,
        manifests: &Manifests,
        options: &CreateOptions,
    ) -> Result<Changed, Error> {
        let cluster = self.cluster().await?;
        let (objects, images) = self.objects(manifests).await?;
        let outcomes = self.stage(Stage::Apply, cluster.create(objects, options)).await;
        Ok(Changed { outcomes: outcomes.map_err(Error::Cluster)?, images })
    }

    /// Builds and publishes what manifests refer to, then compares their objects with the live ones.
    pub async fn diff(
        &self,
        manifests: &Manifests,
        force_conflicts: bool,
    ) -> Result<Vec<ObjectDiff>, Error> {
        let cluster = self.cluster().await?;
        let (objects, _) = self.objects(manifests).await?;
        cluster.diff(objects, force_conflicts).await.map_err(Error::Cluster)
    }

    /// Deletes the objects of manifests. Builds nothing, since names are enough to delete.
    pub async fn delete(
        &self,
        manifests: &Manifests,
        options: &DeleteOptions,
    ) -> Result<Changed, Error> {
        let cluster = self.cluster().await?;
        let objects = manifests.objects_as_written().map_err(Error::Manifests)?;
        let outcomes = self.stage(Stage::Apply, cluster.delete(objects, options)).await;
        Ok(Changed { outcomes: outcomes.map_err(Error::Cluster)?, images: Images::default() })
    }

    /// Waits until what was applied or created is ready, and what was deleted no longer exists.
    pub async fn wait(&self, outcomes: &[Outcome], limit: Duration) -> Result<(), Error> {
        let cluster = self.cluster().await?;
        let wait = self.stage(Stage::Wait, cluster.wait(outcomes, limit));
        wait.await.map_err(Error::Cluster)
    }

    /// The objects of manifests with every image substituted, and these images.
    async fn objects(&self, manifests: &Manifests) -> Result<(Vec<Object>, Images), Error> {
        let plan = self.plan(Request::Manifests(manifests)).await?;
        let built = self.run(&plan).await?;
        self.objects_of(&plan, manifests, built)
    }

    /// The objects of the manifests that a plan was made from, with its images substituted.
    pub(crate) fn objects_of(
        &self,
        plan: &Plan,
        manifests: &Manifests,
        built: Vec<Built>,
    ) -> Result<(Vec<Object>, Images), Error> {
        let (images, names) = self.referenced_images(manifests, plan, built)?;
        let objects = manifests.objects(&names).map_err(Error::Manifests)?;
        if objects.is_empty() {
            return Err(Error::NoObjects);
        }
        Ok((objects, images))
    }
}
