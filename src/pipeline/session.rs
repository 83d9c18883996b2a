//! What all operations of a run share. Each part is opened when it is first needed, and once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use tokio::sync::OnceCell;

use super::error::Error;
use crate::cargo::Workspace;
use crate::cluster::{Cluster, Node, Nodes};
use crate::image::{BaseName, BaseSources, FoundBase};
use crate::oci::Platform;
use crate::publish::{ClusterFacts, Facts, NodeFacts, Publisher, choose};
use crate::reference::CrateReference;
use crate::registry::Client;
use crate::report::{Event, Reporter, Stage};
use crate::settings::Settings;

/// Everything that builds, publishes and applies, opened from settings.
///
/// A session is lazy: manifests without references need neither Cargo nor a destination, and nothing
/// connects to a cluster before an operation needs one.
#[derive(Debug)]
pub struct Session {
    pub(super) settings: Settings,
    pub(super) report: Reporter,
    pub(super) client: Client,
    publisher: OnceLock<Publisher>,
    cluster: OnceCell<Cluster>,
    nodes: OnceCell<Nodes>,
    registry: OnceCell<Option<String>>,
    bases: Mutex<BTreeMap<(BaseName, Platform), Arc<FoundBase>>>,
}

impl Session {
    /// Opens a session. `report` receives what happens in it.
    #[must_use]
    pub fn new(settings: Settings, report: Reporter) -> Self {
        let client = Client::new(settings.registry.clone(), settings.cache.clone(), report.clone());
        Self {
            settings,
            report,
            client,
            publisher: OnceLock::new(),
            cluster: OnceCell::new(),
            nodes: OnceCell::new(),
            registry: OnceCell::new(),
            bases: Mutex::default(),
        }
    }

    /// What the session was opened from.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where events of the session go.
    #[must_use]
    pub fn report(&self) -> &Reporter {
        &self.report
    }

    /// Keeps the cache within its limit. Call it at the end of a run.
    pub fn close(&self) {
        self.settings.cache.close();
    }

    /// Does the work of a stage, and reports its start and its end.
    pub(crate) async fn stage<T, E>(
        &self,
        stage: Stage,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.report.send(Event::Started { stage });
        let start = Instant::now();
        let done = work.await?;
        self.report.send(Event::Finished { stage, duration: start.elapsed() });
        Ok(done)
    }

    /// The workspace that these references point into.
    pub(super) fn workspace(&self, references: &[CrateReference]) -> Result<Workspace, Error> {
        let Settings { cargo, cache, .. } = &self.settings;
        Workspace::open(cargo, cache, &self.report, references).map_err(Error::Workspace)
    }

    /// The chosen destinations.
    pub(super) fn publisher(&self) -> Result<&Publisher, Error> {
        if let Some(publisher) = self.publisher.get() {
            return Ok(publisher);
        }
        let Settings { publish, cache, .. } = &self.settings;
        let opened = choose(&publish.asked, &self.facts()).map_err(Into::into).and_then(|choice| {
            let (client, cache) = (self.client.clone(), cache.clone());
            Publisher::open(publish, choice, client, cache, self.report.clone())
        });
        let opened = opened.map_err(|source| Error::Destinations { source })?;
        Ok(self.publisher.get_or_init(|| opened))
    }

    /// What is known about the cluster that images are for.
    pub(super) fn facts(&self) -> Facts {
        let nodes = self.nodes.get();
        let cluster = self.cluster.get().zip(self.registry.get()).map(|(cluster, registry)| {
            let facts = |node: &Node| NodeFacts {
                name: node.name.clone(),
                provider: node.provider_id.clone(),
                runtime: node.runtime.clone(),
                profile: node.minikube_profile.clone(),
            };
            let nodes = match nodes {
                Some(Nodes::Listed(nodes)) => Some(nodes.iter().map(facts).collect()),
                Some(Nodes::Forbidden) | None => None,
            };
            let (context, registry) = (cluster.context().to_owned(), registry.clone());
            ClusterFacts { context, nodes, registry }
        });
        Facts { node_platforms: nodes.map(Nodes::platforms).unwrap_or_default(), cluster }
    }

    /// Finds out what the choice of destinations depends on: with `--repo=auto` the cluster, and if
    /// there is one, what it is.
    pub(super) async fn look_at_cluster(&self) -> Result<(), Error> {
        let asked = &self.settings.publish.asked;
        if !asked.depends_on_cluster() || (self.cluster.get().is_none() && !asked.asks_cluster()) {
            return Ok(());
        }
        let cluster = self.cluster().await?;
        self.nodes.get_or_try_init(async || cluster.nodes().await.map_err(Error::Cluster)).await?;
        let announced = async || match asked.leaves_choice() {
            true => cluster.announced_registry().await,
            false => None,
        };
        self.registry.get_or_init(announced).await;
        Ok(())
    }

    /// The cluster, which is announced when it is first used.
    pub async fn cluster(&self) -> Result<&Cluster, Error> {
        let connect = async || {
            let cluster = Cluster::connect(&self.settings.cluster, self.report.clone()).await;
            let cluster = cluster.map_err(Error::Cluster)?;
            self.report.note(cluster.describe());
            Ok(cluster)
        };
        self.cluster.get_or_try_init(connect).await
    }

    /// The platforms of builds for which none are set, and why: those of the nodes if there is a
    /// cluster, else the host's.
    pub(super) async fn default_platforms(&self) -> Result<(Vec<Platform>, &'static str), Error> {
        let host = || (vec![Platform::host()], "this machine's architecture");
        let Some(cluster) = self.cluster.get() else { return Ok(host()) };
        if self.settings.builds.platforms_are_set() {
            cluster.reach().await.map_err(Error::Cluster)?;
            return Ok(host());
        }
        let nodes = self.nodes.get_or_try_init(async || cluster.nodes().await).await;
        let nodes = nodes.map_err(Error::Cluster)?;
        if *nodes == Nodes::Forbidden {
            let host = Platform::host();
            self.report.note(format!("the nodes cannot be listed; building for {host}"));
        }
        let platforms = nodes.platforms();
        match platforms.is_empty() {
            true => Ok(host()),
            false => Ok((platforms.into_iter().collect(), "the cluster's nodes")),
        }
    }

    /// Where base images are looked up.
    pub(super) fn base_sources(&self) -> BaseSources<'_> {
        let Settings { cache, publish, .. } = &self.settings;
        BaseSources { client: &self.client, cache, engine: &publish.engine, report: &self.report }
    }

    /// A base image for a platform. A tag is looked up once.
    pub(super) async fn base(
        &self,
        name: &BaseName,
        platform: &Platform,
    ) -> Result<Arc<FoundBase>, Error> {
        let key = (name.clone(), platform.clone());
        let known = self.bases.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(base) = known {
            return Ok(base);
        }
        let found = self.base_sources().find(name, platform).await.map_err(Error::Base)?;
        let mut bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(bases.entry(key).or_insert_with(|| Arc::new(FoundBase::new(found)))))
    }
}
