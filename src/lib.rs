//! ko-rs builds Rust crates into container images without Docker, publishes them, puts their
//! digests into Kubernetes manifests and applies those.
//!
//! The modules stand in the order in which data flows, and a module uses only modules above it:
//!
//! ```text
//! -f files ─► Document ─► CrateReference ─► Binary ─► Artifact ─► ImageDraft ─► Image ─► ImageReference ─► Document ─► cluster
//!             manifests      reference       cargo     cargo        image       publish                     manifests
//! ```
//!
//! Read [`pipeline`] and you have read the program. The words that Kubernetes, OCI and Cargo share
//! are told apart in ARCHITECTURE.md.

pub mod source;
pub mod report;
pub mod oci;
pub mod reference;
pub mod template;
pub mod cache;
pub mod manifests;
pub mod cargo;
pub mod registry;
pub mod daemon;
pub mod image;
pub mod publish;
pub mod cluster;
pub mod settings;
pub mod pipeline;
pub mod cli;
