//! The types of the [OCI image specification][image-spec], and the names of images.
//!
//! Does not deal with registries, daemons, Cargo or Kubernetes. Everything here is a value; a
//! change creates a new one. Only [`pack`](mod@pack) does work: it produces the bytes of a layer,
//! on its own threads.
//!
//! [image-spec]: https://github.com/opencontainers/image-spec/blob/v1.1.1/spec.md

pub mod digest;
pub mod descriptor;
pub mod platform;
pub mod name;
mod search;
pub mod file;
pub mod manifest;
pub mod capabilities;
pub mod layer;
mod buffer;
pub(crate) mod codes;
mod tar;
mod stream;
mod gzip;
mod zstd;
pub mod pack;
pub mod image;
pub mod facts;

pub use capabilities::{CapabilityClause, FileCapabilities};
pub use descriptor::{Descriptor, MediaType};
pub use digest::{Digest, Digester};
pub use facts::ImageFacts;
pub use image::{Image, IndexedImages};
pub use layer::{BlobSource, Compression, Layer, LayerSource};
pub use manifest::{Format, ImageConfig, ImageIndex, ImageManifest};
pub use name::{ImageReference, Registry, Repository, Tag};
pub use pack::{Packing, pack};
pub use platform::Platform;
pub use search::Search;
pub use stream::{PackError, Packed};
