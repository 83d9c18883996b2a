//! The `cluster` module against a real API server, judged by kubectl.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use ko_rs::oci::Platform;
use ko_rs::report::{Diagnostic, Reporter};
use ko_rs::testing::{
    ApplyOptions, Change, Cluster, ClusterError as Error, ClusterSettings as Settings,
    CreateOptions, DeleteOptions, DryRun, Nodes, Object, Operation, Outcome, Reason,
};
use kube::api::AttachParams;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::servers::{self, expect_success};
use crate::smoke::push_answer;

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: localhost/pause:1
        env: [{name: A, value: a}, {name: B, value: b}]
        resources: {requests: {cpu: 10m, memory: 1024Ki}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Secret
metadata: {name: web}
stringData: {password: x}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: web}
spec:
  schedule: '0 0 1 1 *'
  jobTemplate:
    spec:
      template:
        spec: {restartPolicy: Never, containers: [{name: web, image: localhost/pause:1}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web-store}
spec:
  replicas: 0
  serviceName: web
  selector: {matchLabels: {app: web-store}}
  template:
    metadata: {labels: {app: web-store}}
    spec: {containers: [{name: web, image: localhost/pause:1}]}
";

fn objects(manifests: &str) -> Vec<Object> {
    let values: Vec<Value> = serde_yaml::from_multiple(manifests).expect("the test's own YAML");
    let values = values.into_iter().filter(|value| !value.is_null());
    let place = |index| format!("test.yaml#{}", index + 1);
    values.enumerate().map(|(index, value)| Object { value, place: place(index) }).collect()
}

async fn connected(settings: Settings) -> Cluster {
    Cluster::connect(&settings, Reporter::new()).await.expect("the kubeconfig is usable")
}

fn settings(namespace: &str) -> Settings {
    Settings {
        kubeconfig: vec![servers::cluster().kubeconfig.clone()],
        namespace: Some(namespace.to_owned()),
        ..Settings::default()
    }
}

/// A cluster in a namespace of its own.
async fn cluster(name: &str) -> (Cluster, String) {
    let namespace = servers::cluster().namespace(name);
    (connected(settings(&namespace)).await, namespace)
}

/// The settings of a user with only these rights in the namespace.
fn settings_with_rights(namespace: &str, rules: &Value) -> (tempfile::TempDir, Settings) {
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "someone", "namespace": namespace}, "rules": rules});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "someone", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "someone"},
        "subjects": [{"kind": "User", "name": format!("someone-{namespace}")}]});
    kubectl_reads(&["apply", "-f", "-"], &format!("{role}\n---\n{binding}"));
    let all = std::fs::read_to_string(&servers::cluster().kubeconfig).expect("it is there");
    let mut kubeconfig: Value = serde_yaml::from_str(&all).expect("it is YAML");
    for user in kubeconfig["users"].as_array_mut().expect("it has users") {
        user["user"]["as"] = json!(format!("someone-{namespace}"));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, kubeconfig.to_string()).expect("it can be written");
    (folder, Settings { kubeconfig: vec![path], ..settings(namespace) })
}

#[track_caller]
fn kubectl(namespace: &str, arguments: &[&str]) -> String {
    let arguments = ["--namespace", namespace].into_iter().chain(arguments.iter().copied());
    let output = servers::cluster().kubectl(arguments);
    expect_success(&output);
    String::from_utf8(output.stdout).expect("kubectl writes UTF-8")
}

#[track_caller]
fn kubectl_reads(arguments: &[&str], input: &str) -> String {
    let output = servers::cluster().kubectl_with_input(arguments, input);
    expect_success(&output);
    String::from_utf8(output.stdout).expect("kubectl writes UTF-8")
}

#[track_caller]
fn live(namespace: &str, object: &str) -> Value {
    let text = kubectl(namespace, &["get", object, "-o", "json", "--show-managed-fields"]);
    serde_json::from_str(&text).expect("kubectl writes JSON")
}

fn managers(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().expect("it has managers");
    let entries = entries.iter().filter(|entry| entry.get("subresource").is_none());
    entries.map(|entry| entry["manager"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn apply(cluster: &Cluster, manifests: &str) -> Vec<Outcome> {
    let applied = cluster.apply(objects(manifests), &ApplyOptions::default()).await;
    applied.expect("the server accepts it")
}

fn operations(outcomes: &[Outcome]) -> Vec<Operation> {
    outcomes.iter().map(|outcome| outcome.operation).collect()
}

fn lines(outcomes: &[Outcome]) -> Vec<String> {
    outcomes.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn an_object_applied_again_is_unchanged_ten_times_and_a_changed_one_is_configured() {
    let (cluster, namespace) = cluster("again").await;
    let options = ApplyOptions { change_cause: Some("first".into()), ..ApplyOptions::default() };
    let created = cluster.apply(objects(WEB), &options).await.unwrap();
    assert_eq!(
        lines(&created),
        [
            "deployment.apps/web created",
            "service/web created",
            "secret/web created",
            "cronjob.batch/web created",
            "statefulset.apps/web-store created",
        ]
    );
    let options = ApplyOptions { change_cause: Some("second".into()), ..ApplyOptions::default() };
    let before = live(&namespace, "deployment/web");
    for _ in 0..10 {
        let again = cluster.apply(objects(WEB), &options).await.unwrap();
        assert_eq!(operations(&again), [Operation::Unchanged; 5]);
    }
    let after = live(&namespace, "deployment/web");
    assert_eq!(after["metadata"]["managedFields"], before["metadata"]["managedFields"]);

    let changed = WEB.replace("value: b", "value: c");
    let tried = ApplyOptions { dry_run: DryRun::Server, ..options.clone() };
    let plan = cluster.plan(objects(&changed), Change::Apply(tried.clone())).await.unwrap();
    assert_eq!(
        plan.objects()[0].reasons,
        [Reason::Differs { fields: vec![".spec.template.spec.containers".into()] }]
    );
    let outcomes = cluster.apply(objects(&changed), &tried).await.unwrap();
    assert_eq!(outcomes[0].to_string(), "deployment.apps/web configured (server dry run)");
    let outcomes = cluster.apply(objects(&changed), &options).await.unwrap();
    assert_eq!(outcomes[0].operation, Operation::Configure);
    assert_eq!(operations(&outcomes[1..]), [Operation::Unchanged; 4]);
    let history = kubectl(&namespace, &["rollout", "history", "deployment/web"]);
    assert!(history.contains("1         first\n2         second\n"), "{history}");
}

#[tokio::test]
async fn fields_that_kubectl_applied_are_taken_over_and_removed_with_the_manifest() {
    let (cluster, namespace) = cluster("taken").await;
    kubectl_reads(&["apply", "--namespace", &namespace, "-f", "-"], WEB);
    let changed = WEB.replace("value: a}", "value: z}").replace(", {name: B, value: b}", "");
    let outcomes = apply(&cluster, &changed).await;
    assert_eq!(operations(&outcomes), [Operation::Configure; 5]);
    let deployment = live(&namespace, "deployment/web");
    let env = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!(*env, json!([{"name": "A", "value": "z"}]));
    assert_eq!(managers(&deployment), ["ko-rs"]);
    assert_eq!(operations(&apply(&cluster, &changed).await), [Operation::Unchanged; 5]);
    // Back and forth: the last one owns the fields.
    kubectl_reads(&["apply", "--namespace", &namespace, "-f", "-"], WEB);
    assert_eq!(apply(&cluster, &changed).await[0].operation, Operation::Configure);
    assert_eq!(operations(&apply(&cluster, &changed).await), [Operation::Unchanged; 5]);
}

#[tokio::test]
async fn objects_created_by_kubectl_or_ko_rs_are_not_in_conflict() {
    let (cluster, namespace) = cluster("created").await;
    kubectl_reads(&["create", "--namespace", &namespace, "-f", "-"], WEB);
    let changed = WEB.replace("value: b", "value: c");
    assert_eq!(apply(&cluster, &changed).await[0].operation, Operation::Configure);
    cluster.delete(objects(WEB), &DeleteOptions::default()).await.unwrap();
    let created = cluster.create(objects(WEB), &CreateOptions::default()).await.unwrap();
    assert_eq!(operations(&created), [Operation::Create; 5]);
    assert_eq!(operations(&apply(&cluster, WEB).await), [Operation::Unchanged; 5]);
    assert_eq!(managers(&live(&namespace, "service/web")), ["ko-rs"]);
    let error = cluster.create(objects(WEB), &CreateOptions::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "could not create deployment.apps/web (test.yaml#1)");
}

#[tokio::test]
async fn a_field_of_another_manager_is_a_conflict_until_it_is_forced() {
    let (cluster, namespace) = cluster("conflict").await;
    apply(&cluster, WEB).await;
    kubectl(&namespace, &["scale", "deployment/web", "--replicas=0"]);
    kubectl(&namespace, &["set", "env", "deployment/web", "B=other"]);
    let error = cluster.apply(objects(WEB), &ApplyOptions::default()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("env[name=\"B\"].value is managed by `kubectl-set`"), "{text}");
    assert!(Diagnostic::of(&error).hints[0].contains("--force-conflicts"));
    let force = ApplyOptions { force_conflicts: true, ..ApplyOptions::default() };
    let outcomes = cluster.apply(objects(WEB), &force).await.unwrap();
    assert_eq!(outcomes[0].operation, Operation::Configure);
    assert_eq!(operations(&apply(&cluster, WEB).await), [Operation::Unchanged; 5]);
}

#[tokio::test]
async fn one_invalid_object_keeps_the_whole_set_from_being_written() {
    let (cluster, namespace) = cluster("wrong").await;
    for wrong in [
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {portz: []}",
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 70000}]}",
        "apiVersion: apps/v1\nkind: Deploymnet\nmetadata: {name: a}",
        "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: elsewhere}",
    ] {
        let set = objects(&format!("{WEB}---\n{wrong}\n"));
        let error = cluster.apply(set, &ApplyOptions::default()).await.unwrap_err();
        assert!(error.to_string().contains("test.yaml#6"), "{error}");
    }
    assert_eq!(kubectl(&namespace, &["get", "all", "-o", "name"]), "");
}

#[tokio::test]
async fn a_set_may_contain_what_its_objects_depend_on_in_any_order() {
    let (cluster, namespace) = cluster("brought").await;
    let group = format!("{namespace}.example.com");
    let set = format!(
        "apiVersion: {group}/v1
kind: Till
metadata: {{name: one, namespace: {namespace}-shop}}
spec: {{size: 3}}
---
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: {namespace}-shop}}
spec: {{serviceAccountName: till, containers: [{{name: web, image: localhost/pause:1}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: plain, namespace: {namespace}-shop}}
spec: {{containers: [{{name: web, image: localhost/pause:1}}]}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: till, namespace: {namespace}-shop}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: tills.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: Till, plural: tills, singular: till}}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {{spec: {{type: object, properties: {{size: {{type: integer}}}}}}}}
---
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}-shop}}
"
    );
    let anywhere = connected(Settings { namespace: None, ..settings(&namespace) }).await;
    drop(cluster);
    let wrong = set.replace("size: 3", "size: three");
    let error = anywhere.apply(objects(&wrong), &ApplyOptions::default()).await.unwrap_err();
    let Error::Partial { done, source, .. } = &error else { panic!("{error}") };
    assert_eq!(done.len(), 2, "namespace and definition: {done:?}");
    assert!(source.to_string().contains("test.yaml#1"), "{source}");

    let outcomes = apply(&anywhere, &set).await;
    let unchanged = [Operation::Unchanged; 2];
    assert_eq!(operations(&outcomes[..4]), [Operation::Create; 4]);
    assert_eq!(operations(&outcomes[4..]), unchanged);
    assert_eq!(outcomes[0].to_string(), format!("till.{group}/one created"));
    assert_eq!(operations(&apply(&anywhere, &set).await), [Operation::Unchanged; 6]);

    let gone = anywhere.delete(objects(&set), &DeleteOptions::default()).await.unwrap();
    assert_eq!(
        gone[3].to_string(),
        format!("serviceaccount \"till\" deleted from {namespace}-shop namespace")
    );
    anywhere.wait(&gone, Duration::from_secs(120)).await.unwrap();
    let again = anywhere.delete(objects(&set), &DeleteOptions::default()).await;
    assert!(again.is_err());
    let ignored = DeleteOptions { ignore_not_found: true, ..DeleteOptions::default() };
    assert_eq!(anywhere.delete(objects(&set), &ignored).await.unwrap(), []);
}

#[tokio::test]
async fn a_rollout_is_waited_for_and_a_hopeless_one_fails_with_the_reason_before_the_limit() {
    let (cluster, _namespace) = cluster("rollout").await;
    let node = &servers::cluster().containerd_node;
    let set = WEB
        .replace("replicas: 0", "replicas: 1")
        .replace(
            "spec:\n      containers",
            &format!("spec:\n      nodeName: {node}\n      containers"),
        )
        .replace(
            "image: localhost/pause:1\n",
            "image: localhost/pause:1\n        imagePullPolicy: IfNotPresent\n",
        );
    let web = set.split("---").next().expect("the first document").to_owned();
    let outcomes = apply(&cluster, &web).await;
    cluster.wait(&outcomes, Duration::from_secs(120)).await.unwrap();

    let broken = web.replace("localhost/pause:1", "localhost:1/nothing:1");
    let outcomes = apply(&cluster, &broken).await;
    let started = Instant::now();
    let error = cluster.wait(&outcomes, Duration::from_secs(300)).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(90));
    let text = error.to_string();
    assert!(text.starts_with("deployment.apps/web will not become ready: "), "{text}");
    assert!(text.contains(": container web: ImagePullBackOff: "), "{text}");

    let crashing = web.replace("env:", "command: [/missing]\n        env:");
    let outcomes = apply(&cluster, &crashing).await;
    let error = cluster.wait(&outcomes, Duration::from_secs(20)).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("container web: ") && text.contains("/missing"), "{text}");

    let homeless = broken.replace(&format!("nodeName: {node}"), "nodeSelector: {on: mars}");
    let outcomes = apply(&cluster, &homeless).await;
    let error = cluster.wait(&outcomes, Duration::from_secs(8)).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("deployment.apps/web did not become ready in time: "), "{text}");
    assert!(text.contains(": Unschedulable: 0/2 nodes are available"), "{text}");
}

#[tokio::test]
async fn a_change_is_seen_by_a_wait_as_soon_as_it_happens() {
    let (cluster, namespace) = cluster("watched").await;
    let map =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, finalizers: [ko-rs.test/hold]}\n";
    apply(&cluster, map).await;
    let deleted = cluster.delete(objects(map), &DeleteOptions::default()).await.unwrap();
    let error = cluster.wait(&deleted, Duration::from_secs(1)).await.unwrap_err();
    let message =
        "configmap/a was not deleted in time: it waits for its finalizers ko-rs.test/hold";
    assert_eq!(error.to_string(), message);
    let waited = async {
        cluster.wait(&deleted, Duration::from_secs(60)).await.unwrap();
        Instant::now()
    };
    let release = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_secs(2));
        let patch = r#"{"metadata": {"finalizers": null}}"#;
        kubectl(&namespace, &["patch", "configmap", "a", "--type=merge", "--patch", patch]);
        Instant::now()
    });
    let (waited, released) = tokio::join!(waited, release);
    assert!(waited < released.unwrap() + Duration::from_secs(1));
}

#[tokio::test]
async fn logs_commands_and_ports_of_a_pod_are_streamed() {
    let (cluster, namespace) = cluster("streams").await;
    let node = &servers::cluster().containerd_node;
    let image = push_answer("streams");
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec: {{nodeName: {node}, \
         terminationGracePeriodSeconds: 1, containers: [{{name: main, image: '{image}'}}]}}\n"
    );
    let outcomes = apply(&cluster, &pod).await;
    cluster.wait(&outcomes, Duration::from_secs(120)).await.unwrap();

    let mut log = pin!(cluster.logs(&namespace, "a", "main", true).await.unwrap());
    assert_eq!(log.next().await.unwrap().unwrap(), "it listens\n");

    let mut forwarded = cluster.port_forward(&namespace, "a", &[8080]).await.unwrap();
    let mut connection = forwarded.take_stream(8080).expect("it was requested");
    connection.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("\r\n\r\nit answers\n"), "{answer}");
    assert_eq!(log.next().await.unwrap().unwrap(), "it answered\n");

    let parameters = AttachParams::default().stdin(true).stderr(false);
    let command = ["/program", "copy"];
    let mut process = cluster.exec(&namespace, "a", &command, &parameters).await.unwrap();
    let (mut input, mut output) = (process.stdin().unwrap(), process.stdout().unwrap());
    let status = process.take_status().unwrap();
    input.write_all(b"to and fro").await.unwrap();
    input.shutdown().await.unwrap();
    let mut copied = String::new();
    output.read_to_string(&mut copied).await.unwrap();
    assert_eq!(copied, "to and fro");
    let message = status.await.unwrap().message.unwrap();
    assert!(message.contains("exit code 3"), "{message}");

    let error = cluster.exec(&namespace, "b", &command, &parameters).await.err().unwrap();
    let Error::Request { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.to_string(), "pods \"b\" not found (404)");
}

#[tokio::test]
async fn the_platforms_of_the_nodes_are_those_of_this_machine_and_need_the_right_to_list_them() {
    let (cluster, namespace) = cluster("nodes").await;
    let host = [Platform::host()].into_iter().collect();
    assert_eq!(cluster.nodes().await.unwrap().platforms(), host);
    let (_folder, settings) = settings_with_rights(&namespace, &json!([]));
    let someone = connected(settings).await;
    assert_eq!(someone.nodes().await.unwrap(), Nodes::Forbidden);
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_configured_and_one_that_cannot_be_written_is_an_error() {
    let (_cluster, namespace) = cluster("rights").await;
    let rules =
        json!([{"apiGroups": [""], "resources": ["services"], "verbs": ["create", "patch"]}]);
    let (_folder, settings) = settings_with_rights(&namespace, &rules);
    let someone = connected(settings).await;
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}";
    for _ in 0..2 {
        assert_eq!(operations(&apply(&someone, service).await), [Operation::Configure]);
    }
    let error = someone.apply(objects(WEB), &ApplyOptions::default()).await.unwrap_err();
    let Error::Object { source, .. } = &error else { panic!("{error}") };
    assert!(source.to_string().contains("is forbidden: User \"someone-"), "{source}");
}

/// kubectl reads, compares and writes one object after the other.
#[tokio::test]
async fn many_objects_are_applied_again_in_a_quarter_of_the_time_that_kubectl_takes() {
    let (cluster, namespace) = cluster("many").await;
    let set: Vec<String> = (0..100)
        .map(|index| {
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{index}}}\ndata: {{a: b}}\n"
            )
        })
        .collect();
    let set = set.join("---\n");
    assert_eq!(operations(&apply(&cluster, &set).await), [Operation::Create; 100]);
    let started = Instant::now();
    assert_eq!(operations(&apply(&cluster, &set).await), [Operation::Unchanged; 100]);
    let ours = started.elapsed();
    cluster.delete(objects(&set), &DeleteOptions::default()).await.unwrap();
    let kubectl = || kubectl_reads(&["apply", "--namespace", &namespace, "-f", "-"], &set);
    kubectl();
    let started = Instant::now();
    kubectl();
    let theirs = started.elapsed();
    assert!(ours < theirs / 4, "{ours:?} against {theirs:?}");
}

#[tokio::test]
async fn an_interrupted_apply_can_be_repeated() {
    let (cluster, _namespace) = cluster("dropped").await;
    let set: Vec<String> = (0..200)
        .map(|index| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{index}}}\n"))
        .collect();
    let set = set.join("---\n");
    for after in [20, 100, 300] {
        let options = ApplyOptions::default();
        let applied = cluster.apply(objects(&set), &options);
        let _ = tokio::time::timeout(Duration::from_millis(after), applied).await;
    }
    apply(&cluster, &set).await;
    assert_eq!(operations(&apply(&cluster, &set).await), [Operation::Unchanged; 200]);
}

#[tokio::test]
async fn an_unreachable_api_server_is_an_error_within_seconds() {
    let all = std::fs::read_to_string(&servers::cluster().kubeconfig).expect("it is there");
    let mut kubeconfig: Value = serde_yaml::from_str(&all).expect("it is YAML");
    for cluster in kubeconfig["clusters"].as_array_mut().expect("it has clusters") {
        cluster["cluster"]["server"] = json!("https://127.0.0.1:1");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, kubeconfig.to_string()).expect("it can be written");
    let gone = connected(Settings { kubeconfig: vec![path], ..settings("default") }).await;
    let started = Instant::now();
    let error = gone.apply(objects(WEB), &ApplyOptions::default()).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5));
    let source = std::error::Error::source(&error).expect("it has a reason").to_string();
    assert!(source.starts_with("could not connect to https://127.0.0.1:1 (context `"), "{source}");
}
