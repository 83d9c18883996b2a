//! A whole system, from its sources to answers over HTTP, and its deletion.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::scene::{Scene, on_node};
use crate::servers::{cluster, expect_success, registry};

const LINK: &str = "svc/link_service/k8s/link_manager.yaml";
const USER: &str = "svc/user_service/k8s/user_manager.yaml";
const GRAPH: &str = "svc/social_graph_manager/k8s/social_graph_manager.yaml";

/// Deployment, its port and the name that its program goes by.
const SERVICES: [(&str, u16, &str); 3] = [
    ("deployment/link-manager", 8080, "link"),
    ("deployment/user-manager", 9090, "user"),
    ("deployment/social-graph-manager", 8080, "social-graph"),
];

#[test]
fn an_applied_system_runs_an_edited_service_is_rolled_out_and_others_stay_untouched() {
    let scene = Scene::with_copy("system");
    for manifest in [LINK, USER, GRAPH] {
        let text = on_node(&scene.sandbox.read(manifest), &cluster().containerd_node);
        scene.sandbox.write(manifest, &text);
    }
    let apply = "apply --wait -f svc/link_service/k8s -f svc/user_service/k8s \
                 -f svc/social_graph_manager/k8s";
    let lines = |of_link: &str, of_others: &str| {
        format!(
            "deployment.apps/link-manager {of_link}\nservice/link-manager {of_others}\n\
             deployment.apps/user-manager {of_others}\nservice/user-manager {of_others}\n\
             deployment.apps/social-graph-manager {of_others}\n\
             service/social-graph-manager {of_others}\n"
        )
    };

    let ran = scene.run(apply).exits(0);
    scene.says_where_first(&ran);
    assert_eq!(ran.stdout(), lines("created", "created"));
    for (deployment, port, service) in SERVICES {
        assert_identity(&scene, deployment, port, service, "1");
    }
    let pods = pods(&scene);
    assert!(pods.iter().all(|pod| pod["spec"]["nodeName"] == *cluster().containerd_node));

    edit_version(&scene);
    let ran = scene.run(apply).exits(0);
    assert_eq!(ran.stdout(), lines("configured", "unchanged"));
    // kubectl may forward to a pod of the first version that has not terminated yet.
    let old = pods.iter().map(name).find(|name| name.starts_with("link-manager-")).unwrap();
    scene.kubectl(&format!("wait --for=delete --timeout=60s pod/{old}"));
    assert_identity(&scene, "deployment/link-manager", 8080, "link", "2");
    let kept: BTreeSet<String> = pods.iter().map(name).filter(|name| *name != old).collect();
    let now: BTreeSet<String> = self::pods(&scene).iter().map(name).collect();
    assert!(kept.len() == 2 && kept.is_subset(&now), "{kept:?} {now:?}");

    let versions = versions(&scene);
    let requests = registry().requests("system").len();
    for _ in 0..10 {
        let ran = scene.run(apply).exits(0);
        assert_eq!(ran.stdout(), lines("unchanged", "unchanged"));
    }
    let asked = registry().requests("system").split_off(requests);
    assert!(asked.iter().all(|line| line.starts_with("HEAD ")), "no blob is sent: {asked:?}");
    assert_eq!(self::versions(&scene), versions, "nothing was written");

    let ran = scene.run("delete --wait -f svc/link_service/k8s -f svc/user_service/k8s").exits(0);
    let gone = |kind: &str, name: &str| {
        format!("{kind} \"{name}\" deleted from {} namespace\n", scene.namespace)
    };
    let lines = ["link-manager", "user-manager"]
        .map(|name| gone("deployment.apps", name) + &gone("service", name));
    assert_eq!(ran.stdout(), lines.concat());
    let left = "deployment.apps/social-graph-manager\nservice/social-graph-manager\n";
    assert_eq!(scene.names("deployments,services"), left);
}

/// As the book deploys: images go to minikube's Docker Engine and are never pulled.
#[test]
fn images_loaded_into_minikubes_engine_run_on_its_node() {
    let mut scene = Scene::new("minikube").env("KO_DOCKER_REPO", "ko.local");
    for (name, value) in cluster().docker.docker_env() {
        scene = scene.env(name, value);
    }
    let manifest = on_node(&scene.sandbox.read(LINK), &cluster().minikube_node);
    let ran = scene.run_with_input("apply --wait -f -", &manifest).exits(0);
    assert_eq!(
        ran.stdout(),
        "deployment.apps/link-manager created\nservice/link-manager created\n"
    );
    let pods = pods(&scene);
    let [pod] = pods.as_slice() else { panic!("{pods:?}") };
    assert_eq!(pod["spec"]["nodeName"], json!(cluster().minikube_node));
    let container = &pod["spec"]["containers"][0];
    assert_eq!(container["imagePullPolicy"], "IfNotPresent");
    let image = container["image"].as_str().unwrap();
    let (repository, tag) = image.split_once(':').unwrap();
    assert_eq!(repository, "ko.local/link_service-1819ff5de960487aed3f9074cd43cc03");
    let listed = cluster().docker.docker(["image", "inspect", "--format", "{{.Id}}", image]);
    expect_success(&listed);
    assert_eq!(String::from_utf8(listed.stdout).unwrap(), format!("sha256:{tag}\n"));
    assert_identity(&scene, "deployment/link-manager", 8080, "link", "1");
    let again = scene.run_with_input("apply -f -", &manifest).exits(0);
    let unchanged = "deployment.apps/link-manager unchanged\nservice/link-manager unchanged\n";
    assert_eq!(again.stdout(), unchanged);
}

/// Services, a StatefulSet, CronJobs, and a custom kind with an object.
#[test]
fn a_whole_system_with_its_own_kind_is_applied_and_deleted_in_one_run_each() {
    let scene = Scene::new("whole");
    let folders = [
        "svc/link_service",
        "svc/user_service",
        "svc/social_graph_manager",
        "svc/news_service",
        "svc/link_checker",
        "svc/api_gateway",
        "cmd/tools",
    ];
    let files: String = folders.iter().map(|folder| format!(" -f {folder}/k8s")).collect();
    let created = scene.run(&format!("apply --wait{files}")).exits(0);
    let lines = "deployment.apps/link-manager created
service/link-manager created
deployment.apps/user-manager created
service/user-manager created
deployment.apps/social-graph-manager created
service/social-graph-manager created
service/news-manager-nodes created
service/news-manager created
statefulset.apps/news-manager created
cronjob.batch/news-digest created
customresourcedefinition.apiextensions.k8s.io/linkchecks.delinkcious.example.com created
linkcheck.delinkcious.example.com/front-page created
cronjob.batch/link-checker created
configmap/api-gateway created
deployment.apps/api-gateway created
service/api-gateway created
cronjob.batch/smoke-test created
cronjob.batch/bootstrap created
";
    assert_eq!(created.stdout(), lines);
    assert!(pods(&scene).iter().all(|pod| pod["status"]["phase"] == "Running"));
    assert_identity(&scene, "pod/news-manager-0", 8080, "news", "1");
    let page = cluster().port_forward(&scene.namespace, "deployment/api-gateway", 8080);
    let index = scene.sandbox.read("svc/api_gateway/kodata/index.html");
    assert_eq!(page.get("/static/index.html"), index);

    let check = scene.live("linkcheck/front-page");
    let program = check["spec"]["checker"]["programImage"].as_str().unwrap();
    assert!(is_image(program, "link_checker"), "{program}");
    let checker = scene.live("cronjob/link-checker");
    let template = "/spec/jobTemplate/spec/template/spec/containers/0/image";
    assert_eq!(checker.pointer(template), Some(&json!(program)), "one image for both references");
    let digest = scene.live("cronjob/news-digest");
    assert_eq!(digest.pointer(template), check.pointer("/spec/reporters/daily"));
    let notes = scene.live("configmap/api-gateway")["data"]["notes.yaml"].clone();
    assert!(notes.as_str().unwrap().contains("image: ko://nobody-replaces-this\n"), "{notes}");
    let gateway = scene.live("deployment/api-gateway");
    let annotation = &gateway["metadata"]["annotations"]["delinkcious.example.com/gateway-image"];
    assert!(is_image(annotation.as_str().unwrap(), "api_gateway"), "{annotation}");

    let again = scene.run(&format!("apply{files}")).exits(0);
    assert_eq!(again.stdout(), lines.replace(" created", " unchanged"));
    let gone = scene.run(&format!("delete --wait{files}")).exits(0);
    assert_eq!(gone.stdout().lines().count(), lines.lines().count());
    assert_eq!(scene.names("deployments,statefulsets,services,cronjobs"), "");
    let kind = scene.try_kubectl("get customresourcedefinition/linkchecks.delinkcious.example.com");
    assert!(!kind.status.success());
}

/// Whether this is an image by digest of this folder of the registry.
fn is_image(reference: &str, folder: &str) -> bool {
    let start = format!("{}/delinkcious/{folder}-", registry().host);
    reference.starts_with(&start) && reference.contains("@sha256:")
}

fn edit_version(scene: &Scene) {
    let source = "svc/link_service/src/main.rs";
    let text = scene.sandbox.read(source);
    let version = |number| format!("const VERSION: &str = \"{number}\";");
    assert!(text.contains(&version(1)));
    scene.sandbox.write(source, &text.replace(&version(1), &version(2)));
}

#[track_caller]
fn assert_identity(scene: &Scene, target: &str, port: u16, service: &str, version: &str) {
    let answer: Value = serde_json::from_str(&scene.identity(target, port)).unwrap();
    assert_eq!(answer, json!({"service": service, "version": version}));
}

fn pods(scene: &Scene) -> Vec<Value> {
    let list: Value =
        serde_json::from_str(&scene.kubectl("get pods --selector app --output json")).unwrap();
    list["items"].as_array().unwrap().clone()
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap().to_owned()
}

/// The fields that change with every write, and the times of field managers.
fn versions(scene: &Scene) -> String {
    let all: Value =
        serde_json::from_str(&scene.kubectl("get deployments,services --output json")).unwrap();
    let line = |object: &Value| {
        let metadata = &object["metadata"];
        format!("{} {} {}\n", metadata["name"], metadata["uid"], metadata["generation"])
    };
    all["items"].as_array().unwrap().iter().map(line).collect()
}
