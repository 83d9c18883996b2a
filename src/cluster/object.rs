//! Manifests and where in the cluster their objects belong.

use serde_json::Value;

use crate::manifests::Object;

use super::access::Access;
use super::error::Error;
use super::kind::{GroupVersion, Kind, ObjectId};

/// A manifest whose kind has not been looked up yet.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    pub(super) group_version: GroupVersion,
    pub(super) kind: String,
    /// Empty if the manifest has only `generateName`.
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) value: Value,
    pub(super) place: String,
}

/// A manifest and the object of the cluster that it describes.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) id: ObjectId,
    /// The manifest with the namespace of the object.
    pub(super) value: Value,
}

impl Manifest {
    /// Reads the fields that every object has. `may_generate` accepts `generateName` instead of a
    /// name.
    pub(super) fn new(object: Object, may_generate: bool) -> Result<Self, Error> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let missing = |field: &'static str| {
            let place = object.place.clone();
            match object.value.pointer(&format!("/{}", field.replace('.', "/"))) {
                None | Some(Value::Null) => Error::MissingField { place, field },
                Some(Value::String(text)) if text.is_empty() => {
                    Error::MissingField { place, field }
                }
                Some(_) => Error::NotAString { place, field },
            }
        };
        let api_version = object.api_version().ok_or_else(|| missing("apiVersion"))?;
        let kind = owned(object.kind()).ok_or_else(|| missing("kind"))?;
        let generated = object.value.pointer("/metadata/generateName").is_some();
        let name = match owned(object.name()) {
            Some(name) if name == "." || name == ".." || name.contains(['/', '%']) => {
                return Err(Error::InvalidName { place: object.place, name });
            }
            Some(name) => name,
            None if generated && may_generate => String::new(),
            None if generated => return Err(Error::GeneratedName { place: object.place }),
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

    /// The object that the manifest describes, once its kind is known.
    pub(super) fn of_kind(&self, kind: Kind, access: &Access) -> Result<Target, Error> {
        let mut value = self.value.clone();
        let metadata = value.get_mut("metadata").and_then(Value::as_object_mut);
        let namespace = if kind.is_namespaced {
            let namespace = match (&self.namespace, &access.requested_namespace) {
                (Some(namespace), Some(requested)) if namespace != requested => {
                    return Err(Error::NamespaceMismatch {
                        place: self.place.clone(),
                        namespace: namespace.clone(),
                        requested: requested.clone(),
                    });
                }
                (Some(namespace), _) => namespace.clone(),
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
        let (name, place) = (self.name.clone(), self.place.clone());
        Ok(Target { id: ObjectId { kind, namespace, name, place }, value })
    }
}

/// `metadata.uid`, which an object of the same name that is created later does not have.
pub(super) fn uid(object: &Value) -> Option<&str> {
    object.pointer("/metadata/uid").and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn access(requested: Option<&str>) -> Access {
        Access {
            config: kube::Config::new(http::Uri::from_static("http://127.0.0.1:1")),
            context: "test".to_owned(),
            server: String::new(),
            namespace: requested.unwrap_or("shop").to_owned(),
            requested_namespace: requested.map(str::to_owned),
        }
    }

    fn manifest(value: Value) -> Result<Manifest, Error> {
        Manifest::new(Object { value, place: "a.yaml:3:1".to_owned() }, false)
    }

    fn service(namespace: Option<&str>) -> Manifest {
        let metadata = json!({"name": "a", "namespace": namespace});
        manifest(json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata})).unwrap()
    }

    #[test]
    fn a_manifest_needs_a_version_a_kind_and_a_name() {
        let error = manifest(json!({"kind": "Service", "metadata": {"name": "a"}})).unwrap_err();
        assert_eq!(error.to_string(), "the object at a.yaml:3:1 has no `apiVersion`");
        let error = manifest(json!({"apiVersion": "v1", "kind": "Service"})).unwrap_err();
        assert_eq!(error.to_string(), "the object at a.yaml:3:1 has no `metadata.name`");
        let generated =
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "a-"}});
        assert!(matches!(manifest(generated).unwrap_err(), Error::GeneratedName { .. }));
        let odd = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "../secrets"}});
        assert!(matches!(manifest(odd).unwrap_err(), Error::InvalidName { .. }));
    }

    #[test]
    fn the_namespace_of_the_manifest_wins_over_the_one_of_the_context() {
        let kind = Kind::namespaced("", "v1", "Service", "services");
        let chosen = |namespace, requested| {
            service(namespace).of_kind(kind.clone(), &access(requested)).map(|target| {
                assert_eq!(target.value["metadata"]["namespace"], json!(target.id.namespace));
                target.id.namespace.unwrap()
            })
        };
        assert_eq!(chosen(None, None).unwrap(), "shop");
        assert_eq!(chosen(Some("mine"), None).unwrap(), "mine");
        assert_eq!(chosen(Some("mine"), Some("mine")).unwrap(), "mine");
        assert_eq!(
            chosen(Some("mine"), Some("other")).unwrap_err().to_string(),
            "the object at a.yaml:3:1 is in namespace `mine`, which does not match the requested \
             namespace `other`"
        );
    }

    #[test]
    fn a_cluster_scoped_object_gets_no_namespace() {
        let kind = Kind::cluster("", "v1", "Namespace", "namespaces");
        let target = service(Some("mine")).of_kind(kind, &access(Some("other"))).unwrap();
        assert_eq!((target.id.namespace, target.value["metadata"].get("namespace")), (None, None));
    }
}
