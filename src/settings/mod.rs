//! From three sources — flags, environment, `.ko-rs.yaml` — to complete options.
//!
//! [`table`] names every setting once. Flags go before variables, variables before the file; what a
//! crate's own settings say goes before defaults. This is the only reader of the environment.

mod access;
mod builds;
mod complete;
mod destination;
pub mod env;
mod error;
mod file;
mod output;
mod rules;
mod sbom;
mod sources;
pub mod table;
mod templates;
mod tree;
mod unknown_builds;

pub use complete::{Complete, Settings, complete, registries};
pub use env::Environment;
pub use error::Error;
pub use file::NAME as FILE_NAME;
pub use output::Output;
pub use rules::{BuildOptions, Platforms, Rules, TemplateError};
pub use sources::Flags;
pub use templates::Volatile;
pub use unknown_builds::UnknownBuild;
