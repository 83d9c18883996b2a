//! Compared with kubectl: the same output, the same objects, and no conflicts between field managers.

use serde_json::{Value, json};

use super::SHOP;
use crate::scene::Scene;

const LINK: &str = "svc/link_service/k8s/link_manager.yaml";
const CAUSE: &str = "kubernetes.io/change-cause";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The output of both for the same command.
#[track_caller]
fn print_the_same(ours: &Scene, theirs: &Scene, command: &str, manifests: &str) -> String {
    let expected = theirs.kubectl_with_input(command, manifests);
    let expected = expected.replace(&theirs.namespace, &ours.namespace);
    let ran = ours.run_with_input(command, manifests).exits(0);
    assert_eq!(ran.stdout(), expected, "{command}");
    expected
}

#[test]
fn the_output_is_the_one_of_kubectl() {
    let (ours, theirs) = (Scene::new("lines"), Scene::new("lines-of-kubectl"));
    let same = |command: &str, manifests: &str| print_the_same(&ours, &theirs, command, manifests);
    same("apply --dry-run=server -f -", SHOP);
    same("apply --dry-run=client -f -", SHOP);
    assert_eq!(ours.names("all,configmaps,secrets,ingresses").lines().count(), 1, "its own map");
    same("apply -f -", SHOP);
    let again = same("apply -f -", SHOP);
    assert_eq!(again.lines().filter(|line| line.ends_with(" unchanged")).count(), 7, "{again}");
    let changed = SHOP.replace("value: b", "value: c").replace("hello", "good morning");
    let by_server = same("apply --dry-run=server -f -", &changed);
    assert!(
        by_server.contains("deployment.apps/shop configured (server dry run)\n"),
        "{by_server}"
    );
    // kubectl prints `configured` for whatever it does not send.
    let tried = ours.run_with_input("apply --dry-run=client -f -", &changed).exits(0);
    assert_eq!(tried.stdout(), by_server.replace("server dry run", "dry run"));
    let configured = same("apply -f -", &changed);
    assert_eq!(configured.lines().filter(|line| line.ends_with(" configured")).count(), 2);
    same("delete --dry-run=server -f -", SHOP);
    same("delete --dry-run=client -f -", SHOP);
    let deleted = same("delete -f -", SHOP);
    assert_eq!(deleted.lines().count(), 7);
    assert_eq!(ours.names("all,secrets,ingresses,roles"), "");
    same("delete --ignore-not-found -f -", SHOP);
    same("create --dry-run=server -f -", SHOP);
    same("create --dry-run=client -f -", SHOP);
    same("create -f -", SHOP);
}

#[test]
fn objects_that_kubectl_applied_are_taken_over_and_lose_fields_that_the_manifest_does_not_have() {
    let scene = Scene::new("taken-over");
    let manifest = scene.sandbox.read(LINK).replace("replicas: 1", "replicas: 0");
    let resolved = scene.run_with_input("resolve -f -", &manifest).exits(0);
    let more = resolved
        .stdout()
        .replace(
            "        ports:\n",
            "        env:\n        - {name: A, value: a}\n        ports:\n",
        )
        .replace("  labels:\n    svc: link\n", "  labels:\n    team: links\n    svc: link\n")
        .replace("memory: 16Mi", "memory: 32Mi");
    let created = "deployment.apps/link-manager created\nservice/link-manager created\n";
    assert_eq!(scene.kubectl_with_input("apply -f -", &more), created);
    // It does not change, but from now on ko-rs manages its fields.
    let ran = scene.run_with_input("apply -f -", &manifest).exits(0);
    let configured = created.replace("created", "configured");
    assert_eq!(ran.stdout(), configured);
    let link = scene.live("deployment/link-manager");
    let container = &link["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container.get("env"), None);
    assert_eq!(container["resources"]["requests"]["memory"], "16Mi");
    assert_eq!(link["metadata"]["labels"], json!({"svc": "link", "app": "manager"}));
    assert_eq!(managers(&link), ["ko-rs"]);
    assert_eq!(managers(&scene.live("service/link-manager")), ["ko-rs"]);
    let again = scene.run_with_input("apply -f -", &manifest).exits(0);
    assert_eq!(again.stdout(), created.replace("created", "unchanged"));
    // Back and forth: the last one owns the fields.
    scene.kubectl_with_input("apply -f -", &more);
    let ran = scene.run_with_input("apply -f -", &manifest).exits(0);
    assert!(ran.stdout().starts_with("deployment.apps/link-manager configured\n"));
    let link = scene.live("deployment/link-manager");
    assert_eq!(link["spec"]["template"]["spec"]["containers"][0].get("env"), None);
    assert_eq!(link["metadata"]["labels"].get("team"), None);
}

#[test]
fn resolving_for_kubectl_gives_the_same_objects_except_for_managers_and_change_cause() {
    let ours = Scene::new("same");
    let (server_side, client_side) =
        (Scene::new("same-server-side"), Scene::new("same-client-side"));
    let files = "-f svc/link_service/k8s -f svc/user_service/k8s -f svc/news_service/k8s";
    let resolved = ours.run(&format!("resolve {files}")).exits(0).stdout().to_owned();
    assert!(!resolved.contains("ko://link") && resolved.contains("@sha256:"));
    // Without pods, because only the applied objects matter.
    let resolved = resolved.replace("replicas: 1", "replicas: 0");
    ours.run_with_input("apply -f -", &resolved).exits(0).stdout();
    server_side.kubectl_with_input("apply --server-side -f -", &resolved);
    client_side.kubectl_with_input("apply -f -", &resolved);
    let objects = [
        "deployment/link-manager",
        "service/link-manager",
        "deployment/user-manager",
        "service/user-manager",
        "statefulset/news-manager",
        "service/news-manager",
        "service/news-manager-nodes",
        "cronjob/news-digest",
    ];
    for object in objects {
        let expected = essence(&ours, object);
        assert_eq!(essence(&server_side, object), expected, "{object}");
        assert_eq!(essence(&client_side, object), expected, "{object}");
    }
}

#[test]
fn a_change_cause_is_kept_until_the_next_change_of_the_pods() {
    let scene = Scene::new("cause");
    let manifest = scene.sandbox.read(LINK).replace("replicas: 1", "replicas: 0");
    let cause = || {
        let link = scene.live("deployment/link-manager");
        link["metadata"]["annotations"][CAUSE].as_str().unwrap().to_owned()
    };
    let service = |cause: Option<&Value>| assert_eq!(cause, None, "a Service has no revisions");
    let file = scene.sandbox.outside("manifest.yaml");
    std::fs::write(&file, &manifest).unwrap();
    let from_file = format!("apply -f {}", file.display());
    let first = format!("ko-rs apply --filename={}", file.display());
    scene.run(&from_file).exits(0).stdout();
    assert_eq!(cause(), first);
    service(scene.live("service/link-manager")["metadata"].pointer("/annotations"));
    // The pods do not change by the same manifest or by another label of the Deployment.
    scene.run_with_input("apply -f -", &manifest).exits(0).stdout();
    assert_eq!(cause(), first);
    let labelled = manifest.replacen("    svc: link\n", "    svc: link\n    team: links\n", 1);
    let ran = scene.run_with_input("apply -f -", &labelled).exits(0);
    assert!(ran.stdout().starts_with("deployment.apps/link-manager configured\n"));
    assert_eq!(cause(), first);
    let smaller = labelled.replace("memory: 16Mi", "memory: 8Mi");
    scene.run_with_input("apply -f -", &smaller).exits(0).stdout();
    assert_eq!(cause(), "ko-rs apply --filename=-");
    let history = scene.kubectl("rollout history deployment/link-manager");
    assert!(
        history.ends_with(&format!("\n1         {first}\n2         ko-rs apply --filename=-\n\n")),
        "{history}"
    );
    let own = smaller
        .replacen("  labels:\n", &format!("  annotations: {{{CAUSE}: leaner}}\n  labels:\n"), 1)
        .replace("memory: 8Mi", "memory: 4Mi");
    scene.run_with_input("apply -f -", &own).exits(0).stdout();
    assert_eq!(cause(), "leaner");
}

/// A kind without a schema, so that the cluster stores what was read.
const ANYTHING: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: anythings.scalars.example.com}
spec:
  group: scalars.example.com
  scope: Namespaced
  names: {kind: Anything, plural: anythings, singular: anything}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

const SCALARS: &str = r#"
apiVersion: scalars.example.com/v1
kind: Anything
metadata: {name: one}
spec:
  bools: [true, false, True, TRUE, yes, no, on, off, Yes, NO, On, y, n, Y]
  nulls: [~, null, Null, NULL, '']
  empty:
  octals: [0644, 0o644, 0777, 08, 09, -0644, 0]
  hexadecimals: [0x1F, 0XFF, 0b101, 0B1]
  integers: [1_000, +5, -5, 9223372036854775807, 18446744073709551615, 12345678901234567890123]
  floats: [1.5, .5, 5., 1e3, 1.0, 6.02e23, -1.5, 1E-7, 100000000000000000000.0, 0.1, 1.10]
  sexagesimals: [1:30, 12:30:45, 190:20:30]
  strings: ["yes", '0644', "\u00e9", v1.10, 1.2.3, 2026-01-01, 2026-01-01T00:00:00Z, "a\
    b", "10:00", =, <<, '@at', 0x, 1e, e3, +, .]
  literal: |
    line 1
      line 2

    line 4
  folded: >-
    a
    b

    c
  keep: |+
    x

  map: {1: one, true: yes, 1.5: x}
  tagged: [!!str 5, !!int "5", !!float 1, !!bool "true", !!str yes]
  binary: !!binary aGVsbG8=
  anchors: {a: &a {x: 1}, b: *a, c: {<<: *a, y: 2}}
"#;

#[test]
fn yaml_is_read_as_by_kubectl() {
    let (ours, theirs) = (Scene::new("scalars"), Scene::new("scalars-of-kubectl"));
    theirs.kubectl_with_input("apply -f -", ANYTHING);
    theirs.kubectl(
        "wait --for=condition=Established --timeout=60s crd/anythings.scalars.example.com",
    );
    theirs.kubectl_with_input("create -f -", SCALARS);
    let ran = ours.run_with_input("apply -f -", SCALARS).exits(0);
    assert_eq!(ran.stdout(), "anything.scalars.example.com/one created\n");
    let spec = |scene: &Scene| scene.live("anything/one")["spec"].clone();
    assert_eq!(spec(&ours), spec(&theirs));
    let again = ours.run_with_input("apply -f -", SCALARS).exits(0);
    assert_eq!(again.stdout(), "anything.scalars.example.com/one unchanged\n");
}

#[test]
fn strings_are_stored_as_they_are_written() {
    // Characters that YAML 1.1 folds or rejects.
    let manifest = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "odd"}, "data": {
        "a": "a\u2028 b\u2029 c\u0085 d",
        "b": "\u007f\u0080\u009f\u00a0\ufeff\ufffe\uffff",
        "c": "\ud83d\ude00 \u0001\u001b\t\n d\r\n e\u2028"}}"#;
    let (ours, theirs) = (Scene::new("strings"), Scene::new("strings-of-kubectl"));
    theirs.kubectl_with_input("apply -f -", manifest);
    let ran = ours.run_with_input("apply -f -", manifest).exits(0);
    assert_eq!(ran.stdout(), "configmap/odd created\n");
    let data = |scene: &Scene| scene.live("configmap/odd")["data"].clone();
    assert_eq!(data(&ours), data(&theirs));
    assert_eq!(data(&ours)["a"], "a\u{2028} b\u{2029} c\u{85} d");
    let again = ours.run_with_input("apply -f -", manifest).exits(0);
    assert_eq!(again.stdout(), "configmap/odd unchanged\n");
}

#[test]
fn labels_that_are_not_strings_are_refused_as_by_kubectl() {
    let scene = Scene::new("labels-of-numbers");
    for field in ["labels", "annotations"] {
        let manifest = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: one\n  {field}: {{app: web, version: 1}}\n"
        );
        let file = scene.sandbox.outside("manifest.yaml");
        std::fs::write(&file, &manifest).unwrap();
        let theirs = scene.try_kubectl(&format!("apply -f {}", file.display()));
        assert!(!theirs.status.success(), "{theirs:?}");
        for command in
            ["check", "apply", "create", "delete", "resolve -l version=1", "delete -l !app"]
        {
            let ran = scene.run_with_input(&format!("{command} -f -"), &manifest).exits(1);
            assert!(ran.stderr().contains("<stdin>:5:"), "{}", ran.stderr());
            assert!(
                ran.stderr().contains("`version` must be a string, but is a number"),
                "{}",
                ran.stderr()
            );
        }
    }
}

fn managers(object: &Value) -> Vec<&str> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let entries = entries.iter().filter(|entry| entry.get("subresource").is_none());
    entries
        .map(|entry| entry["manager"].as_str().unwrap())
        // Kubernetes' own, which number revisions.
        .filter(|name| *name != "kube-controller-manager")
        .collect()
}

/// An object without the fields that differ between two objects of the same manifest.
fn essence(scene: &Scene, object: &str) -> Value {
    let mut object = scene.live(object);
    let fields = object.as_object_mut().unwrap();
    fields.remove("status");
    let spec = fields["spec"].as_object_mut().unwrap();
    if spec.get("clusterIP").is_some_and(|address| address != "None") {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
    }
    let metadata = fields["metadata"].as_object_mut().unwrap();
    for own in ["namespace", "uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        assert!(metadata.remove(own).is_some(), "{own}");
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| {
            ![CAUSE, LAST_APPLIED, "deployment.kubernetes.io/revision"].contains(&key.as_str())
        });
    }
    let annotations = metadata.get("annotations").and_then(Value::as_object);
    if annotations.is_some_and(serde_json::Map::is_empty) {
        metadata.remove("annotations");
    }
    object
}
