//! In which order a set of objects is sent, and what of it only exists once the set is there.
//!
//! Most objects find each other whenever they come. Those that the API server looks up before it
//! accepts another one go first.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::manifests::Object;

use super::kind::GroupVersion;
use super::refusal::Refusal;

/// How many waves there are.
pub(super) const WAVES: usize = 4;

/// The wave of a kind: what makes room and kinds for others; what admission and authorisation
/// look up; all else; what from then on has a say in every request.
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

/// What a set brings along for others of the same set.
#[derive(Debug, Default)]
pub(super) struct Brought {
    namespaces: BTreeSet<String>,
    /// Group and kind of each definition.
    kinds: BTreeSet<(String, String)>,
    /// Kind in lower case and name of what is looked up.
    looked_up: BTreeSet<(String, String)>,
}

impl Brought {
    pub(super) fn by<'a>(objects: impl IntoIterator<Item = &'a Object>) -> Self {
        let mut brought = Self::default();
        for object in objects {
            let (Some(kind), Some(api_version)) = (object.kind(), object.api_version()) else {
                continue;
            };
            let group = GroupVersion::parse(api_version).group;
            let text = |pointer| object.value.pointer(pointer).and_then(Value::as_str);
            match (wave(&group, kind), object.name()) {
                (0, Some(name)) if kind == "Namespace" => {
                    brought.namespaces.insert(name.to_owned());
                }
                (0, _) => {
                    if let (Some(group), Some(kind)) =
                        (text("/spec/group"), text("/spec/names/kind"))
                    {
                        brought.kinds.insert((group.to_owned(), kind.to_owned()));
                    }
                }
                (1, Some(name)) => {
                    brought.looked_up.insert((kind.to_lowercase(), name.to_owned()));
                }
                _ => {}
            }
        }
        brought
    }

    pub(super) fn kind(&self, group: &str, kind: &str) -> bool {
        self.kinds.contains(&(group.to_owned(), kind.to_owned()))
    }

    /// Whether a refusal is for want of something that the set itself brings. Only the very words
    /// for that count: whatever else is refused has to end the run before anything is written.
    pub(super) fn explains(&self, refusal: &Refusal, namespace: Option<&str>) -> bool {
        let message = refusal.message.as_str();
        let new_namespace = namespace.filter(|name| self.namespaces.contains(*name));
        let brings =
            |kind: &str, name: &str| self.looked_up.contains(&(kind.to_owned(), name.to_owned()));
        match refusal.code {
            404 => {
                new_namespace
                    .is_some_and(|name| message == format!("namespaces \"{name}\" not found"))
                    || missing(message)
                        .is_some_and(|(plural, name)| brings(plural.trim_end_matches('s'), name))
            }
            // Admission says that it forbids a pod whose account, class or runtime is not there.
            403 if message.contains("error looking up service account") => missing(message)
                .is_some_and(|(kind, name)| {
                    brings(kind, name) || (new_namespace.is_some() && name == "default")
                }),
            403 if message.contains("no PriorityClass with name") => {
                self.looked_up.iter().any(|(kind, name)| {
                    kind == "priorityclass"
                        && message.contains(&format!("no PriorityClass with name {name} "))
                })
            }
            403 if message.contains("RuntimeClass \"") => {
                message.split('"').any(|quoted| brings("runtimeclass", quoted))
            }
            _ => false,
        }
    }
}

/// What a message says is missing: `roles.rbac.authorization.k8s.io "a" not found` is `roles` and
/// `a`.
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
    fn what_others_need_goes_first_and_what_judges_others_goes_last() {
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
        // A custom kind that is called as a built-in one is not it.
        assert_eq!(wave("example.com", "Namespace"), 2);
    }

    #[test]
    fn a_refusal_for_want_of_the_sets_own_things_is_explained_by_it() {
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
        let brought = Brought::by(&objects);
        assert!(brought.kind("example.com", "Till"));
        let missing = refusal(404, "namespaces \"shop\" not found");
        assert!(brought.explains(&missing, Some("shop")));
        assert!(!brought.explains(&missing, Some("other")));
        let account = "pods \"a\" is forbidden: error looking up service account x/till: serviceaccount \"till\" not found";
        assert!(brought.explains(&refusal(403, account), Some("x")));
        assert!(
            !brought.explains(&refusal(403, "pods is forbidden: User \"a\" cannot"), Some("shop"))
        );
        assert!(!brought.explains(&refusal(422, "serviceaccount \"till\" not found"), None));
        let class = "pods \"a\" is forbidden: no PriorityClass with name vip was found";
        assert!(!brought.explains(&refusal(403, class), None));
        let own = "roles.rbac.authorization.k8s.io \"till\" is forbidden: User cannot patch";
        assert!(!brought.explains(&refusal(403, own), Some("shop")));
    }
}
