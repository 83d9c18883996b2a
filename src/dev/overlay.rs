//! What objects have in a loop beside what their manifests say. A pure function over objects; `ko-rs
//! apply`, which has the same field manager, takes it off again.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::manifests::Object;
use crate::oci::Digest;

/// The annotation of a pod template with a digest of the ConfigMaps and Secrets that its containers
/// read as environment. Containers read these only when they start.
const ENVIRONMENT: &str = "ko-rs.dev/environment";

/// A kind and a name.
type Named = (&'static str, String);

/// Gives each pod template the digest of what its containers read as environment, so that a change of
/// that starts new pods.
pub(super) fn apply(objects: &mut [Object]) {
    let sources: BTreeMap<(String, Option<String>, String), String> = objects
        .iter()
        .filter(|object| matches!(object.kind(), Some("ConfigMap" | "Secret")))
        .filter_map(|object| {
            let (kind, name) = (object.kind()?.to_owned(), object.name()?.to_owned());
            let contents = ["data", "binaryData", "stringData"].map(|key| object.value.get(key));
            let contents = Value::from_iter(contents.into_iter().flatten().cloned());
            Some(((kind, object.namespace().map(str::to_owned), name), contents.to_string()))
        })
        .collect();
    for object in objects {
        let namespace = object.namespace().map(str::to_owned);
        let Some(template) = object.value.pointer_mut("/spec/template") else { continue };
        let read = read_as_environment(template);
        let contents: Vec<&str> = read
            .iter()
            .filter_map(|(kind, name)| {
                sources.get(&((*kind).to_owned(), namespace.clone(), name.clone()))
            })
            .map(String::as_str)
            .collect();
        if contents.is_empty() {
            continue;
        }
        let digest = Digest::of(contents.join("\n").as_bytes());
        let digest = digest.hex().chars().take(16).collect::<String>();
        if let Some(annotations) = annotations(template) {
            annotations.insert(ENVIRONMENT.to_owned(), Value::from(digest));
        }
    }
}

/// The annotations of a pod template, made if it has none.
fn annotations(template: &mut Value) -> Option<&mut Map<String, Value>> {
    let template = template.as_object_mut()?;
    let metadata = template.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    let metadata = metadata.as_object_mut()?;
    metadata.entry("annotations").or_insert_with(|| Value::Object(Map::new())).as_object_mut()
}

/// The ConfigMaps and Secrets that containers of a pod template read as environment.
fn read_as_environment(template: &Value) -> Vec<Named> {
    let containers = ["initContainers", "containers"]
        .into_iter()
        .flat_map(|key| template["spec"][key].as_array().map(Vec::as_slice).unwrap_or_default());
    let mut found = Vec::new();
    for container in containers {
        let list = |key: &str| container[key].as_array().into_iter().flatten();
        let name = |value: &Value| value["name"].as_str().map(str::to_owned);
        for whole in list("envFrom") {
            found.extend(name(&whole["configMapRef"]).map(|name| ("ConfigMap", name)));
            found.extend(name(&whole["secretRef"]).map(|name| ("Secret", name)));
        }
        for single in list("env") {
            let from = &single["valueFrom"];
            found.extend(name(&from["configMapKeyRef"]).map(|name| ("ConfigMap", name)));
            found.extend(name(&from["secretKeyRef"]).map(|name| ("Secret", name)));
        }
    }
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(greeting: &str, env: Value) -> Vec<Object> {
        let settings = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "settings"}, "data": {"greeting": greeting}});
        let program = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "a"},
            "spec": {"template": {"spec": {"containers": [{"name": "a", "envFrom": env}]}}}});
        let mut objects: Vec<Object> = [settings, program]
            .map(|value| Object { value, place: String::new() })
            .into_iter()
            .collect();
        apply(&mut objects);
        objects
    }

    #[test]
    fn readers_of_a_config_map_get_other_pods_when_it_changes() {
        let reads = json!([{"configMapRef": {"name": "settings"}}]);
        let annotation = |objects: &[Object]| {
            let at = "/spec/template/metadata/annotations/ko-rs.dev~1environment";
            objects[1].value.pointer(at).cloned()
        };
        let first = annotation(&set("hello", reads.clone()));
        assert!(first.is_some());
        assert_eq!(annotation(&set("hello", reads.clone())), first);
        assert_ne!(annotation(&set("bye", reads)), first);
        assert_eq!(annotation(&set("hello", json!([{"configMapRef": {"name": "other"}}]))), None);
    }
}
