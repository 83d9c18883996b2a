//! Kubernetes objects in manifests, and the selection of some of them.

pub(crate) mod contents;
pub(crate) mod object;
pub(crate) mod select;
pub(crate) mod selector;
pub(crate) mod skip;
