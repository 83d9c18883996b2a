//! Objects that have pods, and which pods are theirs.
//!
//! Pods are found by the names of their owners, so that an object that is created again keeps its
//! pods, and nothing but pods needs to be listed.

use std::str::FromStr;

use serde_json::Value;

use crate::manifests::Object;

use super::connection::Cluster;
use super::error::Error;
use super::kind::{Kind, ObjectId};
use super::object::Manifest;
use super::outcome::{DryRun, Outcome};
use super::request::{self, Collection};
use super::watch;

/// An object that has pods.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    pub(super) id: ObjectId,
    /// The labels of its pods, for a Service.
    selector: Option<Value>,
}

/// The name of an object that has pods: `deployment/link`, `svc/link`, or `link-0` for a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadName {
    kind: Kind,
    name: String,
}

/// Kinds that have pods: group, version, kind, plural, and the short name of kubectl.
const KINDS: [(&str, &str, &str, &str, &str); 9] = [
    ("", "v1", "Pod", "pods", "po"),
    ("apps", "v1", "Deployment", "deployments", "deploy"),
    ("apps", "v1", "StatefulSet", "statefulsets", "sts"),
    ("apps", "v1", "DaemonSet", "daemonsets", "ds"),
    ("apps", "v1", "ReplicaSet", "replicasets", "rs"),
    ("", "v1", "ReplicationController", "replicationcontrollers", "rc"),
    ("batch", "v1", "Job", "jobs", "job"),
    ("batch", "v1", "CronJob", "cronjobs", "cj"),
    ("", "v1", "Service", "services", "svc"),
];

/// Why a text names no object with pods.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected TYPE/NAME, as in `deployment/link`, where TYPE is a kind that has pods, found `{0}`"
)]
pub struct InvalidWorkloadName(String);

impl FromStr for WorkloadName {
    type Err = InvalidWorkloadName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (written, name) = text.split_once('/').unwrap_or(("pod", text));
        let lower = written.to_lowercase();
        let is_meant = |(group, version, kind, plural, short): &&(&str, &str, &str, &str, &str)| {
            let kind = kind.to_lowercase();
            [kind.as_str(), plural, short].into_iter().any(|name| {
                let with_group = format!("{name}.{group}");
                lower == name || lower == with_group || lower == format!("{name}.{version}.{group}")
            })
        };
        let is_name = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
        match KINDS.iter().find(is_meant) {
            Some((group, version, kind, plural, _)) if is_name => Ok(Self {
                kind: Kind::namespaced(group, version, kind, plural),
                name: name.to_owned(),
            }),
            _ => Err(InvalidWorkloadName(text.to_owned())),
        }
    }
}

/// Whether objects of a kind own pods.
fn owns_pods(kind: &Kind) -> bool {
    let is_known = |(group, _, name, ..): &(&str, &str, &str, &str, &str)| {
        kind.is(group, name) && *name != "Service"
    };
    KINDS.iter().any(is_known)
}

/// All pods of a namespace.
pub(super) fn pods_of(namespace: Option<&str>) -> Collection {
    let kind = Kind::namespaced("", "v1", "Pod", "pods");
    Collection { kind, namespace: namespace.map(str::to_owned), name: None }
}

impl Workload {
    /// The object, as `deployment.apps/link`.
    #[must_use]
    pub fn object(&self) -> String {
        self.id.to_string()
    }

    /// The objects with pods among those that were applied or created.
    #[must_use]
    pub fn among(outcomes: &[Outcome]) -> Vec<Self> {
        let done = outcomes.iter().filter(|outcome| outcome.dry_run == DryRun::No);
        let ids = done.map(|outcome| &outcome.id).filter(|id| owns_pods(&id.kind));
        ids.map(|id| Self { id: id.clone(), selector: None }).collect()
    }

    /// Whether it ends by itself, as a Job does.
    pub(super) fn is_finite(&self) -> bool {
        self.id.kind.is("", "Pod") || self.id.kind.is("batch", "Job")
    }

    /// Whether a pod is one of its own.
    pub(super) fn has(&self, pod: &Value) -> bool {
        let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if self.id.namespace.as_deref().is_some_and(|own| own != text("/metadata/namespace")) {
            return false;
        }
        if let Some(selector) = &self.selector {
            let labels = selector.as_object().into_iter().flatten();
            let of = |name: &str| pod.pointer("/metadata/labels")?.get(name);
            return labels.clone().count() > 0
                && labels.into_iter().all(|(name, value)| of(name) == Some(value));
        }
        let (kind, name) = (self.id.kind.kind.as_str(), self.id.name.as_str());
        if self.id.kind.is("", "Pod") {
            return text("/metadata/name") == name;
        }
        let owners = pod.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let controller = owners.into_iter().flatten().find(|owner| owner["controller"] == true);
        let Some(controller) = controller else { return false };
        let of = |key: &str| controller.get(key).and_then(Value::as_str).unwrap_or_default();
        match (kind, of("kind")) {
            // A Deployment's ReplicaSet is named after it and the hash of its pod template.
            ("Deployment", "ReplicaSet") => {
                let hash = text("/metadata/labels/pod-template-hash");
                !hash.is_empty() && of("name") == format!("{name}-{hash}")
            }
            // A CronJob's Job is named after it and the minute for which it was created.
            ("CronJob", "Job") => of("name").strip_prefix(name).is_some_and(|rest| {
                rest.strip_prefix('-')
                    .is_some_and(|minute| minute.chars().all(|c| c.is_ascii_digit()))
            }),
            (kind, owner) => kind == owner && of("name") == name,
        }
    }
}

impl Cluster {
    /// The object with pods of a name.
    ///
    /// # Errors
    /// If it does not exist or cannot be read.
    pub async fn workload(&self, name: &WorkloadName) -> Result<Workload, Error> {
        let id = ObjectId {
            kind: name.kind.clone(),
            namespace: Some(self.namespace().to_owned()),
            name: name.name.clone(),
            place: "command line".to_owned(),
        };
        self.required(id).await.map(|(workload, _)| workload)
    }

    /// The objects with pods among those of manifests.
    ///
    /// # Errors
    /// If one of them does not exist or cannot be read, or if none of the objects has pods.
    pub async fn workloads(&self, objects: Vec<Object>) -> Result<Vec<Workload>, Error> {
        let ids = self.ids(objects).await?;
        let mut found = Vec::new();
        for id in ids.into_iter().filter(|id| owns_pods(&id.kind)) {
            found.push(self.required(id).await?.0);
        }
        if found.is_empty() { Err(Error::NoPods) } else { Ok(found) }
    }

    /// The objects that manifests describe.
    pub(super) async fn ids(&self, objects: Vec<Object>) -> Result<Vec<ObjectId>, Error> {
        let manifests: Vec<Manifest> =
            objects.into_iter().map(|it| Manifest::new(it, false)).collect::<Result<_, _>>()?;
        self.discover(&manifests.iter().collect::<Vec<_>>()).await?;
        let mut ids: Vec<ObjectId> = Vec::new();
        for manifest in &manifests {
            let Some(kind) = self.kind_of(manifest) else {
                return Err(self.unknown_kind(manifest).await);
            };
            let id = manifest.of_kind(kind, self.client.access())?.id;
            let is_same = |other: &ObjectId| {
                (&other.kind, &other.namespace, &other.name) == (&id.kind, &id.namespace, &id.name)
            };
            if !ids.iter().any(is_same) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// An object that must exist, and its live state.
    pub(super) async fn required(&self, id: ObjectId) -> Result<(Workload, Value), Error> {
        let read = request::get(&id.kind, id.namespace.as_deref(), &id.name);
        let live = self.client.send(&read).await;
        let live = live.map_err(|error| Error::object("read", &id, error))?;
        let is_service = id.kind.is("", "Service");
        let selector = is_service.then(|| live.pointer("/spec/selector").cloned());
        let selector = selector.map(Option::unwrap_or_default);
        Ok((Workload { id, selector }, live))
    }

    /// The pods of objects, by name.
    pub(super) async fn pods_of(&self, workload: &Workload) -> Result<Vec<Value>, Error> {
        let collection = pods_of(workload.id.namespace.as_deref());
        let pods = watch::all(&self.client, &collection).await.map_err(|source| {
            Error::Request { doing: format!("list the pods of {}", workload.id), source }
        })?;
        let mut pods: Vec<_> = pods.into_iter().filter(|pod| workload.has(pod)).collect();
        pods.sort_by(|one, other| name(one).cmp(name(other)));
        Ok(pods)
    }
}

/// The name of an object.
pub(super) fn name(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn workload(text: &str) -> Workload {
        let WorkloadName { kind, name } = text.parse().unwrap();
        let namespace = Some("shop".to_owned());
        Workload { id: ObjectId { kind, namespace, name, place: String::new() }, selector: None }
    }

    fn pod(owner: &str, name: &str, labels: Value) -> Value {
        let owner = json!({"controller": true, "kind": owner, "name": name});
        json!({"metadata": {"name": "p", "namespace": "shop", "labels": labels,
            "ownerReferences": [owner]}})
    }

    #[test]
    fn names_are_those_of_kubectl() {
        for text in [
            "deploy/a",
            "deployments/a",
            "Deployment/a",
            "deployment.apps/a",
            "deployment.v1.apps/a",
        ] {
            assert_eq!(workload(text).object(), "deployment.apps/a");
        }
        assert_eq!(workload("link-0").object(), "pod/link-0");
        for text in ["configmap/a", "deploy/", "deploy/a/b", "../a", "svc/%2e"] {
            assert!(text.parse::<WorkloadName>().is_err(), "{text}");
        }
    }

    #[test]
    fn pods_are_found_by_their_owners() {
        let hash = json!({"pod-template-hash": "6ff"});
        let deployment = workload("deploy/link");
        assert!(deployment.has(&pod("ReplicaSet", "link-6ff", hash.clone())));
        assert!(!deployment.has(&pod("ReplicaSet", "link-b-6ff", hash)));
        assert!(!deployment.has(&pod("StatefulSet", "link", json!({}))));
        assert!(workload("sts/link").has(&pod("StatefulSet", "link", json!({}))));
        assert!(workload("cj/link").has(&pod("Job", "link-29000", json!({}))));
        assert!(!workload("cj/link").has(&pod("Job", "link-b-29000", json!({}))));
        assert!(workload("p").has(&pod("Job", "x", json!({}))));
    }

    #[test]
    fn pods_of_a_service_have_its_labels() {
        let mut service = workload("svc/link");
        service.selector = Some(json!({"app": "link"}));
        assert!(service.has(&pod("Job", "x", json!({"app": "link", "b": "c"}))));
        assert!(!service.has(&pod("Job", "x", json!({"app": "other"}))));
        service.selector = Some(Value::Null);
        assert!(!service.has(&pod("Job", "x", json!({"app": "link"}))));
    }
}
