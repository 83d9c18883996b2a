//! What a loop has in the cluster, for those who show logs and forward ports.

use std::sync::Arc;

use crate::manifests::Object;
use crate::pipeline::Session;

/// The objects of a loop, as they are about to be applied.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// The session that applies them.
    pub(crate) session: Arc<Session>,
    /// The objects.
    pub(crate) objects: Vec<Object>,
}
