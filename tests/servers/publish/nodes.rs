//! Nodes of kind, k3d and minikube: all of them get an image, and only what they do not have.

use serde_json::Value;

use super::{NAME, edit, hello};
use crate::servers::{DockerEngine, LocalNode, cluster, docker_engine, expect_success};
use crate::support::{Ran, Sandbox};

/// `hello`, which finds the engine of the nodes.
fn sandbox(engine: &DockerEngine, repo: &str) -> Sandbox {
    let host = format!("unix://{}", engine.socket.display());
    hello().env("KO_DOCKER_REPO", repo).env("DOCKER_HOST", host)
}

/// The bytes that were sent to a node.
fn sent(ran: &Ran, node: &LocalNode<'_>) -> u64 {
    let events = ran.stderr().lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let what = format!("image to {}", node.name);
    let done = events.filter(|event| event["what"] == what.as_str());
    done.filter_map(|event| event["done"].as_u64()).max().unwrap_or(0)
}

const BUILD: [&str; 3] = ["build", "--progress=json", "."];

#[test]
fn all_nodes_of_a_kind_cluster_get_the_image_and_only_what_they_do_not_have() {
    let engine = docker_engine();
    let labels = |role| [("io.x-k8s.kind.cluster", "load"), ("io.x-k8s.kind.role", role)];
    let first = LocalNode::start(engine, "load-control-plane", &labels("control-plane"));
    let second = LocalNode::start(engine, "load-worker", &labels("worker"));
    let balancer = labels("external-load-balancer");
    let balancer =
        LocalNode::start_with(engine, "load-balancer", &balancer, &["/bin/sleep", "infinity"]);
    let sandbox = sandbox(engine, "kind.local").env("KIND_CLUSTER_NAME", "load");
    let ran = sandbox.run(BUILD).exits(0);
    let image = ran.line().to_owned();
    assert!(image.starts_with(&format!("kind.local/{NAME}:")), "{image}");
    let expected = {
        let mut names = vec![image.clone(), format!("kind.local/{NAME}:latest")];
        names.sort();
        names
    };
    for node in [&first, &second] {
        assert_eq!(node.images(), expected);
        assert!(sent(&ran, node) > 0);
    }
    assert_eq!(sent(&ran, &balancer), 0);
    let whole = sent(&ran, &first);

    // Again, from elsewhere: nothing is sent.
    let again = super::nodes::sandbox(engine, "kind.local").env("KIND_CLUSTER_NAME", "load");
    let again = again.run(BUILD).exits(0);
    assert_eq!(again.line(), image);
    assert_eq!((sent(&again, &first), sent(&again, &second)), (0, 0));

    // Changed: the base's layer, a third of a megabyte, stays where it is.
    edit(&sandbox, "changed");
    let changed = sandbox.run(BUILD).exits(0);
    assert!(first.images().contains(&changed.line().to_owned()));
    let of_change = sent(&changed, &first);
    assert!(of_change > 0 && of_change + 300_000 < whole, "{of_change} of {whole}");

    // What a node has lost is sent again, although its record is there.
    let layers = second.ctr(&["content", "list"]);
    expect_success(&layers);
    let layers = String::from_utf8(layers.stdout).unwrap();
    for line in layers.lines().skip(1) {
        expect_success(&second.ctr(&["content", "rm", line.split_whitespace().next().unwrap()]));
    }
    let mended = sandbox.run(BUILD).exits(0);
    assert_eq!(mended.line(), changed.line());
    assert_eq!(sent(&mended, &first), 0);
    assert!(sent(&mended, &second) > 0);
    assert!(second.images().contains(&changed.line().to_owned()));
}

#[test]
fn nodes_of_k3d_and_of_minikube_with_containerd_are_found_by_their_labels() {
    let engine = docker_engine();
    let labels = [("app", "k3d"), ("k3d.cluster", "team"), ("k3d.role", "server")];
    let k3d = LocalNode::start(engine, "k3d-team-server-0", &labels);
    let settings = sandbox(engine, "k3d.local").file(".ko-rs.yaml", "k3dCluster: team\n");
    let image = settings.run(BUILD).exits(0).line().to_owned();
    assert!(k3d.images().contains(&image), "{image}");

    let labels =
        [("created_by.minikube.sigs.k8s.io", "true"), ("name.minikube.sigs.k8s.io", "shop")];
    let minikube = LocalNode::start(engine, "minikube-shop", &labels);
    let kubelet = "echo 'containerRuntimeEndpoint: unix:///run/containerd/containerd.sock' \
                   > /etc/crictl.yaml";
    expect_success(&minikube.exec(&["/bin/sh", "-c", kubelet]));
    let direct = sandbox(engine, "minikube.local").env("MINIKUBE_PROFILE", "shop");
    let image = direct.run(BUILD).exits(0).line().to_owned();
    assert!(minikube.images().contains(&image), "{image}");

    // As `minikube docker-env` sets it for containerd.
    let host = format!("unix://{}", engine.socket.display());
    let by_environment = sandbox(engine, "ko.local")
        .env("DOCKER_HOST", "ssh://docker@127.0.0.1:49153")
        .env("MINIKUBE_ACTIVE_DOCKERD", "shop")
        .env("MINIKUBE_EXISTING_DOCKER_HOST", host);
    let image = by_environment.run(BUILD).exits(0).line().to_owned();
    assert!(image.starts_with("ko.local/"), "{image}");
    assert!(minikube.images().contains(&image), "{image}");
}

#[test]
fn a_cluster_without_nodes_and_a_node_that_is_paused_are_errors() {
    let engine = docker_engine();
    let nobody = sandbox(engine, "kind.local").env("KIND_CLUSTER_NAME", "nobody");
    let ran = nobody.run(["build", "."]).exits(1);
    assert!(ran.stderr().contains("error[no-nodes]"), "{}", ran.stderr());
    assert!(ran.stderr().contains("the kind cluster `nobody`"), "{}", ran.stderr());

    let node = LocalNode::start(engine, "paused", &[("io.x-k8s.kind.cluster", "paused")]);
    expect_success(&engine.docker(["pause", "paused"]));
    let sandbox = sandbox(engine, "kind.local").env("KIND_CLUSTER_NAME", "paused");
    let ran = sandbox.run(["build", "."]).exits(1);
    assert!(ran.stderr().contains("paused"), "{}", ran.stderr());
    expect_success(&engine.docker(["unpause", "paused"]));
    let image = sandbox.run(["build", "."]).exits(0).line().to_owned();
    assert!(node.images().contains(&image));
}

#[test]
fn the_cluster_chooses_its_nodes_and_another_destination_is_an_error() {
    let engine = docker_engine();
    let node = LocalNode::start(engine, "chosen", &[("io.x-k8s.kind.cluster", "chosen")]);
    let namespace = cluster().namespace("chosen");
    // Someone who may not list nodes, in a context named as kind names it.
    let view = ["config", "view", "--raw", "--output=json"];
    let view = cluster().kubectl(view);
    expect_success(&view);
    let mut kubeconfig: Value = serde_json::from_slice(&view.stdout).unwrap();
    let mut user = kubeconfig["users"][0].clone();
    user["name"] = "someone".into();
    user["user"]["as"] = format!("someone-{namespace}").into();
    kubeconfig["users"].as_array_mut().unwrap().push(user);
    let mut context = kubeconfig["contexts"][0].clone();
    context["name"] = "kind-chosen".into();
    context["context"]["user"] = "someone".into();
    kubeconfig["contexts"].as_array_mut().unwrap().push(context);
    let with = |repo: &str| {
        let sandbox = sandbox(engine, repo);
        sandbox.write("kubeconfig", &kubeconfig.to_string());
        let path = sandbox.directory().join("kubeconfig");
        sandbox.env("KUBECONFIG", path).env("KO_RS_CONTEXT", "kind-chosen")
    };
    let ran = with("auto").run(BUILD).exits(0);
    assert!(ran.line().starts_with("kind.local/"), "{}", ran.line());
    assert!(node.images().contains(&ran.line().to_owned()));

    for repo in ["k3d.local", "ko.local"] {
        let sandbox = with(repo);
        sandbox.write("pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: ko://hello}]}\n");
        let ran = sandbox.run(["apply", "-f", "pod.yaml"]).exits(1);
        assert!(ran.stderr().contains("error[other-cluster]"), "{}", ran.stderr());
        assert!(ran.stderr().contains("set KO_DOCKER_REPO or --repo to `kind.local`"));
        assert!(!ran.stderr().contains("Compiling"), "{}", ran.stderr());
    }
}
