//! Rollouts that fail: `--wait` reports the reason, and ends as soon as the failure is certain.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::scene::Scene;
use crate::support::Ran;

/// A Deployment of one pod.
fn deployment(name: &str, container: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {{name: main, {container}}}
"
    )
}

#[test]
fn an_image_that_cannot_be_pulled_ends_the_wait() {
    let scene = Scene::new("pull");
    let manifest = deployment("lost", "image: 'localhost:1/nothing:1'");
    let ran = scene.run_with_input("apply --wait --timeout=10m -f -", &manifest).exits(1);
    assert_eq!(ran.stdout(), "deployment.apps/lost created\n", "what was applied is printed");
    let error = ran.stderr().split_once("error[not-ready]: ").unwrap().1;
    let start =
        "deployment.apps/lost will not become ready: 0 of 1 new pods are available\n  pod lost-";
    assert!(error.starts_with(start), "{error}");
    assert!(error.contains(": container main: ImagePullBackOff: "), "{error}");
    assert!(error.contains("localhost:1/nothing:1"), "{error}");
}

#[test]
fn a_program_that_exits_is_reported_with_its_exit_code_at_the_time_limit() {
    let scene = Scene::new("crash");
    let manifest = scene
        .sandbox
        .read("svc/link_service/k8s/link_manager.yaml")
        .replace("        ports:\n", "        env: [{name: PORT, value: none}]\n        ports:\n");
    let ran = scene.run_with_input("apply --wait --timeout=8s -f -", &manifest).exits(1);
    let created = "deployment.apps/link-manager created\nservice/link-manager created\n";
    assert_eq!(ran.stdout(), created);
    let error = ran.stderr().split_once("error[not-ready]: ").unwrap().1;
    assert!(
        error.starts_with("deployment.apps/link-manager did not become ready in time: "),
        "{error}"
    );
    assert!(
        error.contains("container link-manager") && error.contains("exited with code 1"),
        "{error}"
    );
}

#[test]
fn an_interrupted_wait_ends_at_once_and_keeps_what_was_applied() {
    let scene = Scene::new("interrupted");
    let manifest = scene.sandbox.outside("manifest.yaml");
    let homeless = deployment("homeless", "image: 'localhost/pause:1'")
        .replace("containers:", "nodeSelector: {on: mars}\n      containers:");
    std::fs::write(&manifest, homeless).unwrap();
    let manifest = manifest.display().to_string();
    let mut child = scene.sandbox.start(["apply", "--wait", "--timeout=10m", "-f", &manifest]);
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let waits = |line: &String| line.contains("Unschedulable");
    let mut lines = stderr.lines().map(Result::unwrap);
    assert!(lines.any(|line| waits(&line)), "it reports what it waits for");
    let signal = ["-INT", &child.id().to_string()].map(str::to_owned);
    assert!(Command::new("kill").args(signal).stdin(Stdio::null()).status().unwrap().success());
    let ran = Ran::of(child.wait_with_output().unwrap()).exits(130);
    assert_eq!(ran.stdout(), "deployment.apps/homeless created\n");
    assert_eq!(scene.names("deployments"), "deployment.apps/homeless\n");
}
