//! What happened to an object, in kubectl's words.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use super::kind::ObjectId;

/// Whether changes are made or only simulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum DryRun {
    /// Changes are made.
    #[default]
    No,
    /// Objects are only read and compared here.
    Client,
    /// The server simulates the changes.
    Server,
}

/// What is done with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Operation {
    /// It does not exist and is created.
    Create,
    /// It exists and is changed.
    Configure,
    /// It already is as its manifest wants it.
    Unchanged,
    /// It is deleted.
    Delete,
}

impl Operation {
    /// The operation once it is done, as kubectl writes it.
    #[must_use]
    pub fn done(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Configure => "configured",
            Self::Unchanged => "unchanged",
            Self::Delete => "deleted",
        }
    }
}

/// An object that was applied, created or deleted. Its `Display` is kubectl's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub(super) id: ObjectId,
    /// What was done with it.
    pub operation: Operation,
    /// Whether it was only simulated.
    pub dry_run: DryRun,
    /// `metadata.uid`, where the server sent it.
    pub(super) uid: Option<String>,
}

impl Outcome {
    /// The object as kubectl writes it: `deployment.apps/link-manager`, `service/link-manager`.
    #[must_use]
    pub fn object(&self) -> String {
        self.id.to_string()
    }
}

impl Outcome {
    /// The name, if the object has pods that are replaced when it changes.
    #[must_use]
    pub fn workload(&self) -> Option<&str> {
        let ObjectId { kind, name, .. } = &self.id;
        let of_apps = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"];
        let is_workload = of_apps.into_iter().any(|it| kind.is("apps", it))
            || kind.is("batch", "Job")
            || kind.is("", "Pod");
        is_workload.then_some(name)
    }
}

/// `object`, `namespace` where there is one, `outcome` and `dryRun`.
impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Outcome", 4)?;
        fields.serialize_field("object", &self.id.to_string())?;
        match &self.id.namespace {
            Some(namespace) => fields.serialize_field("namespace", namespace)?,
            None => fields.skip_field("namespace")?,
        }
        fields.serialize_field("outcome", self.operation.done())?;
        fields.serialize_field("dryRun", &self.dry_run)?;
        fields.end()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectId { kind, namespace, name, .. } = &self.id;
        match (self.operation, namespace) {
            (Operation::Delete, Some(namespace)) => {
                write!(f, "{kind} \"{name}\" deleted from {namespace} namespace")?;
            }
            (Operation::Delete, None) => write!(f, "{kind} \"{name}\" deleted")?,
            (operation, _) => write!(f, "{} {}", self.id, operation.done())?,
        }
        f.write_str(match self.dry_run {
            DryRun::No => "",
            DryRun::Client => " (dry run)",
            DryRun::Server => " (server dry run)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind::Kind;
    use super::*;

    fn outcome(kind: Kind, namespace: Option<&str>, name: &str) -> Outcome {
        let (name, namespace) = (name.to_owned(), namespace.map(str::to_owned));
        let id = ObjectId { kind, namespace, name, place: "a.yaml:1:1".to_owned() };
        Outcome { id, operation: Operation::Configure, dry_run: DryRun::No, uid: None }
    }

    #[test]
    fn a_line_is_the_one_of_kubectl() {
        let kind = Kind::namespaced("apps", "v1", "Deployment", "deployments");
        let mut outcome = outcome(kind, Some("default"), "link-manager");
        assert_eq!(outcome.to_string(), "deployment.apps/link-manager configured");
        outcome.dry_run = DryRun::Server;
        assert_eq!(outcome.to_string(), "deployment.apps/link-manager configured (server dry run)");
        outcome.operation = Operation::Delete;
        assert_eq!(
            outcome.to_string(),
            "deployment.apps \"link-manager\" deleted from default namespace (server dry run)"
        );
    }

    #[test]
    fn a_cluster_scoped_object_has_no_namespace() {
        let kind = Kind::cluster("", "v1", "Namespace", "namespaces");
        let mut outcome = outcome(kind, None, "shop");
        outcome.operation = Operation::Delete;
        outcome.dry_run = DryRun::Client;
        assert_eq!(outcome.to_string(), "namespace \"shop\" deleted (dry run)");
        let json = serde_json::json!(
            {"object": "namespace/shop", "outcome": "deleted", "dryRun": "client"});
        assert_eq!(serde_json::to_value(&outcome).unwrap(), json);
        outcome.operation = Operation::Create;
        assert_eq!(outcome.to_string(), "namespace/shop created (dry run)");
    }
}
