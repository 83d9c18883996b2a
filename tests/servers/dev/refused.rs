//! Clusters and objects that a loop leaves alone.

use crate::scene::Scene;

const SET: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {b: c}}\n";

#[test]
fn objects_of_argo_cd_are_left_alone() {
    let scene = Scene::new("dev-argo");
    let file = scene.sandbox.file_with(SET);
    scene.kubectl("create configmap a");
    scene.kubectl("annotate configmap a argocd.argoproj.io/tracking-id=x");
    let ran = scene.run(&format!("dev -f {}", file.display())).exits(1);
    let expected =
        format!("error[managed-object]: Argo CD manages configmap/a ({}:1:1)", file.display());
    assert!(ran.stderr().contains(&expected), "{}", ran.stderr());
    assert_eq!(scene.live("configmap/a")["data"]["b"], serde_json::Value::Null);
}
