//! From three sources — flags, environment, `.ko-rs.yaml` — to complete settings.
//!
//! [`table`] defines every setting once. Flags take precedence over variables, variables over the file,
//! and the settings of a build over defaults. This is the only module that reads the environment.

mod access;
mod builds;
pub(crate) mod codes;
mod complete;
mod destination;
mod dev;
mod env;
mod error;
mod file;
mod load;
mod output;
mod rules;
mod short_names;
mod presentation;
mod sbom;
mod sources;
pub mod table;
mod templates;
mod tree;
mod unknown_builds;

pub(crate) use complete::registries;
pub use complete::{Complete, Settings, complete};
pub(crate) use dev::{AtEnd, Dev, complete_dev};
pub use env::Environment;
pub use error::Error;
pub use output::Output;
pub use presentation::{Color, Format, Loudness, Presentation};
pub(crate) use rules::{BuildOptions, Platforms};
pub use rules::{Rules, TemplateError, Volatile};
pub use sources::Flags;
pub use table::Key;
pub use unknown_builds::UnknownBuild;
