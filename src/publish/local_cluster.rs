//! Which local cluster a cluster is, from facts about it: pure decisions, so that no image is pushed to
//! where the cluster cannot see it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// A cluster whose nodes are containers on this machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum LocalCluster {
    /// A cluster of kind, by name.
    Kind(String),
    /// A cluster of k3d, by name.
    K3d(String),
    /// A profile of minikube.
    Minikube(String),
}

/// Which local clusters are meant; for those without a name, that of the current context or the
/// program's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalNames {
    /// The cluster of kind: `KIND_CLUSTER_NAME`.
    pub kind: Option<String>,
    /// The cluster of k3d.
    pub k3d: Option<String>,
    /// The profile of minikube: `MINIKUBE_PROFILE`.
    pub minikube: Option<String>,
}

/// What is known about the cluster that images are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClusterFacts {
    /// The context of the kubeconfig.
    pub(crate) context: String,
    /// The nodes; none if the user may not list them.
    pub(crate) nodes: Option<Vec<NodeFacts>>,
    /// The host of the registry that the cluster announces (KEP-1755).
    pub(crate) registry: Option<String>,
}

/// What is known about a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeFacts {
    /// Its name.
    pub(crate) name: String,
    /// `spec.providerID`.
    pub(crate) provider: String,
    /// `status.nodeInfo.containerRuntimeVersion`: `containerd://1.7.2`.
    pub(crate) runtime: String,
    /// The profile of minikube that it is labelled with.
    pub(crate) profile: Option<String>,
}

/// Where the images for a cluster have to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Its nodes.
    Nodes(LocalCluster),
    /// The Docker Engine that runs its pods.
    Engine,
    /// A registry on this machine.
    Registry(String),
}

impl LocalCluster {
    /// The name that stands for it in place of a registry's repository.
    #[must_use]
    pub fn repo(&self) -> &'static str {
        match self {
            Self::Kind(_) => "kind.local",
            Self::K3d(_) => "k3d.local",
            Self::Minikube(_) => "minikube.local",
        }
    }

    /// The cluster that a repository stands for, such as `kind.local/team`.
    pub(super) fn of_repo(repo: &str, names: &LocalNames) -> Option<Self> {
        let named = |name: &Option<String>, default: &str| {
            name.clone().unwrap_or_else(|| default.to_owned())
        };
        match repo.split('/').next()? {
            "kind.local" => Some(Self::Kind(named(&names.kind, "kind"))),
            "k3d.local" => Some(Self::K3d(named(&names.k3d, "k3s-default"))),
            "minikube.local" => Some(Self::Minikube(named(&names.minikube, "minikube"))),
            _ => None,
        }
    }

    /// Whether it is of the same program as another one, which is meant only because no name is set.
    pub(super) fn is_default_of(&self, other: &Self, names: &LocalNames) -> bool {
        match (self, other) {
            (Self::Kind(_), Self::Kind(_)) => names.kind.is_none(),
            (Self::K3d(_), Self::K3d(_)) => names.k3d.is_none(),
            (Self::Minikube(_), Self::Minikube(_)) => names.minikube.is_none(),
            _ => false,
        }
    }

    /// The labels of the containers that are its nodes.
    pub(super) fn labels(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Kind(name) => vec![("io.x-k8s.kind.cluster", name.clone())],
            Self::K3d(name) => vec![("app", "k3d".to_owned()), ("k3d.cluster", name.clone())],
            Self::Minikube(name) => vec![
                ("created_by.minikube.sigs.k8s.io", "true".to_owned()),
                ("name.minikube.sigs.k8s.io", name.clone()),
            ],
        }
    }

    /// Whether a container with these labels runs pods, unlike a load balancer or a registry.
    pub(super) fn is_node(&self, labels: &BTreeMap<String, String>) -> bool {
        let role = |key: &str| labels.get(key).map(String::as_str);
        match self {
            Self::Kind(_) => role("io.x-k8s.kind.role") != Some("external-load-balancer"),
            Self::K3d(_) => matches!(role("k3d.role"), None | Some("server" | "agent")),
            Self::Minikube(_) => true,
        }
    }
}

impl fmt::Display for LocalCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(name) => write!(f, "the kind cluster `{name}`"),
            Self::K3d(name) => write!(f, "the k3d cluster `{name}`"),
            Self::Minikube(name) => write!(f, "the minikube profile `{name}`"),
        }
    }
}

impl ClusterFacts {
    /// Where images for the cluster have to go, and why; none if it is not known to be local.
    pub(super) fn place(&self) -> Option<(Place, String)> {
        let by_nodes = self.nodes.iter().flatten().find_map(|node| node.place(&self.context));
        by_nodes.or_else(|| self.by_context()).or_else(|| {
            let host = self.registry.clone()?;
            let reason = format!("the cluster announces the registry `{host}`");
            Some((Place::Registry(host), reason))
        })
    }

    /// Whether a cloud provides its nodes.
    pub(super) fn is_remote(&self) -> bool {
        let local = |node: &NodeFacts| {
            node.provider.is_empty()
                || ["kind://", "k3s://"].iter().any(|scheme| node.provider.starts_with(scheme))
        };
        self.nodes.as_ref().is_some_and(|nodes| nodes.iter().any(|node| !local(node)))
    }

    /// What the name of the context says, where the nodes may not be listed.
    fn by_context(&self) -> Option<(Place, String)> {
        if self.nodes.is_some() {
            return None;
        }
        let context = self.context.as_str();
        let place = match context {
            "minikube" => Place::Nodes(LocalCluster::Minikube(context.to_owned())),
            "docker-desktop" | "rancher-desktop" | "orbstack" => Place::Engine,
            _ if context == "colima" || context.starts_with("colima-") => Place::Engine,
            _ => match context.strip_prefix("kind-") {
                Some(name) => Place::Nodes(LocalCluster::Kind(name.to_owned())),
                None => Place::Nodes(LocalCluster::K3d(context.strip_prefix("k3d-")?.to_owned())),
            },
        };
        Some((place, format!("the context is named `{context}`, and its nodes cannot be listed")))
    }
}

impl NodeFacts {
    /// Where images have to go for pods on this node to run them.
    fn place(&self, context: &str) -> Option<(Place, String)> {
        let name = &self.name;
        let nodes = |cluster: LocalCluster| {
            let reason = format!("the node `{name}` is of {cluster}");
            Some((Place::Nodes(cluster), reason))
        };
        // kind://docker/CLUSTER/NODE
        if let Some(rest) = self.provider.strip_prefix("kind://") {
            return nodes(LocalCluster::Kind(rest.split('/').nth(1)?.to_owned()));
        }
        // k3d names nodes k3d-CLUSTER-server-0; k3s alone has the same provider and other names.
        if self.provider.starts_with("k3s://")
            && let Some(rest) = name.strip_prefix("k3d-")
            && let Some((cluster, _)) =
                rest.rsplit_once("-server-").or_else(|| rest.rsplit_once("-agent-"))
        {
            return nodes(LocalCluster::K3d(cluster.to_owned()));
        }
        if let Some(profile) = &self.profile {
            return nodes(LocalCluster::Minikube(profile.clone()));
        }
        let known = ["docker-desktop", "rancher-desktop", "lima-rancher-desktop", "orbstack"];
        let is_known = known.contains(&name.as_str())
            || name.starts_with("colima")
            || context == "colima"
            || context == "docker-desktop";
        (is_known && self.runtime.starts_with("docker://")).then(|| {
            (Place::Engine, format!("the pods of the node `{name}` run in the Docker Engine"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, provider: &str, runtime: &str) -> NodeFacts {
        NodeFacts {
            name: name.to_owned(),
            provider: provider.to_owned(),
            runtime: runtime.to_owned(),
            profile: None,
        }
    }

    fn place(context: &str, nodes: Option<Vec<NodeFacts>>) -> Option<Place> {
        let facts = ClusterFacts {
            context: context.to_owned(),
            nodes,
            registry: Some("localhost:5001".to_owned()),
        };
        facts.place().map(|(place, _)| place)
    }

    #[test]
    fn nodes_decide_then_the_name_of_the_context_then_the_announced_registry() {
        let kind = |name: &str| Some(Place::Nodes(LocalCluster::Kind(name.to_owned())));
        let k3d = |name: &str| Some(Place::Nodes(LocalCluster::K3d(name.to_owned())));
        let minikube = |name: &str| Some(Place::Nodes(LocalCluster::Minikube(name.to_owned())));
        let registry = Some(Place::Registry("localhost:5001".to_owned()));
        let containerd = "containerd://1.7.2";

        let of = |node| Some(vec![node]);
        let dev = node("dev-control-plane", "kind://docker/dev/dev-control-plane", containerd);
        assert_eq!(place("anything", of(dev)), kind("dev"));
        let a = node("k3d-a-b-server-0", "k3s://k3d-a-b-server-0", containerd);
        assert_eq!(place("anything", of(a)), k3d("a-b"));
        let k3s = node("pi", "k3s://pi", containerd);
        assert_eq!(place("k3d-a", of(k3s)), registry);
        let labelled = NodeFacts { profile: Some("m".to_owned()), ..NodeFacts::default() };
        assert_eq!(place("anything", of(labelled)), minikube("m"));
        let desktop = node("docker-desktop", "", "docker://27.1.0");
        assert_eq!(place("docker-desktop", of(desktop)), Some(Place::Engine));
        // Its pods would not see images of the Docker Engine.
        let desktop = node("docker-desktop", "", containerd);
        assert_eq!(place("docker-desktop", of(desktop)), registry);
        assert_eq!(place("kind-dev", of(node("a", "aws:///x", containerd))), registry);

        assert_eq!(place("kind-dev", None), kind("dev"));
        assert_eq!(place("k3d-dev", None), k3d("dev"));
        assert_eq!(place("minikube", None), minikube("minikube"));
        assert_eq!(place("colima-x86", None), Some(Place::Engine));
        assert_eq!(place("prod", None), registry);
        assert_eq!(ClusterFacts::default().place(), None);
    }

    #[test]
    fn a_load_balancer_is_not_a_node() {
        let labels = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let kind = LocalCluster::Kind("kind".to_owned());
        assert!(kind.is_node(&labels(&[("io.x-k8s.kind.role", "worker")])));
        assert!(!kind.is_node(&labels(&[("io.x-k8s.kind.role", "external-load-balancer")])));
        let k3d = LocalCluster::K3d("a".to_owned());
        assert!(k3d.is_node(&labels(&[("k3d.role", "agent")])));
        assert!(!k3d.is_node(&labels(&[("k3d.role", "loadbalancer")])));
    }
}
