//! Real servers for tests: registries, a Docker Engine, containerd, a Kubernetes cluster with two nodes.
//!
//! `make servers` installs them; here they are started on loopback, shared by all tests of a
//! process, and stopped with it: each is a script of `tests/servers/start` that ends, and cleans up,
//! once the pipe to it is closed. What is missing fails a test and is never skipped. Knows nothing of
//! ko-rs.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

#[path = "servers/cluster.rs"]
mod cluster;
#[path = "servers/containerd.rs"]
mod containerd;
#[path = "servers/engine.rs"]
mod engine;
#[path = "servers/instance.rs"]
mod instance;
#[path = "servers/local_node.rs"]
mod local_node;
#[path = "servers/port_forward.rs"]
mod port_forward;
#[path = "servers/registry.rs"]
mod registry;

pub(crate) use cluster::Cluster;
pub(crate) use containerd::Containerd;
pub(crate) use engine::DockerEngine;
pub(crate) use local_node::LocalNode;
pub(crate) use registry::{Olareg, Registry, RegistryOptions};

/// The registry that all tests of this process share. Give each test a repository of its own.
pub(crate) fn registry() -> &'static Registry {
    static SHARED: OnceLock<Registry> = OnceLock::new();
    SHARED.get_or_init(|| Registry::start_private(&RegistryOptions::default()))
}

/// The registry with a referrers API that all tests of this process share. Give each test a
/// repository of its own.
pub(crate) fn olareg() -> &'static Olareg {
    static SHARED: OnceLock<Olareg> = OnceLock::new();
    SHARED.get_or_init(Olareg::start)
}

/// The Docker Engine that all tests of this process share. Give each test image names of its own.
pub(crate) fn docker_engine() -> &'static DockerEngine {
    static SHARED: OnceLock<DockerEngine> = OnceLock::new();
    SHARED.get_or_init(DockerEngine::start_private)
}

/// The cluster that all tests of this process share. Give each test a namespace of its own.
pub(crate) fn cluster() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start)
}

/// The path of a program that `make servers` installs: skopeo, umoci, docker, kubectl, crane, ….
#[track_caller]
pub(crate) fn tool(name: &str) -> PathBuf {
    let origin = match name {
        "skopeo" | "umoci" | "podman" | "etcd" | "containerd" | "runc" | "docker-registry" => name,
        "ctr" => "containerd",
        "docker" | "dockerd" => "docker.io",
        "dockerd-29" => "tests/servers/go/engine, by `tests/servers/install engine`",
        "htpasswd" => "apache2-utils",
        "musl-gcc" => "musl-tools",
        "python-with-validators" => "tests/servers/validators",
        "crane" | "olareg" | "oras" => "tests/servers/go/judges",
        "cri-dockerd" => "tests/servers/go/cri-dockerd",
        "ko" => "tests/servers/go/peers, by `tests/servers/install peers`",
        "helm" | "kustomize" => "tests/servers/go/renderers, by `tests/servers/install renderers`",
        _ if name.starts_with("kube") => "tests/servers/go/kubernetes",
        _ => "a package of the system",
    };
    std::env::split_paths(search_path())
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("`{name}` (from {origin}) is not installed: run `make servers`"))
}

/// The folders of the Go programs, then those of PATH.
fn search_path() -> &'static OsStr {
    static PATH: OnceLock<OsString> = OnceLock::new();
    PATH.get_or_init(|| {
        let install = scripts().join("install");
        let output =
            Command::new(&install).arg("--path").output().expect("tests/servers/install runs");
        expect_success(&output);
        let mut path = OsString::from(String::from_utf8_lossy(&output.stdout).trim());
        path.push(":");
        #[expect(clippy::disallowed_methods, reason = "looks for programs where a shell would")]
        let own = std::env::var_os("PATH").unwrap_or_default();
        path.push(own);
        path.push(":/usr/sbin:/sbin");
        path
    })
}

fn scripts() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers"))
}

/// Panics with what a program printed unless it succeeded.
#[track_caller]
pub(crate) fn expect_success(output: &Output) {
    assert!(
        output.status.success(),
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
