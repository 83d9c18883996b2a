//! Streams from and to a pod: logs, commands, and forwarded ports.

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess, Portforwarder};

use super::client::RequestError;
use super::connection::Cluster;
use super::error::Error;
use super::request;

impl Cluster {
    /// The log of a container; `follow` continues until the container ends.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        follow: bool,
    ) -> Result<impl Stream<Item = Result<Bytes, RequestError>> + Send, Error> {
        let request = request::logs(namespace, pod, container, follow);
        let opened = self.client.stream(&request).await;
        let opened = opened.map_err(failed("read the log of", namespace, pod))?;
        Ok(stream::unfold(Some(opened), async |log| {
            let mut log = log?;
            match log.next().await {
                Ok(bytes) => Some((Ok(bytes?), Some(log))),
                Err(error) => Some((Err(error), None)),
            }
        }))
    }

    /// Runs a command in a container.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn exec(
        &self,
        namespace: &str,
        pod: &str,
        command: &[&str],
        parameters: &AttachParams,
    ) -> Result<AttachedProcess, Error> {
        let failed = failed("run a command in", namespace, pod);
        let pods = self.pods(namespace).await.map_err(&failed)?;
        let upgrade = pods.exec(pod, command.iter().copied(), parameters);
        self.client.upgraded(upgrade).await.map_err(failed)
    }

    /// Attaches to the process of a container.
    ///
    /// # Errors
    /// If it is not running.
    pub async fn attach(
        &self,
        namespace: &str,
        pod: &str,
        parameters: &AttachParams,
    ) -> Result<AttachedProcess, Error> {
        let failed = failed("attach to", namespace, pod);
        let pods = self.pods(namespace).await.map_err(&failed)?;
        self.client.upgraded(pods.attach(pod, parameters)).await.map_err(failed)
    }

    /// Opens one connection to each of these ports of a pod.
    ///
    /// # Errors
    /// If the pod is not running.
    pub async fn port_forward(
        &self,
        namespace: &str,
        pod: &str,
        ports: &[u16],
    ) -> Result<Portforwarder, Error> {
        let failed = failed("forward ports of", namespace, pod);
        let pods = self.pods(namespace).await.map_err(&failed)?;
        self.client.upgraded(pods.portforward(pod, ports)).await.map_err(failed)
    }

    async fn pods(&self, namespace: &str) -> Result<Api<Pod>, RequestError> {
        Ok(Api::namespaced(self.client.kube().await?.clone(), namespace))
    }
}

fn failed(doing: &str, namespace: &str, pod: &str) -> impl Fn(RequestError) -> Error {
    let doing = format!("{doing} pod/{pod} in namespace {namespace}");
    move |source| Error::Request { doing: doing.clone(), source }
}
