//! The handle of a cluster that all operations share.

use futures_util::{StreamExt, stream};

use crate::report::Reporter;

use super::access::{Access, Settings};
use super::client::Client;
use super::error::Error;
use super::kind::Kinds;
use super::stopping::Stopping;

/// A cluster and the identity that its requests use.
#[derive(Debug)]
pub struct Cluster {
    pub(super) client: Client,
    pub(super) kinds: Kinds,
    /// The field manager.
    pub(super) manager: String,
    pub(super) stopping: Stopping,
}

impl Cluster {
    /// Selects the cluster; no request is sent yet.
    ///
    /// # Errors
    /// If the settings select no cluster, or one that is not allowed.
    pub async fn connect(settings: &Settings, reporter: Reporter) -> Result<Self, Error> {
        let access = Access::new(settings).await?;
        Ok(Self {
            client: Client::new(access, settings.timeout, reporter),
            kinds: Kinds::default(),
            manager: settings.field_manager.clone(),
            stopping: settings.stopping.clone(),
        })
    }

    /// The selected cluster in words: `context minikube, server https://127.0.0.1:8443, namespace
    /// default`.
    #[must_use]
    pub fn describe(&self) -> String {
        let Access { context, server, namespace, .. } = self.client.access();
        format!("context {context}, server {server}, namespace {namespace}")
    }

    /// The name of the context.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.client.access().context
    }

    /// The namespace of objects whose manifest has none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.client.access().namespace
    }
}

/// The number of requests that are in flight at once.
pub(super) const CONCURRENCY: usize = 16;

/// Runs requests concurrently; the results are in the order of the requests.
pub(super) async fn concurrently<F: Future>(
    requests: impl IntoIterator<Item = F>,
) -> Vec<F::Output> {
    // Collected first: a stream that holds the closure which makes them is not `Send`.
    let numbered = requests.into_iter().enumerate();
    let requests: Vec<_> =
        numbered.map(|(index, request)| async move { (index, request.await) }).collect();
    let mut results: Vec<(usize, F::Output)> =
        stream::iter(requests).buffer_unordered(CONCURRENCY).collect().await;
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
