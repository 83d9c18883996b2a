use serde_json::json;

use super::super::mock::{cluster_of, json, text, watched};
use super::*;

const LIMIT: Duration = Duration::from_secs(20);

fn outcome(group: &str, kind: &str, plural: &str, operation: Operation) -> Outcome {
    let kind = Kind::namespaced(group, "v1", kind, plural);
    let (name, place) = ("web".to_owned(), "a.yaml:1:1".to_owned());
    let id = ObjectId { kind, namespace: Some("shop".to_owned()), name, place };
    Outcome { id, operation, dry_run: DryRun::No, uid: Some("u".to_owned()) }
}

fn deployment(available: u32) -> Value {
    json!({
        "metadata": {"name": "web", "uid": "u", "resourceVersion": "5",
            "annotations": {"deployment.kubernetes.io/revision": "2"}},
        "spec": {"replicas": 1},
        "status": {"replicas": 1, "updatedReplicas": 1, "availableReplicas": available},
    })
}

fn owned_by(owner: &str, uid: &str, revision: &str) -> Value {
    json!({"metadata": {"name": uid, "uid": uid, "resourceVersion": "5",
        "annotations": {"deployment.kubernetes.io/revision": revision},
        "ownerReferences": [{"uid": owner, "controller": true}]}})
}

fn list(items: &[Value]) -> Value {
    json!({"metadata": {"resourceVersion": "5"}, "items": items})
}

fn waiting_reasons(events: &std::sync::mpsc::Receiver<Event>) -> Vec<String> {
    let reasons = events.try_iter().filter_map(|event| match event {
        Event::Waiting { object, reason, .. } => Some(format!("{object}: {reason}")),
        _ => None,
    });
    reasons.collect()
}

#[tokio::test]
async fn an_object_that_is_ready_costs_one_request() {
    let (cluster, seen, events) = cluster_of(|_, _, _| json(200, &deployment(1))).await;
    let outcomes = [outcome("apps", "Deployment", "deployments", Operation::Create)];
    cluster.wait(&outcomes, LIMIT).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), ["GET /apis/apps/v1/namespaces/shop/deployments/web"]);
    assert!(waiting_reasons(&events).is_empty());
}

#[tokio::test]
async fn a_rollout_is_watched_and_each_state_is_reported_once() {
    let (cluster, _seen, events) = cluster_of(|_, path, _| {
        let change = json!({"type": "MODIFIED", "object": deployment(1)});
        match path {
            path if path.contains("watch=true") && path.contains("/deployments?") => {
                watched(&[change])
            }
            path if path.contains("watch=true") => watched(&[]),
            path if path.contains("/deployments?") => json(200, &list(&[deployment(0)])),
            path if path.contains("/deployments/web") => json(200, &deployment(0)),
            _ => json(200, &list(&[])),
        }
    })
    .await;
    let outcomes = [outcome("apps", "Deployment", "deployments", Operation::Create)];
    cluster.wait(&outcomes, LIMIT).await.unwrap();
    let reasons = ["deployment.apps/web: 0 of 1 new pods are available"];
    assert_eq!(waiting_reasons(&events), reasons);
}

#[tokio::test]
async fn a_hopeless_pod_of_the_newest_revision_ends_the_wait() {
    let (cluster, seen, _events) = cluster_of(|_, path, _| {
        let pod = |owner: &str, uid: &str, reason: &str| {
            let mut pod = owned_by(owner, uid, "");
            pod["status"] = json!({"containerStatuses":
                [{"name": "main", "state": {"waiting": {"reason": reason}}}]});
            pod
        };
        match path {
            path if path.contains("watch=true") => watched(&[]),
            path if path.contains("/deployments/web") => json(200, &deployment(0)),
            path if path.contains("/deployments?") => json(200, &list(&[deployment(0)])),
            path if path.contains("/replicasets?") => {
                json(200, &list(&[owned_by("u", "old", "1"), owned_by("u", "new", "2")]))
            }
            _ => json(
                200,
                &list(&[
                    pod("old", "old-1", "InvalidImageName"),
                    pod("new", "new-1", "ErrImageNeverPull"),
                    pod("other", "x", "ErrImageNeverPull"),
                ]),
            ),
        }
    })
    .await;
    let outcomes = [outcome("apps", "Deployment", "deployments", Operation::Configure)];
    let error = cluster.wait(&outcomes, LIMIT).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "deployment.apps/web will not become ready: 0 of 1 new pods are available\n  pod new-1: \
         container main: ErrImageNeverPull"
    );
    let seen = seen.lock().unwrap();
    let lists = seen.iter().filter(|request| request.contains("limit=500")).count();
    assert!(lists == 3, "deployments, their sets and their pods: {seen:?}");
}

#[tokio::test]
async fn objects_that_may_not_be_watched_are_polled_and_a_note_says_that_pods_are_unknown() {
    let (cluster, seen, events) = cluster_of(|_, path, before| match path {
        path if path.contains('?') => {
            json(403, &json!({"reason": "Forbidden", "message": "listing is forbidden"}))
        }
        _ if before > 4 => json(200, &deployment(1)),
        _ => json(200, &deployment(0)),
    })
    .await;
    let outcomes = [outcome("apps", "Deployment", "deployments", Operation::Create)];
    cluster.wait(&outcomes, LIMIT).await.unwrap();
    assert!(seen.lock().unwrap().len() > 5);
    let notes = events.try_iter().filter_map(|event| match event {
        Event::Diagnostic(diagnostic) => Some(diagnostic.message),
        _ => None,
    });
    let notes: Vec<String> = notes.collect();
    let [note] = notes.as_slice() else { panic!("pods and ReplicaSets share a note: {notes:?}") };
    assert!(note.starts_with("cannot report why pods are not ready"), "{note}");
    assert!(note.contains("listing is forbidden"), "{note}");
}

#[tokio::test]
async fn a_deleted_object_is_gone_when_it_no_longer_exists_or_has_another_uid() {
    let (cluster, _seen, _events) = cluster_of(|_, path, _| match path {
        path if path.contains("watch=true") => {
            let object = json!({"metadata": {"name": "web", "uid": "u", "resourceVersion": "6"}});
            watched(&[json!({"type": "DELETED", "object": object})])
        }
        path if path.contains('?') => json(200, &list(&[deployment(0)])),
        _ => json(200, &deployment(0)),
    })
    .await;
    let outcomes = [outcome("", "ConfigMap", "configmaps", Operation::Delete)];
    cluster.wait(&outcomes, LIMIT).await.unwrap();
    let another = [Outcome { uid: Some("v".to_owned()), ..outcomes[0].clone() }];
    cluster.wait(&another, Duration::ZERO).await.unwrap();
    let error = cluster.wait(&outcomes, Duration::ZERO).await.unwrap_err();
    let message = "configmap/web was not deleted in time: it is being deleted";
    assert_eq!(error.to_string(), message);
}

#[tokio::test]
async fn a_server_that_restarts_is_waited_for() {
    let (cluster, _seen, _events) = cluster_of(|_, _, before| match before {
        0..4 => text(503, "{}"),
        _ => json(200, &deployment(1)),
    })
    .await;
    let outcomes = [outcome("apps", "Deployment", "deployments", Operation::Create)];
    cluster.wait(&outcomes, LIMIT).await.unwrap();
}
