//! A Docker Engine: Debian's or version 29, on a socket and over TLS.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use super::instance::{Instance, text};
use super::tool;

/// A Docker Engine of Debian's with folders of its own. Dropping it stops it, containers included.
#[derive(Debug)]
pub(crate) struct DockerEngine {
    /// Its Unix socket; `DOCKER_HOST=unix://SOCKET`.
    pub(crate) socket: PathBuf,
    /// `tcp://127.0.0.1:PORT`, as `minikube docker-env` prints it for `DOCKER_HOST`.
    pub(crate) tls_host: String,
    /// The folder of `ca.pem`, `cert.pem` and `key.pem` for `tls_host`: `DOCKER_CERT_PATH`.
    pub(crate) cert_path: PathBuf,
    /// None where it is a part of a cluster.
    instance: Option<Instance>,
}

impl DockerEngine {
    /// Starts an engine for one test alone. It has one image, `localhost/pause:1`.
    pub(crate) fn start_private() -> Self {
        let (instance, facts) = Instance::start("docker-engine", &[]);
        Self { instance: Some(instance), ..Self::from_facts(&facts) }
    }

    /// Starts Docker Engine 29, whose images lie in containerd's store, for one test alone.
    pub(crate) fn start_private_29() -> Self {
        tool("dockerd-29");
        let (instance, facts) = Instance::start("docker-engine", &["29"]);
        Self { instance: Some(instance), ..Self::from_facts(&facts) }
    }

    pub(super) fn from_facts(facts: &Value) -> Self {
        Self {
            socket: text(facts, "socket").into(),
            tls_host: text(facts, "tls_host"),
            cert_path: text(facts, "cert_path").into(),
            instance: None,
        }
    }

    /// Ends it at once; its containers stay. Only for an engine that a test has for itself.
    #[track_caller]
    pub(crate) fn stop(&self) {
        self.own_instance().command("stop");
    }

    /// Starts it after [`DockerEngine::stop`], on the same socket and port and with its images.
    #[track_caller]
    pub(crate) fn start(&self) {
        self.own_instance().command("start");
    }

    #[track_caller]
    fn own_instance(&self) -> &Instance {
        self.instance.as_ref().expect("the engine of a cluster's node lives as long as the cluster")
    }

    /// Runs the docker command against it.
    pub(crate) fn docker<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.docker_command().args(arguments).output().expect("docker runs")
    }

    /// The docker command against it, for a test that feeds it or keeps it running.
    pub(crate) fn docker_command(&self) -> Command {
        let mut command = Command::new(tool("docker"));
        command
            .env("DOCKER_HOST", format!("unix://{}", self.socket.display()))
            .env("DOCKER_CONFIG", "/nonexistent")
            .env_remove("DOCKER_CONTEXT")
            .env_remove("DOCKER_TLS_VERIFY")
            .env_remove("DOCKER_CERT_PATH");
        command
    }

    /// The variables that `minikube docker-env` would set for it.
    pub(crate) fn docker_env(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("DOCKER_HOST", self.tls_host.clone()),
            ("DOCKER_TLS_VERIFY", "1".to_owned()),
            ("DOCKER_CERT_PATH", self.cert_path.display().to_string()),
        ])
    }
}
