//! The bytes of the layers of a base image.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use bytes::{Buf as _, Bytes};

use crate::oci::{BlobSource, Descriptor};
use crate::registry::{self, Client};

/// The local bytes of a blob.
#[derive(Clone, Debug)]
pub enum Blob {
    /// In memory.
    Bytes(Bytes),
    /// In a file.
    File(PathBuf),
}

impl Blob {
    /// Fetches a blob. Blobs in a registry are pulled into the cache.
    pub async fn fetch(
        client: &Client,
        source: &BlobSource,
        descriptor: &Descriptor,
    ) -> Result<Self, registry::Error> {
        Ok(match source {
            BlobSource::Bytes(bytes) => Self::Bytes(bytes.clone()),
            BlobSource::File(path) => Self::File(path.clone()),
            BlobSource::Registry(repository) => {
                Self::File(client.blob(repository, descriptor).await?)
            }
        })
    }

    /// A reader from the first byte.
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(bytes.clone().reader()),
            Self::File(path) => Box::new(File::open(path)?),
        })
    }
}
