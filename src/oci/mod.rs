//! The types of the [OCI image specification][image-spec], and the names of images.
//!
//! Does not deal with registries, daemons, Cargo or Kubernetes. Everything here is a value; a
//! change creates a new one. Only [`pack()`] does work: it produces the bytes of a layer,
//! on its own threads.
//!
//! [image-spec]: https://github.com/opencontainers/image-spec/blob/v1.1.1/spec.md

mod digest;
mod descriptor;
pub(crate) mod platform;
pub(crate) mod name;
mod search;
pub(crate) mod file;
pub(crate) mod manifest;
pub(crate) mod capabilities;
pub(crate) mod layer;
mod buffer;
pub(crate) mod codes;
mod tar;
mod stream;
mod gzip;
mod zstd;
mod pack;
mod image;
pub(crate) mod facts;

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
