use super::*;
use serde_json::json;

fn of(group: &str, kind: &str, object: Value) -> Progress {
    progress(&Kind::namespaced(group, "v1", kind, ""), &object)
}

fn waiting(text: &str) -> Progress {
    Waiting(text.to_owned())
}

#[test]
fn a_deployment_is_ready_when_all_new_pods_are_available_and_no_old_one_exists() {
    let deployment = |replicas: Value, status: Value| {
        let mut status = status;
        status["observedGeneration"] = json!(2);
        let object = json!({"metadata": {"generation": 2}, "spec": {"replicas": replicas}, "status": status});
        of("apps", "Deployment", object)
    };
    let counts = |all: i64, updated: i64, available: i64| json!({"replicas": all, "updatedReplicas": updated, "availableReplicas": available});
    assert_eq!(deployment(json!(2), counts(2, 2, 2)), Ready);
    assert_eq!(deployment(json!(0), json!({})), Ready);
    assert_eq!(deployment(json!(2), counts(2, 1, 2)), waiting("1 of 2 new pods are created"));
    assert_eq!(deployment(json!(2), counts(3, 2, 2)), waiting("1 old pods still exist"));
    assert_eq!(deployment(json!(2), counts(2, 2, 1)), waiting("1 of 2 new pods are available"));
    assert_eq!(deployment(Value::Null, json!({})), waiting("0 of 1 new pods are created"));
}

#[test]
fn an_object_is_unobserved_until_its_controller_processed_the_change() {
    for kind in ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"] {
        let object = json!({"metadata": {"generation": 2}, "spec": {"replicas": 1}, "status": {
            "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1,
            "readyReplicas": 1, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1,
            "numberAvailable": 1}});
        assert_eq!(of("apps", kind, object), Unobserved, "{kind}");
    }
}

#[test]
fn a_deployment_past_its_deadline_is_hopeless_for_the_reason_of_its_replica_failure() {
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
        waiting("0 of 1 new pods are created (FailedCreate: exceeded quota)")
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
fn a_pod_is_ready_when_its_condition_is_or_it_succeeded() {
    let pod = |status: Value| of("", "Pod", json!({"status": status}));
    assert_eq!(pod(json!({"phase": "Succeeded"})), Ready);
    assert_eq!(pod(json!({"phase": "Failed"})), Hopeless("it failed".to_owned()));
    assert_eq!(pod(json!({"phase": "Running"})), waiting("it is not ready, its phase is Running"));
    let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    assert_eq!(pod(ready), Ready);
}

#[test]
fn a_definition_is_ready_when_it_is_established_and_any_other_object_when_it_exists() {
    let definition = |kind: &str, status: &str| {
        let conditions = json!([{"type": kind, "status": status, "reason": "Taken"}]);
        let object = json!({"status": {"conditions": conditions}});
        of("apiextensions.k8s.io", "CustomResourceDefinition", object)
    };
    assert_eq!(definition("Established", "True"), Ready);
    assert_eq!(definition("Established", "False"), waiting("it is not established yet"));
    assert_eq!(definition("NamesAccepted", "False"), Hopeless("Taken".to_owned()));
    assert_eq!(of("", "PersistentVolumeClaim", json!({"status": {"phase": "Pending"}})), Ready);
    // A kind of another group may have the same name.
    assert_eq!(of("example.com", "Job", json!({})), Ready);
}

#[test]
fn the_pods_that_count_are_those_of_the_newest_revision() {
    let object = json!({"status": {"updateRevision": "a-7"}, "metadata": {"annotations": {
        "deprecated.daemonset.template.generation": "3", "deployment.kubernetes.io/revision": "2"}}});
    let pod = |label: &str, value: &str| json!({"metadata": {"labels": {label: value}}});
    let is_current =
        |kind, pod: &Value| is_current(&Kind::namespaced("apps", "v1", kind, ""), &object, pod);
    assert!(is_current("StatefulSet", &pod("controller-revision-hash", "a-7")));
    assert!(!is_current("StatefulSet", &pod("controller-revision-hash", "a-6")));
    assert!(is_current("DaemonSet", &pod("pod-template-generation", "3")));
    assert!(!is_current("DaemonSet", &json!({})));
    assert!(is_current("ReplicaSet", &json!({})));
    let set = |revision: &str| json!({"metadata": {"annotations": {"deployment.kubernetes.io/revision": revision}}});
    assert!(is_newest(&set("2"), &object) && !is_newest(&set("1"), &object));
    assert!(!is_newest(&json!({}), &json!({})));
}

#[test]
fn a_summary_has_every_object_and_its_first_pods() {
    let object = |name: &str, pods: usize, is_hopeless| NotReady {
        object: format!("deployment.apps/{name}"),
        namespace: None,
        state: "0 of 1 new pods are available".to_owned(),
        pods: (0..pods).map(|index| format!("pod {name}-{index}: ImagePullBackOff")).collect(),
        is_hopeless,
        is_deleted: false,
    };
    insta::assert_snapshot!(summary(&[object("a", 1, true), object("b", 6, false)]), @r"
    deployment.apps/a will not become ready: 0 of 1 new pods are available
      pod a-0: ImagePullBackOff
    deployment.apps/b did not become ready in time: 0 of 1 new pods are available
      pod b-0: ImagePullBackOff
      pod b-1: ImagePullBackOff
      pod b-2: ImagePullBackOff
      pod b-3: ImagePullBackOff
      pod b-4: ImagePullBackOff
      … and 1 more pods
    ");
}

#[test]
fn a_broken_object_is_not_ready_and_does_not_panic() {
    for kind in ["Deployment", "StatefulSet", "ReplicaSet"] {
        for object in [json!(null), json!([]), json!({"spec": 1, "status": "x", "metadata": []})] {
            assert!(matches!(of("apps", kind, object), Waiting(_)), "{kind}");
        }
    }
}
