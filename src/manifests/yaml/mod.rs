//! YAML as Kubernetes reads it: documents, scalars, values and how they are quoted, with their spans.
//! Contains nothing about references or objects.

pub(crate) mod block;
pub(crate) mod merge;
pub(crate) mod outline;
pub(crate) mod quote;
pub(crate) mod scalar;
pub(crate) mod split;
pub(crate) mod string_fields;
pub(crate) mod syntax;
pub(crate) mod value;
