//! Whether an object is ready: the rules of `kubectl rollout status` and `kubectl wait`, as functions
//! of the object.

use std::fmt::Write as _;

use serde_json::Value;

use super::kind::Kind;

/// An object that is not ready, or not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReady {
    /// The object, as kubectl writes it.
    pub object: String,
    /// The namespace, for objects that have one.
    pub namespace: Option<String>,
    /// What is missing.
    pub state: String,
    /// What keeps its pods from being ready; if nothing is known about them, the last warning event.
    pub pods: Vec<String>,
    /// Whether waiting longer is useless.
    pub is_hopeless: bool,
    /// Whether it was deleted, and still exists.
    pub is_deleted: bool,
}

/// The number of pods that a message lists.
const PODS: usize = 5;

/// A message about objects that are not ready, with their pods.
pub(super) fn summary(objects: &[NotReady]) -> String {
    let mut text = String::new();
    for (index, object) in objects.iter().enumerate() {
        let end = if index == 0 { "" } else { "\n" };
        let verb = match (object.is_deleted, object.is_hopeless) {
            (false, true) => "will not become ready",
            (false, false) => "did not become ready in time",
            (true, _) => "was not deleted in time",
        };
        let _ = write!(text, "{end}{} {verb}: {}", object.object, object.state);
        for pod in object.pods.iter().take(PODS) {
            let _ = write!(text, "\n  {pod}");
        }
        if object.pods.len() > PODS {
            let _ = write!(text, "\n  … and {} more pods", object.pods.len() - PODS);
        }
    }
    text
}

/// How far an object has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Ready,
    /// Its controller has not processed the last change yet, so that its status and its pods are
    /// those of the previous version.
    Unobserved,
    /// It is not ready yet; the reason.
    Waiting(String),
    /// It will not become ready without a change; the reason.
    Hopeless(String),
}

use Progress::{Hopeless, Ready, Unobserved, Waiting};

/// How far an object has come. An object of any other kind is ready as soon as it exists.
pub(super) fn progress(kind: &Kind, object: &Value) -> Progress {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("apps", "Deployment") => deployment(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps", "DaemonSet") => daemon_set(object),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => replica_set(object),
        ("batch", "Job") => job(object),
        ("", "Pod") => pod(object),
        ("", "Namespace") => namespace(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object),
        _ => Ready,
    }
}

fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

/// `spec.replicas`, whose default is one.
fn wanted(object: &Value) -> i64 {
    object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1)
}

/// The first condition of a type.
pub(super) fn condition<'a>(object: &'a Value, name: &str) -> Option<Condition<'a>> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let is_it = |condition: &&Value| condition.get("type").and_then(Value::as_str) == Some(name);
    let found = conditions.iter().find(is_it)?;
    let text = |key| found.get(key).and_then(Value::as_str).unwrap_or_default();
    Some(Condition { status: text("status"), reason: text("reason"), message: text("message") })
}

/// A condition of an object's status.
pub(super) struct Condition<'a> {
    pub(super) status: &'a str,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
}

impl Condition<'_> {
    pub(super) fn is_true(&self) -> bool {
        self.status == "True"
    }

    /// `Reason: message`.
    pub(super) fn text(&self) -> String {
        match (self.reason, self.message) {
            (reason, "") => reason.to_owned(),
            ("", message) => message.to_owned(),
            (reason, message) => format!("{reason}: {message}"),
        }
    }
}

fn is_observed(object: &Value) -> bool {
    number(object, "/status/observedGeneration") >= number(object, "/metadata/generation")
}

fn deployment(object: &Value) -> Progress {
    if !is_observed(object) {
        return Unobserved;
    }
    if object.pointer("/spec/paused").and_then(Value::as_bool) == Some(true) {
        return Ready;
    }
    let failure = condition(object, "ReplicaFailure").filter(Condition::is_true);
    let late = condition(object, "Progressing")
        .filter(|condition| condition.reason == "ProgressDeadlineExceeded");
    if let Some(late) = late {
        let why = failure.as_ref().unwrap_or(&late);
        return Hopeless(why.text());
    }
    let wanted = wanted(object);
    let updated = number(object, "/status/updatedReplicas");
    let all = number(object, "/status/replicas");
    let available = number(object, "/status/availableReplicas");
    let why = failure.map_or_else(String::new, |failure| format!(" ({})", failure.text()));
    if updated < wanted {
        return Waiting(format!("{updated} of {wanted} new pods are created{why}"));
    }
    if all > updated {
        return Waiting(format!("{} old pods still exist{why}", all - updated));
    }
    if available < updated {
        return Waiting(format!("{available} of {updated} new pods are available{why}"));
    }
    Ready
}

fn stateful_set(object: &Value) -> Progress {
    if !is_observed(object) {
        return Unobserved;
    }
    let wanted = wanted(object);
    let ready = number(object, "/status/readyReplicas");
    if ready < wanted {
        return Waiting(format!("{ready} of {wanted} pods are ready"));
    }
    let strategy = object.pointer("/spec/updateStrategy/type").and_then(Value::as_str);
    if strategy == Some("OnDelete") {
        return Ready;
    }
    let partition = number(object, "/spec/updateStrategy/rollingUpdate/partition");
    let updated = number(object, "/status/updatedReplicas");
    let revision = |key| object.pointer(key).and_then(Value::as_str).unwrap_or_default();
    let is_current = revision("/status/updateRevision") == revision("/status/currentRevision");
    if partition > 0 {
        let due = (wanted - partition).max(0);
        if updated < due {
            return Waiting(format!("{updated} of {due} pods are new"));
        }
    } else if !is_current {
        return Waiting(format!("{updated} of {wanted} pods are new"));
    }
    Ready
}

fn daemon_set(object: &Value) -> Progress {
    if !is_observed(object) {
        return Unobserved;
    }
    let wanted = number(object, "/status/desiredNumberScheduled");
    let updated = number(object, "/status/updatedNumberScheduled");
    let available = number(object, "/status/numberAvailable");
    let strategy = object.pointer("/spec/updateStrategy/type").and_then(Value::as_str);
    if strategy != Some("OnDelete") && updated < wanted {
        return Waiting(format!("{updated} of {wanted} pods are new"));
    }
    if available < wanted {
        return Waiting(format!("{available} of {wanted} pods are available"));
    }
    Ready
}

fn replica_set(object: &Value) -> Progress {
    if !is_observed(object) {
        return Unobserved;
    }
    let (wanted, ready) = (wanted(object), number(object, "/status/readyReplicas"));
    if ready >= wanted {
        return Ready;
    }
    let failure = condition(object, "ReplicaFailure").filter(Condition::is_true);
    let why = failure.map_or_else(String::new, |failure| format!(" ({})", failure.text()));
    Waiting(format!("{ready} of {wanted} pods are ready{why}"))
}

fn job(object: &Value) -> Progress {
    if let Some(failed) = condition(object, "Failed").filter(Condition::is_true) {
        return Hopeless(failed.text());
    }
    let suspended = object.pointer("/spec/suspend").and_then(Value::as_bool) == Some(true);
    if suspended || condition(object, "Complete").is_some_and(|complete| complete.is_true()) {
        return Ready;
    }
    let succeeded = number(object, "/status/succeeded");
    let wanted = object.pointer("/spec/completions").and_then(Value::as_i64).unwrap_or(1);
    Waiting(format!("{succeeded} of {wanted} pods have succeeded"))
}

fn pod(object: &Value) -> Progress {
    let phase = object.pointer("/status/phase").and_then(Value::as_str).unwrap_or("Pending");
    match phase {
        "Succeeded" => Ready,
        "Failed" => Hopeless("it failed".to_owned()),
        _ if condition(object, "Ready").is_some_and(|ready| ready.is_true()) => Ready,
        phase => Waiting(format!("it is not ready, its phase is {phase}")),
    }
}

fn namespace(object: &Value) -> Progress {
    match object.pointer("/status/phase").and_then(Value::as_str) {
        Some("Terminating") => Hopeless("it is being deleted".to_owned()),
        _ => Ready,
    }
}

fn definition(object: &Value) -> Progress {
    let refused = condition(object, "NamesAccepted").filter(|names| names.status == "False");
    if let Some(refused) = refused {
        return Hopeless(refused.text());
    }
    match condition(object, "Established") {
        Some(established) if established.is_true() => Ready,
        _ => Waiting("it is not established yet".to_owned()),
    }
}

/// Whether an object of this kind may have pods that belong to it.
pub(super) fn has_pods(kind: &Kind) -> bool {
    match kind.group.as_str() {
        "apps" => {
            matches!(kind.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        }
        "batch" => kind.kind == "Job",
        _ => false,
    }
}

/// Whether a ReplicaSet is the newest one of its Deployment.
pub(super) fn is_newest(set: &Value, deployment: &Value) -> bool {
    let revision = |object: &Value| {
        object.pointer("/metadata/annotations")?.get("deployment.kubernetes.io/revision").cloned()
    };
    revision(set).is_some_and(|of_set| revision(deployment) == Some(of_set))
}

/// Whether a pod of a StatefulSet or DaemonSet is one of the newest revision. The pods of older
/// ones are about to be replaced, so that their state does not matter.
pub(super) fn is_current(kind: &Kind, object: &Value, pod: &Value) -> bool {
    let label = |name: &str| pod.pointer("/metadata/labels")?.get(name)?.as_str();
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("apps", "StatefulSet") => {
            let revision = object.pointer("/status/updateRevision").and_then(Value::as_str);
            revision.is_some() && label("controller-revision-hash") == revision
        }
        ("apps", "DaemonSet") => {
            let annotations = object.pointer("/metadata/annotations");
            let generation = annotations
                .and_then(|all| all.get("deprecated.daemonset.template.generation"))
                .and_then(Value::as_str);
            generation.is_some() && label("pod-template-generation") == generation
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests;
