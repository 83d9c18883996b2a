//! The bytes of a base's layers, wherever they lie.

use std::path::PathBuf;

use bytes::Bytes;

use crate::oci::{BlobSource, Descriptor};
use crate::registry::{self, BlobBody, Client};

/// A blob's bytes, here.
pub(super) enum Blob {
    Bytes(Bytes),
    File(PathBuf),
}

/// Gets a blob's bytes; those in a registry are pulled into the cache.
pub(super) async fn fetch(
    client: &Client,
    blob: &BlobSource,
    descriptor: &Descriptor,
) -> Result<Blob, registry::Error> {
    Ok(match blob {
        BlobSource::Bytes(bytes) => Blob::Bytes(bytes.clone()),
        BlobSource::File(path) => Blob::File(path.clone()),
        BlobSource::Registry(repository) => Blob::File(client.blob(repository, descriptor).await?),
    })
}

impl From<Blob> for BlobBody {
    fn from(blob: Blob) -> Self {
        match blob {
            Blob::Bytes(bytes) => Self::Bytes(bytes),
            Blob::File(path) => Self::File(path),
        }
    }
}
