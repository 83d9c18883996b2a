//! What can go wrong with a cluster.

use crate::report::{Code, Details, Diagnose};

use super::access::AccessError;
use super::client::RequestError;
use super::codes;
use super::kind::ObjectId;
use super::outcome::Outcome;
use super::readiness::NotReady;
use super::refusal::Conflict;

/// An error of an operation on a cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No cluster could be selected.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A manifest lacks a required field.
    #[error("the object at {place} has no `{field}`")]
    MissingField {
        /// The place of the manifest.
        place: String,
        /// The field.
        field: &'static str,
    },
    /// A field of a manifest has the wrong type.
    #[error("`{field}` of the object at {place} must be a string")]
    NotAString {
        /// The place of the manifest.
        place: String,
        /// The field.
        field: &'static str,
    },
    /// A name that no object can have.
    #[error("the object at {place} has an invalid name: `{name}`")]
    InvalidName {
        /// The place of the manifest.
        place: String,
        /// The name.
        name: String,
    },
    /// A generated name, for an operation that needs a fixed one.
    #[error("the object at {place} has `generateName`, but no `name`")]
    GeneratedName {
        /// The place of the manifest.
        place: String,
    },
    /// The namespace of a manifest is not the requested one.
    #[error(
        "the object at {place} is in namespace `{namespace}`, which does not match the requested \
         namespace `{requested}`"
    )]
    NamespaceMismatch {
        /// The place of the manifest.
        place: String,
        /// Its namespace.
        namespace: String,
        /// The requested one.
        requested: String,
    },
    /// The same object twice, with different contents.
    #[error("{object} is defined twice with different contents: at {first} and at {second}")]
    Duplicate {
        /// The object.
        object: String,
        /// The place of the first manifest.
        first: String,
        /// The place of the second one.
        second: String,
    },
    /// A kind that the cluster does not serve.
    #[error("the cluster does not serve kind `{kind}` of `{api_version}` ({place})")]
    UnknownKind {
        /// The kind.
        kind: String,
        /// The `apiVersion` of the manifest.
        api_version: String,
        /// The place of the manifest.
        place: String,
        /// A similar kind, or a version that is served.
        suggestion: Option<String>,
    },
    /// A request that is not about one object failed.
    #[error("could not {doing}")]
    Request {
        /// What it was for: `list the nodes`.
        doing: String,
        /// The cause.
        source: RequestError,
    },
    /// A request about an object failed.
    #[error("could not {doing} {object} ({place})")]
    Object {
        /// What it was for: `apply`, `delete`.
        doing: &'static str,
        /// The object, as kubectl writes it.
        object: String,
        /// The place of its manifest.
        place: String,
        /// The cause.
        source: RequestError,
    },
    /// Other managers own fields of an object.
    #[error("could not apply {object} ({place}): {}", join(.conflicts))]
    Conflict {
        /// The object, as kubectl writes it.
        object: String,
        /// The place of its manifest.
        place: String,
        /// The fields and their managers.
        conflicts: Vec<Conflict>,
    },
    /// An object changed between every read and write.
    #[error("could not apply {object} ({place}): other clients kept changing it")]
    Contended {
        /// The object, as kubectl writes it.
        object: String,
        /// The place of its manifest.
        place: String,
    },
    /// A signal stopped the run before all objects were written.
    #[error("the run was interrupted; the same command completes it")]
    Interrupted,
    /// Some objects of the set were written before an error occurred.
    #[error("only {} of {total} objects were written", .done.len())]
    Partial {
        /// What was done, in the order of the set.
        done: Vec<Outcome>,
        /// The number of objects in the set.
        total: usize,
        /// The first error.
        source: Box<Error>,
    },
    /// Objects of which pods are needed have none.
    #[error("none of the objects has pods")]
    NoPods,
    /// No pod of an object is ready.
    #[error("{object} has no ready pod")]
    NoReadyPod {
        /// The object, as kubectl writes it.
        object: String,
    },
    /// A port that an object does not have.
    #[error("{object} has no port `{port}`")]
    NoPort {
        /// The object, as kubectl writes it.
        object: String,
        /// The number or name of the port.
        port: String,
    },
    /// A local port cannot be used.
    #[error("could not listen on port {port} of this machine")]
    Listen {
        /// The port.
        port: u16,
        /// The cause.
        source: std::io::Error,
    },
    /// Objects did not become ready, or were not deleted.
    #[error("{}", super::readiness::summary(.0))]
    NotReady(Vec<NotReady>),
}

fn join(conflicts: &[Conflict]) -> String {
    conflicts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Error {
    /// A failed request about an object.
    pub(super) fn object(doing: &'static str, id: &ObjectId, source: RequestError) -> Self {
        Self::Object { doing, object: id.to_string(), place: id.place.clone(), source }
    }
}

impl Error {
    /// Whether the same may succeed later, as when the server restarts.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Request { source, .. } | Self::Object { source, .. } => source.is_transient(),
            Self::Partial { source, .. } => source.is_temporary(),
            _ => false,
        }
    }
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        let invalid = || Details::new(&codes::INVALID_OBJECT);
        match self {
            Self::Access(error) => error.details(),
            Self::Request { source, .. } | Self::Object { source, .. } => source.details(),
            Self::Partial { source, .. } => source.details(),
            Self::Interrupted => Details::new(&codes::INTERRUPTED),
            Self::MissingField { .. } | Self::InvalidName { .. } => invalid(),
            Self::NotAString { .. } => {
                invalid().hint("quote the value: YAML reads plain `n`, `on` or `1` as another type")
            }
            Self::GeneratedName { .. } => {
                invalid().hint("give it a `name`, or create it with `ko-rs create`")
            }
            Self::NamespaceMismatch { namespace, .. } => Details::new(&codes::NAMESPACE_MISMATCH)
                .hint(format!("omit `-n`, or pass `-n {namespace}` for this object")),
            Self::Duplicate { .. } => Details::new(&codes::DUPLICATE_OBJECT),
            Self::UnknownKind { suggestion: Some(suggestion), .. } => {
                Details::new(&codes::UNKNOWN_KIND).hint(format!("did you mean `{suggestion}`?"))
            }
            Self::UnknownKind { kind, .. } => Details::new(&codes::UNKNOWN_KIND).hint(format!(
                "apply the CustomResourceDefinition of `{kind}` first, or add it to the set"
            )),
            Self::Conflict { .. } => Details::new(&codes::FIELD_CONFLICT).hint(
                "remove these fields from the manifest, or take them over with `--force-conflicts`",
            ),
            Self::Contended { .. } => Details::new(&codes::OBJECT_CHANGED),
            Self::NoPods => Details::new(&codes::NO_PODS)
                .hint("name Deployments, StatefulSets, DaemonSets, Jobs, CronJobs or Pods"),
            Self::NoReadyPod { .. } => {
                Details::new(&codes::NO_READY_POD).hint("`kubectl describe pods` shows the reason")
            }
            Self::NoPort { .. } => Details::new(&codes::NO_PORT),
            Self::Listen { .. } => Details::new(&codes::LOCAL_PORT)
                .hint("choose another local port, or any free one with `:REMOTE`"),
            Self::NotReady(objects) => Details::new(not_ready(objects)),
        }
    }
}

fn not_ready(objects: &[NotReady]) -> &'static Code {
    match objects {
        [NotReady { is_deleted: true, .. }, ..] => &codes::NOT_DELETED,
        _ => &codes::NOT_READY,
    }
}
