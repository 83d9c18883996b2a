//! The order in which a set is written, and what the set provides for its own objects.
//!
//! The order of most objects does not matter. Those that the API server looks up before it accepts
//! another one are written first.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::manifests::Object;

use super::kind::GroupVersion;
use super::refusal::Refusal;

/// The number of waves.
pub(super) const WAVES: usize = 4;

/// The wave of a kind: namespaces and definitions; what admission and authorization look up;
/// everything else; what takes part in every later request.
pub(super) fn wave(group: &str, kind: &str) -> usize {
    match (group, kind) {
        ("", "Namespace") | ("apiextensions.k8s.io", "CustomResourceDefinition") => 0,
        ("", "ServiceAccount" | "LimitRange" | "ResourceQuota")
        | ("scheduling.k8s.io", "PriorityClass")
        | ("node.k8s.io", "RuntimeClass")
        | ("storage.k8s.io", "StorageClass")
        | ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => 1,
        ("admissionregistration.k8s.io", _) | ("apiregistration.k8s.io", "APIService") => 3,
        _ => 2,
    }
}

/// What a set provides for its own objects.
#[derive(Debug, Default)]
pub(super) struct Provided {
    namespaces: BTreeSet<String>,
    /// The group and kind of each definition.
    kinds: BTreeSet<(String, String)>,
    /// The lower-case kind and the name of each object that the API server looks up.
    looked_up: BTreeSet<(String, String)>,
}

impl Provided {
    pub(super) fn by<'a>(objects: impl IntoIterator<Item = &'a Object>) -> Self {
        let mut provided = Self::default();
        for object in objects {
            let (Some(kind), Some(api_version)) = (object.kind(), object.api_version()) else {
                continue;
            };
            let group = GroupVersion::parse(api_version).group;
            let text = |pointer| object.value.pointer(pointer).and_then(Value::as_str);
            match (wave(&group, kind), object.name()) {
                (0, Some(name)) if kind == "Namespace" => {
                    provided.namespaces.insert(name.to_owned());
                }
                (0, _) => {
                    if let (Some(group), Some(kind)) =
                        (text("/spec/group"), text("/spec/names/kind"))
                    {
                        provided.kinds.insert((group.to_owned(), kind.to_owned()));
                    }
                }
                (1, Some(name)) => {
                    provided.looked_up.insert((kind.to_lowercase(), name.to_owned()));
                }
                _ => {}
            }
        }
        provided
    }

    pub(super) fn has_kind(&self, group: &str, kind: &str) -> bool {
        self.kinds.contains(&(group.to_owned(), kind.to_owned()))
    }

    /// Whether a refusal is due to a missing object that the set itself provides. The message must
    /// match exactly, because any other refusal must end the run before anything is written.
    pub(super) fn explains(&self, refusal: &Refusal, namespace: Option<&str>) -> bool {
        let message = refusal.message.as_str();
        let new_namespace = namespace.filter(|name| self.namespaces.contains(*name));
        let has =
            |kind: &str, name: &str| self.looked_up.contains(&(kind.to_owned(), name.to_owned()));
        match refusal.code {
            404 => {
                new_namespace
                    .is_some_and(|name| message == format!("namespaces \"{name}\" not found"))
                    || missing(message)
                        .is_some_and(|(plural, name)| has(plural.trim_end_matches('s'), name))
            }
            // Admission forbids a pod whose service account or class does not exist.
            403 if message.contains("error looking up service account") => missing(message)
                .is_some_and(|(kind, name)| {
                    has(kind, name) || (new_namespace.is_some() && name == "default")
                }),
            403 if message.contains("no PriorityClass with name") => {
                self.looked_up.iter().any(|(kind, name)| {
                    kind == "priorityclass"
                        && message.contains(&format!("no PriorityClass with name {name} "))
                })
            }
            403 if message.contains("RuntimeClass \"") => {
                message.split('"').any(|quoted| has("runtimeclass", quoted))
            }
            _ => false,
        }
    }
}

/// The kind and name in a message about a missing object: `roles.rbac.authorization.k8s.io "a" not found` has
/// `roles` and `a`.
fn missing(message: &str) -> Option<(&str, &str)> {
    let (rest, name) = message.strip_suffix("\" not found")?.rsplit_once('"')?;
    let kind = rest.trim_end().rsplit(' ').next()?;
    Some((kind.split('.').next()?, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Object {
        Object { value, place: "a.yaml:1:1".to_owned() }
    }

    fn refusal(code: u16, message: &str) -> Refusal {
        Refusal::parse(code, json!({"message": message}).to_string().as_bytes())
    }

    #[test]
    fn what_others_depend_on_is_written_first_and_webhooks_last() {
        let wave = |group, kind| super::wave(group, kind);
        assert_eq!(wave("", "Namespace"), 0);
        assert_eq!(wave("apiextensions.k8s.io", "CustomResourceDefinition"), 0);
        assert!(wave("", "ServiceAccount") < wave("apps", "Deployment"));
        assert!(
            wave("rbac.authorization.k8s.io", "Role")
                < wave("rbac.authorization.k8s.io", "RoleBinding")
        );
        let last = wave("admissionregistration.k8s.io", "ValidatingWebhookConfiguration");
        assert!(wave("apps", "Deployment") < last && last < WAVES);
        // A custom kind may have the name of a built-in one.
        assert_eq!(wave("example.com", "Namespace"), 2);
    }

    #[test]
    fn a_refusal_is_explained_by_a_missing_object_that_the_set_provides() {
        let objects = [
            object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})),
            object(
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "till"}}),
            ),
            object(
                json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": "tills.example.com"},
                "spec": {"group": "example.com", "names": {"kind": "Till"}}}),
            ),
        ];
        let provided = Provided::by(&objects);
        assert!(provided.has_kind("example.com", "Till"));
        let missing = refusal(404, "namespaces \"shop\" not found");
        assert!(provided.explains(&missing, Some("shop")));
        assert!(!provided.explains(&missing, Some("other")));
        let account = "pods \"a\" is forbidden: error looking up service account x/till: serviceaccount \"till\" not found";
        assert!(provided.explains(&refusal(403, account), Some("x")));
        assert!(
            !provided.explains(&refusal(403, "pods is forbidden: User \"a\" cannot"), Some("shop"))
        );
        assert!(!provided.explains(&refusal(422, "serviceaccount \"till\" not found"), None));
        let class = "pods \"a\" is forbidden: no PriorityClass with name vip was found";
        assert!(!provided.explains(&refusal(403, class), None));
        let own = "roles.rbac.authorization.k8s.io \"till\" is forbidden: User cannot patch";
        assert!(!provided.explains(&refusal(403, own), Some("shop")));
    }
}
