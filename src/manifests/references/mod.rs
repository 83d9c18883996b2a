//! Finds references in files, and decides which strings are references.

pub(crate) mod document;
pub(crate) mod file;
pub(crate) mod rules;
