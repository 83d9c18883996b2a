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
    /// The platforms of the nodes; none if there are no nodes.
    Platforms(BTreeSet<Platform>),
    /// The user is not allowed to list nodes.
    Forbidden,
}

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

    /// The platforms of the nodes.
    ///
    /// # Errors
    /// If the nodes cannot be listed for another reason than missing rights.
    pub async fn node_platforms(&self) -> Result<Nodes, Error> {
        let mut platforms = BTreeSet::new();
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
            platforms.extend(nodes.into_iter().flatten().filter_map(platform));
            match page.pointer("/metadata/continue").and_then(Value::as_str) {
                Some(next) if !next.is_empty() => from = Some(next.to_owned()),
                _ => return Ok(Nodes::Platforms(platforms)),
            }
        }
    }
}

/// The platform of a node.
fn platform(node: &Value) -> Option<Platform> {
    let info = |key| node.pointer("/status/nodeInfo")?.get(key)?.as_str();
    format!("{}/{}", info("operatingSystem")?, info("architecture")?).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_platform_consists_of_operating_system_and_architecture() {
        let node =
            json!({"status": {"nodeInfo": {"architecture": "arm64", "operatingSystem": "linux"}}});
        assert_eq!(platform(&node), Some(Platform::linux("arm64")));
        assert_eq!(platform(&json!({"status": {}})), None);
    }
}
