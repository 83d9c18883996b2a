//! Images as a docker-archive, the format of `docker load`.
//!
//! New layers are written as plain tars: an archive is unpacked where it arrives, so compressing
//! them would be wasted work.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use tokio::io::AsyncReadExt as _;

use super::codes;
use super::store::{self, Store};
use crate::daemon::archive::{self, ArchiveWriter, ArchivedImage};
use crate::image::{Blob, ImageDraft};
use crate::oci::{
    BlobSource, Digest, Image, ImageReference, Layer, LayerSource, PackError, Packed,
};
use crate::registry::{self, Client};
use crate::report::{Details, Diagnose};

/// How many bytes of a base layer are read at once.
const PIECE: usize = 256 << 10;

/// An image of an archive, and its names there.
pub(super) struct Named<'a> {
    pub(super) draft: &'a ImageDraft,
    pub(super) names: Vec<ImageReference>,
    /// The repository in which the image's own digest is one of its tags.
    pub(super) tag_digest: Option<crate::oci::Repository>,
}

/// A failure to write an archive.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file.
    #[error("could not write `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A layer of the base cannot be read.
    #[error("could not read a layer of the base image")]
    Base(#[source] registry::Error),
    /// A new layer.
    #[error("could not pack the layer of the {purpose}")]
    Pack {
        /// What the layer holds.
        purpose: &'static str,
        /// The cause.
        source: PackError,
    },
    /// The format of the archive.
    #[error(transparent)]
    Format(#[from] archive::Error),
    /// The stream of the archive ended early.
    #[error(transparent)]
    Unfinished(#[from] archive::Unfinished),
    /// A new layer, packed before it is written.
    #[error(transparent)]
    Layer(#[from] store::Error),
    /// The files of a layer changed between two readings.
    #[error("the layer of the {purpose} changed while it was written")]
    Changed {
        /// What the layer holds.
        purpose: &'static str,
    },
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::Write { .. } | Self::Format(_) | Self::Unfinished(_) | Self::Changed { .. } => {
                Details::new(&codes::IMAGE_NOT_WRITTEN)
            }
            Self::Pack { source, .. } => source.details(),
            Self::Base(error) => error.details(),
            Self::Layer(error) => error.details(),
        }
    }
}

/// Writes images into an archive, without the base layers that its reader has. Returns the digests of
/// the images' configurations.
pub(super) async fn write_all(
    mut writer: ArchiveWriter,
    images: &[Named<'_>],
    store: &Store,
    client: &Client,
    left_out: &BTreeSet<Digest>,
) -> Result<Vec<Digest>, Error> {
    let mut archived = Vec::new();
    let mut configs = Vec::new();
    let mut count = 0;
    for Named { draft, names, tag_digest } in images {
        let mut layers = Vec::new();
        for (layer, blob) in draft.base_layers() {
            let name = format!("{}/layer.tar", layer.diff_id.hex());
            if !left_out.contains(&layer.diff_id) && !writer.contains(&name) {
                base_layer(&mut writer, &name, layer, blob, client).await?;
            }
            layers.push(name);
        }
        let mut packed = Vec::new();
        for source in draft.sources() {
            // The digest is known only at the end, so it cannot be part of the name.
            let name = format!("{}-{count}/layer.tar", source.purpose);
            count += 1;
            packed.push(new_layer(&mut writer, &name, source, store).await?);
            layers.push(name);
        }
        let image = sealed(draft, &packed);
        let config = format!("{}.json", image.config_digest().hex());
        if !writer.contains(&config) {
            writer.add_bytes(&config, image.config().clone()).await?;
        }
        let digest_name = tag_digest.as_ref().and_then(|repository| {
            Some(repository.tagged(image.config_digest().hex().parse().ok()?))
        });
        let repo_tags = digest_name.into_iter().chain(names.iter().cloned()).collect();
        configs.push(image.config_digest());
        archived.push(ArchivedImage { config, repo_tags, layers });
    }
    writer.finish(&archived).await?;
    Ok(configs)
}

/// The finished image with uncompressed layers.
pub(super) fn sealed(draft: &ImageDraft, packed: &[Packed]) -> Image {
    let layer = |packed: &Packed| packed.layer(draft.format(), crate::oci::Compression::None);
    draft.seal(&packed.iter().map(layer).collect::<Vec<_>>())
}

async fn new_layer(
    writer: &mut ArchiveWriter,
    name: &str,
    source: &LayerSource,
    store: &Store,
) -> Result<Packed, Error> {
    let purpose = source.purpose;
    let plain = store.plain();
    let mut packing = plain.pack(source);
    let mut entry = writer.entry(name, source.tar_size()).await?;
    while let Some(chunk) = packing.chunks.recv().await {
        entry.write(chunk).await?;
    }
    let packed = packing.finish().await.map_err(|source| Error::Pack { purpose, source })?;
    entry.close().await?;
    plain.remember(source, packed);
    Ok(packed)
}

async fn base_layer(
    writer: &mut ArchiveWriter,
    name: &str,
    layer: &Layer,
    blob: &BlobSource,
    client: &Client,
) -> Result<(), Error> {
    let blob = Blob::fetch(client, blob, &layer.descriptor).await.map_err(Error::Base)?;
    add(writer, name, layer.descriptor.size, blob).await
}

/// Adds an entry of a blob's bytes.
pub(super) async fn add(
    writer: &mut ArchiveWriter,
    name: &str,
    size: u64,
    blob: Blob,
) -> Result<(), Error> {
    match blob {
        Blob::Bytes(bytes) => Ok(writer.add_bytes(name, bytes).await?),
        Blob::File(path) => {
            let failed = |source| Error::Write { path: path.clone(), source };
            let mut file = tokio::fs::File::open(&path).await.map_err(failed)?;
            let mut entry = writer.entry(name, size).await?;
            loop {
                let mut piece = bytes::BytesMut::with_capacity(PIECE);
                if file.read_buf(&mut piece).await.map_err(failed)? == 0 {
                    break;
                }
                entry.write(piece.freeze()).await?;
            }
            Ok(entry.close().await?)
        }
    }
}
