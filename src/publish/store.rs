//! Packs new layers, and remembers their digests and packed bytes. Nothing is compressed twice; an
//! uncompressed layer is read again instead of being kept.

use std::io::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cache::{self, Cache};
use crate::oci::{self, Compression, Digest, LayerSource, PackError, Packed, Packing};
use crate::report::{Details, Diagnose};

/// Packs layers and remembers the results.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) cache: Cache,
    pub(super) compression: Compression,
    pub(super) threads: usize,
}

/// What the cache keeps under a layer's identity.
#[derive(Serialize, Deserialize)]
struct Record {
    diff_id: Digest,
    digest: Digest,
    size: u64,
}

/// A failure to pack or keep a layer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The layer cannot be packed.
    #[error("could not pack the layer of the {purpose}")]
    Pack {
        /// What the layer holds.
        purpose: &'static str,
        /// The cause.
        source: PackError,
    },
    /// The packed bytes cannot be kept.
    #[error("could not keep the layer of the {purpose}")]
    Keep {
        /// What the layer holds.
        purpose: &'static str,
        /// The cause.
        source: cache::Error,
    },
    /// The packed bytes cannot be written.
    #[error("could not write the layer of the {purpose} into the cache")]
    Write {
        /// What the layer holds.
        purpose: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// There is no folder in which packed bytes can be kept.
    #[error("there is no folder in which to keep the layer of the {purpose}")]
    NoFolder {
        /// What the layer holds.
        purpose: &'static str,
    },
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::Pack { source, .. } => source.details(),
            Self::Keep { source, .. } => source.details(),
            Self::Write { .. } | Self::NoFolder { .. } => {
                Details::new(&cache::codes::CACHE_NOT_WRITABLE).hint(cache::ANOTHER_FOLDER)
            }
        }
    }
}

impl Store {
    /// The same without compression.
    pub(super) fn plain(&self) -> Self {
        Self { compression: Compression::None, ..self.clone() }
    }

    fn key(&self, source: &LayerSource) -> Option<Digest> {
        let identity = source.identity()?;
        Some(Digest::of(format!("{identity} {:?}", self.compression).as_bytes()))
    }

    /// The result of packing the layer before, with the same files and the same compression.
    pub(super) fn known(&self, source: &LayerSource) -> Option<Packed> {
        let Record { diff_id, digest, size } = self.cache.record("layers", &self.key(source)?)?;
        Some(Packed { diff_id, digest, size })
    }

    /// Remembers the result of packing a layer. If it cannot be kept, only the next run takes longer.
    pub(super) fn remember(&self, source: &LayerSource, packed: Packed) {
        if let Some(key) = self.key(source) {
            let Packed { diff_id, digest, size } = packed;
            let _ = self.cache.put_record("layers", &key, &Record { diff_id, digest, size });
        }
    }

    /// Starts to pack a layer.
    pub(super) fn pack(&self, source: &LayerSource) -> Packing {
        oci::pack(source.clone(), self.compression, self.threads)
    }

    /// The digests of an uncompressed layer, by reading it once.
    pub(super) async fn measure(&self, source: &LayerSource) -> Result<Packed, Error> {
        if let Some(packed) = self.known(source) {
            return Ok(packed);
        }
        let packed = self.pack(source).finish().await;
        let packed =
            packed.map_err(|error| Error::Pack { purpose: source.purpose, source: error })?;
        self.remember(source, packed);
        Ok(packed)
    }

    /// The packed bytes of a layer in a file, if they were kept. Their digest is not verified, since
    /// the registry does that.
    pub(super) fn kept(&self, packed: &Packed) -> Option<PathBuf> {
        self.cache.unread_blob(&packed.digest, packed.size)
    }

    /// The packed bytes of a layer in a file: kept from before, or packed now.
    pub(super) async fn file(&self, source: &LayerSource) -> Result<(Packed, PathBuf), Error> {
        if let Some(packed) = self.known(source)
            && let Some(path) = self.cache.blob(&packed.digest, packed.size)
        {
            return Ok((packed, path));
        }
        let purpose = source.purpose;
        let keep = |source| Error::Keep { purpose, source };
        let mut writer = self.cache.write_blob().map_err(keep)?;
        let mut packing = self.pack(source);
        while let Some(chunk) = packing.chunks.recv().await {
            writer.write_all(&chunk).map_err(|source| Error::Write { purpose, source })?;
        }
        let packed = packing.finish().await.map_err(|source| Error::Pack { purpose, source })?;
        let (_, path) = writer.commit(Some(&packed.digest)).map_err(keep)?;
        self.remember(source, packed);
        Ok((packed, path.ok_or(Error::NoFolder { purpose })?))
    }
}
