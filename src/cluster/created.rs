//! Objects that were created, and may be deleted later by whoever kept their uids.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::RequestError;
use super::connection::{Cluster, concurrently};
use super::error::Error;
use super::kind::{GroupVersion, Kind, ObjectId};
use super::live::Live;
use super::object::uid;
use super::outcome::{DryRun, Operation, Outcome};
use super::request;

/// An object that was created. Another object of the same name has another uid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Created {
    api_version: String,
    kind: String,
    plural: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
    uid: String,
}

impl Created {
    /// The object as kubectl writes it: `deployment.apps/link-manager`.
    #[must_use]
    pub(crate) fn object(&self) -> String {
        self.id().to_string()
    }

    /// The namespace, for objects that have one.
    #[must_use]
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Whether it is of this group and kind, in any version, and has this name.
    #[must_use]
    pub(crate) fn is(&self, group: &str, kind: &str, name: &str) -> bool {
        self.id().kind.is(group, kind) && self.name == name
    }

    /// Whether deleting it could delete data or what belongs to others: a namespace, a volume or a
    /// claim, or a definition with all of its objects.
    #[must_use]
    pub(crate) fn holds_more(&self) -> bool {
        let kind = self.id().kind;
        let core = ["Namespace", "PersistentVolume", "PersistentVolumeClaim"];
        core.into_iter().any(|name| kind.is("", name))
            || kind.is("apiextensions.k8s.io", "CustomResourceDefinition")
    }

    fn id(&self) -> ObjectId {
        let GroupVersion { group, version } = GroupVersion::parse(&self.api_version);
        let (kind, plural) = (self.kind.clone(), self.plural.clone());
        let is_namespaced = self.namespace.is_some();
        let kind = Kind { group, version, kind, plural, is_namespaced };
        let (namespace, name) = (self.namespace.clone(), self.name.clone());
        ObjectId { kind, namespace, name, place: "created by a session".to_owned() }
    }
}

impl Outcome {
    /// The object, if it did not exist before.
    #[must_use]
    pub(crate) fn created(&self) -> Option<Created> {
        let is_new = self.operation == Operation::Create && self.dry_run == DryRun::No;
        let uid = self.uid.clone().filter(|_| is_new)?;
        let ObjectId { kind, namespace, name, .. } = self.id.clone();
        let api_version = kind.group_version().to_string();
        let Kind { kind, plural, .. } = kind;
        Some(Created { api_version, kind, plural, namespace, name, uid })
    }
}

impl Cluster {
    /// Deletes objects one after the other, the last one first. Those that no longer exist, and those
    /// that were created anew since, are ignored.
    ///
    /// # Errors
    /// The first object whose deletion is refused.
    pub(crate) async fn delete_created(&self, created: &[Created]) -> Result<Vec<Outcome>, Error> {
        let mut outcomes = Vec::new();
        for object in created.iter().rev() {
            let id = object.id();
            let request =
                request::delete_uid(&id.kind, id.namespace.as_deref(), &id.name, &object.uid);
            match self.client.send(&request).await {
                Ok(_) => outcomes.push(Outcome {
                    id,
                    operation: Operation::Delete,
                    dry_run: DryRun::No,
                    uid: Some(object.uid.clone()),
                }),
                Err(error) if is_another(&error) => {}
                Err(error) => return Err(Error::object("delete", &id, error)),
            }
        }
        Ok(outcomes)
    }

    /// Those of these objects that still exist.
    ///
    /// # Errors
    /// If an object cannot be read.
    pub(crate) async fn existing(&self, created: Vec<Created>) -> Result<Vec<Created>, Error> {
        let ids: Vec<ObjectId> = created.iter().map(Created::id).collect();
        let read = concurrently(ids.iter().map(|id| self.read(id))).await;
        let mut existing = Vec::new();
        for (object, live) in created.into_iter().zip(read) {
            let is_it = match live? {
                Live::Present(live) => uid(&live) == Some(&object.uid),
                Live::Unknown => true,
                Live::Absent => false,
            };
            existing.extend(is_it.then_some(object));
        }
        Ok(existing)
    }

    /// The text under a key of a ConfigMap in the namespace, if there is one.
    ///
    /// # Errors
    /// If the ConfigMap cannot be read.
    pub(crate) async fn read_text(&self, name: &str, key: &str) -> Result<Option<String>, Error> {
        let request = request::get(&config_map(), Some(self.namespace()), name);
        match self.client.send(&request).await {
            Ok(object) => Ok(object["data"][key].as_str().map(str::to_owned)),
            Err(error) if error.refusal().is_some_and(|it| it.is_not_found()) => Ok(None),
            Err(source) => Err(failed(format!("read the ConfigMap `{name}`"), source)),
        }
    }

    /// Writes a ConfigMap in the namespace with one text.
    ///
    /// # Errors
    /// If the ConfigMap cannot be written.
    pub(crate) async fn write_text(&self, name: &str, key: &str, text: &str) -> Result<(), Error> {
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self.namespace()},
            "data": {key: text},
        });
        let write = request::Write { manager: &self.manager, dry_run: false, force: true };
        let request = request::apply(&config_map(), Some(self.namespace()), name, &object, write);
        let sent: Result<Value, RequestError> = self.client.send(&request).await;
        sent.map(drop).map_err(|source| failed(format!("write the ConfigMap `{name}`"), source))
    }

    /// Deletes a ConfigMap of the namespace.
    ///
    /// # Errors
    /// If its deletion is refused.
    pub(crate) async fn delete_text(&self, name: &str) -> Result<(), Error> {
        let request = request::delete(&config_map(), Some(self.namespace()), name, false);
        match self.client.send(&request).await {
            Err(error) if !error.refusal().is_some_and(|it| it.is_not_found()) => {
                Err(failed(format!("delete the ConfigMap `{name}`"), error))
            }
            _ => Ok(()),
        }
    }

    /// Whether the namespace exists, as far as it can be read.
    ///
    /// # Errors
    /// If the request fails for another reason than missing permission.
    pub(crate) async fn has_namespace(&self) -> Result<bool, Error> {
        let kind =
            Kind { is_namespaced: false, ..Kind::namespaced("", "v1", "Namespace", "namespaces") };
        let request = request::get(&kind, None, self.namespace());
        match self.client.send(&request).await {
            Ok(_) => Ok(true),
            Err(error) => match error.refusal() {
                Some(refusal) if refusal.is_not_found() => Ok(false),
                Some(refusal) if refusal.is_forbidden() => Ok(true),
                _ => Err(failed(format!("read the namespace `{}`", self.namespace()), error)),
            },
        }
    }
}

fn config_map() -> Kind {
    Kind::namespaced("", "v1", "ConfigMap", "configmaps")
}

fn failed(doing: String, source: RequestError) -> Error {
    Error::Request { doing, source }
}

/// Whether an object does not exist, or is not the one with that uid.
fn is_another(error: &RequestError) -> bool {
    error.refusal().is_some_and(|refusal| refusal.is_not_found() || refusal.is_outdated())
}
