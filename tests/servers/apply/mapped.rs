//! Manifests with the names of published images, which stay as they are.

use crate::scene::Scene;
use crate::servers::registry;
use crate::support::Sandbox;

/// The manifest of the book without pods, with an alias and a merge key.
const MANIFESTS: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: link-manager, labels: {version: &version '0.3'}}
spec:
  replicas: 0
  selector: {matchLabels: {svc: link}}
  template:
    metadata: {labels: {svc: link}}
    spec:
      initContainers:
      - &migrate
        name: migrate
        image: &image g1g1/delinkcious-link:0.3
      containers:
      - <<: *migrate
        name: link-manager
        env: [{name: IMAGE, value: *image}, {name: VERSION, value: *version}]
      - {name: other, image: 'g1g1/delinkcious-link-service:0.3'}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: link-checker}
spec:
  schedule: '0 0 1 1 *'
  suspend: true
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: check, image: 'docker.io/g1g1/delinkcious-link@sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f'}]
";

#[test]
fn mapped_images_are_applied_and_their_objects_are_deleted_without_a_build() {
    let sandbox = Sandbox::with_fixture("crates/hello")
        .file(".ko-rs.yaml", "images: {g1g1/delinkcious-link: hello}\n");
    let scene = Scene::of(sandbox, "mapped", "mapped");
    let ran = scene.run_with_input("apply -f - --image-refs refs", MANIFESTS).exits(0);
    assert!(ran.stdout().starts_with("deployment.apps/link-manager created\n"), "{}", ran.stdout());
    let image = scene.sandbox.read("refs").trim_end().to_owned();
    let repository = format!("{}/mapped/hello-", registry().host);
    assert!(image.starts_with(&repository) && image.contains("@sha256:"), "{image}");
    let pod = &scene.live("deployment/link-manager")["spec"]["template"]["spec"];
    assert_eq!(pod["initContainers"][0]["image"], image);
    assert_eq!(pod["containers"][0]["image"], image);
    assert_eq!(pod["containers"][0]["env"][0]["value"], image);
    assert_eq!(pod["containers"][0]["env"][1]["value"], "0.3");
    assert_eq!(pod["containers"][1]["image"], "g1g1/delinkcious-link-service:0.3");
    let job =
        &scene.live("cronjob/link-checker")["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(job["containers"][0]["image"], image);

    // `resolve` prints what was applied: kubectl has nothing to change.
    let resolved = scene.run_with_input("resolve -f -", MANIFESTS).exits(0);
    let dry = scene.kubectl_with_input(
        "apply --server-side --field-manager=ko-rs --dry-run=server -f -",
        resolved.stdout(),
    );
    assert_eq!(dry.matches("serverside-applied").count(), 2, "{dry}");
    let again = scene.run_with_input("apply -f -", resolved.stdout()).exits(0);
    assert_eq!(
        again.stdout(),
        "deployment.apps/link-manager unchanged\ncronjob.batch/link-checker unchanged\n"
    );

    // Neither Cargo nor a compiler.
    let scene = scene.env("PATH", "");
    let ran = scene.run_with_input("delete -f -", MANIFESTS).exits(0);
    assert_eq!(ran.stdout().lines().count(), 2, "{}", ran.stdout());
    assert_eq!(scene.names("deployment,cronjob"), "");
}
