//! The managers of an object's fields, and how ko-rs takes over what kubectl applied on the client.
//!
//! The migration is kubectl's own (client-go's `csaupgrade`): the fields that client-side apply
//! wrote become fields that ko-rs applied, so that a field that is removed from the manifest is
//! removed from the object. The same is true for the annotation in which client-side apply stores
//! the manifest, since nobody would keep it up to date. See [field management][fields].
//!
//! [fields]: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::refusal::Conflict;

/// The annotation in which client-side apply stores the manifest. A manager that owns it applies
/// on the client.
const LAST_APPLIED: &str = "f:kubectl.kubernetes.io/last-applied-configuration";

/// Managers that write whole manifests, as ko-rs does, so that ko-rs may replace what they wrote.
/// Controllers and commands that set single fields are not among them.
const MANIFEST_WRITERS: [&str; 5] =
    ["kubectl-client-side-apply", "kubectl-create", "kubectl-replace", "kubectl-edit", "ko"];

/// Whether the field of a conflict may be taken over: its manager wrote a whole manifest, or it is
/// an annotation that ko-rs adds.
pub(super) fn may_take(conflict: &Conflict, manager: &str) -> bool {
    conflict.manager == manager
        || MANIFEST_WRITERS.contains(&conflict.manager.as_str())
        || conflict.field.contains(super::change_cause::ANNOTATION)
}

fn text<'a>(entry: &'a Value, key: &str) -> &'a str {
    entry.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn entries(live: &Value) -> &[Value] {
    live.pointer("/metadata/managedFields").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn is_update(entry: &Value) -> bool {
    text(entry, "operation") == "Update" && text(entry, "subresource").is_empty()
}

fn is_apply_of(entry: &Value, manager: &str) -> bool {
    text(entry, "manager") == manager
        && text(entry, "operation") == "Apply"
        && text(entry, "subresource").is_empty()
}

/// The managers that wrote a manifest other than by server-side apply: those that apply on the
/// client, and `manager` itself if it created the object.
pub(super) fn to_be_taken(live: &Value, manager: &str) -> BTreeSet<String> {
    let applied = entries(live).iter().filter(|entry| is_update(entry)).filter(|entry| {
        let annotations = entry.pointer("/fieldsV1/f:metadata/f:annotations");
        text(entry, "manager") == manager
            || annotations.is_some_and(|annotations| annotations.get(LAST_APPLIED).is_some())
    });
    applied.map(|entry| text(entry, "manager").to_owned()).collect()
}

/// Whether two states of an object have the same field managers, whatever the times.
pub(super) fn same(was: &Value, is: &Value) -> bool {
    let timeless = |object: &Value| -> Vec<Value> {
        let entries = entries(object).iter().filter(|entry| text(entry, "subresource").is_empty());
        entries
            .cloned()
            .map(|mut entry| {
                if let Some(entry) = entry.as_object_mut() {
                    entry.shift_remove("time");
                }
                entry
            })
            .collect()
    };
    timeless(was) == timeless(is)
}

/// The JSON patch after which `manager` has applied what `from` wrote; nothing if there is nothing to
/// take over. It fails with a conflict if the object has changed since.
pub(super) fn takeover(live: &Value, from: &BTreeSet<String>, manager: &str) -> Option<Value> {
    let was = entries(live);
    let now = from.iter().fold(was.to_vec(), |entries, from| moved(entries, from, manager));
    (now != was).then(|| {
        json!([
            {"op": "replace", "path": "/metadata/managedFields", "value": now},
            {
                "op": "replace",
                "path": "/metadata/resourceVersion",
                "value": live.pointer("/metadata/resourceVersion"),
            },
        ])
    })
}

/// The entries with those of `from` merged into the one of `manager`. An entry of another API
/// version cannot be merged and is dropped, as kubectl does.
fn moved(mut entries: Vec<Value>, from: &str, manager: &str) -> Vec<Value> {
    let is_source = |entry: &Value| text(entry, "manager") == from && is_update(entry);
    let Some(source) = entries.iter().position(is_source) else { return entries };
    let target = entries.iter().position(|entry| is_apply_of(entry, manager)).unwrap_or(source);
    let version = text(&entries[target], "apiVersion").to_owned();
    let same_version = |entry: &&Value| is_source(entry) && text(entry, "apiVersion") == version;
    let fields = entries.iter().find(same_version).and_then(|entry| entry.get("fieldsV1")).cloned();
    if let Some(entry) = entries[target].as_object_mut() {
        entry.insert("manager".to_owned(), Value::from(manager));
        entry.insert("operation".to_owned(), Value::from("Apply"));
        let own = entry.get("fieldsV1").cloned().unwrap_or_else(|| json!({}));
        let both = fields.map_or_else(|| own.clone(), |fields| union(&own, &fields));
        entry.insert("fieldsV1".to_owned(), both);
    }
    entries.retain(|entry| !is_source(entry));
    entries
}

/// The union of two field sets ([FieldsV1]): a trie in which an empty leaf is a member, and `.`
/// marks an inner node that is a member too.
///
/// [FieldsV1]: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
fn union(one: &Value, other: &Value) -> Value {
    let (Value::Object(one), Value::Object(other)) = (one, other) else { return one.clone() };
    let mut both: Map<String, Value> = one.clone();
    for (key, fields) in other {
        let merged = both.get(key).map_or_else(|| fields.clone(), |own| member(own, fields));
        both.insert(key.clone(), merged);
    }
    Value::Object(both)
}

fn member(one: &Value, other: &Value) -> Value {
    let mut both = union(one, other);
    let is_leaf = |value: &Value| value.as_object().is_some_and(Map::is_empty);
    if is_leaf(one) != is_leaf(other)
        && let Some(fields) = both.as_object_mut()
    {
        fields.insert(".".to_owned(), json!({}));
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, version: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": version,
            "fieldsType": "FieldsV1", "time": "2026-01-01T00:00:00Z", "fieldsV1": fields})
    }

    fn live(entries: Value) -> Value {
        json!({"metadata": {"resourceVersion": "7", "managedFields": entries}})
    }

    fn applied_on_the_client() -> Value {
        json!({"f:metadata": {"f:annotations": {".": {}, LAST_APPLIED: {}}},
            "f:spec": {"f:replicas": {}}})
    }

    #[test]
    fn the_owner_of_the_last_applied_annotation_applies_on_the_client() {
        let live = live(json!([
            entry("kubectl-client-side-apply", "Update", "apps/v1", applied_on_the_client()),
            entry("ko-rs", "Apply", "apps/v1", applied_on_the_client()),
            entry("kube-controller-manager", "Update", "apps/v1", json!({"f:status": {}})),
        ]));
        assert_eq!(
            to_be_taken(&live, "ko-rs"),
            BTreeSet::from(["kubectl-client-side-apply".to_owned()])
        );
    }

    #[test]
    fn the_fields_of_client_side_apply_become_applied_ones() {
        let was = live(json!([
            entry("kubectl-client-side-apply", "Update", "apps/v1", applied_on_the_client()),
            entry("hpa", "Update", "apps/v1", json!({"f:spec": {"f:replicas": {}}})),
        ]));
        let patch = takeover(&was, &to_be_taken(&was, "ko-rs"), "ko-rs").unwrap();
        assert_eq!(patch[1]["value"], "7");
        let now = &patch[0]["value"];
        assert_eq!(now.as_array().unwrap().len(), 2);
        assert_eq!((&now[0]["manager"], &now[0]["operation"]), (&json!("ko-rs"), &json!("Apply")));
        assert_eq!(now[0]["fieldsV1"], applied_on_the_client());
        assert_eq!(now[1], was["metadata"]["managedFields"][1]);
    }

    #[test]
    fn fields_that_were_applied_before_are_kept() {
        let own = json!({"f:spec": {"f:paused": {}, "f:template": {"f:spec": {}}}});
        let theirs = json!({"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:x": {}}}}});
        let was = live(json!([
            entry("kubectl-client-side-apply", "Update", "apps/v1", theirs),
            entry("ko-rs", "Apply", "apps/v1", own),
        ]));
        let from = BTreeSet::from(["kubectl-client-side-apply".to_owned()]);
        let patch = takeover(&was, &from, "ko-rs").unwrap();
        assert_eq!(
            patch[0]["value"][0]["fieldsV1"],
            json!({"f:spec": {"f:paused": {}, "f:replicas": {},
                "f:template": {"f:spec": {".": {}, "f:x": {}}}}})
        );
    }

    #[test]
    fn fields_that_ko_rs_created_are_taken_over() {
        let was = live(json!([entry("ko-rs", "Update", "v1", json!({"f:data": {}}))]));
        let patch = takeover(&was, &to_be_taken(&was, "ko-rs"), "ko-rs").unwrap();
        assert_eq!(
            patch[0]["value"],
            json!([entry("ko-rs", "Apply", "v1", json!({"f:data": {}}))])
        );
    }

    #[test]
    fn an_entry_of_another_version_is_dropped_and_one_of_a_subresource_is_kept() {
        let mut scale = entry("kubectl", "Update", "apps/v1", json!({"f:spec": {}}));
        scale["subresource"] = json!("scale");
        let was = live(json!([
            entry("kubectl", "Update", "apps/v1beta1", json!({"f:old": {}})),
            entry("ko-rs", "Apply", "apps/v1", json!({"f:new": {}})),
            scale,
        ]));
        let patch = takeover(&was, &BTreeSet::from(["kubectl".to_owned()]), "ko-rs").unwrap();
        let now = patch[0]["value"].as_array().unwrap();
        assert_eq!(now.len(), 2);
        assert_eq!(now[0]["fieldsV1"], json!({"f:new": {}}));
        assert_eq!(now[1]["subresource"], "scale");
    }

    #[test]
    fn nothing_is_taken_over_if_nothing_was_applied_on_the_client() {
        let was = live(json!([entry("ko-rs", "Apply", "v1", json!({"f:data": {}}))]));
        assert_eq!(takeover(&was, &BTreeSet::from(["kubectl".to_owned()]), "ko-rs"), None);
        assert_eq!(takeover(&json!({}), &BTreeSet::from(["kubectl".to_owned()]), "ko-rs"), None);
        let broken = json!({"metadata": {"managedFields": "broken"}});
        assert!(to_be_taken(&broken, "ko-rs").is_empty());
    }

    #[test]
    fn the_times_of_writes_are_not_compared() {
        let one = live(json!([entry("ko-rs", "Apply", "v1", json!({"f:data": {}}))]));
        let mut other = one.clone();
        other["metadata"]["managedFields"][0]["time"] = json!("2027-01-01T00:00:00Z");
        assert!(same(&one, &other));
        other["metadata"]["managedFields"][0]["fieldsV1"] = json!({});
        assert!(!same(&one, &other));
    }
}
