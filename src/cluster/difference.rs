//! Compares two states of an object.

use serde_json::Value;

/// Fields of `metadata` that change with every write.
const BOOKKEEPING: [&str; 3] = ["managedFields", "resourceVersion", "generation"];

/// The paths at which two states of an object differ, without status and bookkeeping. A list is
/// compared as a whole.
pub(super) fn differences(was: &Value, is: &Value) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    collect(was, is, &mut Vec::new(), &mut found);
    found
}

fn collect(was: &Value, is: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    if was == is {
        return;
    }
    let (Value::Object(was), Value::Object(is)) = (was, is) else {
        return found.push(path.clone());
    };
    let keys = was.keys().chain(is.keys().filter(|key| !was.contains_key(*key)));
    for key in keys {
        if is_bookkeeping(path, key) {
            continue;
        }
        path.push(key.clone());
        match (was.get(key), is.get(key)) {
            (Some(was), Some(is)) => collect(was, is, path, found),
            _ => found.push(path.clone()),
        }
        path.pop();
    }
}

fn is_bookkeeping(path: &[String], key: &str) -> bool {
    match path {
        [] => key == "status",
        [metadata] => metadata == "metadata" && BOOKKEEPING.contains(&key),
        _ => false,
    }
}

/// Whether a manifest has a field at, above or below a path.
pub(super) fn has(manifest: &Value, path: &[String]) -> bool {
    let mut here = manifest;
    for key in path {
        match here.as_object() {
            Some(fields) => match fields.get(key) {
                Some(inner) => here = inner,
                None => return false,
            },
            None => return true,
        }
    }
    true
}

/// The paths at which an object is not as its manifest wants it, as far as can be known without
/// the server.
pub(super) fn unmet(live: &Value, manifest: &Value) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    collect_unmet(live, manifest, &mut Vec::new(), &mut found);
    found
}

fn collect_unmet(
    live: &Value,
    manifest: &Value,
    path: &mut Vec<String>,
    found: &mut Vec<Vec<String>>,
) {
    let (Value::Object(live), Value::Object(manifest)) = (live, manifest) else {
        if !contains(live, manifest) {
            found.push(path.clone());
        }
        return;
    };
    for (key, wanted) in manifest.iter().filter(|(_, wanted)| !wanted.is_null()) {
        path.push(key.clone());
        match live.get(key) {
            Some(live) => collect_unmet(live, wanted, path, found),
            None => found.push(path.clone()),
        }
        path.pop();
    }
}

/// Whether a list or a plain value has everything that the manifest wants.
fn contains(live: &Value, manifest: &Value) -> bool {
    match (live, manifest) {
        (Value::Array(live), Value::Array(manifest)) => {
            live.len() == manifest.len()
                && live.iter().zip(manifest).all(|(live, wanted)| unmet(live, wanted).is_empty())
        }
        (live, manifest) => live == manifest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn status_and_bookkeeping_are_not_differences() {
        let was = json!({"metadata": {"name": "a", "generation": 1, "resourceVersion": "1",
            "managedFields": []}, "spec": {"replicas": 1}, "status": {"readyReplicas": 0}});
        let mut is = was.clone();
        is["metadata"]["generation"] = json!(2);
        is["metadata"]["resourceVersion"] = json!("2");
        is["metadata"]["managedFields"] = json!([{"manager": "ko-rs"}]);
        is["status"] = json!({"readyReplicas": 1});
        assert!(differences(&was, &is).is_empty());
        is["spec"]["replicas"] = json!(2);
        assert_eq!(differences(&was, &is), [["spec", "replicas"]]);
    }

    #[test]
    fn the_order_of_items_is_a_difference_and_that_of_keys_is_not() {
        let was: Value = serde_json::from_str(r#"{"a": 1, "b": [1, 2]}"#).unwrap();
        let is: Value = serde_json::from_str(r#"{"b": [1, 2], "a": 1}"#).unwrap();
        assert!(differences(&was, &is).is_empty());
        assert_eq!(differences(&was, &json!({"a": 1, "b": [2, 1]})), [["b"]]);
    }

    #[test]
    fn a_nested_status_is_a_difference() {
        let (was, is) = (json!({"data": {"status": "a"}}), json!({"data": {"status": "b"}}));
        assert_eq!(differences(&was, &is), [["data", "status"]]);
        assert_eq!(
            differences(&json!({"data": {"a": "1"}}), &json!({"data": {}})),
            [["data", "a"]]
        );
    }

    #[test]
    fn a_manifest_has_its_fields_and_those_around_them() {
        let manifest = json!({"spec": {"replicas": 1, "list": [1]}});
        let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        assert!(has(&manifest, &path("spec.replicas")));
        assert!(has(&manifest, &path("spec.list")));
        assert!(has(&manifest, &path("spec")));
        assert!(!has(&manifest, &path("spec.paused")));
        assert!(!has(&manifest, &path("metadata.annotations.a")));
    }

    #[test]
    fn fields_that_the_server_added_are_not_unmet() {
        let live =
            json!({"spec": {"ports": [{"port": 80, "protocol": "TCP"}], "type": "ClusterIP"}});
        assert!(
            unmet(&live, &json!({"spec": {"ports": [{"port": 80}], "extra": null}})).is_empty()
        );
        assert_eq!(unmet(&live, &json!({"spec": {"ports": [{"port": 81}]}})), [["spec", "ports"]]);
        assert_eq!(unmet(&live, &json!({"spec": {"ports": []}})), [["spec", "ports"]]);
    }
}
