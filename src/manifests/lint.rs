//! What a manifest says that will not do what it seems to say.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Object;

/// The objects with a container that pulls its image each time it starts (`imagePullPolicy: Always`)
/// though the image is one of `loaded`, which lie on the node and nowhere else.
#[must_use]
pub fn always_pulled<'a>(objects: &'a [Object], loaded: &BTreeSet<&str>) -> Vec<&'a Object> {
    objects.iter().filter(|object| pulls(&object.value, loaded)).collect()
}

fn pulls(value: &Value, loaded: &BTreeSet<&str>) -> bool {
    match value {
        Value::Object(fields) => {
            let text = |field: &str| fields.get(field).and_then(Value::as_str);
            (text("imagePullPolicy") == Some("Always")
                && text("image").is_some_and(|image| loaded.contains(image)))
                || fields.values().any(|field| pulls(field, loaded))
        }
        Value::Array(items) => items.iter().any(|item| pulls(item, loaded)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_loaded_image_that_is_always_pulled_is_found() {
        let object = |image: &str, policy: &str| Object {
            value: json!({"spec": {"containers": [{"image": image, "imagePullPolicy": policy}]}}),
            place: "a.yaml:1:1".to_owned(),
        };
        let objects = [
            object("ko.local/a:1", "Always"),
            object("ko.local/a:1", "IfNotPresent"),
            object("nginx", "Always"),
        ];
        let loaded = BTreeSet::from(["ko.local/a:1"]);
        assert_eq!(always_pulled(&objects, &loaded), [&objects[0]]);
    }
}
