//! What can go wrong in a development loop, beside what can go wrong in any run.

use super::codes;
use crate::cluster::{self, Managed};
use crate::pipeline;
use crate::report::{Details, Diagnose, Diagnostic};

/// An error of a development loop.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Building or applying failed.
    #[error(transparent)]
    Pipeline(Box<pipeline::Error>),
    /// The cluster is not one on this machine, and not allowed either.
    #[error("context `{context}` is not one of a cluster on this machine")]
    NotLocal {
        /// The context.
        context: String,
    },
    /// Another tool manages an object.
    #[error("{tool} manages {} ({})", managed.object, managed.place, tool = managed.tool)]
    Managed {
        /// The object and the tool.
        managed: Managed,
    },
    /// The record of a session is broken.
    #[error("the ConfigMap `{name}` of namespace `{namespace}` is not valid")]
    Record {
        /// The ConfigMap.
        name: &'static str,
        /// Its namespace.
        namespace: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl From<pipeline::Error> for Error {
    fn from(error: pipeline::Error) -> Self {
        Self::Pipeline(Box::new(error))
    }
}

impl From<cluster::Error> for Error {
    fn from(error: cluster::Error) -> Self {
        pipeline::Error::Cluster(error).into()
    }
}

impl Error {
    /// The error as values: one, or several if several things are wrong.
    #[must_use]
    pub(crate) fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Pipeline(error) => error.diagnostics(),
            error => vec![Diagnostic::of(error)],
        }
    }

    /// Whether the loop cannot begin: no change of a file would help.
    #[must_use]
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::NotLocal { .. } | Self::Managed { .. } | Self::Record { .. } => true,
            Self::Pipeline(error) => matches!(
                **error,
                pipeline::Error::Cluster(cluster::Error::Access(_))
                    | pipeline::Error::Destinations { .. }
            ),
        }
    }

    /// Whether the same may succeed later without a change of a file.
    #[must_use]
    pub(crate) fn is_temporary(&self) -> bool {
        let Self::Pipeline(error) = self else { return false };
        matches!(&**error, pipeline::Error::Cluster(error) if error.is_temporary())
    }
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::Pipeline(error) => error.details(),
            Self::NotLocal { context } => Details::new(&codes::CONTEXT_NOT_LOCAL).hint(format!(
                "pass a context of kind, k3d or minikube with --context, or add `{context}` to \
                 `allowContexts`"
            )),
            Self::Managed { .. } => Details::new(&codes::MANAGED_OBJECT)
                .hint("pass a namespace of your own with -n, or set `dev.namespace`"),
            Self::Record { .. } => Details::new(&codes::INVALID_RECORD),
        }
    }
}
