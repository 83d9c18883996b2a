//! Watches files, and tells which of them have changed.
//!
//! A [`Watcher`] is given a [`Scope`], the folders and files to watch, and returns each group of changes
//! as a [`Batch`] once it is complete: an editor saves in several steps, and a checkout writes a
//! thousand files. It compares contents, so that a file that was saved without a change is not in a
//! batch. What the files are for is not known here, nor what Cargo or Kubernetes is.

mod contents;
mod ignored;
mod scope;
mod system;
mod timing;
mod watcher;

pub(crate) use scope::{Scope, resolved};
pub(crate) use watcher::{Batch, Watcher};

#[cfg(all(test, unix))]
mod tests;
