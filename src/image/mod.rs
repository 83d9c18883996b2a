//! Lays an executable on a base image: decides what is in an image and how it starts.
//!
//! A base is read from bytes, wherever those came from; what is put on it becomes layer sources and
//! a configuration, an [`ImageDraft`]. Knows nothing of how Cargo made the executable, of manifests
//! or of where the image goes.

mod base;
mod base_name;
mod config;
mod contents;
mod draft;
mod elf;
mod embedded;
mod files;
mod folder;
mod layout;
mod link_check;

pub use base::{BaseError, BaseImage, LARGEST_DOCUMENT, Reading, choose, image_manifest};
pub use base_name::{BaseName, InvalidBaseName};
pub use config::InvalidRecipe;
pub use draft::{Error, ImageDraft, Program, Recipe, draft};
pub use elf::{ElfFacts, NotElf};
pub use embedded::{embedded, embedded_date, scratch};
pub use files::FileRule;
pub use folder::DataError;
pub use layout::{LayoutError, from_layout};
pub use link_check::LinkError;
