//! An upload of a registry as a value.

use std::time::Instant;

use reqwest::Url;

use crate::oci::Digest;

/// An upload that was opened before there was something to send.
pub(super) struct Session {
    pub(super) url: Url,
    pub(super) opened: Instant,
    /// The only blob that it takes: that of the mount that opened it.
    pub(super) digest: Option<Digest>,
}
