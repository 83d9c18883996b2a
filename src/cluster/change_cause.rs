//! The annotation `kubernetes.io/change-cause`, which `kubectl rollout history` shows for a revision.
//!
//! A new pod template creates a revision, which copies the annotation. Setting the annotation alone
//! would rewrite the cause of an existing revision, so it only changes together with the template.

use serde_json::{Map, Value};

use super::kind::Kind;

pub(super) const ANNOTATION: &str = "kubernetes.io/change-cause";

/// Whether objects of a kind have revisions.
fn has_revisions(kind: &Kind) -> bool {
    kind.group == "apps" && matches!(kind.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet")
}

fn cause(object: &Value) -> Option<&Value> {
    object.get("metadata")?.get("annotations")?.get(ANNOTATION)
}

/// A manifest with the cause of its live object, unless it has its own. Applying it without the
/// cause would remove it.
pub(super) fn kept(kind: &Kind, manifest: &Value, live: Option<&Value>) -> Value {
    match live.and_then(cause) {
        Some(live) if has_revisions(kind) && cause(manifest).is_none() => {
            with(manifest, live.clone())
        }
        _ => manifest.clone(),
    }
}

/// A manifest with a new cause, if applying it creates a revision and it has no cause of its own.
/// `would_be` is the object after the change.
pub(super) fn renewed(
    kind: &Kind,
    manifest: &Value,
    live: Option<&Value>,
    would_be: &Value,
    new: Option<&str>,
) -> Option<Value> {
    let template = |object: &Value| object.pointer("/spec/template").cloned();
    let makes_revision = live.is_none_or(|live| template(live) != template(would_be));
    let new = new.filter(|_| has_revisions(kind) && makes_revision && cause(manifest).is_none())?;
    Some(with(manifest, Value::from(new)))
}

fn with(manifest: &Value, cause: Value) -> Value {
    let mut manifest = manifest.clone();
    if let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = metadata.entry("annotations").or_insert(Value::Null);
        if annotations.is_null() {
            *annotations = Value::Object(Map::new());
        }
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(ANNOTATION.to_owned(), cause);
        }
    }
    manifest
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(image: &str, cause: Option<&str>) -> Value {
        let mut object = json!({"metadata": {"name": "a", "annotations": null},
            "spec": {"template": {"spec": {"containers": [{"image": image}]}}}});
        if let Some(cause) = cause {
            object["metadata"]["annotations"] = json!({ANNOTATION: cause});
        }
        object
    }

    fn kind() -> Kind {
        Kind::namespaced("apps", "v1", "Deployment", "deployments")
    }

    #[test]
    fn a_cause_changes_only_with_the_pod_template() {
        let live = deployment("a:1", Some("old"));
        let manifest = deployment("a:2", None);
        let renewed = |would_be: &Value, live: Option<&Value>| {
            super::renewed(&kind(), &manifest, live, would_be, Some("new"))
        };
        assert_eq!(cause(&renewed(&deployment("a:2", None), Some(&live)).unwrap()).unwrap(), "new");
        assert_eq!(renewed(&deployment("a:1", None), Some(&live)), None);
        assert!(renewed(&deployment("a:2", None), None).is_some());
        assert_eq!(cause(&kept(&kind(), &manifest, Some(&live))).unwrap(), "old");
        assert_eq!(kept(&kind(), &manifest, None), manifest);
    }

    #[test]
    fn the_cause_of_a_manifest_wins_and_other_kinds_have_none() {
        let own = deployment("a:2", Some("mine"));
        let live = deployment("a:1", Some("old"));
        assert_eq!(kept(&kind(), &own, Some(&live)), own);
        assert_eq!(super::renewed(&kind(), &own, None, &own, Some("new")), None);
        let service = Kind::namespaced("", "v1", "Service", "services");
        let manifest = deployment("a", None);
        assert_eq!(super::renewed(&service, &manifest, None, &manifest, Some("new")), None);
        assert_eq!(kept(&service, &manifest, Some(&live)), manifest);
    }
}
