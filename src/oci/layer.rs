//! Layers: what a finished one is, and what one is made from ([layer.md][spec]).
//!
//! A [`LayerSource`] is a layer that has never been packed; its digest is not known. Packing reads
//! each file once and gives tar bytes, compressed or not, with diff ID and digest on the way.
//!
//! [spec]: https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md

use std::path::PathBuf;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::file::{OpenedFile, SeenFile};
use super::{Descriptor, Digest, FileCapabilities, Repository};

/// A finished layer: its blob, and the digest of the tar inside the blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The blob, compressed or not.
    pub descriptor: Descriptor,
    /// The digest of the uncompressed tar.
    pub diff_id: Digest,
}

/// Where a blob's bytes can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobSource {
    /// In memory.
    Bytes(Bytes),
    /// In a file, whole.
    File(PathBuf),
    /// In a registry's repository, by digest; one on the same registry can mount it.
    Registry(Repository),
}

/// How a layer's tar becomes a blob. Part of every digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// The tar itself.
    None,
    /// One gzip member (RFC 1952) of fixed blocks.
    Gzip {
        /// 1 to 9.
        level: u8,
    },
    /// One zstd frame (RFC 8878).
    Zstd {
        /// 1 to 19.
        level: u8,
    },
}

/// A layer that has never been packed: its tar entries, in order, with their contents' whereabouts.
#[derive(Clone, Debug)]
pub struct LayerSource {
    /// What the layer holds, for the image's history and for progress: `executable`, `data`.
    pub purpose: &'static str,
    /// The tar entries, parents before children.
    pub entries: Vec<Entry>,
    /// Every entry's modification time, in seconds since 1970.
    pub modified: u64,
}

/// One entry of a layer's tar.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The path without leading or trailing slash: `ko-app/link`.
    pub path: String,
    /// What lies there.
    pub content: Content,
    /// Permission bits.
    pub mode: u32,
    /// The owner's number.
    pub uid: u64,
    /// The group's number.
    pub gid: u64,
    /// What it may do when it is run.
    pub capabilities: Option<FileCapabilities>,
}

/// What lies at a path of a layer.
#[derive(Clone, Debug)]
pub enum Content {
    /// A folder.
    Folder,
    /// A file with these bytes.
    Bytes(Bytes),
    /// A file with the bytes of a file of this machine.
    File(OpenedFile),
    /// The same, of a file that is opened only when its turn has come.
    Seen(SeenFile),
    /// A symbolic link to this target.
    Link(String),
}
