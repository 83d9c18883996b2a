//! What all operations of a run share. Each part is opened when it is first needed, and once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use tokio::sync::OnceCell;

use super::error::Error;
use crate::cargo::Workspace;
use crate::cluster::{Cluster, Nodes};
use crate::image::{BaseName, BaseSources, FoundBase};
use crate::oci::Platform;
use crate::publish::{Facts, Publisher, choose};
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
    nodes: OnceCell<Vec<Platform>>,
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
    pub(super) async fn stage<T, E>(
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
        let nodes = self.nodes.get().into_iter().flatten().cloned();
        let facts = Facts { node_platforms: nodes.collect() };
        let opened = choose(&publish.asked, &facts).map_err(Into::into).and_then(|choice| {
            let (client, cache) = (self.client.clone(), cache.clone());
            Publisher::open(publish, choice, client, cache, self.report.clone())
        });
        let opened = opened.map_err(|source| Error::Destinations { source })?;
        Ok(self.publisher.get_or_init(|| opened))
    }

    /// The cluster, which is announced when it is first used.
    pub(super) async fn cluster(&self) -> Result<&Cluster, Error> {
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
        let ask = async || match cluster.node_platforms().await.map_err(Error::Cluster)? {
            Nodes::Platforms(platforms) => Ok(platforms.into_iter().collect()),
            Nodes::Forbidden => {
                let host = Platform::host();
                self.report.note(format!("the nodes cannot be listed; building for {host}"));
                Ok::<_, Error>(Vec::new())
            }
        };
        match self.nodes.get_or_try_init(ask).await?.as_slice() {
            [] => Ok(host()),
            nodes => Ok((nodes.to_vec(), "the cluster's nodes")),
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
