//! Facts about the cluster that a build needs: whether it can be reached, and its nodes' platforms.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::oci::Platform;

use super::connection::Cluster;
use super::error::Error;
use super::request;

/// The nodes of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nodes {
    /// The nodes, in the order of the server; none if there are no nodes.
    Listed(Vec<Node>),
    /// The user is not allowed to list nodes.
    Forbidden,
}

/// A node, with what shows where it runs and what it can run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// `spec.providerID`: `kind://docker/kind/kind-control-plane`. May be empty.
    pub provider_id: String,
    /// `status.nodeInfo.containerRuntimeVersion`: `containerd://1.7.2`.
    pub runtime: String,
    /// Its platform.
    pub platform: Option<Platform>,
    /// The profile of minikube that it belongs to.
    pub minikube_profile: Option<String>,
}

impl Nodes {
    /// The platforms of the nodes.
    #[must_use]
    pub fn platforms(&self) -> BTreeSet<Platform> {
        match self {
            Self::Listed(nodes) => nodes.iter().filter_map(|node| node.platform.clone()).collect(),
            Self::Forbidden => BTreeSet::new(),
        }
    }
}

/// The label by which minikube names the profile of a node.
const PROFILE: &str = "minikube.k8s.io/name";
/// Where a cluster announces its registry ([KEP-1755][kep]).
///
/// [kep]: https://github.com/kubernetes/enhancements/tree/master/keps/sig-cluster-lifecycle/generic/1755-communicating-a-local-registry
const REGISTRY: &str = "/api/v1/namespaces/kube-public/configmaps/local-registry-hosting";
/// The number of nodes in one page; a node lists every image that it has.
const PAGE: usize = 100;

impl Cluster {
    /// Checks that the server can be reached, before anything is built for it.
    ///
    /// # Errors
    /// If it does not respond, or does not accept the credentials.
    pub async fn reach(&self) -> Result<(), Error> {
        match self.client.send(&request::get_path("/version")).await {
            Err(source) if source.refusal().is_none_or(|refusal| refusal.code == 401) => {
                Err(Error::Request { doing: "reach the cluster".to_owned(), source })
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The nodes.
    ///
    /// # Errors
    /// If they cannot be listed for another reason than missing rights.
    pub async fn nodes(&self) -> Result<Nodes, Error> {
        let mut found = Vec::new();
        let mut from: Option<String> = None;
        loop {
            let path = request::page("/api/v1/nodes".to_owned(), PAGE, from.as_deref());
            let page = match self.client.send(&request::get_path(path)).await {
                Ok(page) => page,
                Err(error) if error.refusal().is_some_and(|refusal| refusal.is_forbidden()) => {
                    return Ok(Nodes::Forbidden);
                }
                Err(source) => {
                    return Err(Error::Request { doing: "list the nodes".to_owned(), source });
                }
            };
            let nodes = page.get("items").and_then(Value::as_array);
            found.extend(nodes.into_iter().flatten().map(node));
            match page.pointer("/metadata/continue").and_then(Value::as_str) {
                Some(next) if !next.is_empty() => from = Some(next.to_owned()),
                _ => return Ok(Nodes::Listed(found)),
            }
        }
    }

    /// The host of the registry that the cluster announces, if it does. A cluster that does not answer
    /// announces none.
    pub async fn announced_registry(&self) -> Option<String> {
        let announced = self.client.send(&request::get_path(REGISTRY)).await.ok()?;
        let text = announced.pointer("/data/localRegistryHosting.v1")?.as_str()?;
        host(text)
    }
}

/// The host in the YAML of KEP-1755, if nodes pull from it under the same name.
fn host(text: &str) -> Option<String> {
    let found = text.lines().filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        Some((key.trim(), value.trim().trim_matches(['"', '\''])))
    });
    let value = |key: &str| found.clone().find(|(found, _)| *found == key).map(|(_, value)| value);
    let host = value("host").filter(|host| !host.is_empty())?;
    let other = value("hostFromContainerRuntime").filter(|other| *other != host);
    other.is_none().then(|| host.to_owned())
}

fn node(node: &Value) -> Node {
    let text = |pointer: &str| {
        node.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let info = |key| node.pointer("/status/nodeInfo")?.get(key)?.as_str();
    let platform =
        || format!("{}/{}", info("operatingSystem")?, info("architecture")?).parse().ok();
    let profile = node.pointer("/metadata/labels").and_then(|labels| labels.get(PROFILE));
    Node {
        name: text("/metadata/name"),
        provider_id: text("/spec/providerID"),
        runtime: text("/status/nodeInfo/containerRuntimeVersion"),
        platform: platform(),
        minikube_profile: profile.and_then(Value::as_str).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_has_a_platform_a_provider_and_a_runtime() {
        let read = json!({
            "metadata": {"name": "minikube", "labels": {"minikube.k8s.io/name": "shop"}},
            "spec": {"providerID": "x://y"},
            "status": {"nodeInfo": {
                "architecture": "arm64", "operatingSystem": "linux",
                "containerRuntimeVersion": "docker://28.0.1",
            }},
        });
        let expected = Node {
            name: "minikube".to_owned(),
            provider_id: "x://y".to_owned(),
            runtime: "docker://28.0.1".to_owned(),
            platform: Some(Platform::linux("arm64")),
            minikube_profile: Some("shop".to_owned()),
        };
        assert_eq!(node(&read), expected);
        assert_eq!(node(&json!({"status": {}})), Node::default());
    }

    #[test]
    fn an_announced_registry_is_used_if_nodes_pull_from_it_by_the_same_name() {
        assert_eq!(
            host("host: \"localhost:5001\"\nhelp: \"https://kind.sigs.k8s.io/\"\n"),
            Some("localhost:5001".to_owned())
        );
        let same = "host: localhost:5001\nhostFromContainerRuntime: localhost:5001\n";
        assert_eq!(host(same), Some("localhost:5001".to_owned()));
        assert_eq!(host("host: localhost:5001\nhostFromContainerRuntime: registry:5000\n"), None);
        assert_eq!(host("help: nothing"), None);
    }
}
