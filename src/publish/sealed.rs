//! A finished image, or the finished images of several platforms under their index.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::image::{BASE_DIGEST, ImageDraft};
use crate::oci::{Compression, Descriptor, Digest, Format, Image, IndexedImages, Packed};

/// What is published under one name.
#[derive(Clone, Debug)]
pub(super) enum Sealed {
    /// One platform.
    Image(Image),
    /// Several platforms.
    Index(IndexedImages),
}

/// The annotations of an index: those that all its images share, and the digest of the index of their
/// bases.
fn annotations(drafts: &[ImageDraft]) -> BTreeMap<String, String> {
    let Some((first, others)) = drafts.split_first() else { return BTreeMap::new() };
    let shared = first.annotations().iter().filter(|(key, value)| {
        others.iter().all(|draft| draft.annotations().get(*key) == Some(*value))
    });
    let mut shared: BTreeMap<String, String> =
        shared.map(|(key, value)| (key.clone(), value.clone())).collect();
    let index = first
        .base_index()
        .filter(|_| others.iter().all(|draft| draft.base_index() == first.base_index()));
    if let Some(index) = index {
        shared.insert(BASE_DIGEST.to_owned(), index.to_string());
    }
    shared
}

impl Sealed {
    /// Finishes drafts with their packed layers, one list for each draft.
    #[must_use]
    pub(super) fn new(
        drafts: &[ImageDraft],
        packed: &[Vec<Packed>],
        compression: Compression,
    ) -> Self {
        let mut images: Vec<Image> = drafts
            .iter()
            .zip(packed)
            .map(|(draft, packed)| {
                let layer = |packed: &Packed| packed.layer(draft.format(), compression);
                draft.seal(&packed.iter().map(layer).collect::<Vec<_>>())
            })
            .collect();
        if images.len() == 1 {
            return Self::Image(images.remove(0));
        }
        // The format of the images: compressed by zstd they are OCI images, whatever the base was.
        let family = images.first().and_then(|image| Format::of(&image.descriptor().media_type));
        let format = family.unwrap_or(Format::Oci);
        Self::Index(IndexedImages::new(format, images, annotations(drafts)))
    }

    /// The images, one a platform.
    #[must_use]
    pub(super) fn images(&self) -> &[Image] {
        match self {
            Self::Image(image) => std::slice::from_ref(image),
            Self::Index(index) => index.images(),
        }
    }

    /// Describes the manifest or index.
    #[must_use]
    pub(super) fn descriptor(&self) -> &Descriptor {
        match self {
            Self::Image(image) => image.descriptor(),
            Self::Index(index) => index.descriptor(),
        }
    }

    /// The bytes of the manifest or index.
    #[must_use]
    pub(super) fn bytes(&self) -> &Bytes {
        match self {
            Self::Image(image) => image.manifest(),
            Self::Index(index) => index.index(),
        }
    }

    /// The digest of the manifest or index.
    #[must_use]
    pub(super) fn digest(&self) -> Digest {
        self.descriptor().digest
    }

    /// The digests of an index's images; none for a single image.
    #[must_use]
    pub(super) fn children(&self) -> Vec<Digest> {
        match self {
            Self::Image(_) => Vec::new(),
            Self::Index(index) => index.images().iter().map(Image::digest).collect(),
        }
    }
}
