//! Loads images into the nodes of a cluster of kind, k3d or minikube, which are containers of a Docker
//! Engine or of podman. A node that has an image is not sent anything, and otherwise only the blobs
//! that it does not have.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;
use tokio::sync::OnceCell;

use super::codes;
use super::docker_archive::{self, Named};
use super::local_cluster::LocalCluster;
use super::node::{Node, NodeError, Runtime};
use super::oci_archive::{self, Indexed};
use super::outgoing::{self, Outgoing, Tools};
use super::sealed::Sealed;
use super::store;
use crate::daemon::archive::{ArchiveStream, Naming, transfer};
use crate::daemon::{self, Container, Daemon};
use crate::image::ImageDraft;
use crate::oci::{Digest, Image, ImageReference, Tag};
use crate::report::{Details, Diagnose};

/// Where minikube's nodes configure the kubelet.
const KUBELET: [&str; 4] = [
    "cat",
    "/var/lib/kubelet/kubeadm-flags.env",
    "/var/lib/kubelet/config.yaml",
    "/etc/crictl.yaml",
];

/// The nodes of a cluster as a destination.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) cluster: LocalCluster,
    pub(super) daemon: Daemon,
    pub(super) tools: Tools,
    pub(super) found: OnceCell<Vec<Node>>,
}

/// A failure to load an image into nodes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine that runs the nodes.
    #[error(transparent)]
    Engine(#[from] daemon::Error),
    /// The engine has no nodes of the cluster.
    #[error("no running container of {address} is a node of {cluster}")]
    NoNodes {
        /// The engine.
        address: String,
        /// The cluster.
        cluster: LocalCluster,
    },
    /// The runtime of a node is not supported.
    #[error("the container runtime of the node `{node}` is neither containerd nor Docker")]
    Runtime {
        /// The node.
        node: String,
        /// The cluster.
        cluster: LocalCluster,
    },
    /// A node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The archive that is sent.
    #[error(transparent)]
    Archive(#[from] docker_archive::Error),
    /// A layer.
    #[error(transparent)]
    Layer(#[from] store::Error),
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::Engine(error) | Self::Node(NodeError::Engine(error)) => error.details(),
            Self::NoNodes { cluster, .. } => Details::new(&codes::NO_NODES).hint(format!(
                "{}; DOCKER_HOST sets the engine that runs them",
                match cluster {
                    LocalCluster::Kind(_) => "`kind get clusters` lists clusters, and KIND_CLUSTER_NAME selects one",
                    LocalCluster::K3d(_) => "`k3d cluster list` lists clusters, and `k3dCluster` in .ko-rs.yaml selects one",
                    LocalCluster::Minikube(_) => {
                        "`minikube profile list` lists profiles, and MINIKUBE_PROFILE selects one; if minikube runs in a virtual machine, use --tarball=FILE and `minikube image load FILE`"
                    }
                }
            )),
            Self::Runtime { .. } => Details::new(&codes::NODE_NOT_LOADED)
                .hint("use --tarball=FILE and `minikube image load FILE`"),
            Self::Node(_) => Details::new(&codes::NODE_NOT_LOADED),
            Self::Archive(error) => error.details(),
            Self::Layer(error) => error.details(),
        }
    }
}

impl Nodes {
    /// Fails if the cluster has no nodes, or if its engine does not answer.
    pub(super) async fn reach(&self) -> Result<(), Error> {
        self.nodes().await.map(drop)
    }

    /// Loads an image into all nodes. Of several platforms they receive the one of the engine.
    pub(super) async fn put(&self, image: &Outgoing<'_>) -> Result<Image, Error> {
        let nodes = self.nodes().await?;
        let draft = self.choose(image.drafts).await?;
        let drafts = std::slice::from_ref(draft);
        let sealed = outgoing::seal(drafts, &self.tools.store).await?;
        let [only] = sealed.images() else { unreachable!("one draft makes one image") };
        let digest: Tag = only.config_digest().hex().parse().unwrap_or_else(|_| Tag::latest());
        let tags = std::iter::once(&digest).chain(image.tags);
        let names: Vec<_> = tags.map(|tag| image.repository.tagged(tag.clone())).collect();
        let load = Load { tools: &self.tools, draft, sealed: &sealed, image: only, names: &names };
        try_join_all(nodes.iter().map(|node| load.load(node))).await?;
        Ok(only.clone())
    }

    async fn choose<'d>(&self, drafts: &'d [ImageDraft]) -> Result<&'d ImageDraft, Error> {
        if let [only] = drafts {
            return Ok(only);
        }
        let platform = self.daemon.platform().await?;
        let fitting = drafts.iter().find(|draft| platform.matches(draft.platform()));
        Ok(fitting.unwrap_or(&drafts[0]))
    }

    async fn nodes(&self) -> Result<&[Node], Error> {
        let find = async || {
            let labels = self.cluster.labels();
            let labels: Vec<_> = labels.iter().map(|(key, value)| (*key, value.as_str())).collect();
            let found = self.daemon.containers(&labels).await?;
            let mut containers: Vec<Container> =
                found.into_iter().filter(|found| self.cluster.is_node(&found.labels)).collect();
            containers.sort_by(|a, b| a.name().cmp(b.name()));
            if containers.is_empty() {
                let address = self.daemon.address().to_string();
                return Err(Error::NoNodes { address, cluster: self.cluster.clone() });
            }
            try_join_all(containers.into_iter().map(|container| self.node(container))).await
        };
        Ok(self.found.get_or_try_init(find).await?)
    }

    async fn node(&self, container: Container) -> Result<Node, Error> {
        let daemon = self.daemon.clone();
        let runtime = match &self.cluster {
            LocalCluster::Kind(_) | LocalCluster::K3d(_) => Runtime::Containerd,
            // minikube's nodes have both programs; the kubelet uses one.
            LocalCluster::Minikube(_) => {
                let read = daemon.exec(&container, &KUBELET).await?;
                match String::from_utf8_lossy(&read.stdout) {
                    text if text.contains("cri-dockerd") => Runtime::Docker,
                    text if text.contains("containerd.sock") => Runtime::Containerd,
                    _ => {
                        let (node, cluster) = (container.name().to_owned(), self.cluster.clone());
                        return Err(Error::Runtime { node, cluster });
                    }
                }
            }
        };
        Ok(Node { daemon, container, runtime })
    }
}

/// The loading of one image.
struct Load<'a> {
    tools: &'a Tools,
    draft: &'a ImageDraft,
    sealed: &'a Sealed,
    image: &'a Image,
    names: &'a [ImageReference],
}

impl Load<'_> {
    /// Loads the image unless the node has it, and verifies that it has all of it then.
    async fn load(&self, node: &Node) -> Result<(), Error> {
        if node.has(self.image, self.names).await? {
            return Ok(());
        }
        let there = node.blobs().await?;
        let sent = self.send(node, &there).await;
        if sent.is_ok() && node.has(self.image, self.names).await? {
            return Ok(());
        }
        if there.is_empty() {
            sent?;
        } else {
            // A blob was removed meanwhile, or is one that this containerd cannot do without.
            let _ = node.remove(self.names).await;
            self.send(node, &BTreeSet::new()).await?;
        }
        match node.has(self.image, self.names).await? {
            true => Ok(()),
            false => {
                let _ = node.remove(self.names).await;
                let (node, image) = (node.container.name().to_owned(), self.names[0].to_string());
                Err(NodeError::Incomplete { node, image }.into())
            }
        }
    }

    async fn send(&self, node: &Node, left_out: &BTreeSet<Digest>) -> Result<(), Error> {
        let Tools { store, client, .. } = self.tools;
        let read = async |stream: ArchiveStream| Ok(node.import(stream).await?);
        match node.runtime {
            Runtime::Containerd => {
                let names = self.names.iter().map(|name| (name.to_string(), name.clone()));
                let drafts = std::slice::from_ref(self.draft);
                let images = [Indexed { drafts, sealed: self.sealed, names: names.collect() }];
                let write = async |writer| {
                    let written = oci_archive::write_all(writer, &images, store, client, left_out);
                    Ok::<_, Error>(written.await?)
                };
                transfer(Naming::Stable, write, read).await.map(drop)
            }
            Runtime::Docker => {
                let (draft, names) = (self.draft, self.names.to_vec());
                let named = [Named { draft, names, tag_digest: None }];
                let write = async |writer| {
                    let none = BTreeSet::new();
                    let configs = docker_archive::write_all(writer, &named, store, client, &none);
                    Ok::<_, Error>(configs.await?)
                };
                transfer(Naming::Once, write, read).await.map(drop)
            }
        }
    }
}
