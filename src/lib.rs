//! ko-rs builds Rust crates into container images without Docker, publishes them, substitutes their
//! digests into Kubernetes manifests and applies these.
//!
//! # As a library
//!
//! A [`Session`](pipeline::Session) is opened from [settings]. It makes a [`Plan`](pipeline::Plan), a
//! value that says what is built how and where it goes, and runs it:
//!
//! ```no_run
//! use ko_rs::pipeline::{Request, Session};
//! use ko_rs::report::Reporter;
//! use ko_rs::settings::{self, Environment, Flags, Key};
//!
//! # async fn build() -> Result<(), Box<dyn std::error::Error>> {
//! let reporter = Reporter::new();
//! let flags = Flags([(Key::Repo, vec!["localhost:5000/team".to_owned()])].into());
//! let complete = settings::complete(flags, &Environment::current()?, &reporter)?;
//! let session = Session::new(complete.settings, reporter);
//! let plan = session.plan(Request::Crates(&["link-service".to_owned()])).await?;
//! for built in session.run(&plan).await? {
//!     println!("{}", built.published.reference);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`report`] describes events and diagnostics, [`image`] how an image is put together, [`oci`] what
//! images consist of, and [`registry`] how they are pulled and pushed.
//!
//! # Inside
//!
//! Data flows through modules in this order, and a module uses only those before it:
//!
//! ```text
//! flags + environment + .ko-rs.yaml ─► settings ─► Session ─► Plan
//!                                                     │
//! -f files ─► Document ─► CrateReference ─► Binary ─► Artifact ─► ImageDraft ─► Image ─► ImageReference ─► Document ─► cluster
//!             manifests      reference       cargo     cargo        image       publish                     manifests
//! ```
//!
//! [`pipeline`] is the order of all stages. ARCHITECTURE.md defines the terms that Kubernetes, OCI and
//! Cargo share.

mod source;
pub mod report;
mod process;
pub mod http;
pub mod oci;
pub mod reference;
mod template;
mod cache;
mod watch;
mod manifests;
mod cargo;
pub mod registry;
mod daemon;
pub mod image;
mod publish;
mod cluster;
pub mod settings;
pub mod pipeline;
mod dev;
#[doc(hidden)]
pub mod cli;

/// What the tests of this repository use.
#[doc(hidden)]
pub mod testing {
    pub use crate::cache::Cache;
    pub use crate::cluster::{
        ApplyOptions, Change, Cluster, CreateOptions, DeleteOptions, DryRun, Error as ClusterError,
        Nodes, Operation, Outcome, Reason, Settings as ClusterSettings, Stopping,
    };
    pub use crate::manifests::{
        Errors, Lint, Manifests, Object, Parse, Rules, Selector, join, parse,
    };
    pub use crate::source::Source;
}
