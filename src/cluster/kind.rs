//! Kinds of objects as a cluster serves them: their group, version, plural and scope.

use std::fmt;

use serde_json::Value;

use super::request::encoded;

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

/// A group and a version of it, as an object's `apiVersion` states them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupVersion {
    pub(super) group: String,
    pub(super) version: String,
}

impl GroupVersion {
    /// Reads `apps/v1` or `v1`.
    pub(super) fn parse(text: &str) -> Self {
        let (group, version) = text.split_once('/').unwrap_or(("", text));
        Self { group: group.to_owned(), version: version.to_owned() }
    }

    /// Where it is described.
    pub(super) fn path(&self) -> String {
        match self.group.as_str() {
            "" => format!("/api/{}", encoded(&self.version)),
            group => format!("/apis/{}/{}", encoded(group), encoded(&self.version)),
        }
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

    /// A kind outside of namespaces.
    #[cfg(test)]
    pub(super) fn cluster(group: &str, version: &str, kind: &str, plural: &str) -> Self {
        Self { is_namespaced: false, ..Self::namespaced(group, version, kind, plural) }
    }

    pub(super) fn group_version(&self) -> GroupVersion {
        GroupVersion { group: self.group.clone(), version: self.version.clone() }
    }

    /// Whether this is `kind` of `group`, in whatever version.
    pub(super) fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }

    /// `deployment.apps`, and `service` for the core group: how kubectl writes it.
    pub(super) fn singular(&self) -> String {
        let kind = self.kind.to_lowercase();
        if self.group.is_empty() { kind } else { format!("{kind}.{}", self.group) }
    }

    /// The path of its objects, or of one of them.
    pub(super) fn path(&self, namespace: Option<&str>, name: Option<&str>) -> String {
        let group_version = self.group_version().path();
        let namespace = namespace.filter(|_| self.is_namespaced);
        let namespace =
            namespace.map_or_else(String::new, |name| format!("/namespaces/{}", encoded(name)));
        let name = name.map_or_else(String::new, |name| format!("/{}", encoded(name)));
        format!("{group_version}{namespace}/{}{name}", encoded(&self.plural))
    }
}

/// The kinds that an `APIResourceList` describes; subresources are none.
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
    fn an_api_version_without_a_slash_is_the_core_group() {
        assert_eq!(GroupVersion::parse("v1").path(), "/api/v1");
        assert_eq!(GroupVersion::parse("apps/v1").path(), "/apis/apps/v1");
        assert_eq!(GroupVersion::parse("a/b/../c").path(), "/apis/a/b%2F..%2Fc");
    }

    #[test]
    fn subresources_are_no_kinds() {
        let list = serde_json::json!({"resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": true},
            {"name": "deployments/scale", "kind": "Scale", "namespaced": true, "group": "autoscaling"},
            {"name": "broken"},
        ]});
        let found = kinds(&GroupVersion::parse("apps/v1"), &list);
        assert_eq!(found, [Kind::namespaced("apps", "v1", "Deployment", "deployments")]);
        assert_eq!(found[0].singular(), "deployment.apps");
    }
}
