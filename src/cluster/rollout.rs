//! How far an object is from being ready: the rules of `kubectl rollout status` and `kubectl
//! wait`, as functions of the object.

use serde_json::Value;

use super::kind::Kind;

/// How far an object has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Ready,
    /// Its controller has not looked at it yet: nothing can be said, and its pods are old ones.
    Unseen,
    /// Not yet; what is missing.
    Waiting(String),
    /// Never, as it is; why.
    Hopeless(String),
}

use Progress::{Hopeless, Ready, Unseen, Waiting};

/// How far an object has come. Kinds without a notion of it are ready as soon as they exist.
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

/// How many pods are wanted; one, where it is not said.
fn wanted(object: &Value) -> i64 {
    object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1)
}

/// The first condition of a type: its status, reason and message.
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
    pub(super) fn told(&self) -> String {
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
        return Unseen;
    }
    if object.pointer("/spec/paused").and_then(Value::as_bool) == Some(true) {
        return Ready;
    }
    let failure = condition(object, "ReplicaFailure").filter(Condition::is_true);
    let late = condition(object, "Progressing")
        .filter(|condition| condition.reason == "ProgressDeadlineExceeded");
    if let Some(late) = late {
        let why = failure.as_ref().unwrap_or(&late);
        return Hopeless(why.told());
    }
    let wanted = wanted(object);
    let updated = number(object, "/status/updatedReplicas");
    let all = number(object, "/status/replicas");
    let available = number(object, "/status/availableReplicas");
    let why = failure.map_or_else(String::new, |failure| format!(" ({})", failure.told()));
    if updated < wanted {
        return Waiting(format!("{updated} of {wanted} new pods have been made{why}"));
    }
    if all > updated {
        return Waiting(format!("{} old pods are still there{why}", all - updated));
    }
    if available < updated {
        return Waiting(format!("{available} of {updated} new pods are available{why}"));
    }
    Ready
}

fn stateful_set(object: &Value) -> Progress {
    if !is_observed(object) {
        return Unseen;
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
        return Unseen;
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
        return Unseen;
    }
    let (wanted, ready) = (wanted(object), number(object, "/status/readyReplicas"));
    if ready >= wanted {
        return Ready;
    }
    let failure = condition(object, "ReplicaFailure").filter(Condition::is_true);
    let why = failure.map_or_else(String::new, |failure| format!(" ({})", failure.told()));
    Waiting(format!("{ready} of {wanted} pods are ready{why}"))
}

fn job(object: &Value) -> Progress {
    if let Some(failed) = condition(object, "Failed").filter(Condition::is_true) {
        return Hopeless(failed.told());
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
        "Failed" => Hopeless("it has failed".to_owned()),
        _ if condition(object, "Ready").is_some_and(|ready| ready.is_true()) => Ready,
        phase => Waiting(format!("it is {phase} and not ready")),
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
        return Hopeless(refused.told());
    }
    match condition(object, "Established") {
        Some(established) if established.is_true() => Ready,
        _ => Waiting("it is not served yet".to_owned()),
    }
}

/// The query that finds an object's pods, of its newest revision only: what ails older ones is
/// being replaced. `hash` is that of a Deployment's newest ReplicaSet.
pub(super) fn pods(kind: &Kind, object: &Value, hash: Option<&str>) -> Option<String> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let revision = match (kind.group.as_str(), kind.kind.as_str()) {
        ("apps", "Deployment") => Some(format!("pod-template-hash={}", hash?)),
        ("apps", "StatefulSet") => {
            let revision = text("/status/updateRevision")?;
            Some(format!("controller-revision-hash={revision}"))
        }
        ("apps", "DaemonSet") => {
            let annotations = object.pointer("/metadata/annotations")?;
            let generation = annotations.get("deprecated.daemonset.template.generation");
            Some(format!("pod-template-generation={}", generation?.as_str()?))
        }
        ("apps", "ReplicaSet") | ("batch", "Job") => None,
        _ => return None,
    };
    let selector = selector(object.pointer("/spec/selector")?)?;
    Some(revision.into_iter().fold(selector, |selector, revision| format!("{selector},{revision}")))
}

/// A label selector as a query writes it ([label selectors][labels]).
///
/// [labels]: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
pub(super) fn selector(selector: &Value) -> Option<String> {
    let mut terms = Vec::new();
    let labels = selector.get("matchLabels").and_then(Value::as_object);
    for (key, value) in labels.into_iter().flatten() {
        terms.push(format!("{key}={}", value.as_str()?));
    }
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    for expression in expressions.into_iter().flatten() {
        let key = expression.get("key")?.as_str()?;
        let values = expression.get("values").and_then(Value::as_array);
        let values: Vec<&str> = values.into_iter().flatten().filter_map(Value::as_str).collect();
        terms.push(match expression.get("operator")?.as_str()? {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        });
    }
    (!terms.is_empty()).then(|| terms.join(","))
}

#[cfg(test)]
mod tests;
