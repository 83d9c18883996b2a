//! What a plan changes about each object: its live state beside the one after the apply.
//!
//! Only what the manifest decides is compared: status, bookkeeping and fields that other managers own
//! are left out, and the values of Secrets are masked.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::manifests::Object;

use super::connection::Cluster;
use super::error::Error;
use super::fields::FieldSet;
use super::kind::Kind;
use super::live::Live;
use super::managers;
use super::outcome::{DryRun, Operation};
use super::plan::{ApplyOptions, Change, Entry, Planned};
use super::request;

/// An object that an apply would create or change.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ObjectDiff {
    /// The object, as `deployment.apps/link-manager`.
    pub object: String,
    /// The namespace, for objects that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Whether it would be created or configured.
    pub operation: Operation,
    /// Its current state, unless it does not exist.
    pub live: Option<Value>,
    /// Its state after the apply.
    pub would_be: Value,
}

/// Fields of `metadata` that the server maintains.
const BOOKKEEPING: [&str; 6] =
    ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"];
/// The annotation of kubectl that repeats a whole manifest, with the values of a Secret.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

impl Cluster {
    /// The objects that applying a set would create or change, in their order. Nothing is written.
    ///
    /// # Errors
    /// The first object that is invalid, in conflict, refused or cannot be read.
    pub async fn diff(
        &self,
        objects: Vec<Object>,
        force_conflicts: bool,
    ) -> Result<Vec<ObjectDiff>, Error> {
        let dry_run = DryRun::Server;
        let options = ApplyOptions { dry_run, force_conflicts, change_cause: None };
        let plan = self.plan(objects, Change::Apply(options)).await?;
        let mut diffs = Vec::new();
        for (manifest, entry) in plan.manifests.iter().zip(&plan.entries) {
            match entry {
                Entry::Planned(planned) => diffs.extend(self.compare(planned).await?),
                Entry::Pending(_) => diffs.push(ObjectDiff {
                    object: format!("{}/{}", manifest.kind.to_lowercase(), manifest.name),
                    namespace: manifest.namespace.clone(),
                    operation: Operation::Create,
                    live: None,
                    would_be: manifest.value.clone(),
                }),
                Entry::Unchecked | Entry::Failed(_) | Entry::Skipped | Entry::Done(_) => {}
            }
        }
        Ok(diffs)
    }

    /// The change of one object, if there is any.
    async fn compare(&self, planned: &Planned) -> Result<Option<ObjectDiff>, Error> {
        let id = &planned.target.id;
        let live = match &planned.live {
            Live::Present(live) => Some(live.clone()),
            Live::Absent => None,
            // Without the live object there is no difference to show: the refusal says why.
            Live::Unknown => {
                let read = request::get(&id.kind, id.namespace.as_deref(), &id.name);
                let live = self.client.send(&read).await;
                Some(live.map_err(|error| Error::object("read", id, error))?)
            }
        };
        if planned.would_be.is_none() {
            self.client.reporter().note(format!(
                "{id} ({}): an admission webhook does not support dry runs; its changes are not shown",
                id.place
            ));
        }
        let would_be = planned.would_be.clone();
        let would_be = would_be.unwrap_or_else(|| overlaid(live.as_ref(), &planned.target.value));
        let (live, would_be) = shown(&id.kind, live, would_be, &self.manager);
        let is_equal = live.as_ref() == Some(&would_be);
        Ok((!is_equal).then(|| ObjectDiff {
            object: id.to_string(),
            namespace: id.namespace.clone(),
            operation: planned.operation,
            live,
            would_be,
        }))
    }
}

/// The manifest over the live object: what the server would return without webhooks.
fn overlaid(live: Option<&Value>, manifest: &Value) -> Value {
    let (Some(Value::Object(live)), Value::Object(manifest)) = (live, manifest) else {
        return manifest.clone();
    };
    let mut fields = live.clone();
    for (key, value) in manifest {
        fields.insert(key.clone(), overlaid(live.get(key), value));
    }
    Value::Object(fields)
}

/// The parts of both states that are compared and shown.
fn shown(
    kind: &Kind,
    mut live: Option<Value>,
    mut would_be: Value,
    manager: &str,
) -> (Option<Value>, Value) {
    let taken = live.as_ref().map(|live| managers::to_be_taken(live, manager)).unwrap_or_default();
    let owned = owned_by_others(&would_be, manager, &taken);
    if let Some(live) = &mut live {
        removed(live, &would_be, manager, &taken).remove_from(&mut would_be);
        owned.remove_from(live);
        strip(live);
    }
    owned.remove_from(&mut would_be);
    strip(&mut would_be);
    if kind.is("", "Secret") {
        mask(live.as_mut(), &mut would_be);
    }
    (live, would_be)
}

/// The fields that are left to other managers.
fn owned_by_others(would_be: &Value, manager: &str, taken: &BTreeSet<String>) -> FieldSet {
    let ours = FieldSet::of(would_be, |name, _| name == manager);
    let is_other = |name: &str, _: &str| name != manager && !taken.contains(name);
    FieldSet::of(would_be, is_other).without(&[&ours])
}

/// The fields that a dry run keeps, but an apply removes once it has taken them over.
fn removed(live: &Value, would_be: &Value, manager: &str, taken: &BTreeSet<String>) -> FieldSet {
    let is_taken = |name: &str, operation: &str| operation == "Update" && taken.contains(name);
    let applied = FieldSet::of(would_be, |name, operation| name == manager && operation == "Apply");
    let others = FieldSet::of(would_be, |name, _| name != manager && !taken.contains(name));
    FieldSet::of(live, is_taken).without(&[&applied, &others])
}

/// Removes what the server maintains, and sorts the keys as kubectl does.
fn strip(object: &mut Value) {
    if let Some(object) = object.as_object_mut() {
        object.shift_remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in BOOKKEEPING {
            metadata.shift_remove(field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.shift_remove(LAST_APPLIED);
            if annotations.is_empty() {
                metadata.shift_remove("annotations");
            }
        }
    }
    object.sort_all_objects();
}

/// Replaces the values of a Secret, so that it can be seen which of them change, as kubectl does.
fn mask(mut live: Option<&mut Value>, would_be: &mut Value) {
    for field in ["data", "stringData"] {
        let empty = Map::new();
        let fields = |object: Option<&Value>| {
            let fields = object.and_then(|object| object.get(field)).and_then(Value::as_object);
            fields.unwrap_or(&empty).clone()
        };
        let (was, is) = (fields(live.as_deref()), fields(Some(would_be)));
        let masked = |own: &Map<String, Value>, other: &Map<String, Value>, changed: &str| {
            let values = own.iter().map(|(key, value)| {
                let is_changed = other.get(key).is_some_and(|other| other != value);
                (key.clone(), Value::from(if is_changed { changed } else { "***" }))
            });
            Value::Object(values.collect())
        };
        if let Some(place) = live.as_mut().and_then(|live| live.get_mut(field)) {
            *place = masked(&was, &is, "*** (before)");
        }
        if let Some(place) = would_be.get_mut(field) {
            *place = masked(&is, &was, "*** (after)");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secret() -> Kind {
        Kind::namespaced("", "v1", "Secret", "secrets")
    }

    #[test]
    fn values_of_secrets_are_masked_and_changes_are_visible() {
        let annotations = json!({LAST_APPLIED: "c2VjcmV0"});
        let live = json!({"metadata": {"annotations": annotations},
            "data": {"a": "c2VjcmV0", "b": "c2VjcmV0", "gone": "c2VjcmV0"}});
        let would_be = json!({"metadata": {}, "data": {"a": "c2VjcmV0", "b": "b3RoZXI=", "new": "eA=="},
            "stringData": {"b": "other"}});
        let (live, would_be) = shown(&secret(), Some(live), would_be, "ko-rs");
        let expected =
            json!({"data": {"a": "***", "b": "*** (before)", "gone": "***"}, "metadata": {}});
        assert_eq!(live, Some(expected));
        let data = json!({"a": "***", "b": "*** (after)", "new": "***"});
        assert_eq!(would_be, json!({"data": data, "metadata": {}, "stringData": {"b": "***"}}));
    }

    #[test]
    fn what_an_apply_takes_over_and_the_manifest_does_not_have_is_removed() {
        let entry = |manager: &str, operation: &str, fields: Value| json!({"manager": manager, "operation": operation, "fieldsV1": fields});
        let annotations = json!({"f:annotations": {(format!("f:{LAST_APPLIED}")): {}}});
        let client = entry(
            "kubectl-client-side-apply",
            "Update",
            json!({"f:metadata": annotations, "f:data": {"f:a": {}, "f:old": {}}}),
        );
        let other = entry("operator", "Update", json!({"f:data": {"f:theirs": {}}}));
        let ours = entry("ko-rs", "Apply", json!({"f:data": {"f:a": {}}}));
        let data = json!({"a": "1", "old": "2", "theirs": "3"});
        let live = json!({"metadata": {"managedFields": [client, other]}, "data": data});
        let mut would_be = live.clone();
        would_be["metadata"]["managedFields"] = json!([client, other, ours]);
        let kind = Kind::namespaced("", "v1", "ConfigMap", "configmaps");
        let (live, would_be) = shown(&kind, Some(live), would_be, "ko-rs");
        assert_eq!(live.unwrap()["data"], json!({"a": "1", "old": "2"}));
        assert_eq!(would_be["data"], json!({"a": "1"}));
    }

    #[test]
    fn a_manifest_is_laid_over_the_live_object() {
        let live = json!({"spec": {"a": 1, "list": [1, 2]}, "kept": true});
        assert_eq!(
            overlaid(Some(&live), &json!({"spec": {"a": 2, "list": [3]}})),
            json!({"spec": {"a": 2, "list": [3]}, "kept": true})
        );
    }
}
