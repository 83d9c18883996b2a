//! What happens during a run, as values.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::Diagnostic;

/// Something that happened, in the order in which it did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Event {
    /// A stage began.
    Started {
        /// Which.
        stage: Stage,
    },
    /// A stage ended without an error.
    Finished {
        /// Which.
        stage: Stage,
        /// How long it took, in seconds.
        #[serde(serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "f64"))]
        duration: Duration,
    },
    /// Cargo was started for these binaries.
    Compiling {
        /// What is compiled, each as `package` or `package#bin`.
        binaries: Vec<String>,
        /// The target triple.
        target: String,
    },
    /// An image is about to leave for its destination.
    Publishing {
        /// Where it goes: a repository, a folder or a file.
        destination: String,
    },
    /// An image has arrived.
    Published {
        /// Its name there, as it is printed.
        reference: String,
    },
    /// What a long transfer has moved so far; the last event of a transfer has `done == total`.
    Transfer {
        /// What moves: a short name for the blob and its direction.
        what: String,
        /// Bytes moved.
        done: u64,
        /// Bytes in all, where that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
    },
    /// An object was sent to the cluster.
    Applied {
        /// The object, as `deployment.apps/link-manager`.
        object: String,
        /// The namespace, for objects that have one.
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<String>,
        /// What became of it: `created`, `configured`, `unchanged`, `deleted`.
        outcome: String,
    },
    /// An object is waited for.
    Waiting {
        /// The object, as `deployment.apps/link-manager`.
        object: String,
        /// The namespace, for objects that have one.
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<String>,
        /// What is missing.
        reason: String,
    },
    /// A session of `ko-rs dev` watches files from now on.
    Watching {
        /// The number of crates.
        crates: usize,
        /// The number of files.
        files: usize,
        /// The number of folders.
        folders: usize,
        /// The number of manifests.
        manifests: usize,
    },
    /// Files have changed.
    Changed {
        /// The files, relative to the working directory where they are below it.
        files: Vec<String>,
    },
    /// A change has arrived in the cluster and serves.
    Updated {
        /// What was updated: `link-manager`, or `configmap/settings` for what has no pods.
        object: String,
        /// The way that the change took.
        way: Way,
        /// How long it took since the change, in seconds.
        #[serde(serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "f64"))]
        duration: Duration,
        /// What that time was spent on.
        parts: Vec<Part>,
    },
    /// A local port is forwarded.
    Forwarding {
        /// The local address: `http://127.0.0.1:8080`.
        address: String,
        /// The object: `service/link-manager`.
        target: String,
        /// Its port.
        port: u16,
    },
    /// An object was deleted because its document left the manifests.
    Removed {
        /// The object, as `deployment.apps/link-manager`.
        object: String,
    },
    /// A request failed and will be made again.
    Retrying {
        /// What is tried again, with its host.
        what: String,
        /// Why the last try failed.
        why: String,
        /// How long until the next one, in seconds.
        #[serde(serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "f64"))]
        after: Duration,
    },
    /// A warning or a note.
    Diagnostic(Diagnostic),
    /// A line that a program such as Cargo printed on standard error.
    Output {
        /// The line.
        line: String,
    },
    /// A detail that only a verbose run shows.
    Detail {
        /// What is said.
        message: String,
    },
}

/// The way that a change takes into the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Way {
    /// New pods replace the old ones.
    Rollout,
    /// The object is changed, and has no pods.
    Apply,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rollout => "rollout",
            Self::Apply => "apply",
        })
    }
}

/// A part of the time that an update took.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Part {
    /// Its name: `compile`.
    pub name: &'static str,
    /// How long it took, in seconds.
    #[serde(serialize_with = "seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub duration: Duration,
}

/// A part of a run that takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Stage {
    /// Manifests are read and their references found.
    Read,
    /// What is built how, and where it goes, is decided.
    Plan,
    /// Cargo compiles.
    Compile,
    /// Images are put together and sent to their destinations.
    Publish,
    /// Objects are sent to the cluster.
    Apply,
    /// Objects are waited for.
    Wait,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Plan => "plan",
            Self::Compile => "compile",
            Self::Publish => "publish",
            Self::Apply => "apply",
            Self::Wait => "wait",
        })
    }
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
