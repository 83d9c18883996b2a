//! An object, where in the cluster it goes, and whether it may.

use serde_json::Value;

use crate::manifests::Object;

use super::access::Access;
use super::kind::{GroupVersion, Kind};
use super::{DryRun, Error, Outcome, RequestError, Verb};

/// What an object says of itself, before the cluster was asked about its kind.
#[derive(Clone, Debug)]
pub(super) struct Stated {
    pub(super) group_version: GroupVersion,
    pub(super) kind: String,
    /// Empty where only `generateName` is stated.
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) value: Value,
    pub(super) place: String,
}

/// An object and its place in the cluster.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) kind: Kind,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    /// The object, with that namespace.
    pub(super) value: Value,
    pub(super) place: String,
}

impl Stated {
    /// Reads what every object must state. A name that the server is to find is for new ones
    /// only.
    pub(super) fn new(object: Object, may_generate: bool) -> Result<Self, Error> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let missing = |field: &'static str| {
            let place = object.place.clone();
            match object.value.pointer(&format!("/{}", field.replace('.', "/"))) {
                None | Some(Value::Null) => Error::Incomplete { place, missing: field },
                Some(Value::String(text)) if text.is_empty() => {
                    Error::Incomplete { place, missing: field }
                }
                Some(_) => Error::NoText { place, field },
            }
        };
        let api_version = object.api_version().ok_or_else(|| missing("apiVersion"))?;
        let kind = owned(object.kind()).ok_or_else(|| missing("kind"))?;
        let generated = object.value.pointer("/metadata/generateName").is_some();
        let name = match owned(object.name()) {
            Some(name) if name == "." || name == ".." || name.contains(['/', '%']) => {
                return Err(Error::Name { place: object.place, name });
            }
            Some(name) => name,
            None if generated && may_generate => String::new(),
            None if generated => return Err(Error::Generated { place: object.place }),
            None => return Err(missing("metadata.name")),
        };
        Ok(Self {
            group_version: GroupVersion::parse(api_version),
            kind,
            name,
            namespace: owned(object.namespace()),
            value: object.value,
            place: object.place,
        })
    }

    /// The object's place, once its kind is known.
    pub(super) fn of_kind(&self, kind: Kind, access: &Access) -> Result<Target, Error> {
        let mut value = self.value.clone();
        let metadata = value.get_mut("metadata").and_then(Value::as_object_mut);
        let namespace = if kind.is_namespaced {
            let namespace = match (&self.namespace, &access.insisted) {
                (Some(stated), Some(insisted)) if stated != insisted => {
                    return Err(Error::Namespace {
                        place: self.place.clone(),
                        stated: stated.clone(),
                        asked: insisted.clone(),
                    });
                }
                (Some(stated), _) => stated.clone(),
                (None, _) => access.namespace.clone(),
            };
            if let Some(metadata) = metadata {
                metadata.insert("namespace".to_owned(), Value::from(namespace.as_str()));
            }
            Some(namespace)
        } else {
            if let Some(metadata) = metadata {
                metadata.shift_remove("namespace");
            }
            None
        };
        Ok(Target { kind, namespace, name: self.name.clone(), value, place: self.place.clone() })
    }
}

impl Target {
    /// `deployment.apps/link-manager`.
    pub(super) fn object(&self) -> String {
        format!("{}/{}", self.kind.singular(), self.name)
    }

    /// What became of it.
    pub(super) fn outcome(&self, verb: Verb, dry_run: DryRun) -> Outcome {
        Outcome {
            kind: self.kind.clone(),
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            verb,
            dry_run,
            place: self.place.clone(),
            uid: None,
        }
    }

    /// The error of a request about it.
    pub(super) fn failed(&self, doing: &'static str, source: RequestError) -> Error {
        Error::Object { doing, object: self.object(), place: self.place.clone(), source }
    }
}

/// What tells an object from a later one of the same name.
pub(super) fn uid(object: &Value) -> Option<String> {
    object.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn access(insisted: Option<&str>) -> Access {
        Access {
            config: kube::Config::new(http::Uri::from_static("http://127.0.0.1:1")),
            context: "test".to_owned(),
            server: String::new(),
            namespace: insisted.unwrap_or("shop").to_owned(),
            insisted: insisted.map(str::to_owned),
        }
    }

    fn stated(value: Value) -> Result<Stated, Error> {
        Stated::new(Object { value, place: "a.yaml:3:1".to_owned() }, false)
    }

    fn service(namespace: Option<&str>) -> Stated {
        let metadata = json!({"name": "a", "namespace": namespace});
        stated(json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata})).unwrap()
    }

    #[test]
    fn an_object_states_version_kind_and_name() {
        let error = stated(json!({"kind": "Service", "metadata": {"name": "a"}})).unwrap_err();
        assert_eq!(error.to_string(), "the object at a.yaml:3:1 has no `apiVersion`");
        let error = stated(json!({"apiVersion": "v1", "kind": "Service"})).unwrap_err();
        assert_eq!(error.to_string(), "the object at a.yaml:3:1 has no `metadata.name`");
        let generated =
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "a-"}});
        assert!(matches!(stated(generated).unwrap_err(), Error::Generated { .. }));
        let odd = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "../secrets"}});
        assert!(matches!(stated(odd).unwrap_err(), Error::Name { .. }));
    }

    #[test]
    fn the_namespace_is_the_manifests_or_the_one_that_was_chosen() {
        let kind = Kind::namespaced("", "v1", "Service", "services");
        let chosen = |namespace, insisted| {
            service(namespace).of_kind(kind.clone(), &access(insisted)).map(|target| {
                assert_eq!(target.value["metadata"]["namespace"], json!(target.namespace));
                target.namespace.unwrap()
            })
        };
        assert_eq!(chosen(None, None).unwrap(), "shop");
        assert_eq!(chosen(Some("mine"), None).unwrap(), "mine");
        assert_eq!(chosen(Some("mine"), Some("mine")).unwrap(), "mine");
        assert_eq!(
            chosen(Some("mine"), Some("other")).unwrap_err().to_string(),
            "the namespace of the object at a.yaml:3:1, `mine`, does not match the namespace \
             `other` that was asked for"
        );
    }

    #[test]
    fn a_kind_outside_of_namespaces_gets_none() {
        let kind = Kind::cluster("", "v1", "Namespace", "namespaces");
        let target = service(Some("mine")).of_kind(kind, &access(Some("other"))).unwrap();
        assert_eq!((target.namespace, target.value["metadata"].get("namespace")), (None, None));
    }
}
