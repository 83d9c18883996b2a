//! Resource kinds as a cluster serves them, and the objects that are named by them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

/// A kind, as discovery describes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    /// Empty for the core group.
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) plural: String,
    pub(super) is_namespaced: bool,
}

/// The group and version of an `apiVersion`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupVersion {
    /// Empty for the core group.
    pub(super) group: String,
    pub(super) version: String,
}

impl GroupVersion {
    /// Parses `apps/v1` or `v1`.
    pub(super) fn parse(text: &str) -> Self {
        let (group, version) = text.split_once('/').unwrap_or(("", text));
        Self { group: group.to_owned(), version: version.to_owned() }
    }
}

impl fmt::Display for GroupVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group.as_str() {
            "" => f.write_str(&self.version),
            group => write!(f, "{group}/{}", self.version),
        }
    }
}

impl Kind {
    /// A namespaced kind that needs no discovery.
    pub(super) fn namespaced(group: &str, version: &str, kind: &str, plural: &str) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            is_namespaced: true,
        }
    }

    /// A cluster-scoped kind.
    #[cfg(test)]
    pub(super) fn cluster(group: &str, version: &str, kind: &str, plural: &str) -> Self {
        Self { is_namespaced: false, ..Self::namespaced(group, version, kind, plural) }
    }

    pub(super) fn group_version(&self) -> GroupVersion {
        GroupVersion { group: self.group.clone(), version: self.version.clone() }
    }

    /// Whether this is `kind` of `group`, in any version.
    pub(super) fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

/// As kubectl writes a kind: `deployment.apps`, and `service` for the core group.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind.to_lowercase())?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}

/// An object of a cluster, and the place of its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ObjectId {
    pub(super) kind: Kind,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    /// `name:line:column` of the manifest.
    pub(super) place: String,
}

/// As kubectl writes an object: `deployment.apps/link-manager`.
impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// The kinds that the cluster was found to serve so far, by group and version.
#[derive(Debug, Default)]
pub(super) struct Kinds(Mutex<BTreeMap<GroupVersion, Arc<[Kind]>>>);

impl Kinds {
    pub(super) fn get(&self, version: &GroupVersion) -> Option<Arc<[Kind]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(version).cloned()
    }

    pub(super) fn insert(&self, version: GroupVersion, kinds: Vec<Kind>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(version, kinds.into());
    }
}

/// The kinds of an `APIResourceList`, without subresources.
pub(super) fn kinds(group_version: &GroupVersion, list: &Value) -> Vec<Kind> {
    let resources = list.get("resources").and_then(Value::as_array);
    resources
        .into_iter()
        .flatten()
        .filter_map(|resource| {
            let text = |key: &str| resource.get(key).and_then(Value::as_str);
            let plural = text("name").filter(|name| !name.contains('/'))?;
            Some(Kind {
                group: group_version.group.clone(),
                version: group_version.version.clone(),
                kind: text("kind")?.to_owned(),
                plural: plural.to_owned(),
                is_namespaced: resource.get("namespaced")?.as_bool()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subresources_are_skipped() {
        let list = serde_json::json!({"resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": true},
            {"name": "deployments/scale", "kind": "Scale", "namespaced": true, "group": "autoscaling"},
            {"name": "broken"},
        ]});
        let found = kinds(&GroupVersion::parse("apps/v1"), &list);
        assert_eq!(found, [Kind::namespaced("apps", "v1", "Deployment", "deployments")]);
        assert_eq!(found[0].to_string(), "deployment.apps");
    }
}
