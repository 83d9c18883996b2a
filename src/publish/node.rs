//! A node of a local cluster that is a container, and what its runtime's own command says: `ctr`, or
//! `docker` where the node runs a Docker Engine.

use std::collections::BTreeSet;

use futures_util::Stream;

use crate::daemon::archive::ArchiveStream;
use crate::daemon::{self, Container, Daemon, Finished};
use crate::oci::{Digest, Image, ImageReference};

/// The namespace of containerd in which the kubelet looks for images.
const NAMESPACE: &str = "k8s.io";
/// How much of a command's standard error is shown.
const SHOWN: usize = 600;

/// What runs the containers of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runtime {
    Containerd,
    Docker,
}

/// A node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) daemon: Daemon,
    pub(super) container: Container,
    pub(super) runtime: Runtime,
}

/// A failure of a node.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The engine that runs the node.
    #[error(transparent)]
    Engine(#[from] daemon::Error),
    /// A command in the node failed.
    #[error("`{command}` in the node `{node}` exited with status {status}: {message}")]
    Command {
        /// The node.
        node: String,
        /// The command.
        command: String,
        /// Its exit status.
        status: i64,
        /// Its standard error, shortened.
        message: String,
    },
    /// The node does not have an image that was imported.
    #[error("the node `{node}` imported `{image}` but does not have all of it")]
    Incomplete {
        /// The node.
        node: String,
        /// The image.
        image: String,
    },
}

impl Node {
    /// Whether the node has the whole image under each of these names.
    pub(super) async fn has(
        &self,
        image: &Image,
        names: &[ImageReference],
    ) -> Result<bool, NodeError> {
        match self.runtime {
            Runtime::Containerd => {
                let filters: Vec<_> = names.iter().map(|name| format!("name=={name}")).collect();
                // It also fails for an image whose manifest was removed.
                let command = ctr(&["images", "check"], &filters);
                let command: Vec<&str> = command.iter().map(String::as_str).collect();
                let listed = self.daemon.exec(&self.container, &command).await?;
                let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
                let digest = image.digest().to_string();
                Ok(names.iter().all(|name| is_complete(&listed, &name.to_string(), &digest)))
            }
            Runtime::Docker => {
                let names: Vec<_> = names.iter().map(ToString::to_string).collect();
                let inspect = ["docker", "image", "inspect", "--format", "{{.Id}}"];
                let command: Vec<&str> =
                    inspect.into_iter().chain(names.iter().map(String::as_str)).collect();
                let found = self.daemon.exec(&self.container, &command).await?;
                let config = image.config_digest().to_string();
                let ids = String::from_utf8_lossy(&found.stdout).into_owned();
                Ok(found.status == 0 && ids.lines().all(|id| id.trim() == config))
            }
        }
    }

    /// The blobs that containerd has; none of a Docker Engine, whose archives are whole.
    pub(super) async fn blobs(&self) -> Result<BTreeSet<Digest>, NodeError> {
        if self.runtime == Runtime::Docker {
            return Ok(BTreeSet::new());
        }
        let listed = self.ctr(&["content", "list", "--quiet"], &[]).await?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        Ok(listed.lines().filter_map(|line| line.trim().parse().ok()).collect())
    }

    /// Imports an archive.
    pub(super) async fn import(&self, archive: ArchiveStream) -> Result<(), NodeError> {
        match self.runtime {
            Runtime::Containerd => {
                let dump = ["containerd", "config", "dump"];
                let dump = self.daemon.exec(&self.container, &dump).await?;
                let dump = String::from_utf8_lossy(&dump.stdout);
                let mut options = Vec::new();
                if let Some(name) = snapshotter(&dump) {
                    options.push(format!("--snapshotter={name}"));
                }
                options.push("-".to_owned());
                let command = ctr(&["images", "import"], &options);
                self.run(&command, Some(archive)).await.map(drop)
            }
            Runtime::Docker => {
                self.run(&["docker", "load"].map(str::to_owned), Some(archive)).await.map(drop)
            }
        }
    }

    /// Removes names, for an image that was imported in part.
    pub(super) async fn remove(&self, names: &[ImageReference]) -> Result<(), NodeError> {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        match self.runtime {
            Runtime::Containerd => self.ctr(&["images", "remove"], &names).await.map(drop),
            Runtime::Docker => Ok(()),
        }
    }

    async fn ctr(&self, command: &[&str], arguments: &[String]) -> Result<Finished, NodeError> {
        self.run(&ctr(command, arguments), None::<ArchiveStream>).await
    }

    async fn run<S, E>(&self, command: &[String], input: Option<S>) -> Result<Finished, NodeError>
    where
        S: Stream<Item = Result<bytes::Bytes, E>> + Send + 'static,
        E: Into<daemon::archive::BoxError> + 'static,
    {
        let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        let finished = self.daemon.exec_with(&self.container, &arguments, input).await?;
        if finished.status == 0 {
            return Ok(finished);
        }
        let words = match finished.stderr.is_empty() {
            true => &finished.stdout,
            false => &finished.stderr,
        };
        Err(NodeError::Command {
            node: self.container.name().to_owned(),
            command: command.iter().take(5).cloned().collect::<Vec<_>>().join(" "),
            status: finished.status,
            message: one_line(&String::from_utf8_lossy(words)),
        })
    }
}

fn ctr(command: &[&str], arguments: &[String]) -> Vec<String> {
    let start = ["ctr", "--namespace", NAMESPACE].into_iter().chain(command.iter().copied());
    start.map(str::to_owned).chain(arguments.iter().cloned()).collect()
}

/// Whether `ctr images check` lists all content of an image of this name and digest.
fn is_complete(listed: &str, name: &str, digest: &str) -> bool {
    listed.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(name)
            && words.clone().any(|word| word == digest)
            && words.any(|word| word == "complete")
    })
}

/// The snapshotter in containerd's configuration, if it is not the default one.
fn snapshotter(configuration: &str) -> Option<&str> {
    let mut values = configuration.lines().filter_map(|line| {
        let value = line.trim().strip_prefix("snapshotter")?.trim_start().strip_prefix('=')?;
        Some(value.trim().trim_matches(['"', '\'']))
    });
    values.find(|value| !value.is_empty()).filter(|value| *value != "overlayfs")
}

/// Text of a command, fit for a line on a terminal.
fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = "\
REF                   TYPE                                       DIGEST      STATUS         SIZE            UNPACKED
kind.local/a:1        application/vnd.oci.image.manifest.v1+json sha256:aaaa complete (3/3) 4.1 MiB/4.1 MiB true
kind.local/a:latest   application/vnd.oci.image.manifest.v1+json sha256:aaaa incomplete (1/3) 1.0 MiB/4.1 MiB false
";

    #[test]
    fn only_an_image_with_all_of_its_content_is_complete() {
        assert!(is_complete(LISTED, "kind.local/a:1", "sha256:aaaa"));
        assert!(!is_complete(LISTED, "kind.local/a:1", "sha256:bbbb"));
        assert!(!is_complete(LISTED, "kind.local/a:latest", "sha256:aaaa"));
        assert!(!is_complete(LISTED, "kind.local/a", "sha256:aaaa"));
    }

    #[test]
    fn a_snapshotter_is_named_unless_it_is_the_default() {
        assert_eq!(snapshotter("  snapshotter = \"overlayfs\"\n"), None);
        assert_eq!(snapshotter("snapshotter = \"\"\n  snapshotter = 'native'\n"), Some("native"));
        assert_eq!(snapshotter("version = 2\n"), None);
    }
}
