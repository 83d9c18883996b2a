//! What is left when `ko-rs dev` ends, and what `ko-rs down` deletes.

use super::session::Session;
use crate::scene::Scene;

const SET: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: mine}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: before}
data: {a: b}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Service
metadata: {name: mine}
spec: {clusterIP: None, selector: {app: mine}}
";

/// The objects that the tests are about; each namespace has a ConfigMap of its own.
fn left(scene: &Scene) -> String {
    let names = scene.names("configmaps,persistentvolumeclaims,services");
    let ours = names.lines().filter(|name| !name.ends_with("kube-root-ca.crt"));
    ours.map(|name| format!("{name}\n")).collect()
}

#[test]
fn down_deletes_what_was_created_and_keeps_claims_and_what_is_of_others() {
    let scene = Scene::new("dev-down");
    let file = scene.sandbox.outside("set.yaml");
    std::fs::write(&file, SET).unwrap();
    for name in ["before", "stranger"] {
        scene.kubectl(&format!("create configmap {name}"));
    }
    let mut dev = Session::start(&scene, &format!("-f {}", file.display()));
    // No storage class binds the claim, which is not waited for.
    dev.until("Updated service/mine by apply in ");
    let (status, _) = dev.stop();
    assert_eq!(status, Some(143));
    let everything = "configmap/before\nconfigmap/ko-rs-dev\nconfigmap/mine\nconfigmap/stranger\n\
                      persistentvolumeclaim/claim\nservice/mine\n";
    assert_eq!(left(&scene), everything, "everything stays by default");

    let ran = scene.run("down").exits(0);
    let gone = |kind: &str, name: &str| {
        format!("{kind} \"{name}\" deleted from {} namespace\n", scene.namespace)
    };
    assert_eq!(ran.stdout(), gone("service", "mine") + &gone("configmap", "mine"));
    assert!(
        ran.stderr()
            .contains("note: persistentvolumeclaim/claim are kept; --everything deletes them"),
        "{}",
        ran.stderr()
    );
    let kept =
        "configmap/before\nconfigmap/ko-rs-dev\nconfigmap/stranger\npersistentvolumeclaim/claim\n";
    assert_eq!(left(&scene), kept);

    let ran = scene.run("down --everything").exits(2);
    assert!(ran.stderr().contains("error[not-confirmed]"), "{}", ran.stderr());
    assert_eq!(left(&scene), kept);
    let ran = scene.run("down --everything --yes").exits(0);
    assert_eq!(ran.stdout(), gone("persistentvolumeclaim", "claim"));
    scene.kubectl("wait --for=delete --timeout=60s persistentvolumeclaim/claim");
    assert_eq!(left(&scene), "configmap/before\nconfigmap/stranger\n");
    let ran = scene.run("down").exits(0);
    assert!(ran.stderr().contains("created nothing here"), "{}", ran.stderr());
}

#[test]
fn an_object_that_was_made_anew_by_others_is_not_deleted() {
    let scene = Scene::new("dev-anew");
    let file = scene.sandbox.outside("set.yaml");
    std::fs::write(&file, "{apiVersion: v1, kind: ConfigMap, metadata: {name: mine}}\n").unwrap();
    let mut dev = Session::start(&scene, &format!("-f {}", file.display()));
    dev.until("Updated configmap/mine by apply in ");
    let _ = dev.stop();
    scene.kubectl("delete configmap mine");
    scene.kubectl("create configmap mine");
    let ran = scene.run("down").exits(0);
    assert_eq!(ran.stdout(), "");
    assert_eq!(left(&scene), "configmap/mine\n");
}

#[test]
fn a_loop_can_delete_its_objects_at_its_end_and_another_adopts_a_killed_one() {
    let scene = Scene::new("dev-end");
    let folder = scene.sandbox.outside("dev");
    std::fs::create_dir(&folder).unwrap();
    let settings = "dev: {manifests: [set.yaml], atEnd: down}\n";
    std::fs::write(folder.join(".ko-rs.yaml"), settings).unwrap();
    std::fs::write(folder.join("set.yaml"), SET).unwrap();
    let arguments = format!("-C {}", folder.display());
    let mut killed = Session::start(&scene, &arguments);
    killed.until("Updated service/mine by apply in ");
    drop(killed);
    let mut dev = Session::start(&scene, &arguments);
    dev.until("Watching ");
    std::fs::write(folder.join("set.yaml"), SET.replace("a: b", "a: c")).unwrap();
    dev.until("Updated configmap/before by apply in ");
    let (status, last) = dev.stop();
    assert_eq!(status, Some(143));
    assert!(last.contains("note: service \"mine\" deleted"), "{last}");
    assert_eq!(left(&scene), "configmap/ko-rs-dev\npersistentvolumeclaim/claim\n");
}
