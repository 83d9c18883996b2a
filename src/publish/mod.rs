//! Takes drafts of images to their destinations and returns their names there.
//!
//! `choose` decides on the destinations; `Publisher` takes images there. Each destination is one
//! file of this module, and a layer is compressed once for all of them. Knows nothing of manifests or
//! of how an executable was compiled.

mod archive;
mod choose;
pub(crate) mod codes;
mod destination;
mod docker_archive;
mod engine;
mod error;
mod find_sbom;
mod keep;
mod layout;
mod local_cluster;
mod local_paths;
mod naming;
mod node;
mod nodes;
mod oci_archive;
mod outgoing;
mod publisher;
mod push_base;
mod referrer;
mod registry;
mod sbom;
mod sealed;
mod store;

pub(crate) use choose::{Asked, AskedCompression, Choice, Destination};
pub(crate) use choose::{Facts, choose};
pub(crate) use error::Error;
pub(crate) use find_sbom::{FindSbomError, SbomQuery, find_sbom};
pub(crate) use keep::KeepTag;
pub(crate) use local_cluster::LocalNames;
pub(crate) use local_cluster::{ClusterFacts, NodeFacts};
pub(crate) use publisher::Publisher;
pub(crate) use publisher::{Published, Settings};
pub(crate) use push_base::{PushBaseError, push_base, static_base};
pub(crate) use sbom::Compiled;
pub(crate) use sbom::Sbom;
