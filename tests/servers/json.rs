//! Results of commands that need servers as JSON, held against `docs/schema`.

use crate::publish::hello;
use crate::scene::Scene;
use crate::schemas::{document, events};
use crate::servers::registry;

#[test]
fn what_happened_to_objects_is_a_document() {
    let scene = Scene::new("json");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    for (command, kind, outcome) in [
        ("apply", "ApplyResult", "created"),
        ("apply", "ApplyResult", "unchanged"),
        ("delete", "DeleteResult", "deleted"),
        ("create", "CreateResult", "created"),
    ] {
        let command = format!("{command} --output=json --progress=json -f -");
        let ran = scene.run_with_input(&command, map).exits(0);
        let changed = document(kind, ran.stdout());
        let object = &changed["objects"][0];
        assert_eq!(
            (&object["object"], &object["outcome"]),
            (&"configmap/a".into(), &outcome.into())
        );
        assert_eq!(changed["complete"], true);
        let _ = events(ran.stderr());
    }
}

#[test]
fn the_document_of_a_run_that_failed_half_way_is_not_complete() {
    let scene = Scene::new("json-partial");
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n\
        spec: {containers: [{name: a, image: 'localhost/none:1', imagePullPolicy: Never}]}\n";
    let ran = scene.run_with_input("apply --wait --timeout=3s --output=json -f -", pod).exits(1);
    let applied = document("ApplyResult", ran.stdout());
    assert_eq!(applied["objects"][0]["outcome"], "created");
    assert_eq!(applied["complete"], false);
}

#[test]
fn the_document_of_a_partial_change_has_the_objects_that_were_changed() {
    let scene = Scene::new("json-some");
    let map =
        |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n---\n");
    let _ = scene.run_with_input("apply -f -", &map("b")).exits(0);
    let both = map("a") + &map("b");
    let ran = scene.run_with_input("delete --output=json --progress=json -f -", &both).exits(1);
    let deleted = document("DeleteResult", ran.stdout());
    let objects = deleted["objects"].as_array().unwrap();
    let names: Vec<_> =
        objects.iter().map(|object| (&object["object"], &object["outcome"])).collect();
    assert_eq!(names, [(&"configmap/b".into(), &"deleted".into())]);
    assert_eq!(deleted["complete"], false);
    let last = events(ran.stderr()).pop().unwrap();
    assert_eq!(
        (&last["code"], &last["message"]),
        (&"object-not-found".into(), &"only 1 of 2 objects were written".into())
    );
}

#[test]
fn what_registries_hold_is_a_document_without_passwords() {
    let host = &registry().host;
    let sandbox = hello().env("KO_DOCKER_REPO", format!("{host}/json"));
    let sandbox = {
        let folder = sandbox.outside("docker");
        sandbox.env("DOCKER_CONFIG", folder)
    };
    let json = ["--output=json", "--progress=json"];
    let login = ["login", "-u", "ann", "--password-stdin", host];
    let ran = sandbox.run_with_input(login.iter().chain(&json), "open sesame").exits(0);
    document("LoginResult", ran.stdout());
    let said = format!("{}{}", ran.stdout(), ran.stderr());
    assert!(!said.contains("sesame") && !events(ran.stderr()).is_empty(), "{said}");

    let ran = sandbox.run(["build", "."].iter().chain(&json)).exits(0);
    let built = document("BuildResult", ran.stdout());
    let _ = events(ran.stderr());
    let image = built["images"][0]["reference"].as_str().unwrap();
    let ran = sandbox.run(["deps", image].iter().chain(&json)).exits(0);
    assert_eq!(document("DepsResult", ran.stdout())["document"]["spdxVersion"], "SPDX-2.3");
    let name = format!("{host}/json/static:1");
    let ran = sandbox.run(["base", "push", &name].iter().chain(&json)).exits(0);
    let pushed = document("BasePushResult", ran.stdout());
    assert!(pushed["reference"].as_str().unwrap().contains("@sha256:"), "{pushed}");
    let ran = sandbox.run(["logout", host].iter().chain(&json)).exits(0);
    assert_eq!(document("LogoutResult", ran.stdout())["removed"], true);
}
