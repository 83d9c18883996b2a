//! Speaks to a Kubernetes cluster: applies, creates and deletes objects, waits for them, and says
//! what the nodes run.
//!
//! The only module that knows the Kubernetes API. Knows nothing of files, references or images;
//! an [`Object`](crate::manifests::Object) is all it is given. Applying is
//! [server-side apply](https://kubernetes.io/docs/reference/using-api/server-side-apply/).

mod access;
mod apply;
mod set;
mod change_cause;
mod client;
mod create;
mod delete;
mod difference;
mod event;
mod failure;
mod kind;
mod live;
mod managers;
mod nodes;
mod once;
mod outcome;
mod pod;
mod refusal;
mod request;
mod resolve;
mod rollout;
mod target;
mod wait;
mod waves;

use futures_util::{StreamExt, stream};

use crate::report::Reporter;

pub use access::{AccessError, ServiceAccount, Settings};
pub use apply::ApplyOptions;
pub use client::RequestError;
pub use create::CreateOptions;
pub use delete::DeleteOptions;
pub use nodes::Nodes;
pub use outcome::{DryRun, Outcome, Verb};
pub use refusal::{Cause, Conflict, Refusal};
pub use wait::NotReady;

use client::Client;
use resolve::Kinds;

/// How many requests are under way at once.
const AT_ONCE: usize = 16;

/// A cluster, and as whom it is spoken to.
#[derive(Debug)]
pub struct Cluster {
    client: Client,
    kinds: Kinds,
    manager: String,
}

impl Cluster {
    /// Chooses the cluster; nothing is sent yet.
    ///
    /// # Errors
    /// Where the settings choose none, or one that may not be used.
    pub async fn connect(settings: &Settings, reporter: Reporter) -> Result<Self, Error> {
        let access = access::Access::new(settings).await?;
        Ok(Self {
            client: Client::new(access, settings.timeout, reporter),
            kinds: Kinds::default(),
            manager: settings.field_manager.clone(),
        })
    }

    /// Which cluster this is: `context minikube, server https://127.0.0.1:8443, namespace
    /// default`.
    #[must_use]
    pub fn describe(&self) -> String {
        let access = self.client.access();
        format!(
            "context {}, server {}, namespace {}",
            access.context, access.server, access.namespace
        )
    }

    /// The name of the context.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.client.access().context
    }

    /// The namespace of objects that state none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.client.access().namespace
    }
}

/// Does requests side by side; answers are in the order of the requests.
async fn side_by_side<F: Future>(requests: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    // Collected first: a stream that holds the closure which makes them cannot change threads.
    let numbered = requests.into_iter().enumerate();
    let requests: Vec<_> =
        numbered.map(|(index, request)| async move { (index, request.await) }).collect();
    let mut answers: Vec<(usize, F::Output)> =
        stream::iter(requests).buffer_unordered(AT_ONCE).collect().await;
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// What could not be done in a cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No cluster was chosen.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// An object does not state what every object must.
    #[error("the object at {place} has no `{missing}`")]
    Incomplete {
        /// Where it was written.
        place: String,
        /// What it should state.
        missing: &'static str,
    },
    /// An object states something else than a text.
    #[error("`{field}` of the object at {place} is no text")]
    NoText {
        /// Where it was written.
        place: String,
        /// What should be one.
        field: &'static str,
    },
    /// A name that no object can have.
    #[error("the object at {place} has a name that no object can have: `{name}`")]
    Name {
        /// Where it was written.
        place: String,
        /// The name.
        name: String,
    },
    /// A name that the server is to find, for an object that is to be found again.
    #[error("the object at {place} has a `generateName` only")]
    Generated {
        /// Where it was written.
        place: String,
    },
    /// Another namespace than the one that was asked for.
    #[error(
        "the namespace of the object at {place}, `{stated}`, does not match the namespace \
         `{asked}` that was asked for"
    )]
    Namespace {
        /// Where it was written.
        place: String,
        /// Its namespace.
        stated: String,
        /// The one that was asked for.
        asked: String,
    },
    /// The same object twice, and not the same.
    #[error("{object} is stated twice and differently: at {first} and at {second}")]
    Twice {
        /// The object, as kubectl writes it.
        object: String,
        /// Where it was written first.
        first: String,
        /// Where it was written again.
        second: String,
    },
    /// A kind that the cluster does not serve.
    #[error("the cluster serves no `{kind}` of `{api_version}` ({place})")]
    UnknownKind {
        /// The kind.
        kind: String,
        /// Its group and version, as it states them.
        api_version: String,
        /// Where it was written.
        place: String,
        /// The kind or version that was probably meant.
        meant: Option<String>,
    },
    /// Something about the cluster could not be found out.
    #[error("could not {doing}")]
    Ask {
        /// What for: `list the nodes`.
        doing: String,
        /// Why.
        source: RequestError,
    },
    /// An object could not be written or read.
    #[error("could not {doing} {object} ({place})")]
    Object {
        /// What: `apply`, `delete`.
        doing: &'static str,
        /// The object, as kubectl writes it.
        object: String,
        /// Where it was written.
        place: String,
        /// Why.
        source: RequestError,
    },
    /// Fields of an object have another manager.
    #[error("could not apply {object} ({place}): {}", listed(.conflicts))]
    Conflict {
        /// The object, as kubectl writes it.
        object: String,
        /// Where it was written.
        place: String,
        /// The fields and who manages them.
        conflicts: Vec<Conflict>,
    },
    /// Others kept writing an object.
    #[error("could not apply {object} ({place}): others kept writing it")]
    Contended {
        /// The object, as kubectl writes it.
        object: String,
        /// Where it was written.
        place: String,
    },
    /// Some of the set was written before a write failed.
    #[error("{} of {total} objects were written before one failed", .done.len())]
    Partial {
        /// What was written, in the order of the set.
        done: Vec<Outcome>,
        /// How many there are.
        total: usize,
        /// Why the first that failed did.
        source: Box<Error>,
    },
    /// Objects are not ready, or not gone, or never will be.
    #[error("{}", wait::told(.0))]
    NotReady(Vec<NotReady>),
}

fn listed(conflicts: &[Conflict]) -> String {
    conflicts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Error {
    /// The way out, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Access(error) => error.hint(),
            Self::Ask { source, .. } | Self::Object { source, .. } => source.hint(),
            Self::Generated { .. } => {
                Some("`ko-rs create` makes such objects; to be applied, it needs a name".to_owned())
            }
            Self::NoText { .. } => {
                Some("quote it: bare words such as `n`, `on` or `1` are no text in YAML".to_owned())
            }
            Self::Namespace { stated, .. } => {
                Some(format!("leave -n away, or pass -n {stated} for this object"))
            }
            Self::UnknownKind { meant: Some(meant), .. } => Some(format!("is `{meant}` meant?")),
            Self::UnknownKind { kind, .. } => Some(format!(
                "apply the CustomResourceDefinition of `{kind}` first, or in the same set"
            )),
            Self::Conflict { .. } => Some(
                "leave these fields out of the manifest, or take them over with --force-conflicts"
                    .to_owned(),
            ),
            Self::Partial { source, .. } => source.hint(),
            Self::Incomplete { .. }
            | Self::Name { .. }
            | Self::Twice { .. }
            | Self::Contended { .. }
            | Self::NotReady(_) => None,
        }
    }
}
