//! Operations on a Kubernetes cluster: plans, applies, creates and deletes objects, waits for them,
//! and reads facts about nodes.
//!
//! The only module that uses the Kubernetes API. It does not know files, references or images; its
//! input is [`Object`](crate::manifests::Object)s. A `Plan` has the operation for each object of a
//! set, and is then executed or printed. Applying is
//! [server-side apply](https://kubernetes.io/docs/reference/using-api/server-side-apply/).

mod access;
mod apply;
mod change_cause;
mod client;
pub(crate) mod codes;
mod connection;
mod create;
mod created;
mod delete;
mod diff;
mod difference;
mod discovery;
mod duplicates;
mod error;
mod event;
mod execute;
mod failure;
mod fields;
mod forward;
mod kind;
mod live;
mod logs;
mod managers;
#[cfg(test)]
mod mock;
mod nodes;
mod object;
mod others;
mod outcome;
mod plan;
mod pod;
mod readiness;
mod refusal;
mod request;
mod stopping;
mod streams;
mod wait;
mod watch;
mod waves;
mod workload;

pub(crate) use access::ServiceAccount;
pub use access::Settings;
pub use connection::Cluster;
pub(crate) use created::Created;
pub(crate) use diff::ObjectDiff;
pub use error::Error;
pub(crate) use forward::{Forwarded, Forwarding, PortMapping};
pub(crate) use logs::{LogLine, LogOptions};
pub(crate) use nodes::Node;
pub use nodes::Nodes;
pub(crate) use others::Managed;
pub use outcome::{DryRun, Operation, Outcome};
pub use plan::{ApplyOptions, Change, CreateOptions, DeleteOptions, Reason};
pub use stopping::Stopping;
pub(crate) use workload::{Workload, WorkloadName};
