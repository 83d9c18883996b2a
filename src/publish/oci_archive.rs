//! Images as an oci-archive: an [OCI image layout][spec] in a tar. The index comes first, so that a
//! reader can stream it; each blob is included once.
//!
//! A blob's name is its digest, so a layer is packed before it is written: into the cache, or, if it is
//! not compressed, only to compute the digest, and then read again.
//!
//! [spec]: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md

use std::collections::BTreeSet;

use bytes::Bytes;

use super::docker_archive::{self, Error};
use super::layout::{LAYOUT, REF_NAME};
use super::sealed::Sealed;
use super::store::Store;
use crate::daemon::archive::ArchiveWriter;
use crate::image::{Blob, ImageDraft};
use crate::oci::{
    Compression, Descriptor, Digest, Format, ImageIndex, ImageReference, LayerSource,
};
use crate::registry::Client;

/// The annotation from which containerd takes an image's name.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// An image or index, and its names in the archive: each as it is printed, and in full, with the
/// registry that is meant if none is named.
pub(super) struct Indexed<'a> {
    pub(super) drafts: &'a [ImageDraft],
    pub(super) sealed: &'a Sealed,
    pub(super) names: Vec<(String, ImageReference)>,
}

/// Writes images into an archive, without the layers that its reader has.
pub(super) async fn write_all(
    mut writer: ArchiveWriter,
    images: &[Indexed<'_>],
    store: &Store,
    client: &Client,
    left_out: &BTreeSet<Digest>,
) -> Result<(), Error> {
    writer.add_bytes("oci-layout", Bytes::from_static(LAYOUT.as_bytes())).await?;
    writer.add_bytes("index.json", index(images).to_bytes().into()).await?;
    for Indexed { drafts, sealed, .. } in images {
        let documents = sealed.images().iter().flat_map(|image| [image.manifest(), image.config()]);
        for document in std::iter::once(sealed.bytes()).chain(documents) {
            let name = blob_name(&Digest::of(document));
            if !writer.contains(&name) {
                writer.add_bytes(&name, document.clone()).await?;
            }
        }
        for draft in *drafts {
            for (layer, blob) in draft.base_layers() {
                let Descriptor { digest, size, .. } = &layer.descriptor;
                let name = blob_name(digest);
                if !left_out.contains(digest) && !writer.contains(&name) {
                    let blob = Blob::fetch(client, blob, &layer.descriptor).await;
                    docker_archive::add(&mut writer, &name, *size, blob.map_err(Error::Base)?)
                        .await?;
                }
            }
            for source in draft.sources() {
                new_layer(&mut writer, source, store, left_out).await?;
            }
        }
    }
    Ok(writer.end().await?)
}

fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// The `index.json`: an entry for every name; what has no name is listed once, by its digest.
fn index(images: &[Indexed<'_>]) -> ImageIndex {
    let mut entries = Vec::new();
    for Indexed { sealed, names, .. } in images {
        let unnamed = sealed.descriptor();
        if names.is_empty() && !entries.contains(unnamed) {
            entries.push(unnamed.clone());
        }
        entries.extend(names.iter().map(|(printed, full)| {
            let mut entry = unnamed.clone();
            entry.annotations.insert(REF_NAME.to_owned(), printed.clone());
            entry.annotations.insert(CONTAINERD_NAME.to_owned(), full.to_string());
            entry
        }));
    }
    ImageIndex::new(Format::Oci, entries, Default::default())
}

async fn new_layer(
    writer: &mut ArchiveWriter,
    source: &LayerSource,
    store: &Store,
    left_out: &BTreeSet<Digest>,
) -> Result<(), Error> {
    if store.compression != Compression::None {
        let (packed, path) = store.file(source).await?;
        let name = blob_name(&packed.digest);
        return match left_out.contains(&packed.digest) || writer.contains(&name) {
            true => Ok(()),
            false => docker_archive::add(writer, &name, packed.size, Blob::File(path)).await,
        };
    }
    let purpose = source.purpose;
    let announced = store.measure(source).await?;
    let name = blob_name(&announced.digest);
    if left_out.contains(&announced.digest) || writer.contains(&name) {
        return Ok(());
    }
    let mut packing = store.pack(source);
    let mut entry = writer.entry(&name, announced.size).await?;
    while let Some(chunk) = packing.chunks.recv().await {
        entry.write(chunk).await?;
    }
    let packed = packing.finish().await.map_err(|source| Error::Pack { purpose, source })?;
    entry.close().await?;
    if packed == announced { Ok(()) } else { Err(Error::Changed { purpose }) }
}
