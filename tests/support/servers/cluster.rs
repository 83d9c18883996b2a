//! A Kubernetes cluster, and kubectl to look at it.

use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::engine::DockerEngine;
use super::instance::{Instance, text};
use super::port_forward::PortForward;
use super::{expect_success, tool};

/// A Kubernetes cluster with two nodes: one on containerd, which pulls from any `localhost:PORT`
/// registry, and one on a Docker Engine, which runs the images loaded into that.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// A kubeconfig file with all rights.
    pub(crate) kubeconfig: PathBuf,
    /// The name of the node that runs containerd.
    pub(crate) containerd_node: String,
    /// The name of the node that runs Docker Engine, as minikube did in the book.
    pub(crate) minikube_node: String,
    /// The minikube node's engine.
    pub(crate) docker: DockerEngine,
    _instance: Instance,
}

impl Cluster {
    pub(super) fn start() -> Self {
        let (instance, facts) = Instance::start("cluster", &[]);
        Self {
            kubeconfig: text(&facts, "kubeconfig").into(),
            containerd_node: text(&facts, "containerd_node"),
            minikube_node: text(&facts, "minikube_node"),
            docker: DockerEngine::from_facts(&facts["docker"]),
            _instance: instance,
        }
    }

    /// Runs kubectl as an administrator.
    pub(crate) fn kubectl<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Output {
        self.kubectl_command().args(arguments).output().expect("kubectl runs")
    }

    /// Runs kubectl, feeds it `input` (for `-f -`), and returns what it printed.
    #[track_caller]
    pub(crate) fn kubectl_with_input<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: &str,
    ) -> Output {
        let mut child = self
            .kubectl_command()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl runs");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(input.as_bytes()).expect("kubectl reads its input");
        drop(stdin);
        child.wait_with_output().expect("kubectl can be waited for")
    }

    /// kubectl as an administrator, for a test that feeds it or keeps it running.
    pub(crate) fn kubectl_command(&self) -> Command {
        let mut command = Command::new(tool("kubectl"));
        // The cache of the user's own would tell of whatever cluster had the port before.
        let cache = self.kubeconfig.with_file_name("kubectl-cache");
        command.arg("--kubeconfig").arg(&self.kubeconfig).arg("--cache-dir").arg(cache);
        command.env_remove("KUBECONFIG");
        command
    }

    /// Makes a namespace that nobody else has and in which pods can be made, and returns its name:
    /// `NAME-` and a number.
    #[track_caller]
    pub(crate) fn namespace(&self, name: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        expect_success(&self.kubectl(["create", "namespace", &name]));
        // Controllers make both a moment later; pods are refused, or wait long, before.
        for made in ["serviceaccount/default", "configmap/kube-root-ca.crt"] {
            let wait = ["wait", "--for=create", "--timeout=60s", "--namespace", &name, made];
            expect_success(&self.kubectl(wait));
        }
        name
    }

    /// Forwards a port of loopback to port `port` of `target` (`pod/NAME`, `deployment/NAME` or
    /// `service/NAME`) for as long as the guard lives.
    #[track_caller]
    pub(crate) fn port_forward(&self, namespace: &str, target: &str, port: u16) -> PortForward {
        let mut command = self.kubectl_command();
        command.args(["port-forward", "--address=127.0.0.1", "--namespace", namespace, target]);
        PortForward::start(&command, port)
    }
}
