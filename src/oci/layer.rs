//! Layers, and the sources that they are packed from ([layer.md][spec]).
//!
//! A [`LayerSource`] has not been packed, so its digest is unknown. Packing reads each file once
//! and produces the bytes of the tar archive, compressed or not, with the diff ID and the digest.
//!
//! [spec]: https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md

use std::path::PathBuf;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::file::{OpenedFile, SeenFile};
use super::{Descriptor, Digest, FileCapabilities, Repository};

/// A finished layer: its blob, and the digest of the tar archive in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The blob, compressed or not.
    pub descriptor: Descriptor,
    /// The digest of the uncompressed tar archive.
    pub diff_id: Digest,
}

/// Where the bytes of a blob are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobSource {
    /// In memory.
    Bytes(Bytes),
    /// In a file.
    File(PathBuf),
    /// In a repository of a registry, by digest. Other repositories of the registry can mount it.
    Registry(Repository),
}

/// The compression of a layer. Every digest depends on it.
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

/// A layer that has not been packed: its tar entries, in order.
#[derive(Clone, Debug)]
pub struct LayerSource {
    /// The purpose of the layer, for the history and for progress: `executable`, `data`.
    pub purpose: &'static str,
    /// The tar entries, parents before children.
    pub entries: Vec<Entry>,
    /// The modification time of every entry, in seconds since 1970.
    pub modified: u64,
}

/// One entry of a layer's tar.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The path without leading or trailing slash: `ko-app/link`.
    pub path: String,
    /// Its content.
    pub content: Content,
    /// Permission bits.
    pub mode: u32,
    /// The owner's number.
    pub uid: u64,
    /// The group's number.
    pub gid: u64,
    /// The capabilities of an executable.
    pub capabilities: Option<FileCapabilities>,
}

/// The content of an entry.
#[derive(Clone, Debug)]
pub enum Content {
    /// A folder.
    Folder,
    /// A file with these bytes.
    Bytes(Bytes),
    /// A file with the content of a file of this machine.
    File(OpenedFile),
    /// The same, for a file that is opened only when it is packed.
    Seen(SeenFile),
    /// A symbolic link to this target.
    Link(String),
}
