//! Pushes the embedded base `static`, for use by other tools and for pinning it by digest.

use super::codes;
use crate::cargo::TargetTriple;
use crate::image;
use crate::oci::{Descriptor, Digest, Format, ImageReference, IndexedImages, Tag};
use crate::registry::{self, BlobBody, Client};
use crate::report::{Details, Diagnose};

/// A failure to push the base.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PushBaseError {
    /// The registry did not accept it.
    #[error("could not push the base image to `{name}`")]
    Registry {
        /// The name that it was to get.
        name: ImageReference,
        /// The cause.
        source: registry::Error,
    },
    /// The name has another digest.
    #[error("expected the digest of the base image, {found}, in `{name}`")]
    Digest {
        /// The name that it was to get.
        name: ImageReference,
        /// Its digest.
        found: Digest,
    },
}

impl Diagnose for PushBaseError {
    fn details(&self) -> Details {
        match self {
            Self::Registry { source, .. } => source.details(),
            Self::Digest { .. } => {
                Details::new(&codes::WRONG_BASE_DIGEST).hint("use a tag, or the repository alone")
            }
        }
    }
}

/// The base `static` for every platform with static executables.
#[must_use]
pub(crate) fn static_base() -> IndexedImages {
    image::embedded_index(TargetTriple::static_platforms())
}

/// Pushes the base, its index last: under the tag of the name, or `latest` without one. Returns its
/// name by digest.
pub(crate) async fn push_base(
    client: &Client,
    name: &ImageReference,
) -> Result<ImageReference, PushBaseError> {
    let index = static_base();
    let found = index.descriptor().digest;
    if name.digest.is_some_and(|digest| digest != found) {
        return Err(PushBaseError::Digest { name: name.clone(), found });
    }
    let failed = |source| PushBaseError::Registry { name: name.clone(), source };
    let repository = &name.repository;
    let configs = index.images().iter().map(|image| {
        (Descriptor::of(Format::Oci.config(), image.config()), image.config().clone())
    });
    for (descriptor, bytes) in std::iter::once(image::embedded_layer()).chain(configs) {
        if !client.has_blob(repository, &descriptor.digest).await.map_err(failed)? {
            let body = BlobBody::Bytes(bytes);
            client.push_blob(repository, &descriptor, body).await.map_err(failed)?;
        }
    }
    for image in index.images() {
        let kind = &image.descriptor().media_type;
        let manifest = image.manifest().clone();
        client.push_manifest(repository, None, kind, manifest).await.map_err(failed)?;
    }
    let tag = match (&name.tag, name.digest) {
        (None, Some(_)) => None,
        (tag, _) => Some(tag.clone().unwrap_or_else(Tag::latest)),
    };
    let kind = &index.descriptor().media_type;
    let bytes = index.index().clone();
    client.push_manifest(repository, tag.as_ref(), kind, bytes).await.map_err(failed)?;
    Ok(repository.at(found))
}
