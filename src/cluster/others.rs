//! What keeps objects from being changed by hand, as it were: a cluster that others use, and tools
//! that would change the objects back.

use std::net::IpAddr;

use serde_json::Value;

use super::connection::Cluster;
use super::plan::{Entry, Plan};

/// Contexts of clusters on the developer's machine, as the tools that make them name them.
const LOCAL: [&str; 2] = ["kind-", "k3d-"];

/// Labels and annotations that tools leave on the objects which they manage.
const TOOLS: [(&str, &str); 7] = [
    ("argocd.argoproj.io/tracking-id", "Argo CD"),
    ("argocd.argoproj.io/instance", "Argo CD"),
    ("kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("helm.toolkit.fluxcd.io/name", "Flux"),
    ("meta.helm.sh/release-name", "Helm"),
    ("kapp.k14s.io/app", "kapp"),
    ("config.k8s.io/owning-inventory", "Config Sync"),
];

/// An object that another tool manages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Managed {
    /// The object, as kubectl writes it.
    pub(crate) object: String,
    /// The place of its manifest.
    pub(crate) place: String,
    /// The tool.
    pub(crate) tool: &'static str,
}

impl Cluster {
    /// Whether the cluster is one on this machine: of kind, k3d or minikube, or with a server on
    /// loopback.
    #[must_use]
    pub(crate) fn is_local(&self) -> bool {
        let access = self.client.access();
        is_local(&access.context, access.config.cluster_url.host().unwrap_or_default())
    }
}

impl Plan {
    /// The first object that another tool manages and would change back.
    #[must_use]
    pub(crate) fn managed(&self) -> Option<Managed> {
        self.entries.iter().find_map(|entry| {
            let Entry::Planned(planned) = entry else { return None };
            let tool = tool(planned.live.object()?)?;
            let id = &planned.target.id;
            Some(Managed { object: id.to_string(), place: id.place.clone(), tool })
        })
    }
}

fn is_local(context: &str, host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    is_loopback || context == "minikube" || LOCAL.iter().any(|start| context.starts_with(start))
}

/// The tool that manages an object.
fn tool(object: &Value) -> Option<&'static str> {
    let metadata = object.get("metadata")?;
    let has =
        |name: &str| ["labels", "annotations"].iter().any(|key| metadata[*key].get(name).is_some());
    TOOLS.iter().find(|(name, _)| has(name)).map(|(_, tool)| *tool)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_local_cluster_is_told_by_its_context_or_its_server() {
        for (context, host) in [
            ("kind-a", "10.0.0.1"),
            ("k3d-a", "0.0.0.0"),
            ("minikube", "192.168.49.2"),
            ("own", "127.0.0.1"),
            ("own", "localhost"),
            ("own", "[::1]"),
        ] {
            assert!(is_local(context, host), "{context} {host}");
        }
        assert!(!is_local("production", "10.0.0.1") && !is_local("mankind-a", "example.org"));
    }

    #[test]
    fn tools_are_told_by_what_they_leave() {
        let with = |key: &str, name: &str| json!({"metadata": {key: {name: "x"}}});
        let argo = with("annotations", "argocd.argoproj.io/tracking-id");
        assert_eq!(tool(&argo), Some("Argo CD"));
        assert_eq!(tool(&with("labels", "kustomize.toolkit.fluxcd.io/name")), Some("Flux"));
        assert_eq!(tool(&with("annotations", "meta.helm.sh/release-name")), Some("Helm"));
        assert_eq!(tool(&with("labels", "app")), None);
    }
}
