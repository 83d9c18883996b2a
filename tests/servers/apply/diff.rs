//! `diff`, beside `kubectl diff --server-side`.

use super::SHOP;
use crate::scene::Scene;
use crate::schemas::document;

/// The added and removed lines of a diff in alphabetical order (kubectl sorts objects by its files'
/// names), without those of the server's bookkeeping and the change cause.
fn changes(diff: &str) -> Vec<String> {
    let is_change = |line: &&str| {
        (line.starts_with('+') || line.starts_with('-'))
            && !line.starts_with("+++ ")
            && !line.starts_with("--- ")
            && !["  generation: ", "  uid: ", "  creationTimestamp: ", "  resourceVersion: "]
                .iter()
                .any(|field| line[1..].starts_with(field))
    };
    let lines = diff.lines().filter(is_change).map(|line| line.replace('"', "'"));
    let mut lines: Vec<_> = lines.filter(|line| !line.contains("/change-cause: ")).collect();
    lines.sort();
    lines
}

#[test]
fn the_changes_are_those_that_kubectl_shows() {
    let scene = Scene::new("diff");
    let _ = scene.run_with_input("apply -f -", SHOP).exits(0);
    let same = scene.run_with_input("diff -f -", SHOP).exits(0);
    assert_eq!(same.stdout(), "");

    let changed = SHOP
        .replace("value: b", "value: c")
        .replace("hello", "good morning")
        .replace("b3BlbiBzZXNhbWU=", "b3RoZXI=")
        .replace(", labels: {part: program}", "")
        + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\ndata: {a: \"1\"}\n";
    let command = "diff --server-side --force-conflicts --field-manager=ko-rs -f -";
    let words = ["--namespace", &scene.namespace].into_iter().chain(command.split(' '));
    let theirs = crate::servers::cluster().kubectl_with_input(words, &changed);
    assert_eq!(theirs.status.code(), Some(1));
    let theirs = String::from_utf8(theirs.stdout).unwrap();
    let ran = scene.run_with_input("diff -f -", &changed).exits(1);
    assert_eq!(changes(ran.stdout()), changes(&theirs), "{}\n{theirs}", ran.stdout());
    assert!(ran.stdout().contains("*** (before)"), "{}", ran.stdout());
    assert!(ran.stdout().contains("--- /dev/null\n+++ applied/"), "{}", ran.stdout());
    assert!(!ran.stdout().contains("b3RoZXI="));
    assert_eq!(scene.names("configmaps").lines().count(), 2, "nothing is written");

    let json = scene.run_with_input("diff --output json -f -", &changed).exits(1);
    let document = document("DiffResult", json.stdout());
    assert_eq!(document["complete"], true);
    let objects = document["objects"].as_array().unwrap();
    let named: Vec<_> = objects.iter().map(|object| object["object"].as_str().unwrap()).collect();
    assert_eq!(
        named,
        ["configmap/shop", "deployment.apps/shop", "service/shop", "secret/shop", "configmap/more"]
    );
    assert!(!json.stdout().contains("b3RoZXI="));
}

#[test]
fn a_field_that_leaves_a_manifest_of_kubectl_is_shown_and_one_of_others_is_not() {
    let scene = Scene::new("diff-taken");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: \"1\", b: \"2\"}\n";
    scene.kubectl_with_input("apply -f -", map);
    scene.kubectl("annotate configmap a note=theirs");
    let ran = scene.run_with_input("diff -f -", &map.replace(", b: \"2\"", "")).exits(1);
    assert_eq!(changes(ran.stdout()), ["-  b: '2'"], "{}", ran.stdout());
    assert!(!ran.stdout().contains("theirs"), "{}", ran.stdout());
}

#[test]
fn a_failure_is_never_mistaken_for_a_difference() {
    let scene = Scene::new("diff-fails");
    let ran = scene.run_with_input("diff -f -", &SHOP.replace("replicas: 0", "replicas: x"));
    assert!(ran.exits(2).stderr().contains("error[invalid-object]"));
    let _ = scene.run_with_input("diff -f -", "image: ko://nothing\n").exits(2);
}
