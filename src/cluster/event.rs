//! Warning events of controllers and kubelets: a pod that could not be created has no status.

use serde_json::Value;

use super::kind::ObjectId;

/// The newest warning about an object or its pods: `pod a-1: FailedMount: …`.
pub(super) fn newest(events: &[Value], id: &ObjectId) -> Option<String> {
    let about = |event: &&Value| {
        let of = |key| event.pointer("/involvedObject")?.get(key)?.as_str();
        let (Some(kind), Some(name)) = (of("kind"), of("name")) else { return false };
        // The names of pods and of a Deployment's ReplicaSets begin with the one of their owner.
        let rest = name.strip_prefix(id.name.as_str());
        let is_its_own =
            matches!(kind, "Pod" | "ReplicaSet") && rest.is_some_and(|rest| rest.starts_with('-'));
        is_its_own || (kind == id.kind.kind && name == id.name)
    };
    let event = events.iter().filter(about).max_by_key(|event| time(event))?;
    let text = |pointer| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let message: String = text("/message").chars().take(500).collect();
    Some(format!(
        "{} {}: {}: {message}",
        text("/involvedObject/kind").to_lowercase(),
        text("/involvedObject/name"),
        text("/reason"),
    ))
}

/// The last time of an event: RFC 3339 in UTC, so that texts compare like times.
fn time(event: &Value) -> &str {
    let times = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime"];
    let first = times.into_iter().find_map(|time| event.pointer(time).and_then(Value::as_str));
    first.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::kind::Kind;
    use super::*;
    use serde_json::json;

    fn event(kind: &str, name: &str, second: u8, reason: &str) -> Value {
        json!({"involvedObject": {"kind": kind, "name": name}, "reason": reason,
            "message": "why", "lastTimestamp": format!("2026-01-01T00:00:{second:02}Z")})
    }

    #[test]
    fn the_newest_warning_about_an_object_or_its_pods_is_found() {
        let id = ObjectId {
            kind: Kind::namespaced("apps", "v1", "StatefulSet", "statefulsets"),
            name: "web".to_owned(),
            namespace: Some("default".to_owned()),
            place: String::new(),
        };
        let mut events = vec![
            event("Pod", "web-0", 2, "FailedMount"),
            event("StatefulSet", "web", 1, "FailedCreate"),
            event("Pod", "webcam-0", 9, "Other"),
            event("Deployment", "web", 9, "Other"),
            json!({}),
        ];
        assert_eq!(newest(&events, &id).unwrap(), "pod web-0: FailedMount: why");
        events.remove(0);
        assert_eq!(newest(&events, &id).unwrap(), "statefulset web: FailedCreate: why");
        assert_eq!(newest(&events[1..], &id), None);
    }
}
