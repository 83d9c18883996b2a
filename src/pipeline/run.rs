//! Executes a plan: access is checked while Cargo compiles, and what is compiled is published while
//! Cargo goes on.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join_all, try_join};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::artifacts::Artifacts;
use super::error::Error;
use super::plan::{Order, Plan};
use super::session::Session;
use crate::cargo::{Artifact, Workspace};
use crate::image::{self, BaseImage, BaseName, FoundBase, ImageDraft, Program};
use crate::oci::{ImageFacts, Platform};
use crate::publish::{Compiled, Published, Publisher};
use crate::report::Stage;

/// How long a build may take without a check of access to a registry that has been pushed to before:
/// such a build changes little, and the push itself will tell.
const SHORT: Duration = Duration::from_secs(2);

/// A published image and what is known about it.
#[derive(Clone, Debug)]
pub struct Built {
    /// The names of the image.
    pub published: Published,
    /// What lints need to know, for each platform in the order of the index.
    pub(super) facts: Vec<ImageFacts>,
}

/// Artifacts with the index of their build, as Cargo makes them.
type Arriving = UnboundedReceiver<(usize, Artifact)>;

/// The bases of a plan.
type Bases = BTreeMap<(BaseName, Platform), Arc<FoundBase>>;

impl Session {
    /// Builds and publishes the images of a plan, in its order.
    pub async fn run(&self, plan: &Plan) -> Result<Vec<Built>, Error> {
        let Some(workspace) = &plan.workspace else { return Ok(Vec::new()) };
        let publisher = self.publisher()?;
        let binaries = plan.orders().map(|order| &order.binary);
        let executables = binaries.map(|binary| (&binary.import_path, binary.executable_name()));
        publisher.check(executables).map_err(|source| Error::Destinations { source })?;
        let bases = self.bases(plan.orders()).await?;
        let (sender, arriving) = mpsc::unbounded_channel();
        let compile = self.compile(workspace, plan.orders(), sender);
        let publish = self.publish(workspace, publisher, plan, &bases, arriving);
        let done = try_join(compile, publish).await;
        self.client.give_up_unused().await;
        let ((), built) = done?;
        if self.settings.cache.is_read_only() {
            self.report.note("the cache folder is read-only: nothing of this run is kept there");
        }
        publisher.finish().await.map_err(|source| Error::Destinations { source })?;
        Ok(built)
    }

    /// Compiles everything, and sends each artifact as soon as it exists.
    async fn compile<'a>(
        &self,
        workspace: &Workspace,
        orders: impl Iterator<Item = &'a Order>,
        artifacts: UnboundedSender<(usize, Artifact)>,
    ) -> Result<(), Error> {
        let builds: Vec<_> = orders.flat_map(|order| order.builds.clone()).collect();
        let mut on_artifact = move |index, artifact| {
            // The receiver is dropped once publishing has failed; that error is the one to show.
            let _ = artifacts.send((index, artifact));
        };
        let compile = workspace.compile(&builds, &self.report, &mut on_artifact);
        self.stage(Stage::Compile, compile).await.map_err(Error::Workspace)
    }

    /// Publishes images as their artifacts arrive. Returns them in the order of the plan.
    async fn publish(
        &self,
        workspace: &Workspace,
        publisher: &Publisher,
        plan: &Plan,
        bases: &Bases,
        mut arriving: Arriving,
    ) -> Result<Vec<Built>, Error> {
        let first = self.check_access(publisher, plan, &mut arriving).await?;
        let mut artifacts = Artifacts::of(plan.orders().map(|order| order.builds.len()));
        let complete = stream::iter(first)
            .chain(stream::poll_fn(|context| arriving.poll_recv(context)))
            .filter_map(|(build, artifact)| ready(artifacts.add(build, artifact)));
        let published = complete
            .map(async |(at, artifacts)| {
                let order = &plan.images[at].order;
                let drafts = self.drafts(order, artifacts, bases).await?;
                let compiled = Compiled { workspace, builds: &order.builds };
                let (path, keep) = (&order.binary.import_path, order.keep.as_ref());
                let published = publisher.publish(path, &drafts, compiled, keep).await;
                let published =
                    published.map_err(|source| Error::Publish { binary: order.name(), source })?;
                let facts = drafts.iter().map(|draft| draft.facts().clone()).collect();
                Ok::<_, Error>((at, Built { published, facts }))
            })
            .buffer_unordered(self.settings.jobs.max(1))
            .try_collect::<Vec<_>>();
        let mut published = self.stage(Stage::Publish, published).await?;
        published.sort_by_key(|(at, _)| *at);
        Ok(published.into_iter().map(|(_, built)| built).collect())
    }

    /// Waits for the first artifact, and meanwhile checks the access to destinations. Without
    /// access, that is what the user reads, and not what else it leads to.
    async fn check_access(
        &self,
        publisher: &Publisher,
        plan: &Plan,
        arriving: &mut Arriving,
    ) -> Result<Option<(usize, Artifact)>, Error> {
        // One repository stands for all, unless the registry requires each to exist.
        let paths = plan.orders().map(|order| &order.binary.import_path).enumerate();
        let asked = paths.take_while(|(at, path)| *at == 0 || publisher.requires_repository(path));
        let asked: Vec<_> = asked.map(|(_, path)| path).collect();
        let known = asked.iter().all(|path| publisher.has_pushed(path));
        let access = async {
            if known {
                tokio::time::sleep(SHORT).await;
            }
            for path in asked {
                let binary = || path.to_string();
                let checked = publisher.check_access(path).await;
                checked.map_err(|source| Error::Publish { binary: binary(), source })?;
            }
            Ok(())
        };
        tokio::select! {
            biased;
            first = arriving.recv(), if known => Ok(first),
            checked = access => checked.map(|()| None),
        }
    }

    /// Compiles and lays each executable on its base, for comparison only.
    pub(super) async fn unpublished(
        &self,
        workspace: &Workspace,
        orders: &[&Order],
    ) -> Result<Vec<Vec<ImageDraft>>, Error> {
        let bases = self.bases(orders.iter().copied()).await?;
        let (sender, mut arriving) = mpsc::unbounded_channel();
        self.compile(workspace, orders.iter().copied(), sender).await?;
        let mut artifacts = Artifacts::of(orders.iter().map(|order| order.builds.len()));
        let mut drafts = vec![Vec::new(); orders.len()];
        while let Ok((build, artifact)) = arriving.try_recv() {
            if let Some((at, artifacts)) = artifacts.add(build, artifact) {
                drafts[at] = self.drafts(orders[at], artifacts, &bases).await?;
            }
        }
        Ok(drafts)
    }

    /// All bases, before anything is compiled: a platform that a base lacks must not cost a build.
    async fn bases<'a>(&self, orders: impl Iterator<Item = &'a Order>) -> Result<Bases, Error> {
        let keys = orders.flat_map(|order| order.platforms().map(|p| (&order.base, p)));
        let keys: std::collections::BTreeSet<_> = keys.collect();
        let found = keys.into_iter().map(async |(name, platform)| {
            let base = self.base(name, platform).await?;
            Ok(((name.clone(), platform.clone()), base))
        });
        join_all(found).await.into_iter().collect()
    }

    /// A binary's images, one for each platform.
    async fn drafts(
        &self,
        order: &Order,
        artifacts: Vec<Artifact>,
        bases: &Bases,
    ) -> Result<Vec<ImageDraft>, Error> {
        let mut drafts: Vec<ImageDraft> = Vec::new();
        for artifact in artifacts {
            let program = Program {
                name: artifact.binary.executable_name().to_owned(),
                executable: artifact.executable,
                import_path: artifact.binary.import_path.clone(),
            };
            let Some(base) = bases.get(&(order.base.clone(), artifact.platform)) else { continue };
            // Lints look at the image of the first platform.
            let is_needed = drafts.is_empty() && needs_contents(order, &base.image);
            let contents = if is_needed || image::needs_contents(&program, &order.recipe) {
                let cache = &self.settings.cache;
                let contents = base.contents(&order.base, &self.client, cache).await;
                Some(contents.map_err(Error::Base)?)
            } else {
                None
            };
            let draft = image::draft(&base.image, contents, &program, &order.recipe);
            drafts.push(draft.map_err(|source| Error::Image { binary: order.name(), source })?);
        }
        Ok(drafts)
    }
}

/// Whether a lint needs the contents of an image, for which its base must be read.
fn needs_contents(order: &Order, base: &BaseImage) -> bool {
    order.needs.command || (order.needs.user && image::runs_by_name(base, &order.recipe))
}
