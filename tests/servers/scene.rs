//! Where tests of `apply` play: someone with a kubeconfig, a namespace of the cluster that all
//! tests share, and a place for images in the registry that all tests share.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

use crate::servers::{cluster, expect_success, registry};
use crate::support::{Ran, Sandbox};

/// Someone who works in a folder and has a namespace.
pub(crate) struct Scene {
    pub(crate) sandbox: Sandbox,
    pub(crate) namespace: String,
}

impl Scene {
    /// In `fixtures/delinkcious` itself, whose images are built and pushed once for all tests.
    pub(crate) fn new(name: &str) -> Self {
        Self::of(Sandbox::inside_fixture("delinkcious"), name, "delinkcious")
    }

    /// In a copy of `fixtures/delinkcious` that may be edited, with images of its own. For one test
    /// alone.
    pub(crate) fn with_copy(name: &str) -> Self {
        Self::of(Sandbox::with_copy_in_place("delinkcious", name), name, name)
    }

    /// In a sandbox, with images below `repository` of the registry.
    pub(crate) fn of(sandbox: Sandbox, name: &str, repository: &str) -> Self {
        let namespace = cluster().namespace(name);
        let kubeconfig = sandbox.outside("kubeconfig");
        fs::write(&kubeconfig, administrator(&namespace)).unwrap();
        let sandbox = sandbox
            .env("KUBECONFIG", kubeconfig)
            .env("KO_DOCKER_REPO", format!("{}/{repository}", registry().host));
        Self { sandbox, namespace }
    }

    /// Sets a variable.
    pub(crate) fn env(self, name: &str, value: impl Into<std::ffi::OsString>) -> Self {
        Self { sandbox: self.sandbox.env(name, value), ..self }
    }

    /// Makes other settings the user's kubeconfig: what [`administrator`] writes, changed.
    pub(crate) fn kubeconfig(self, text: &str) -> Self {
        fs::write(self.kubeconfig_path(), text).unwrap();
        self
    }

    pub(crate) fn kubeconfig_path(&self) -> PathBuf {
        self.sandbox.outside("kubeconfig")
    }

    /// Runs `ko-rs` with the words of a command line.
    pub(crate) fn run(&self, command: &str) -> Ran {
        self.sandbox.run(command.split_whitespace())
    }

    /// Runs `ko-rs` with manifests on standard input.
    pub(crate) fn run_with_input(&self, command: &str, manifests: &str) -> Ran {
        self.sandbox.run_with_input(command.split_whitespace(), manifests)
    }

    /// What kubectl prints in the namespace.
    #[track_caller]
    pub(crate) fn kubectl(&self, command: &str) -> String {
        printed(&self.try_kubectl(command))
    }

    /// Runs kubectl in the namespace.
    pub(crate) fn try_kubectl(&self, command: &str) -> Output {
        let words = ["--namespace", &self.namespace].into_iter().chain(command.split_whitespace());
        cluster().kubectl(words)
    }

    /// What kubectl prints when it is given manifests.
    #[track_caller]
    pub(crate) fn kubectl_with_input(&self, command: &str, manifests: &str) -> String {
        let words = ["--namespace", &self.namespace].into_iter().chain(command.split_whitespace());
        printed(&cluster().kubectl_with_input(words, manifests))
    }

    /// An object of the namespace as it is in the cluster.
    #[track_caller]
    pub(crate) fn live(&self, object: &str) -> Value {
        let command = format!("get {object} --output json --show-managed-fields");
        serde_json::from_str(&self.kubectl(&command)).unwrap()
    }

    /// The names of all objects of these kinds in the namespace, a line each.
    #[track_caller]
    pub(crate) fn names(&self, kinds: &str) -> String {
        self.kubectl(&format!("get {kinds} --output name"))
    }

    /// What a service answers at `/`: its name and version.
    #[track_caller]
    pub(crate) fn identity(&self, target: &str, port: u16) -> String {
        cluster().port_forward(&self.namespace, target, port).get("/")
    }

    /// The line that says where objects go, before anything else.
    #[track_caller]
    pub(crate) fn says_where_first(&self, ran: &Ran) {
        let server =
            self.kubectl("config view --minify --output jsonpath={.clusters[0].cluster.server}");
        let line = format!("note: context ko-rs, server {server}, namespace {}", self.namespace);
        assert_eq!(ran.stderr().lines().next(), Some(line.as_str()), "{}", ran.stderr());
    }
}

/// A kubeconfig with all rights, whose context `ko-rs` has a namespace.
pub(crate) fn administrator(namespace: &str) -> String {
    let all = fs::read_to_string(&cluster().kubeconfig).unwrap();
    let context = "context: {cluster: ko-rs, user: admin}";
    assert!(all.contains(context), "{all}");
    all.replace(
        context,
        &format!("context: {{cluster: ko-rs, user: admin, namespace: {namespace}}}"),
    )
}

/// Manifests of the fixture whose pods are to run on one node. All of its pods have the line that
/// this is put behind.
pub(crate) fn on_node(manifests: &str, node: &str) -> String {
    let mut text = String::new();
    for line in manifests.split_inclusive('\n') {
        text.push_str(line);
        if line.trim() == "automountServiceAccountToken: false" {
            let indent = &line[..line.len() - line.trim_start().len()];
            text.push_str(&format!("{indent}nodeSelector: {{kubernetes.io/hostname: {node}}}\n"));
        }
    }
    assert_ne!(text, manifests);
    text
}

#[track_caller]
fn printed(output: &Output) -> String {
    expect_success(output);
    String::from_utf8(output.stdout.clone()).unwrap()
}
