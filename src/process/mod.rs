//! Programs that ko-rs starts: Cargo, Git, credential helpers, kustomize.
//!
//! This is the only place that starts a child process. A child gets its environment as a value, does
//! not outlive the future that waits for it, and never prints what it was not asked to print. What is
//! run, and what its output means, is decided by the callers.

mod attended;
mod environment;
mod error;
mod command;
mod group;
mod output;

pub(crate) use attended::attended;
pub(crate) use command::{command, shown, without_token};
pub(crate) use environment::{Environment, are_same, find, variable};
pub(crate) use error::Error;
pub(crate) use group::Group;
pub(crate) use output::{Limits, Stderr, capture, output};
