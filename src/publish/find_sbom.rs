//! Finds the SBOM of an image in a registry, as whoever published the image attached it there.

use bytes::Bytes;

use super::codes;
use crate::image::{self, InvalidBase, SbomFormat};
use crate::oci::{
    Descriptor, Digest, Format, ImageManifest, ImageReference, MediaType, Platform, Repository, Tag,
};
use crate::registry::{self, Client};
use crate::report::{Details, Diagnose};

/// The size limit of a fetched document.
const LARGEST: u64 = 256 << 20;

/// The media type that ko uses for SPDX in JSON.
const KO_SPDX: &str = "text/spdx+json";

/// Which SBOM is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SbomQuery {
    /// The image, by tag or digest.
    pub image: ImageReference,
    /// Which image of an index; the one for this machine's architecture if not set.
    pub platform: Option<Platform>,
    /// The format; if not set, any, and SPDX where both exist.
    pub format: Option<SbomFormat>,
}

/// A failure to find the SBOM of an image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FindSbomError {
    /// The registry did not return the image, its referrers or the SBOM.
    #[error("could not fetch the SBOM of `{image}`")]
    Registry {
        /// The image.
        image: ImageReference,
        /// The cause.
        source: registry::Error,
    },
    /// The index has no image for the platform.
    #[error("could not choose an image of the index `{image}`")]
    Index {
        /// The index.
        image: ImageReference,
        /// The cause.
        source: InvalidBase,
    },
    /// Nothing is attached to the image.
    #[error("`{image}` has no SBOM in the registry{}", format.map(|format| format!(" in {format}")).unwrap_or_default())]
    None {
        /// The image, by digest.
        image: ImageReference,
        /// The required format.
        format: Option<SbomFormat>,
    },
    /// The document is too large.
    #[error("the SBOM of `{image}` has {size} bytes, more than the limit of {LARGEST}")]
    TooLarge {
        /// The image.
        image: ImageReference,
        /// The size of the document.
        size: u64,
    },
    /// The fetched document cannot be read.
    #[error("could not read the SBOM of `{image}`")]
    Read {
        /// The image.
        image: ImageReference,
        /// The cause.
        source: std::io::Error,
    },
}

impl Diagnose for FindSbomError {
    fn details(&self) -> Details {
        match self {
            Self::Registry { source, .. } => source.details(),
            Self::Index { .. } => {
                Details::new(&codes::NO_SBOM).hint("choose one of its platforms with --platform")
            }
            Self::None { .. } => Details::new(&codes::NO_SBOM).hint(
                "ko-rs attaches an SBOM only when it pushes a new image: build with --no-cache to \
                 push the same image again",
            ),
            Self::TooLarge { .. } | Self::Read { .. } => Details::new(&codes::SBOM_NOT_READABLE),
        }
    }
}

/// Fetches an SBOM. Everything but the image's tag and its list of referrers is fetched by digest.
pub(crate) async fn find_sbom(client: &Client, wanted: &SbomQuery) -> Result<Bytes, FindSbomError> {
    let repository = &wanted.image.repository;
    let failed = |source| FindSbomError::Registry { image: wanted.image.clone(), source };
    let found = client.manifest(&wanted.image).await.map_err(failed)?;
    let digest = if Format::is_index(&found.descriptor.media_type) {
        let platform = wanted.platform.clone().unwrap_or_else(Platform::host);
        let chosen = image::choose(&found.bytes, &platform);
        let unfit = |source| FindSbomError::Index { image: wanted.image.clone(), source };
        chosen.map_err(unfit)?.digest
    } else {
        found.descriptor.digest
    };
    let listed = client.referrers(repository, &digest).await.map_err(failed)?;
    for format in formats(wanted.format) {
        let kind = format.media_type();
        for entry in listed.iter().filter(|entry| entry.artifact_type.as_ref() == Some(&kind)) {
            let manifest = client.manifest(&repository.at(entry.digest)).await.map_err(failed)?;
            // The list may claim anything; the manifest itself must refer to the image.
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
    Err(FindSbomError::None { image: repository.at(digest), format: wanted.format })
}

/// The acceptable formats, the preferred one first.
fn formats(only: Option<SbomFormat>) -> impl Iterator<Item = SbomFormat> {
    SbomFormat::ALL.into_iter().filter(move |format| only.is_none_or(|only| only == *format))
}

/// Where ko and older versions of cosign put an SBOM: under a tag made of the image's digest.
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

/// The document of an artifact, if it has one of these media types and refers to the subject.
fn document(manifest: &[u8], kinds: &[MediaType], subject: Option<&Digest>) -> Option<Descriptor> {
    let manifest: ImageManifest = serde_json::from_slice(manifest).ok()?;
    let refers = subject.is_none_or(|subject| {
        manifest.subject.as_ref().is_some_and(|found| found.digest == *subject)
    });
    let mut layers = manifest.layers.into_iter();
    layers.find(|layer| refers && kinds.contains(&layer.media_type))
}

async fn fetch(
    client: &Client,
    wanted: &SbomQuery,
    layer: &Descriptor,
) -> Result<Bytes, FindSbomError> {
    let image = || wanted.image.clone();
    if layer.size > LARGEST {
        return Err(FindSbomError::TooLarge { image: image(), size: layer.size });
    }
    let path = client.blob(&wanted.image.repository, layer).await;
    let path = path.map_err(|source| FindSbomError::Registry { image: image(), source })?;
    let document = tokio::fs::read(&path).await;
    Ok(document.map_err(|source| FindSbomError::Read { image: image(), source })?.into())
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
    fn a_document_is_taken_only_from_a_manifest_that_refers_to_the_image() {
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
        // ko's artifact under a tag has no subject.
        assert!(document(&manifest(KO_SPDX, None), &[KO_SPDX.into()], None).is_some());
    }
}
