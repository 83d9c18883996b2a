//! The bill of materials of an image in a registry, as whoever published the image left it there.

use bytes::Bytes;

use crate::image::{self, BaseError, SbomFormat};
use crate::oci::{
    Descriptor, Digest, Format, ImageManifest, ImageReference, MediaType, Platform, Repository, Tag,
};
use crate::registry::{self, Client};

/// The largest document that is fetched.
const LARGEST: u64 = 256 << 20;

/// What ko calls SPDX in JSON.
const KO_SPDX: &str = "text/spdx+json";

/// Which bill of materials is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillOf {
    /// The image, by tag or digest.
    pub image: ImageReference,
    /// Which one of an index; without, the one for this machine's architecture.
    pub platform: Option<Platform>,
    /// In which format; without, SPDX where there are both.
    pub format: Option<SbomFormat>,
}

/// Why there is no bill of materials to print.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry.
    #[error("could not get the bill of materials of `{image}`")]
    Registry {
        /// The image.
        image: ImageReference,
        /// Why not.
        source: registry::Error,
    },
    /// The index has no such image.
    #[error("`{image}` is an index without that image")]
    Index {
        /// The index.
        image: ImageReference,
        /// Why not.
        source: BaseError,
    },
    /// The registry has none.
    #[error("`{image}` has no bill of materials in the registry{}", format.map(|format| format!(" in {format}")).unwrap_or_default())]
    None {
        /// The image, by digest.
        image: ImageReference,
        /// The only format that would do.
        format: Option<SbomFormat>,
    },
    /// A document that is too large.
    #[error(
        "the bill of materials of `{image}` has {size} bytes, more than the {LARGEST} that are fetched"
    )]
    TooLarge {
        /// The image.
        image: ImageReference,
        /// Its length.
        size: u64,
    },
    /// The fetched document.
    #[error("could not read the bill of materials of `{image}`")]
    Read {
        /// The image.
        image: ImageReference,
        /// Why not.
        source: std::io::Error,
    },
}

impl Error {
    /// The way out.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Registry { source, .. } => source.hint(),
            Self::Index { .. } => Some("ask for one of those with --platform".to_owned()),
            Self::None { .. } => Some(
                "ko-rs pushes one with a new image, and none later: build with --no-cache to push \
                 the same image again"
                    .to_owned(),
            ),
            Self::TooLarge { .. } | Self::Read { .. } => None,
        }
    }
}

/// Fetches a bill of materials. Everything but the two lists that lead there is fetched by digest.
pub async fn bill(client: &Client, wanted: &BillOf) -> Result<Bytes, Error> {
    let repository = &wanted.image.repository;
    let failed = |source| Error::Registry { image: wanted.image.clone(), source };
    let found = client.manifest(&wanted.image).await.map_err(failed)?;
    let digest = if Format::is_index(&found.descriptor.media_type) {
        let platform = wanted.platform.clone().unwrap_or_else(Platform::host);
        let chosen = image::choose(&found.bytes, &platform);
        let unfit = |source| Error::Index { image: wanted.image.clone(), source };
        chosen.map_err(unfit)?.digest
    } else {
        found.descriptor.digest
    };
    let listed = client.referrers(repository, &digest).await.map_err(failed)?;
    for format in formats(wanted.format) {
        let kind = format.media_type();
        for entry in listed.iter().filter(|entry| entry.artifact_type.as_ref() == Some(&kind)) {
            let manifest = client.manifest(&repository.at(entry.digest)).await.map_err(failed)?;
            // A list says what it likes; what refers to the image says so itself.
            if let Some(layer) =
                document(&manifest.bytes, std::slice::from_ref(&kind), Some(&digest))
            {
                return fetch(client, wanted, &layer).await;
            }
        }
    }
    if let Some(layer) = beside(client, repository, &digest, wanted.format).await.map_err(failed)? {
        return fetch(client, wanted, &layer).await;
    }
    Err(Error::None { image: repository.at(digest), format: wanted.format })
}

/// The formats that would do, best first.
fn formats(only: Option<SbomFormat>) -> impl Iterator<Item = SbomFormat> {
    SbomFormat::ALL.into_iter().filter(move |format| only.is_none_or(|only| only == *format))
}

/// Where ko and older versions of cosign put one: under a tag made of the image's digest.
async fn beside(
    client: &Client,
    repository: &Repository,
    digest: &Digest,
    format: Option<SbomFormat>,
) -> Result<Option<Descriptor>, registry::Error> {
    let Ok(tag) = format!("sha256-{}.sbom", digest.hex()).parse::<Tag>() else { return Ok(None) };
    let image = repository.tagged(tag);
    let Some(found) = client.find_manifest(&image).await? else { return Ok(None) };
    let manifest = client.manifest(&repository.at(found.digest)).await?;
    let mut kinds: Vec<MediaType> = formats(format).map(SbomFormat::media_type).collect();
    if format != Some(SbomFormat::CycloneDx) {
        kinds.push(KO_SPDX.into());
    }
    Ok(document(&manifest.bytes, &kinds, None))
}

/// The document of an artifact, if it is of such a kind and refers to that subject.
fn document(manifest: &[u8], kinds: &[MediaType], subject: Option<&Digest>) -> Option<Descriptor> {
    let manifest: ImageManifest = serde_json::from_slice(manifest).ok()?;
    let refers = subject.is_none_or(|subject| {
        manifest.subject.as_ref().is_some_and(|found| found.digest == *subject)
    });
    let mut layers = manifest.layers.into_iter();
    layers.find(|layer| refers && kinds.contains(&layer.media_type))
}

async fn fetch(client: &Client, wanted: &BillOf, layer: &Descriptor) -> Result<Bytes, Error> {
    let image = || wanted.image.clone();
    if layer.size > LARGEST {
        return Err(Error::TooLarge { image: image(), size: layer.size });
    }
    let path = client.blob(&wanted.image.repository, layer).await;
    let path = path.map_err(|source| Error::Registry { image: image(), source })?;
    let document = tokio::fs::read(&path).await;
    Ok(document.map_err(|source| Error::Read { image: image(), source })?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(kind: &str, subject: Option<&Digest>) -> Vec<u8> {
        let manifest = ImageManifest {
            schema_version: 2,
            media_type: Some(MediaType::ImageManifest),
            artifact_type: Some(kind.into()),
            config: Descriptor::of(MediaType::EmptyJSON, b"{}"),
            layers: vec![Descriptor::of(kind.into(), b"document")],
            subject: subject.map(|digest| Descriptor::new(MediaType::ImageManifest, *digest, 1)),
            annotations: Default::default(),
        };
        manifest.to_bytes()
    }

    #[test]
    fn a_document_is_taken_only_from_what_refers_to_the_image_itself() {
        let (image, other) = (Digest::of(b"image"), Digest::of(b"other"));
        let spdx = SbomFormat::Spdx.media_type();
        let kinds = [spdx.clone()];
        let take = |kind: &str, subject: Option<&Digest>| {
            document(&manifest(kind, subject), &kinds, Some(&image)).is_some()
        };
        let name = spdx.to_string();
        assert!(take(&name, Some(&image)));
        assert!(!take(&name, Some(&other)) && !take(&name, None));
        assert!(!take("application/vnd.example.signature", Some(&image)));
        assert!(document(b"<html>", &kinds, None).is_none());
        // What ko leaves under a tag names no subject.
        assert!(document(&manifest(KO_SPDX, None), &[KO_SPDX.into()], None).is_some());
    }
}
