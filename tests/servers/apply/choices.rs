//! The selection of cluster, namespace and objects, and dry runs.

use super::SHOP;
use crate::scene::{Scene, administrator};

const EVERYTHING: &str = "all,configmaps,secrets,ingresses,roles";
/// Every namespace has this ConfigMap.
const AUTHORITY: &str = "configmap/kube-root-ca.crt\n";

#[test]
fn a_dry_run_writes_nothing() {
    let scene = Scene::new("tried");
    for command in ["apply", "create"] {
        for how in ["server", "client"] {
            let command = format!("{command} --dry-run={how} --wait -f -");
            let ran = scene.run_with_input(&command, SHOP).exits(0);
            assert_eq!(ran.stdout().lines().count(), 7);
            assert_eq!(scene.names(EVERYTHING), AUTHORITY);
        }
    }
    scene.run_with_input("apply -f -", SHOP).exits(0).stdout();
    let before = scene.kubectl(&format!("get {EVERYTHING} --output yaml --show-managed-fields"));
    let changed = SHOP.replace("value: b", "value: c");
    for how in ["server", "client"] {
        scene.run_with_input(&format!("apply --dry-run={how} -f -"), &changed).exits(0).stdout();
        scene.run_with_input(&format!("delete --dry-run={how} -f -"), &changed).exits(0).stdout();
    }
    let after = scene.kubectl(&format!("get {EVERYTHING} --output yaml --show-managed-fields"));
    assert_eq!(after, before);
}

#[test]
fn a_selector_selects_objects_and_only_their_images_are_built() {
    let scene = Scene::new("selected");
    let ran = scene.run_with_input("apply -l part=program -f -", SHOP).exits(0);
    assert_eq!(ran.stdout(), "deployment.apps/shop created\nservice/shop created\n");
    let ran = scene.run_with_input("apply -l part -f -", SHOP).exits(0);
    let lines = "configmap/shop created\ndeployment.apps/shop unchanged\nservice/shop unchanged\n";
    assert_eq!(ran.stdout(), lines);
    let ran = scene.run_with_input("delete -l part=settings -f -", SHOP).exits(0);
    let line = format!("configmap \"shop\" deleted from {} namespace\n", scene.namespace);
    assert_eq!(ran.stdout(), line);
    let ran = scene.run_with_input("apply -l part=nothing -f -", SHOP).exits(1);
    assert!(ran.stderr().ends_with("\nerror[no-objects]: there are no objects to apply\n"));
    // Services have no label, and objects that are not selected need no image.
    let ran = scene.run("apply --dry-run=server -R -f svc -l svc=user").exits(0);
    assert_eq!(ran.stdout(), "deployment.apps/user-manager created (server dry run)\n");
    assert!(ran.stderr().contains(" Building user-service#users for "), "{}", ran.stderr());
}

#[test]
fn the_requested_namespace_is_used() {
    let (scene, other) = (Scene::new("here"), Scene::new("there"));
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let ran = scene.run_with_input(&format!("apply -n {} -f -", other.namespace), map).exits(0);
    assert!(ran.stderr().ends_with(&format!(", namespace {}\n", other.namespace)));
    assert_eq!(other.names("configmap/a"), "configmap/a\n");
    assert_eq!(scene.names("configmaps"), AUTHORITY);
    // The namespace of a manifest wins over the context, but must equal the requested one.
    let stated = map.replace("name: a", &format!("name: b, namespace: {}", other.namespace));
    scene.run_with_input("apply -f -", &stated).exits(0).stdout();
    assert_eq!(other.names("configmap/b"), "configmap/b\n");
    let ran = scene.run_with_input(&format!("apply -n {} -f -", scene.namespace), &stated).exits(1);
    let error = format!(
        "error[namespace-mismatch]: the object at <stdin>:1:1 is in namespace `{}`, which does not match the requested \
         namespace `{}`\nhint: omit `-n`, or pass `-n {}` for this object\n",
        other.namespace, scene.namespace, other.namespace
    );
    assert!(ran.stderr().ends_with(&error), "{}", ran.stderr());
}

#[test]
fn a_context_is_selected_by_name_and_must_be_allowed() {
    let (scene, other) = (Scene::new("blue"), Scene::new("green"));
    let kubeconfig = administrator(&scene.namespace).replace(
        "current-context",
        &format!(
            "- {{name: green, context: {{cluster: ko-rs, user: admin, namespace: {}}}}}\ncurrent-context",
            other.namespace
        ),
    );
    let scene = scene.kubeconfig(&kubeconfig);
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let ran = scene.run_with_input("apply --context green -f -", map).exits(0);
    assert!(ran.stderr().starts_with("note: context green, server https://"), "{}", ran.stderr());
    assert_eq!(other.names("configmap/a"), "configmap/a\n");
    assert_eq!(scene.names("configmaps"), AUTHORITY);

    let ran = scene.run_with_input("apply --context red -f -", map).exits(1);
    let unknown = "error[unknown-context]: context `red` does not exist in the kubeconfig\nhint: pass one of ko-rs, green with --context\n";
    assert_eq!(ran.stderr(), unknown);

    let settings = scene.sandbox.outside("settings.yaml");
    std::fs::write(&settings, "allowContexts: [gr*n]\n").unwrap();
    let allowed = |command: &str| format!("{command} --config {} -f -", settings.display());
    let ran = scene.run_with_input(&allowed("apply"), map).exits(1);
    let refused = "error[context-not-allowed]: context `ko-rs` is not in `allowContexts`\n";
    assert!(ran.stderr().starts_with(refused), "{}", ran.stderr());
    assert_eq!(scene.names("configmaps"), AUTHORITY);
    let ran = scene.run_with_input(&allowed("delete"), map).exits(1);
    assert!(ran.stderr().starts_with(refused), "{}", ran.stderr());
    // One that is named is meant.
    let ran = scene.run_with_input(&allowed("apply --context ko-rs"), map).exits(0);
    assert_eq!(ran.stdout(), "configmap/a created\n");
    let green =
        scene.kubeconfig(&kubeconfig.replace("current-context: ko-rs", "current-context: green"));
    let ran = green.run_with_input(&allowed("apply"), map).exits(0);
    assert_eq!(ran.stdout(), "configmap/a unchanged\n");
}
