//! The embedded base `static` in a registry, for whoever builds on it with other tools, or wants to
//! pin it.

use crate::cargo::TargetTriple;
use crate::image;
use crate::oci::{Descriptor, Digest, Format, ImageReference, IndexedImages, Tag};
use crate::registry::{self, BlobBody, Client};

/// Why the base is not in the registry.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry.
    #[error("could not push the base image to `{name}`")]
    Registry {
        /// Where it was to be.
        name: ImageReference,
        /// Why not.
        source: registry::Error,
    },
    /// It was to have a digest that it has not.
    #[error("`{name}` is not the digest of the base image, which is {found}")]
    Digest {
        /// What was asked for.
        name: ImageReference,
        /// What it has.
        found: Digest,
    },
}

impl Error {
    /// The way out.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Registry { source, .. } => source.hint(),
            Self::Digest { .. } => Some("name a tag, or the repository alone".to_owned()),
        }
    }
}

/// The base `static` for every platform that has static executables.
#[must_use]
pub fn static_base() -> IndexedImages {
    image::embedded_index(TargetTriple::static_platforms())
}

/// Pushes the base, its index last: under the tag of the name, `latest` where it has none. Returns
/// its name by digest.
pub async fn push_base(client: &Client, name: &ImageReference) -> Result<ImageReference, Error> {
    let index = static_base();
    let found = index.descriptor().digest;
    if name.digest.is_some_and(|digest| digest != found) {
        return Err(Error::Digest { name: name.clone(), found });
    }
    let failed = |source| Error::Registry { name: name.clone(), source };
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
