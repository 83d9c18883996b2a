//! Adds an executable to a base image: decides what an image contains and how it starts.
//!
//! A base image is read from bytes, wherever they come from. What is added becomes layer sources
//! and a configuration, an [`ImageDraft`]. This module does not deal with compiling, manifests or
//! destinations.

mod base;
mod base_name;
mod blob;
pub(crate) mod codes;
mod config;
mod contents;
mod difference;
mod draft;
mod elf;
mod embedded;
mod engine;
mod files;
mod find_base;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod folder;
mod layer_facts;
mod layout;
mod ld_cache;
mod link_check;
mod loader;
mod packages;
mod recipe;
mod sbom;
mod tar_entries;
mod unpack;

pub use base::{BaseImage, InvalidBase, LARGEST_DOCUMENT, Reading, choose, image_manifest};
pub use base_name::{BaseName, InvalidBaseName};
pub use blob::Blob;
pub use config::InvalidRecipe;
pub use contents::{Contents, ContentsError, look_into};
pub use difference::{Difference, What, differences};
pub use draft::{BASE_DIGEST, Error, ImageDraft, draft, needs_contents, runs_by_name};
pub use elf::{ElfFacts, NotElf};
pub use embedded::{embedded, embedded_date, embedded_index, embedded_layer, scratch};
pub use engine::{EngineError, from_engine};
pub use files::FileRule;
pub use find_base::{BaseError, BaseSources, FoundBase};
pub use folder::DataError;
pub use layer_facts::LayerError;
pub use layout::{LayoutError, from_layout};
pub use link_check::{LinkError, Missing, Older};
pub use packages::{Package, PackageKind};
pub use recipe::{Program, Recipe};
pub use sbom::{InvalidFormat, Materials, SbomFormat};
