//! What a round starts from.

use std::sync::Arc;

use crate::cluster::ApplyOptions;
use crate::manifests::Manifests;
use crate::pipeline::Session;

/// What a round starts from: manifests and settings as they are now.
#[derive(Debug)]
pub(crate) struct Input {
    /// The session, which is the same as long as the settings are.
    pub(crate) session: Arc<Session>,
    /// The manifests.
    pub(crate) manifests: Manifests,
    /// The number of files that they were read from.
    pub(crate) sources: usize,
    /// How objects are applied.
    pub(crate) apply: ApplyOptions,
    /// Whether the namespace is created if it does not exist.
    pub(crate) creates_namespace: bool,
    /// Who runs the loop.
    pub(crate) user: String,
    /// The current time in seconds since 1970.
    pub(crate) now: i64,
}
