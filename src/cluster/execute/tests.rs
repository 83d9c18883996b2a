use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::super::connection::CONCURRENCY;
use super::super::mock::{self, Seen};
use super::super::plan::Reason;
use super::*;

/// A cluster that answers by method, path with query, and the number of earlier requests.
async fn cluster<F>(answer: F) -> (Cluster, Seen)
where
    F: Fn(&Method, &str, usize) -> (u16, Value) + Clone + Send + Sync + 'static,
{
    let (cluster, seen, _events) = mock::cluster_of(move |method, path, before| {
        let (code, body) = answer(method, path, before);
        mock::json(code, &body)
    })
    .await;
    (cluster, seen)
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
async fn many_existing_objects_cost_one_list_and_a_dry_run_each() {
    let (cluster, seen) = cluster(|method, path, _| {
        if *method == Method::PATCH {
            return (200, live(name(path)));
        }
        let items = (0..25).map(|index| live(&format!("c{index}")));
        // The items of a list have neither version nor kind.
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
    assert!(
        outcomes.iter().all(|outcome| outcome.operation == Operation::Unchanged),
        "{outcomes:?}"
    );
    let seen = seen.lock().unwrap();
    assert_eq!(seen[..2], ["GET /api/v1", "GET /api/v1/namespaces/default/configmaps?limit=500"]);
    assert_eq!(seen.len(), 2 + 25);
    assert!(seen[2..].iter().all(|request| request.contains("&dryRun=All")), "{seen:?}");
}

#[tokio::test]
async fn a_concurrent_change_of_somebody_else_is_not_counted() {
    let (cluster, seen) = cluster(|method, path, before| {
        let mut object = live(name(path));
        // Somebody adds a label after the first read.
        if *method == Method::PATCH || before > 1 {
            object["metadata"]["labels"] = json!({"by": "someone"});
        }
        (200, object)
    })
    .await;
    let outcomes = cluster.apply(vec![object("a")], &ApplyOptions::default()).await.unwrap();
    assert_eq!(outcomes[0].operation, Operation::Unchanged);
    let methods = |seen: &[String]| {
        seen.iter().map(|request| request.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(methods(&seen.lock().unwrap()), ["GET", "GET", "PATCH", "GET", "PATCH"]);
}

#[tokio::test]
async fn conflicts_are_overridden_only_on_the_version_that_was_checked() {
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
            // The first write is too late: the object has changed.
            ("PATCH", true, 5) => (409, json!({"reason": "Conflict", "message": "modified"})),
            _ => (200, object),
        }
    })
    .await;
    let outcomes = cluster.apply(vec![object("a")], &ApplyOptions::default()).await.unwrap();
    assert_eq!(outcomes[0].operation, Operation::Configure);
    let seen = seen.lock().unwrap();
    let forced = seen.iter().filter(|request| request.contains("force=true")).count();
    assert_eq!((seen.len(), forced), (9, 3), "{seen:#?}");
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_configured() {
    let (cluster, _seen) = cluster(|method, path, _| match method.as_str() {
        "PATCH" => (200, live(name(path))),
        _ => (403, json!({"reason": "Forbidden"})),
    })
    .await;
    let outcomes = cluster.apply(vec![object("a")], &ApplyOptions::default()).await.unwrap();
    assert_eq!(outcomes[0].to_string(), "configmap/a configured");
}

#[tokio::test]
async fn after_a_failed_write_no_other_is_started_and_the_error_has_what_was_written() {
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
    assert!(seen.lock().unwrap().iter().filter(writes).count() <= 1 + 2 * CONCURRENCY);
}

#[tokio::test]
async fn operations_can_be_sent_to_another_thread() {
    fn sendable<T: Send>(value: T) -> T {
        value
    }
    let (cluster, _seen) = cluster(|_, path, _| (200, live(name(path)))).await;
    let options = ApplyOptions::default();
    sendable(cluster.apply(vec![object("a")], &options)).await.unwrap();
    let deleted = sendable(cluster.delete(vec![object("a")], &Default::default())).await.unwrap();
    drop(sendable(cluster.wait(&deleted, Duration::ZERO)));
    drop(sendable(cluster.nodes()));
    drop(sendable(cluster.create(Vec::new(), &Default::default())));
}

#[tokio::test]
async fn a_plan_has_operations_and_reasons_and_every_write_is_reported() {
    let (cluster, seen, events) = mock::cluster_of(|method, path, _| {
        let mut object = live(name(path));
        object["data"]["a"] = json!(if *method == Method::PATCH { "1" } else { "0" });
        match name(path) {
            "new" if *method == Method::GET => mock::json(404, &json!({"reason": "NotFound"})),
            _ => mock::json(200, &object),
        }
    })
    .await;
    let objects = vec![object("new"), object("old")];
    let plan = cluster.plan(objects, Change::Apply(ApplyOptions::default())).await.unwrap();
    let planned = plan.objects();
    assert_eq!(
        (planned[0].object.as_str(), planned[0].operation),
        ("configmap/new", Operation::Create)
    );
    assert_eq!(planned[1].reasons, [Reason::Differs { fields: vec![".data.a".to_owned()] }]);
    let is_write = |request: &&String| request.starts_with("PATCH") && !request.contains("dryRun");
    assert_eq!(seen.lock().unwrap().iter().filter(is_write).count(), 0);
    cluster.execute(plan).await.unwrap();
    assert_eq!(seen.lock().unwrap().iter().filter(is_write).count(), 2);
    let mut applied: Vec<String> = events
        .try_iter()
        .filter_map(|event| match event {
            Event::Applied { object, outcome, .. } => Some(format!("{object} {outcome}")),
            _ => None,
        })
        .collect();
    applied.sort();
    assert_eq!(applied, ["configmap/new created", "configmap/old configured"]);
}

#[tokio::test]
async fn objects_that_do_not_exist_do_not_keep_others_from_being_deleted() {
    let (cluster, _seen) = cluster(|method, path, _| match (method.as_str(), name(path)) {
        ("DELETE", "a") => (404, json!({"reason": "NotFound", "message": "not found"})),
        _ => (200, live(name(path))),
    })
    .await;
    let objects = || vec![object("a"), object("b")];
    let error = cluster.delete(objects(), &DeleteOptions::default()).await.unwrap_err();
    let Error::Partial { done, total, source } = &error else { panic!("{error}") };
    assert_eq!((done[0].object().as_str(), done.len(), *total), ("configmap/b", 1, 2));
    assert!(is_missing(source));
    let options = DeleteOptions { ignore_not_found: true, ..DeleteOptions::default() };
    assert_eq!(cluster.delete(objects(), &options).await.unwrap().len(), 1);
}
