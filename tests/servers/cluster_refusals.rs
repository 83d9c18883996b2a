//! Failures of `apply`: a clear error, its exit code, and nothing is partly applied.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::scene::{Scene, administrator};
use crate::servers::registry;
use crate::support::Sandbox;

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n";
/// Every namespace has this ConfigMap.
const AUTHORITY: &str = "configmap/kube-root-ca.crt\n";

#[test]
fn one_invalid_object_of_ten_keeps_all_from_being_applied() {
    let scene = Scene::new("ten");
    let mut set: Vec<String> =
        (0..9).map(|index| MAP.replace("name: a", &format!("name: a{index}"))).collect();
    set.insert(6, String::new());
    let service = |spec: &str| {
        format!("apiVersion: v1\nkind: Service\nmetadata:\n  name: b\nspec: {{ports: [{spec}]}}\n")
    };
    for (wrong, why) in [
        (service("{port: 70000}"), "spec.ports[0].port: Invalid value: 70000"),
        (service("{port: http}"), "port"),
        (service("{port: 80, colour: red}"), "colour"),
        (service("{port: 80}").replace("Service", "Servcie"), "hint: did you mean `Service`?"),
        (service("{port: 80}").replace("name: b", "name: B!"), "B!"),
    ] {
        set[6] = wrong;
        let path = scene.sandbox.outside("ten.yaml");
        std::fs::write(&path, set.join("---\n")).unwrap();
        for command in ["apply", "create"] {
            let ran = scene.run(&format!("{command} -f {}", path.display())).exits(1);
            assert_eq!(ran.stdout(), "");
            let place = format!("{}:31:1", path.display());
            assert!(ran.stderr().contains(&place), "{place}: {}", ran.stderr());
            assert!(ran.stderr().contains(why), "{why}: {}", ran.stderr());
            assert_eq!(scene.names("configmaps,services"), AUTHORITY);
        }
    }
}

#[test]
fn an_unreachable_cluster_is_an_error_before_anything_is_built() {
    for more in ["", " --platform=linux/amd64"] {
        let scene = Scene::of(Sandbox::inside_fixture("delinkcious"), "gone", "gone");
        let kubeconfig = dead(&administrator(&scene.namespace));
        let scene = scene.kubeconfig(&kubeconfig);
        for command in ["apply", "create"] {
            let started = Instant::now();
            let ran = scene.run(&format!("{command} -f svc/link_service/k8s{more}")).exits(1);
            assert!(started.elapsed() < Duration::from_secs(30), "it hangs");
            assert_eq!(ran.stdout(), "");
            let error = ran.stderr().split_once("error[cluster-unreachable]: ").unwrap().1;
            let reason = "could not connect to https://127.0.0.1:1 (context `ko-rs`): ";
            assert!(error.contains(reason), "{error}");
            assert!(error.contains("\nhint: is the cluster running"), "{error}");
            assert!(!ran.stderr().contains("Building"), "{}", ran.stderr());
        }
        assert_eq!(registry().requests("gone"), Vec::<String>::new());
    }
}

#[test]
fn a_server_that_is_not_an_api_server_or_not_the_right_one_is_an_error() {
    let scene = Scene::new("other");
    let administrator = administrator(&scene.namespace);
    let run = |kubeconfig: &str| {
        std::fs::write(scene.kubeconfig_path(), kubeconfig).unwrap();
        let started = Instant::now();
        let ran = scene.run("apply -f svc/link_service/k8s").exits(1);
        assert!(started.elapsed() < Duration::from_secs(30), "it hangs");
        assert!(!ran.stderr().contains("Building"), "{}", ran.stderr());
        let error = ran.stderr().split_once("]: could not list the nodes\ncaused by: ");
        error.unwrap().1.to_owned()
    };
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let error = run(&at(&administrator, &format!("https://{address}")));
    let reason = format!("could not connect to https://{address} (context `ko-rs`): ");
    assert!(error.starts_with(&format!("{reason}the connection timed out\nhint: ")), "{error}");

    let authority = administrator.lines().find(|line| line.contains("authority-data")).unwrap();
    let error = run(&administrator.replace(authority, "    tls-server-name: localhost"));
    assert!(error.contains("invalid peer certificate"), "{error}");
    assert!(
        error.contains("\nhint: the kubeconfig does not trust the server's certificate"),
        "{error}"
    );

    let error = run(&at(&administrator, &registry().url));
    assert!(error.starts_with("404 page not found (404)\nhint: does the server's URL"), "{error}");
    assert_eq!(scene.names("deployments"), "");
}

#[test]
fn delete_fails_if_the_cluster_is_unreachable() {
    let scene = Scene::new("gone");
    let kubeconfig = dead(&administrator(&scene.namespace));
    let scene = scene.kubeconfig(&kubeconfig);
    let ran = scene.run("delete -f svc/link_service/k8s").exits(1);
    assert!(ran.stderr().contains("could not connect to https://127.0.0.1:1"), "{}", ran.stderr());
}

#[test]
fn a_missing_or_broken_kubeconfig_is_an_error_without_its_secrets() {
    let scene = Scene::new("kubeconfig");
    let path = scene.kubeconfig_path().display().to_string();
    let good = administrator(&scene.namespace);
    let key = good.lines().find(|line| line.contains("client-key-data")).unwrap().trim();
    let cases = [
        (good.replace("current-context: ko-rs", ""), "no context selected".to_owned()),
        (good.replace("users:", "users: {"), format!("could not read kubeconfig {path}: ")),
        (good.replace("cluster: ko-rs, user", "cluster: other, user"), "`ko-rs`".to_owned()),
        (good.replace(key, "client-key-data: '%%%s3cret'"), "`ko-rs`".to_owned()),
        (good.replace("server: https://", "server: https:// "), "`ko-rs`".to_owned()),
        (String::new(), "no context selected".to_owned()),
    ];
    for (text, why) in cases {
        assert_ne!(text, good);
        std::fs::write(&path, text).unwrap();
        let ran = scene.run_with_input("apply -f -", MAP).exits(1);
        let error = ran.stderr().split_once("error[").unwrap().1;
        assert!(error.contains(&why), "{why}: {error}");
        assert!(!error.contains("s3cret") && !error.contains(&key[20..]), "{error}");
    }
    std::fs::remove_file(&path).unwrap();
    let ran = scene.run_with_input("apply -f -", MAP).exits(1);
    let error = format!(
        "error[no-kubeconfig]: no kubeconfig found: `{path}` does not exist\nhint: pass its path with --kubeconfig \
         or KUBECONFIG; `ko-rs resolve` does not need one\n"
    );
    assert_eq!(ran.stderr(), error);
    assert_eq!(scene.names("configmaps"), AUTHORITY);
}

#[test]
fn missing_rights_are_an_error_and_apply_needs_no_right_to_read_or_to_list_nodes() {
    let scene = Scene::new("rights");
    let kubeconfig = service_account(&scene);
    let scene = scene.kubeconfig(&kubeconfig);
    let manifest = scene.sandbox.read("svc/link_service/k8s/link_manager.yaml");
    let manifest = manifest.replace("replicas: 1", "replicas: 0");
    for command in ["apply -f -", "create -f -", "delete -f -"] {
        let ran = scene.run_with_input(command, &manifest).exits(1);
        let forbidden = format!(
            "deployments.apps \"link-manager\" is forbidden: User \
             \"system:serviceaccount:{}:someone\" cannot ",
            scene.namespace
        );
        let forbidden_to_create = forbidden.replace(" \"link-manager\"", "");
        let error = ran.stderr();
        assert!(error.contains(&forbidden) || error.contains(&forbidden_to_create), "{error}");
        assert!(error.contains("<stdin>:2:1"), "{error}");
    }
    assert_eq!(scene.names("deployments,services"), "");

    allow(
        &scene,
        &json!([{"apiGroups": ["", "apps"], "resources": ["services", "deployments"],
        "verbs": ["create", "patch"]}]),
    );
    for _ in 0..2 {
        let ran = scene.run_with_input("apply -f -", &manifest).exits(0);
        let lines = "deployment.apps/link-manager configured\nservice/link-manager configured\n";
        assert_eq!(ran.stdout(), lines, "whether they were there may not be asked");
        let note = "note: the nodes cannot be listed; building for linux/";
        assert!(ran.stderr().contains(note), "{}", ran.stderr());
    }
    assert_eq!(scene.names("deployments,services").lines().count(), 2);

    allow(
        &scene,
        &json!([{"apiGroups": ["", "apps"], "resources": ["services", "deployments"],
        "verbs": ["get", "create", "patch"]}]),
    );
    let ran = scene.run_with_input("apply -f -", &manifest).exits(0);
    let lines = "deployment.apps/link-manager unchanged\nservice/link-manager unchanged\n";
    assert_eq!(ran.stdout(), lines);
    // The last object may not be written, unlike those before it.
    let both = format!("{manifest}---\n{MAP}").replacen("svc: link", "svc: links", 1);
    let ran = scene.run_with_input("apply -f -", &both).exits(1);
    assert!(ran.stderr().contains("configmaps \"a\" is forbidden"), "{}", ran.stderr());
    assert_eq!(scene.live("deployment/link-manager")["metadata"]["labels"]["svc"], "link");
}

#[test]
fn a_token_that_is_not_accepted_is_an_error_with_a_hint() {
    let scene = Scene::new("token");
    let kubeconfig = with_token(&administrator(&scene.namespace), "n0nsense");
    let scene = scene.kubeconfig(&kubeconfig);
    let ran = scene.run_with_input("apply -f -", MAP).exits(1);
    assert!(ran.stderr().contains("(401)\nhint: "), "{}", ran.stderr());
    assert!(!ran.stderr().contains("n0nsense"));
}

#[test]
fn a_conflict_has_the_field_and_its_manager_until_it_is_forced() {
    let scene = Scene::new("conflict");
    let manifest = scene.sandbox.read("svc/link_service/k8s/link_manager.yaml");
    let manifest = manifest.replace("replicas: 1", "replicas: 0");
    scene.run_with_input("apply -f -", &manifest).exits(0).stdout();
    scene.kubectl("set image deployment/link-manager link-manager=localhost/pause:1");
    let set = format!("{manifest}---\n{MAP}");
    let before = scene.live("deployment/link-manager");
    let ran = scene.run_with_input("apply -f -", &set).exits(1);
    let error = "error[field-conflict]: could not apply deployment.apps/link-manager (<stdin>:2:1): \
                 .spec.template.spec.containers[name=\"link-manager\"].image is managed by \
                 `kubectl-set`\nhint: remove these fields from the manifest, or take them over \
                 with `--force-conflicts`\n";
    assert!(ran.stderr().ends_with(error), "{}", ran.stderr());
    assert_eq!(ran.stdout(), "");
    assert_eq!(scene.live("deployment/link-manager"), before);
    assert_eq!(scene.names("configmaps"), AUTHORITY);
    let ran = scene.run_with_input("apply --force-conflicts -f -", &set).exits(0);
    let lines = "deployment.apps/link-manager configured\nservice/link-manager unchanged\n\
                 configmap/a created\n";
    assert_eq!(ran.stdout(), lines);
    let again = scene.run_with_input("apply -f -", &set).exits(0);
    assert!(again.stdout().starts_with("deployment.apps/link-manager unchanged\n"));
}

#[test]
fn nothing_is_applied_if_a_crate_does_not_compile_or_an_image_cannot_be_pushed() {
    let set = |reference: &str| {
        format!(
            "{MAP}---\n{}",
            MAP.replace("name: a", "name: b").replace("a: b", &format!("a: {reference}"))
        )
    };
    let sandbox = Sandbox::inside_fixture("crates/does-not-compile");
    let scene = Scene::of(sandbox, "compile", "compile");
    for command in ["apply -f -", "create -f -"] {
        let ran = scene.run_with_input(command, &set("ko://does-not-compile")).exits(101);
        assert_eq!(ran.stdout(), "");
        assert!(ran.stderr().contains("error[E0308]: mismatched types"), "{}", ran.stderr());
        assert_eq!(scene.names("configmaps"), AUTHORITY);
    }
    // Push access was checked meanwhile, by uploads that were cancelled.
    let asked = registry().requests("compile");
    let count = |method: &str| asked.iter().filter(|line| line.starts_with(method)).count();
    assert!(asked.iter().all(|line| line.contains("/blobs/uploads/")), "{asked:?}");
    assert_eq!((count("POST "), count("DELETE ")), (2, 2), "{asked:?}");

    let scene = Scene::of(Sandbox::inside_fixture("crates/hello"), "push", "push");
    let scene = scene.env("KO_DOCKER_REPO", "localhost:1/push");
    for command in ["apply -f -", "create -f -"] {
        let ran = scene.run_with_input(command, &set("ko://hello")).exits(1);
        assert_eq!(ran.stdout(), "");
        assert!(ran.stderr().contains(
            "error[connection-failed]: could not publish the image of `hello`\ncaused by: "
        ));
        assert_eq!(scene.names("configmaps"), AUTHORITY);
    }
    let ran = scene.run_with_input("apply -f -", &set("ko://helo")).exits(1);
    assert!(ran.stderr().contains("<stdin>:9:"), "{}", ran.stderr());
    assert_eq!(scene.names("configmaps"), AUTHORITY);
    // `delete` does not build images.
    scene.kubectl("create configmap b");
    let ran = scene.run_with_input("delete --ignore-not-found -f -", &set("ko://helo")).exits(0);
    assert_eq!(
        ran.stdout(),
        format!("configmap \"b\" deleted from {} namespace\n", scene.namespace)
    );
}

#[test]
fn an_object_that_does_not_exist_fails_and_the_others_are_deleted() {
    let scene = Scene::new("missing");
    scene.kubectl("create configmap b");
    let set = format!("{MAP}---\n{}", MAP.replace("name: a", "name: b"));
    let ran = scene.run_with_input("delete -f -", &set).exits(1);
    assert_eq!(
        ran.stdout(),
        format!("configmap \"b\" deleted from {} namespace\n", scene.namespace)
    );
    assert!(ran.stderr().contains("configmaps \"a\" not found (404)"), "{}", ran.stderr());
    assert_eq!(scene.names("configmaps"), AUTHORITY);
}

/// A kubeconfig with a server that is not running.
fn dead(kubeconfig: &str) -> String {
    at(kubeconfig, "https://127.0.0.1:1")
}

/// A kubeconfig with another server.
fn at(kubeconfig: &str, server: &str) -> String {
    let lines = kubeconfig.lines().map(|line| match line.split_once("server: ") {
        Some((indent, _)) => format!("{indent}server: {server}\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

/// A kubeconfig whose only credential is a token.
fn with_token(kubeconfig: &str, token: &str) -> String {
    let lines = kubeconfig.lines().filter(|line| !line.contains("client-certificate-data"));
    let lines = lines.map(|line| match line.split_once("client-key-data: ") {
        Some((indent, _)) => format!("{indent}token: {token}\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

/// The kubeconfig of a new service account without rights.
fn service_account(scene: &Scene) -> String {
    scene.kubectl("create serviceaccount someone");
    let token = scene.kubectl("create token someone");
    with_token(&administrator(&scene.namespace), token.trim())
}

/// Gives the service account these rights in the namespace, and no others.
fn allow(scene: &Scene, rules: &Value) {
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "someone"}, "rules": rules});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "someone"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "someone"},
        "subjects": [{"kind": "ServiceAccount", "name": "someone"}]});
    scene.kubectl_with_input("apply -f -", &format!("{role}\n---\n{binding}"));
    // The server itself watches roles, so that they take effect later.
    let verb = rules.pointer("/0/verbs/0").and_then(Value::as_str).unwrap();
    let may = format!(
        "auth can-i {verb} deployments --as system:serviceaccount:{}:someone --quiet",
        scene.namespace
    );
    let deadline = Instant::now() + Duration::from_secs(30);
    while !scene.try_kubectl(&may).status.success() {
        assert!(Instant::now() < deadline, "the rights do not arrive");
    }
}
