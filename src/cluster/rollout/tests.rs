use super::*;
use serde_json::json;

fn of(group: &str, kind: &str, object: Value) -> Progress {
    progress(&Kind::namespaced(group, "v1", kind, ""), &object)
}

fn waiting(text: &str) -> Progress {
    Waiting(text.to_owned())
}

#[test]
fn a_deployment_is_ready_when_all_new_pods_are_available_and_no_old_one_is_left() {
    let deployment = |replicas: Value, status: Value| {
        let mut status = status;
        status["observedGeneration"] = json!(2);
        let object = json!({"metadata": {"generation": 2}, "spec": {"replicas": replicas}, "status": status});
        of("apps", "Deployment", object)
    };
    let counts = |all: i64, updated: i64, available: i64| json!({"replicas": all, "updatedReplicas": updated, "availableReplicas": available});
    assert_eq!(deployment(json!(2), counts(2, 2, 2)), Ready);
    assert_eq!(deployment(json!(0), json!({})), Ready);
    assert_eq!(deployment(json!(2), counts(2, 1, 2)), waiting("1 of 2 new pods have been made"));
    assert_eq!(deployment(json!(2), counts(3, 2, 2)), waiting("1 old pods are still there"));
    assert_eq!(deployment(json!(2), counts(2, 2, 1)), waiting("1 of 2 new pods are available"));
    assert_eq!(deployment(Value::Null, json!({})), waiting("0 of 1 new pods have been made"));
}

#[test]
fn what_a_controller_has_not_seen_yet_is_not_ready_whatever_it_counted_before() {
    for kind in ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"] {
        let object = json!({"metadata": {"generation": 2}, "spec": {"replicas": 1}, "status": {
            "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1,
            "readyReplicas": 1, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1,
            "numberAvailable": 1}});
        assert_eq!(of("apps", kind, object), Unseen, "{kind}");
    }
}

#[test]
fn a_deployment_past_its_deadline_is_hopeless_and_says_why_no_pod_could_be_made() {
    let object = json!({"spec": {"replicas": 1}, "status": {"conditions": [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
            "message": "ReplicaSet \"a-1\" has timed out progressing."},
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
            "message": "exceeded quota"}]}});
    let mut quiet = object.clone();
    assert_eq!(
        of("apps", "Deployment", object),
        Hopeless("FailedCreate: exceeded quota".to_owned())
    );
    quiet["status"]["conditions"].as_array_mut().unwrap().remove(0);
    assert_eq!(
        of("apps", "Deployment", quiet),
        waiting("0 of 1 new pods have been made (FailedCreate: exceeded quota)")
    );
}

#[test]
fn a_stateful_set_is_ready_when_its_pods_are_ready_and_new() {
    let set = |spec: Value, status: Value| {
        of("apps", "StatefulSet", json!({"spec": spec, "status": status}))
    };
    let status = |ready: i64, updated: i64, current: &str| {
        json!({"readyReplicas": ready, "updatedReplicas": updated,
            "updateRevision": "b", "currentRevision": current})
    };
    let spec = json!({"replicas": 2});
    assert_eq!(set(spec.clone(), status(2, 2, "b")), Ready);
    assert_eq!(set(spec.clone(), status(1, 2, "b")), waiting("1 of 2 pods are ready"));
    assert_eq!(set(spec, status(2, 1, "a")), waiting("1 of 2 pods are new"));
    let partition = json!({"replicas": 2, "updateStrategy": {"type": "RollingUpdate",
        "rollingUpdate": {"partition": 1}}});
    assert_eq!(set(partition.clone(), status(2, 1, "a")), Ready);
    assert_eq!(set(partition, status(2, 0, "a")), waiting("0 of 1 pods are new"));
    let by_hand = json!({"replicas": 2, "updateStrategy": {"type": "OnDelete"}});
    assert_eq!(set(by_hand, status(2, 0, "a")), Ready);
}

#[test]
fn a_daemon_set_is_ready_when_every_node_has_a_new_pod() {
    let set = |updated: i64, available: i64| {
        of(
            "apps",
            "DaemonSet",
            json!({"status": {"desiredNumberScheduled": 2,
            "updatedNumberScheduled": updated, "numberAvailable": available}}),
        )
    };
    assert_eq!(set(2, 2), Ready);
    assert_eq!(set(1, 2), waiting("1 of 2 pods are new"));
    assert_eq!(set(2, 1), waiting("1 of 2 pods are available"));
}

#[test]
fn a_job_is_ready_when_it_is_complete_and_hopeless_when_it_failed() {
    let job =
        |status: Value| of("batch", "Job", json!({"spec": {"completions": 3}, "status": status}));
    assert_eq!(job(json!({"succeeded": 1})), waiting("1 of 3 pods have succeeded"));
    assert_eq!(job(json!({"conditions": [{"type": "Complete", "status": "True"}]})), Ready);
    let failed = json!({"conditions": [{"type": "Failed", "status": "True",
        "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}]});
    assert_eq!(
        job(failed),
        Hopeless("BackoffLimitExceeded: Job has reached the specified backoff limit".to_owned())
    );
    assert_eq!(of("batch", "Job", json!({"spec": {"suspend": true}})), Ready);
}

#[test]
fn a_pod_is_ready_when_it_says_so_or_is_done() {
    let pod = |status: Value| of("", "Pod", json!({"status": status}));
    assert_eq!(pod(json!({"phase": "Succeeded"})), Ready);
    assert_eq!(pod(json!({"phase": "Failed"})), Hopeless("it has failed".to_owned()));
    assert_eq!(pod(json!({"phase": "Running"})), waiting("it is Running and not ready"));
    let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    assert_eq!(pod(ready), Ready);
}

#[test]
fn a_definition_is_ready_when_it_is_served_and_anything_else_when_it_exists() {
    let definition = |kind: &str, status: &str| {
        let conditions = json!([{"type": kind, "status": status, "reason": "Taken"}]);
        let object = json!({"status": {"conditions": conditions}});
        of("apiextensions.k8s.io", "CustomResourceDefinition", object)
    };
    assert_eq!(definition("Established", "True"), Ready);
    assert_eq!(definition("Established", "False"), waiting("it is not served yet"));
    assert_eq!(definition("NamesAccepted", "False"), Hopeless("Taken".to_owned()));
    assert_eq!(of("", "PersistentVolumeClaim", json!({"status": {"phase": "Pending"}})), Ready);
    // A kind of another group that is called as one of these is not one.
    assert_eq!(of("example.com", "Job", json!({})), Ready);
}

#[test]
fn the_pods_that_count_are_those_of_the_newest_revision() {
    let spec = json!({"selector": {"matchLabels": {"app": "a"},
        "matchExpressions": [{"key": "tier", "operator": "In", "values": ["x", "y"]},
            {"key": "old", "operator": "DoesNotExist"}]}});
    let object = json!({"spec": spec, "status": {"updateRevision": "a-7"},
        "metadata": {"annotations": {"deprecated.daemonset.template.generation": "3"}}});
    let pods = |group, kind, hash| pods(&Kind::namespaced(group, "v1", kind, ""), &object, hash);
    let selector = "app=a,tier in (x,y),!old";
    assert_eq!(pods("apps", "Deployment", None), None);
    assert_eq!(pods("batch", "Job", None).unwrap(), selector);
    assert_eq!(
        pods("apps", "Deployment", Some("f5")).unwrap(),
        format!("{selector},pod-template-hash=f5")
    );
    assert_eq!(
        pods("apps", "StatefulSet", None).unwrap(),
        format!("{selector},controller-revision-hash=a-7")
    );
    assert_eq!(
        pods("apps", "DaemonSet", None).unwrap(),
        format!("{selector},pod-template-generation=3")
    );
    assert_eq!(pods("", "Service", None), None);
}

#[test]
fn a_broken_object_is_not_ready_but_never_a_panic() {
    for kind in ["Deployment", "StatefulSet", "ReplicaSet"] {
        for object in [json!(null), json!([]), json!({"spec": 1, "status": "x", "metadata": []})] {
            assert!(matches!(of("apps", kind, object), Waiting(_)), "{kind}");
        }
    }
}
