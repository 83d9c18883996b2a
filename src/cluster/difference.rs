//! Whether an object is still the one it was: what counts as a change, and whose it is.

use serde_json::Value;

/// What the server or a controller writes whenever anything moves.
const BOOKKEEPING: [&str; 3] = ["managedFields", "resourceVersion", "generation"];

/// The paths at which an object differs from what it was; status and bookkeeping do not count.
/// A list is compared as a whole.
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

/// Whether a manifest says anything at, above or below a path.
pub(super) fn states(manifest: &Value, path: &[String]) -> bool {
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

/// Whether everything a manifest says is so already, as far as can be told without the server.
pub(super) fn holds(live: &Value, manifest: &Value) -> bool {
    match (live, manifest) {
        (Value::Object(live), Value::Object(manifest)) => manifest.iter().all(|(key, wanted)| {
            wanted.is_null() || live.get(key).is_some_and(|live| holds(live, wanted))
        }),
        (Value::Array(live), Value::Array(manifest)) => {
            live.len() == manifest.len()
                && live.iter().zip(manifest).all(|(live, wanted)| holds(live, wanted))
        }
        (live, manifest) => live == manifest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn status_and_bookkeeping_are_no_change() {
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
    fn the_order_of_keys_is_no_change_and_that_of_items_is_one() {
        let was: Value = serde_json::from_str(r#"{"a": 1, "b": [1, 2]}"#).unwrap();
        let is: Value = serde_json::from_str(r#"{"b": [1, 2], "a": 1}"#).unwrap();
        assert!(differences(&was, &is).is_empty());
        assert_eq!(differences(&was, &json!({"a": 1, "b": [2, 1]})), [["b"]]);
    }

    #[test]
    fn a_status_deeper_down_is_a_change() {
        let (was, is) = (json!({"data": {"status": "a"}}), json!({"data": {"status": "b"}}));
        assert_eq!(differences(&was, &is), [["data", "status"]]);
        assert_eq!(
            differences(&json!({"data": {"a": "1"}}), &json!({"data": {}})),
            [["data", "a"]]
        );
    }

    #[test]
    fn a_manifest_states_what_it_writes_and_what_is_around_it() {
        let manifest = json!({"spec": {"replicas": 1, "list": [1]}});
        let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        assert!(states(&manifest, &path("spec.replicas")));
        assert!(states(&manifest, &path("spec.list")));
        assert!(states(&manifest, &path("spec")));
        assert!(!states(&manifest, &path("spec.paused")));
        assert!(!states(&manifest, &path("metadata.annotations.a")));
    }

    #[test]
    fn a_manifest_holds_where_the_server_only_added_to_it() {
        let live =
            json!({"spec": {"ports": [{"port": 80, "protocol": "TCP"}], "type": "ClusterIP"}});
        assert!(holds(&live, &json!({"spec": {"ports": [{"port": 80}], "extra": null}})));
        assert!(!holds(&live, &json!({"spec": {"ports": [{"port": 81}]}})));
        assert!(!holds(&live, &json!({"spec": {"ports": []}})));
    }
}
