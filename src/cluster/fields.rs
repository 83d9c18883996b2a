//! Sets of fields ([FieldsV1]), as the managers of an object own them.
//!
//! [FieldsV1]: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/

use std::collections::BTreeSet;

use serde_json::Value;

/// A step from a field to one inside of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// A key of a map.
    Key(String),
    /// The item of a list with these values, as JSON.
    Item(String),
    /// The item of a set that equals this JSON.
    Member(String),
    /// A map, list or item itself, whatever is in it.
    Itself,
}

/// A set of fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSet(BTreeSet<Vec<Step>>);

impl FieldSet {
    /// The fields of the managers that `is_chosen` selects, by manager and operation. Managers of a
    /// subresource, as of the status, are left out.
    pub(super) fn of(object: &Value, is_chosen: impl Fn(&str, &str) -> bool) -> Self {
        let mut fields = Self::default();
        let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
        for entry in entries.into_iter().flatten() {
            let text = |key| entry.get(key).and_then(Value::as_str).unwrap_or_default();
            if text("subresource").is_empty() && is_chosen(text("manager"), text("operation")) {
                fields.add(entry.get("fieldsV1"), &mut Vec::new());
            }
        }
        fields
    }

    fn add(&mut self, trie: Option<&Value>, path: &mut Vec<Step>) {
        let Some(trie) = trie.and_then(Value::as_object) else { return };
        if trie.is_empty() {
            self.0.insert(path.clone());
        }
        for (key, inner) in trie {
            let step = match key.split_once(':') {
                Some(("f", name)) => Step::Key(name.to_owned()),
                Some(("k", values)) => Step::Item(values.to_owned()),
                Some(("v", value)) => Step::Member(value.to_owned()),
                _ if key == "." => {
                    path.push(Step::Itself);
                    self.0.insert(path.clone());
                    path.pop();
                    continue;
                }
                _ => continue,
            };
            path.push(step);
            self.add(Some(inner), path);
            path.pop();
        }
    }

    /// The fields that are in none of the other sets.
    pub(super) fn without(mut self, others: &[&Self]) -> Self {
        self.0.retain(|path| !others.iter().any(|other| other.0.contains(path)));
        self
    }

    /// Removes these fields from an object. A map or list is only removed once it is empty.
    pub(super) fn remove_from(&self, object: &mut Value) {
        let mut paths: Vec<_> = self.0.iter().collect();
        paths.sort_by_key(|path| std::cmp::Reverse(path.len()));
        for path in paths {
            remove(object, path);
        }
    }
}

fn remove(value: &mut Value, path: &[Step]) {
    let Some((step, rest)) = path.split_first() else { return };
    match (step, value) {
        (Step::Key(key), Value::Object(fields)) => match (fields.get_mut(key), rest) {
            (Some(inner), [Step::Itself]) if !is_empty(inner) => {}
            (Some(_), [] | [Step::Itself]) => drop(fields.shift_remove(key)),
            (Some(inner), rest) => remove(inner, rest),
            (None, _) => {}
        },
        (Step::Item(_) | Step::Member(_), Value::Array(items)) => {
            let Some(at) = items.iter().position(|item| matches(item, step)) else { return };
            match rest {
                [] | [Step::Itself] => drop(items.remove(at)),
                // The keys of an item are what finds it: they are removed with it.
                [Step::Key(key)] if is_key_of(step, key) => {}
                rest => remove(&mut items[at], rest),
            }
        }
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn matches(item: &Value, step: &Step) -> bool {
    match step {
        Step::Item(keys) => match serde_json::from_str(keys) {
            Ok(Value::Object(keys)) => keys.iter().all(|(key, value)| item.get(key) == Some(value)),
            _ => false,
        },
        Step::Member(value) => serde_json::from_str::<Value>(value).is_ok_and(|it| it == *item),
        Step::Key(_) | Step::Itself => false,
    }
}

fn is_key_of(step: &Step, key: &str) -> bool {
    let Step::Item(keys) = step else { return false };
    serde_json::from_str::<Value>(keys).is_ok_and(|keys| keys.get(key).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object() -> Value {
        let mine = json!({"f:spec": {"f:replicas": {}, "f:env": {
            "k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}}}});
        let theirs = json!({"f:metadata": {"f:annotations": {".": {}, "f:note": {}}},
            "f:spec": {"f:replicas": {}, "f:finalizers": {".": {}, "v:\"x\"": {}}, "f:env": {
            "k:{\"name\":\"B\"}": {".": {}, "f:name": {}, "f:value": {}}}}});
        json!({"metadata": {"annotations": {"note": "b"}, "managedFields": [
                {"manager": "ko-rs", "operation": "Apply", "fieldsV1": mine},
                {"manager": "other", "operation": "Update", "fieldsV1": theirs},
                {"manager": "kubelet", "operation": "Update", "subresource": "status",
                 "fieldsV1": {"f:spec": {"f:paused": {}}}}]},
            "spec": {"replicas": 1, "paused": true, "finalizers": ["x", "y"], "env": [
                {"name": "A", "value": "a"}, {"name": "B", "value": "b", "default": 1}]}})
    }

    #[test]
    fn fields_that_only_others_own_are_removed() {
        let mut object = object();
        let mine = FieldSet::of(&object, |manager, _| manager == "ko-rs");
        let theirs = FieldSet::of(&object, |manager, _| manager != "ko-rs");
        theirs.without(&[&mine]).remove_from(&mut object);
        let expected = json!({"replicas": 1, "paused": true, "finalizers": ["y"],
            "env": [{"name": "A", "value": "a"}]});
        assert_eq!(object["spec"], expected);
        assert_eq!(object["metadata"].get("annotations"), None);
    }

    #[test]
    fn a_field_that_does_not_exist_is_ignored() {
        let fields = FieldSet::of(&object(), |_, _| true);
        let mut other = json!({"spec": {"env": "text", "finalizers": {"a": 1}}});
        let before = other.clone();
        fields.remove_from(&mut other);
        assert_eq!(other, before);
    }
}
