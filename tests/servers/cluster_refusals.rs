//! What keeps `apply` from applying: a clear error, its exit code, and nothing half-applied.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::scene::{Scene, administrator};
use crate::servers::registry;
use crate::support::Sandbox;

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n";
/// Every namespace has it.
const AUTHORITY: &str = "configmap/kube-root-ca.crt\n";

#[test]
fn one_object_of_ten_that_is_wrong_keeps_all_from_being_applied() {
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
        (service("{port: 80}").replace("Service", "Servcie"), "hint: is `Service` meant?"),
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
fn a_cluster_that_is_gone_is_said_so_before_anything_is_built() {
    for more in ["", " --platform=linux/amd64"] {
        let scene = Scene::of(Sandbox::inside_fixture("delinkcious"), "gone", "gone");
        let kubeconfig = dead(&administrator(&scene.namespace));
        let scene = scene.kubeconfig(&kubeconfig);
        for command in ["apply", "create"] {
            let started = Instant::now();
            let ran = scene.run(&format!("{command} -f svc/link_service/k8s{more}")).exits(1);
            assert!(started.elapsed() < Duration::from_secs(30), "it hangs");
            assert_eq!(ran.stdout(), "");
            let error = ran.stderr().split_once("error: ").unwrap().1;
            let reason = "no connection to https://127.0.0.1:1 (context `ko-rs`): ";
            assert!(error.contains(reason), "{error}");
            assert!(error.contains("\nhint: is the cluster running"), "{error}");
            assert!(!ran.stderr().contains("Building"), "{}", ran.stderr());
        }
        assert_eq!(registry().requests("gone"), Vec::<String>::new());
    }
}

#[test]
fn a_server_that_is_no_cluster_or_another_one_is_said_to_be_so() {
    let scene = Scene::new("other");
    let administrator = administrator(&scene.namespace);
    let run = |kubeconfig: &str| {
        std::fs::write(scene.kubeconfig_path(), kubeconfig).unwrap();
        let started = Instant::now();
        let ran = scene.run("apply -f svc/link_service/k8s").exits(1);
        assert!(started.elapsed() < Duration::from_secs(30), "it hangs");
        assert!(!ran.stderr().contains("Building"), "{}", ran.stderr());
        let error = ran.stderr().split_once("error: could not list the nodes\ncaused by: ");
        error.unwrap().1.to_owned()
    };
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let error = run(&at(&administrator, &format!("https://{address}")));
    let reason = format!("no connection to https://{address} (context `ko-rs`): ");
    assert!(error.starts_with(&format!("{reason}it takes no connection\nhint: ")), "{error}");

    let authority = administrator.lines().find(|line| line.contains("authority-data")).unwrap();
    let error = run(&administrator.replace(authority, "    tls-server-name: localhost"));
    assert!(error.contains("invalid peer certificate"), "{error}");
    assert!(error.contains("\nhint: the server's certificate is not one that"), "{error}");

    let error = run(&at(&administrator, &registry().url));
    assert_eq!(error, "404 page not found (404)\n");
    assert_eq!(scene.names("deployments"), "");
}

#[test]
fn nothing_is_deleted_where_no_cluster_is() {
    let scene = Scene::new("gone");
    let kubeconfig = dead(&administrator(&scene.namespace));
    let scene = scene.kubeconfig(&kubeconfig);
    let ran = scene.run("delete -f svc/link_service/k8s").exits(1);
    assert!(ran.stderr().contains("no connection to https://127.0.0.1:1"), "{}", ran.stderr());
}

#[test]
fn a_kubeconfig_that_is_missing_or_broken_is_named_and_its_secrets_are_not_shown() {
    let scene = Scene::new("kubeconfig");
    let path = scene.kubeconfig_path().display().to_string();
    let good = administrator(&scene.namespace);
    let key = good.lines().find(|line| line.contains("client-key-data")).unwrap().trim();
    let cases = [
        (good.replace("current-context: ko-rs", ""), "no context is chosen".to_owned()),
        (good.replace("users:", "users: {"), format!("could not read kubeconfig {path}: ")),
        (good.replace("cluster: ko-rs, user", "cluster: other, user"), "`ko-rs`".to_owned()),
        (good.replace(key, "client-key-data: '%%%s3cret'"), "`ko-rs`".to_owned()),
        (good.replace("server: https://", "server: https:// "), "`ko-rs`".to_owned()),
        (String::new(), "no context is chosen".to_owned()),
    ];
    for (text, why) in cases {
        assert_ne!(text, good);
        std::fs::write(&path, text).unwrap();
        let ran = scene.run_with_input("apply -f -", MAP).exits(1);
        let error = ran.stderr().split_once("error: ").unwrap().1;
        assert!(error.contains(&why), "{why}: {error}");
        assert!(!error.contains("s3cret") && !error.contains(&key[20..]), "{error}");
    }
    std::fs::remove_file(&path).unwrap();
    let ran = scene.run_with_input("apply -f -", MAP).exits(1);
    let error = format!(
        "error: no kubeconfig: `{path}` does not exist\nhint: name one with --kubeconfig or \
         KUBECONFIG; `ko-rs resolve` needs none\n"
    );
    assert_eq!(ran.stderr(), error);
    assert_eq!(scene.names("configmaps"), AUTHORITY);
}

#[test]
fn who_may_do_nothing_is_told_so_and_who_may_write_needs_no_right_to_read_or_to_list_nodes() {
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
    // One that may not be written, last, behind one that may.
    let both = format!("{manifest}---\n{MAP}").replacen("svc: link", "svc: links", 1);
    let ran = scene.run_with_input("apply -f -", &both).exits(1);
    assert!(ran.stderr().contains("configmaps \"a\" is forbidden"), "{}", ran.stderr());
    assert_eq!(scene.live("deployment/link-manager")["metadata"]["labels"]["svc"], "link");
}

#[test]
fn a_token_that_is_not_accepted_is_told_from_a_right_that_is_lacking() {
    let scene = Scene::new("token");
    let kubeconfig = with_token(&administrator(&scene.namespace), "n0nsense");
    let scene = scene.kubeconfig(&kubeconfig);
    let ran = scene.run_with_input("apply -f -", MAP).exits(1);
    assert!(ran.stderr().contains("(401)\nhint: "), "{}", ran.stderr());
    assert!(!ran.stderr().contains("n0nsense"));
}

#[test]
fn a_field_of_someone_elses_is_named_with_who_it_is_until_it_is_forced() {
    let scene = Scene::new("conflict");
    let manifest = scene.sandbox.read("svc/link_service/k8s/link_manager.yaml");
    let manifest = manifest.replace("replicas: 1", "replicas: 0");
    scene.run_with_input("apply -f -", &manifest).exits(0).stdout();
    scene.kubectl("set image deployment/link-manager link-manager=localhost/pause:1");
    let set = format!("{manifest}---\n{MAP}");
    let before = scene.live("deployment/link-manager");
    let ran = scene.run_with_input("apply -f -", &set).exits(1);
    let error = "error: could not apply deployment.apps/link-manager (<stdin>:2:1): \
                 .spec.template.spec.containers[name=\"link-manager\"].image is managed by \
                 `kubectl-set`\nhint: leave these fields out of the manifest, or take them over \
                 with --force-conflicts\n";
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
fn what_does_not_compile_or_cannot_be_pushed_is_not_applied() {
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
    // Whether pushing is allowed was asked meanwhile, by uploads that were given up again.
    let asked = registry().requests("compile");
    let count = |method: &str| asked.iter().filter(|line| line.starts_with(method)).count();
    assert!(asked.iter().all(|line| line.contains("/blobs/uploads/")), "{asked:?}");
    assert_eq!((count("POST "), count("DELETE ")), (2, 2), "{asked:?}");

    let scene = Scene::of(Sandbox::inside_fixture("crates/hello"), "push", "push");
    let scene = scene.env("KO_DOCKER_REPO", "localhost:1/push");
    for command in ["apply -f -", "create -f -"] {
        let ran = scene.run_with_input(command, &set("ko://hello")).exits(1);
        assert_eq!(ran.stdout(), "");
        assert!(
            ran.stderr().contains("error: could not publish the image of `hello`\ncaused by: ")
        );
        assert_eq!(scene.names("configmaps"), AUTHORITY);
    }
    let ran = scene.run_with_input("apply -f -", &set("ko://helo")).exits(1);
    assert!(ran.stderr().contains("<stdin>:9:"), "{}", ran.stderr());
    assert_eq!(scene.names("configmaps"), AUTHORITY);
    // What is deleted is not built.
    scene.kubectl("create configmap b");
    let ran = scene.run_with_input("delete --ignore-not-found -f -", &set("ko://helo")).exits(0);
    assert_eq!(
        ran.stdout(),
        format!("configmap \"b\" deleted from {} namespace\n", scene.namespace)
    );
}

#[test]
fn of_what_is_deleted_the_missing_fails_and_the_rest_goes() {
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

/// A kubeconfig whose server's port nobody listens on.
fn dead(kubeconfig: &str) -> String {
    at(kubeconfig, "https://127.0.0.1:1")
}

/// A kubeconfig that names another server.
fn at(kubeconfig: &str, server: &str) -> String {
    let lines = kubeconfig.lines().map(|line| match line.split_once("server: ") {
        Some((indent, _)) => format!("{indent}server: {server}\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

/// A kubeconfig that has a token for its only credential.
fn with_token(kubeconfig: &str, token: &str) -> String {
    let lines = kubeconfig.lines().filter(|line| !line.contains("client-certificate-data"));
    let lines = lines.map(|line| match line.split_once("client-key-data: ") {
        Some((indent, _)) => format!("{indent}token: {token}\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

/// The kubeconfig of a new service account, which may do nothing.
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
    // The server learns of it by a watch of its own.
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
