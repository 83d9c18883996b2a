//! What goes over the wire, against a server in this process; what a real one does with it is
//! tested in `tests/servers`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use serde_json::json;

use super::super::Settings;
use super::*;
use crate::report::Reporter;

/// The requests that a server got, in their order.
type Seen = Arc<Mutex<Vec<String>>>;

/// A cluster that answers as `answer` says to a method, a path with its query, and how many
/// requests came before.
async fn cluster<F>(answer: F) -> (Cluster, Seen)
where
    F: Fn(&Method, &str, usize) -> (u16, Value) + Clone + Send + Sync + 'static,
{
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    let app = Router::new().fallback(move |request: Request| {
        let (method, path) = (request.method().clone(), request.uri().to_string());
        let mut noted = noted.lock().unwrap();
        let (code, body) = if path == "/api/v1" {
            let resources =
                json!([{"name": "configmaps", "kind": "ConfigMap", "namespaced": true}]);
            (200, json!({"resources": resources}))
        } else {
            answer(&method, &path, noted.len())
        };
        noted.push(format!("{method} {path}"));
        async move { (StatusCode::from_u16(code).unwrap(), Json(body)) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let text = format!(
        "current-context: test\nclusters: [{{name: c, cluster: {{server: '{server}'}}}}]\n\
         contexts: [{{name: test, context: {{cluster: c}}}}]\n"
    );
    std::fs::write(&kubeconfig, text).unwrap();
    let settings = Settings {
        kubeconfig: vec![kubeconfig],
        timeout: Duration::from_secs(5),
        ..Settings::default()
    };
    (Cluster::connect(&settings, Reporter::new()).await.unwrap(), seen)
}

fn object(name: &str) -> Object {
    let value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
        "data": {"a": "1"}});
    Object { value, place: format!("{name}.yaml:1:1") }
}

fn live(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"},
        "metadata": {"name": name, "namespace": "default", "resourceVersion": "7"}})
}

fn name(path: &str) -> &str {
    path.split('?').next().unwrap().rsplit('/').next().unwrap()
}

#[tokio::test]
async fn many_objects_that_are_there_cost_one_list_and_a_dry_run_each() {
    let (cluster, seen) = cluster(|method, path, _| {
        if *method == Method::PATCH {
            return (200, live(name(path)));
        }
        let items = (0..25).map(|index| live(&format!("c{index}")));
        // An item of a list states neither version nor kind.
        let items = items.map(|mut item| {
            item.as_object_mut().unwrap().retain(|key, _| key != "kind" && key != "apiVersion");
            item
        });
        let items: Vec<Value> = items.collect();
        (200, json!({"apiVersion": "v1", "kind": "ConfigMapList", "metadata": {}, "items": items}))
    })
    .await;
    let objects = (0..25).map(|index| object(&format!("c{index}"))).collect();
    let outcomes = cluster.apply(objects, &ApplyOptions::default()).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.verb == Verb::Unchanged), "{outcomes:?}");
    let seen = seen.lock().unwrap();
    assert_eq!(seen[..2], ["GET /api/v1", "GET /api/v1/namespaces/default/configmaps?limit=500"]);
    assert_eq!(seen.len(), 2 + 25);
    assert!(seen[2..].iter().all(|request| request.contains("&dryRun=All")), "{seen:?}");
}

#[tokio::test]
async fn what_someone_else_wrote_meanwhile_is_no_change_of_ours() {
    let (cluster, seen) = cluster(|method, path, before| {
        let mut object = live(name(path));
        // Someone adds a label after the first read.
        if *method == Method::PATCH || before > 1 {
            object["metadata"]["labels"] = json!({"by": "someone"});
        }
        (200, object)
    })
    .await;
    let outcomes = cluster.apply(vec![object("a")], &ApplyOptions::default()).await.unwrap();
    assert_eq!(outcomes[0].verb, Verb::Unchanged);
    let methods = |seen: &[String]| {
        seen.iter().map(|request| request.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(methods(&seen.lock().unwrap()), ["GET", "GET", "PATCH", "GET", "PATCH"]);
}

#[tokio::test]
async fn conflicting_fields_are_forced_on_the_very_object_whose_conflicts_were_seen() {
    let conflict = || {
        let cause = json!({"reason": "FieldManagerConflict", "field": ".data.a",
            "message": "conflict with \"kubectl-edit\" using v1"});
        (
            409,
            json!({"reason": "Conflict", "message": "Apply failed", "details": {"causes": [cause]}}),
        )
    };
    let (cluster, seen) = cluster(move |method, path, before| {
        let mut object = live(name(path));
        object["data"]["a"] = json!(if path.contains("force=true") { "1" } else { "0" });
        match (method.as_str(), path.contains("force=true"), before) {
            ("PATCH", false, _) => conflict(),
            // The first real one comes too late: the object has changed.
            ("PATCH", true, 5) => (409, json!({"reason": "Conflict", "message": "modified"})),
            _ => (200, object),
        }
    })
    .await;
    let outcomes = cluster.apply(vec![object("a")], &ApplyOptions::default()).await.unwrap();
    assert_eq!(outcomes[0].verb, Verb::Configured);
    let seen = seen.lock().unwrap();
    let forced = seen.iter().filter(|request| request.contains("force=true")).count();
    assert_eq!((seen.len(), forced), (9, 3), "{seen:#?}");
}

#[tokio::test]
async fn without_a_right_to_read_an_object_is_configured() {
    let (cluster, _seen) = cluster(|method, path, _| match method.as_str() {
        "PATCH" => (200, live(name(path))),
        _ => (403, json!({"reason": "Forbidden"})),
    })
    .await;
    let outcomes = cluster.apply(vec![object("a")], &ApplyOptions::default()).await.unwrap();
    assert_eq!(outcomes[0].to_string(), "configmap/a configured");
}

#[tokio::test]
async fn after_a_failed_write_nothing_more_is_started_and_what_was_written_is_said() {
    let (cluster, seen) = cluster(|method, path, _| match method.as_str() {
        "PATCH" if path.contains("dryRun") => (200, live(name(path))),
        "PATCH" if name(path) == "c00" => (200, live(name(path))),
        "PATCH" => (403, json!({"reason": "Forbidden", "message": "no"})),
        _ => (404, json!({"reason": "NotFound"})),
    })
    .await;
    let objects = (0..60).map(|index| object(&format!("c{index:02}"))).collect();
    let error = cluster.apply(objects, &ApplyOptions::default()).await.unwrap_err();
    let Error::Partial { done, total, .. } = &error else { panic!("{error}") };
    assert_eq!(
        (done[0].to_string().as_str(), done.len(), *total),
        ("configmap/c00 created", 1, 60)
    );
    let writes = |request: &&String| request.starts_with("PATCH") && !request.contains("dryRun");
    assert!(seen.lock().unwrap().iter().filter(writes).count() <= 1 + 2 * super::super::AT_ONCE);
}

/// Whoever calls it may run it wherever it likes.
#[tokio::test]
async fn what_is_under_way_can_be_sent_to_another_thread() {
    fn sendable<T: Send>(value: T) -> T {
        value
    }
    let (cluster, _seen) = cluster(|_, path, _| (200, live(name(path)))).await;
    let options = ApplyOptions::default();
    sendable(cluster.apply(vec![object("a")], &options)).await.unwrap();
    let deleted = sendable(cluster.delete(vec![object("a")], &Default::default())).await.unwrap();
    drop(sendable(cluster.wait(&deleted, Duration::ZERO)));
    drop(sendable(cluster.node_platforms()));
    drop(sendable(cluster.create(Vec::new(), &Default::default())));
}
