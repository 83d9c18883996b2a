//! From binaries to published images: bases are looked up and access is asked for while Cargo
//! compiles, and what is compiled is published while Cargo goes on.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::{join_all, try_join};
use futures_util::stream::{StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc;

use super::base::{self, Base, Bases};
use super::rules::{Order, Platforms};
use super::templates;
use super::{Built, Error, Pipeline};
use crate::cargo::{Artifact, Binary, Workspace};
use crate::image::{self, BaseImage, ImageDraft, Program};
use crate::oci::{Digest, Platform};
use crate::publish::{Compiled, KeepTag};
use crate::registry::{self, Client};

/// How long a build takes at most that does not ask for access where it has pushed before: what it
/// changed is little, and the push itself will say.
const SHORT: Duration = Duration::from_secs(2);

impl Pipeline {
    /// Publishes one image for each binary, in their order.
    pub(super) async fn images(
        &self,
        workspace: &Workspace,
        binaries: &[Binary],
        platforms: &[Platform],
    ) -> Result<Vec<Built>, Error> {
        let client =
            registry::Client::new(self.registry.clone(), self.cache.clone(), self.report.clone());
        let publisher = self.publisher(client.clone())?;
        let paths = binaries.iter().map(|binary| &binary.import_path);
        publisher.check_names(paths.clone()).map_err(|source| Error::Destinations { source })?;
        self.rules.check(workspace)?;
        let orders = self.orders(&client, binaries, platforms).await?;
        for order in &orders {
            // Whatever the digest will be: a template that makes no tag should not cost a build.
            let sample = self.keep(order).map(|keep| keep.of(Digest::of(b""))).transpose();
            sample.map_err(|error| Error::Destinations { source: error.into() })?;
        }
        publisher.check_destinations().map_err(|source| Error::Destinations { source })?;
        let programs =
            binaries.iter().map(|binary| (&binary.import_path, binary.executable_name()));
        publisher.check_sboms(programs).map_err(|source| Error::Destinations { source })?;
        let bases = bases(&self.places(&client), &orders).await?;
        let (artifacts, mut compiled) = mpsc::unbounded_channel::<(usize, Artifact)>();
        let compile = self.compile(workspace, &orders, artifacts);
        // One answer is as good as all, but for registries that want each repository made.
        let asked: Vec<_> = paths
            .enumerate()
            .take_while(|(position, path)| *position == 0 || publisher.must_find_repository(path))
            .map(|(_, path)| path)
            .collect();
        let known = asked.iter().all(|path| publisher.has_pushed(path));
        let access = async {
            if known {
                tokio::time::sleep(SHORT).await;
            }
            for path in asked {
                let checked = publisher.check_access(path).await;
                checked.map_err(|source| Error::Publish { binary: path.to_string(), source })?;
            }
            Ok(())
        };
        let publish = async {
            // Whoever may not push reads that, and not what else it leads to.
            let first = tokio::select! {
                biased;
                first = compiled.recv(), if known => first,
                checked = access => checked.map(|()| None)?,
            };
            let mut waiting: Vec<Vec<Option<Artifact>>> =
                orders.iter().map(|order| vec![None; order.platforms.len()]).collect();
            let complete = futures_util::stream::iter(first)
                .chain(futures_util::stream::poll_fn(|context| compiled.poll_recv(context)))
                .filter_map(|(index, artifact)| {
                    std::future::ready(collect(&orders, &mut waiting, index, artifact))
                });
            let published = complete
                .map(async |(at, artifacts)| {
                    let order = &orders[at];
                    let drafts = self.drafts(&client, order, artifacts, &bases).await?;
                    let facts = drafts.iter().map(|draft| draft.facts().clone()).collect();
                    let path = &order.binary.import_path;
                    let compiled = Compiled { workspace, builds: &order.builds };
                    let keep = self.keep(order);
                    let published = publisher.publish(path, drafts, compiled, keep.as_ref()).await;
                    let published = published.map_err(|source| {
                        let binary = order.binary.import_path.to_string();
                        Error::Publish { binary, source }
                    })?;
                    Ok::<_, Error>((at, Built { published, facts }))
                })
                .buffer_unordered(self.jobs.max(1))
                .try_collect::<Vec<_>>();
            published.await
        };
        let done = try_join(compile, publish).await;
        client.give_up_unused().await;
        let ((), mut published) = done?;
        if self.cache.is_read_only() {
            self.report
                .note("the cache folder cannot be written: nothing of this run is kept there");
        }
        publisher.finish().await.map_err(|source| Error::Destinations { source })?;
        published.sort_by_key(|(at, _)| *at);
        Ok(published.into_iter().map(|(_, built)| built).collect())
    }

    /// The platforms that a binary is built for; `otherwise` where nothing says.
    async fn platforms(
        &self,
        places: &base::Places<'_>,
        binary: &Binary,
        otherwise: &[Platform],
    ) -> Result<Vec<Platform>, Error> {
        let (name, platforms) = self.rules.wanted(binary);
        match platforms {
            Some(Platforms::These(platforms)) => Ok(platforms),
            None => Ok(otherwise.to_vec()),
            Some(Platforms::All) => {
                let offered = base::platforms(places, &name).await.map_err(Error::Base)?;
                let possible = self.rules.possible(binary, offered.clone());
                let left: Vec<String> = offered
                    .iter()
                    .filter(|platform| !possible.contains(platform))
                    .map(Platform::to_string)
                    .collect();
                if possible.is_empty() {
                    return Err(Error::NoPlatform { base: name, offered: left.join(", ") });
                }
                if !left.is_empty() {
                    self.report.note(format!(
                        "`{name}` is also there for {}, which `{}` cannot be compiled for",
                        left.join(", "),
                        binary.package
                    ));
                }
                Ok(possible)
            }
        }
    }

    /// The tag that keeps a binary's image.
    fn keep(&self, order: &Order) -> Option<KeepTag> {
        let template = self.rules.keep_tag.clone()?;
        Some(KeepTag::new(template, self.rules.values.about(&order.binary.folder)))
    }

    async fn compile(
        &self,
        workspace: &Workspace,
        orders: &[Order],
        artifacts: mpsc::UnboundedSender<(usize, Artifact)>,
    ) -> Result<(), Error> {
        let builds: Vec<_> = orders.iter().flat_map(|order| order.builds.clone()).collect();
        let mut on_artifact = move |index, artifact| {
            // Nobody takes artifacts any more once publishing has failed: that error is the one to see.
            let _ = artifacts.send((index, artifact));
        };
        workspace.compile(&builds, &self.report, &mut on_artifact).await.map_err(Error::Workspace)
    }

    /// Where bases are looked for.
    fn places<'a>(&'a self, client: &'a Client) -> base::Places<'a> {
        let (cache, engine, report) = (&self.cache, &self.engine, &self.report);
        base::Places { client, cache, engine, report }
    }

    /// How each binary is built.
    pub(super) async fn orders(
        &self,
        client: &Client,
        binaries: &[Binary],
        platforms: &[Platform],
    ) -> Result<Vec<Order>, Error> {
        let mut orders = Vec::with_capacity(binaries.len());
        for binary in binaries {
            let platforms = self.platforms(&self.places(client), binary, platforms).await?;
            let order = self.rules.order(binary, platforms).map_err(Error::Workspace)?;
            orders.push(templates::fill(order, &self.rules.values).map_err(Error::Template)?);
        }
        Ok(orders)
    }

    /// Compiles binaries and lays each on its base, for nobody but who compares them.
    pub(super) async fn unpublished(
        &self,
        client: &Client,
        workspace: &Workspace,
        orders: &[Order],
    ) -> Result<Vec<Vec<ImageDraft>>, Error> {
        let bases = bases(&self.places(client), orders).await?;
        let (artifacts, mut compiled) = mpsc::unbounded_channel();
        self.compile(workspace, orders, artifacts).await?;
        let mut waiting: Vec<Vec<Option<Artifact>>> =
            orders.iter().map(|order| vec![None; order.platforms.len()]).collect();
        let mut drafts = vec![Vec::new(); orders.len()];
        while let Ok((index, artifact)) = compiled.try_recv() {
            if let Some((at, artifacts)) = collect(orders, &mut waiting, index, artifact) {
                drafts[at] = self.drafts(client, &orders[at], artifacts, &bases).await?;
            }
        }
        Ok(drafts)
    }

    /// Whether a lint asks what is in an image, which costs a look into its base.
    fn is_asked(&self, order: &Order, base: &BaseImage) -> bool {
        let asks = self.rules.asked.get(&order.binary.import_path).copied().unwrap_or_default();
        asks.command || (asks.user && image::runs_by_name(base, &order.recipe))
    }

    /// A binary's images, one a platform.
    async fn drafts(
        &self,
        client: &Client,
        order: &Order,
        artifacts: Vec<Artifact>,
        bases: &Bases,
    ) -> Result<Vec<ImageDraft>, Error> {
        let binary = order.binary.import_path.to_string();
        let mut drafts: Vec<ImageDraft> = Vec::new();
        for (artifact, platform) in artifacts.into_iter().zip(&order.platforms) {
            let program = Program {
                name: artifact.binary.executable_name().to_owned(),
                executable: artifact.executable,
                import_path: artifact.binary.import_path.clone(),
            };
            let Some(base) = bases.get(&(order.base.clone(), platform.clone())) else { continue };
            // Of several platforms' images the lints look at the first.
            let asked = drafts.is_empty() && self.is_asked(order, &base.image);
            let contents = if asked || image::asks(&program, &order.recipe) {
                let looked = base.contents(&order.base, client, &self.cache).await;
                Some(looked.map_err(Error::Base)?)
            } else {
                None
            };
            let draft = image::draft(&base.image, contents, &program, &order.recipe);
            drafts.push(draft.map_err(|source| Error::Image { binary: binary.clone(), source })?);
        }
        Ok(drafts)
    }
}

/// Takes in an artifact; gives all of a binary's once the last has come.
fn collect(
    orders: &[Order],
    waiting: &mut [Vec<Option<Artifact>>],
    index: usize,
    artifact: Artifact,
) -> Option<(usize, Vec<Artifact>)> {
    let mut first = 0;
    for (at, order) in orders.iter().enumerate() {
        let own = index.checked_sub(first).filter(|own| *own < order.builds.len());
        if let Some(own) = own {
            waiting[at][own] = Some(artifact);
            let all: Option<Vec<Artifact>> = waiting[at].iter().cloned().collect();
            return all.map(|artifacts| (at, artifacts));
        }
        first += order.builds.len();
    }
    None
}

/// Every base that is asked for, before anything is compiled: a platform that a base lacks should
/// not cost a build.
async fn bases(places: &base::Places<'_>, orders: &[Order]) -> Result<Bases, Error> {
    let wanted: BTreeSet<_> = orders
        .iter()
        .flat_map(|order| order.platforms.iter().map(|p| (order.base.clone(), p.clone())))
        .collect();
    let found = wanted.into_iter().map(|(name, platform)| async move {
        let base = base::find(places, &name, &platform).await.map_err(Error::Base)?;
        Ok(((name, platform), Base::new(base)))
    });
    join_all(found).await.into_iter().collect()
}
