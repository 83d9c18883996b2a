//! Takes drafts of images to their destinations and returns their names there.
//!
//! [`choose`] decides on the destinations; [`Publisher`] takes images there. Each destination is one
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
mod local_paths;
mod naming;
mod oci_archive;
mod outgoing;
mod publisher;
mod push_base;
mod referrer;
mod registry;
mod sbom;
mod sealed;
mod store;

pub use choose::{Asked, AskedCompression, Choice, ChooseError, Destination, Facts, choose};
pub use error::Error;
pub use find_sbom::{FindSbomError, SbomQuery, find_sbom};
pub use keep::{KeepTag, KeepTagError};
pub use naming::Naming;
pub use publisher::{Published, Publisher, Settings};
pub use push_base::{PushBaseError, push_base, static_base};
pub use sbom::{Compiled, Error as SbomError, Sbom};
pub use sealed::Sealed;
