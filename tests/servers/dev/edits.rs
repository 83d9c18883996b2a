//! What is edited while `ko-rs dev` runs arrives in the cluster; what is broken does not.

use serde_json::{Value, json};

use super::session::Session;
use crate::scene::{Scene, on_node};
use crate::servers::cluster;

const SOURCE: &str = "svc/link_service/src/main.rs";
const MANIFEST: &str = "svc/link_service/k8s/link_manager.yaml";

#[test]
fn each_edit_arrives_and_while_something_is_broken_the_last_good_state_serves() {
    let scene = Scene::with_copy("dev-edits");
    let text = on_node(&scene.sandbox.read(MANIFEST), &cluster().containerd_node);
    scene.sandbox.write(MANIFEST, &text);
    let events = scene.sandbox.outside("events");
    let arguments = format!("-f svc/link_service/k8s --events {}", events.display());
    let mut dev = Session::start(&scene, &arguments);
    let watching = dev.until("Watching ");
    assert!(watching.ends_with(", 1 manifest"), "{watching}");
    assert!(watching.contains("Watching 4 crates ("), "{watching}");
    dev.until("Updated link-manager by rollout in ");
    let forwarding = dev.until("Forwarding http://127.0.0.1:");
    assert!(forwarding.ends_with(" to service/link-manager 80"), "{forwarding}");
    version(&scene, "1");

    edit(&scene, "const VERSION: &str = \"1\"", "const VERSION: &str = \"2\"");
    dev.until(&format!("Changed {SOURCE}"));
    let updated = dev.until("Updated link-manager by rollout in ");
    assert!(updated.contains(" s: wait ") && updated.contains(", compile "), "{updated}");
    version(&scene, "2");

    // A save without a change, and a file that Git ignores.
    scene.sandbox.write(SOURCE, &scene.sandbox.read(SOURCE));
    dev.is_quiet();

    edit(&scene, "\"2\";", "\"3;");
    dev.until("error[compilation-failed]");
    version(&scene, "2");
    edit(&scene, "\"3;", "\"3\";");
    dev.until("Updated link-manager by rollout in ");
    version(&scene, "3");

    scene.sandbox.write(MANIFEST, &text.replace("replicas: 1", "replicas: ["));
    let broken = dev.until("error[invalid-yaml]");
    dev.until("link_manager.yaml:");
    assert!(!broken.is_empty());
    version(&scene, "3");
    // The Service leaves the manifests, another label arrives.
    let (deployment, _) = text.split_once("\n---\n").unwrap();
    let labelled =
        deployment.replacen("    svc: link\n", "    svc: link\n    edited: yes-it-is\n", 1);
    scene.sandbox.write(MANIFEST, &labelled);
    dev.until("Deleted service/link-manager");
    dev.until("Updated link-manager by rollout in ");
    let deployment = scene.live("deployment/link-manager");
    assert_eq!(deployment["metadata"]["labels"]["edited"], "yes-it-is");
    assert_eq!(scene.names("services"), "");

    let (status, _) = dev.stop();
    assert_eq!(status, Some(143));
    version(&scene, "3");
    let text = std::fs::read_to_string(events).unwrap();
    let events = crate::schemas::events(&text);
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    for name in ["watching", "changed", "updated", "removed"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
}

#[test]
fn what_reads_a_config_map_as_environment_gets_new_pods_when_that_changes() {
    let scene = Scene::new("dev-environment");
    let manifests = |greeting: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{greeting: {greeting}}}\n\
             ---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: reader}}\nspec:\n  \
             selector: {{matchLabels: {{app: reader}}}}\n  template:\n    \
             metadata: {{labels: {{app: reader}}}}\n    spec:\n      \
             nodeSelector: {{kubernetes.io/hostname: {}}}\n      terminationGracePeriodSeconds: 0\n      \
             containers: [{{name: a, image: localhost/pause:1, imagePullPolicy: Never, \
             envFrom: [{{configMapRef: {{name: settings}}}}]}}]\n",
            cluster().minikube_node
        )
    };
    let file = scene.sandbox.outside("set.yaml");
    std::fs::write(&file, manifests("hello")).unwrap();
    let mut dev = Session::start(&scene, &format!("-f {}", file.display()));
    dev.until("Updated reader by rollout in ");
    let first = scene.names("pods");
    std::fs::write(&file, manifests("bye")).unwrap();
    dev.until("Updated configmap/settings by apply in ");
    dev.until("Updated reader by rollout in ");
    assert_ne!(scene.names("pods"), first);
    // `ko-rs apply` takes the annotation off again.
    let annotation = |scene: &Scene| {
        scene.live("deployment/reader")["spec"]["template"]["metadata"]["annotations"].clone()
    };
    assert!(annotation(&scene)["ko-rs.dev/environment"].is_string());
    drop(dev);
    let _ = scene.run(&format!("apply -f {}", file.display())).exits(0);
    assert_eq!(annotation(&scene)["ko-rs.dev/environment"], Value::Null);
}

fn edit(scene: &Scene, from: &str, to: &str) {
    let text = scene.sandbox.read(SOURCE);
    assert!(text.contains(from), "{from}");
    scene.sandbox.write(SOURCE, &text.replace(from, to));
}

/// Asserts what the newest pod answers.
#[track_caller]
fn version(scene: &Scene, version: &str) {
    // A pod of the version before may take its time to end.
    let pods = scene.kubectl(
        "get pods --selector app=manager --sort-by .metadata.creationTimestamp --output name",
    );
    let newest = pods.lines().last().unwrap();
    let answer: Value = serde_json::from_str(&scene.identity(newest, 8080)).unwrap();
    assert_eq!(answer, json!({"service": "link", "version": version}));
}
