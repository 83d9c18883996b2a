//! Reads a base image from the bytes of its index, manifest and configuration.
//!
//! All input is untrusted: sizes are limited, digests are computed, and a document of another type
//! than expected is an error.

use bytes::Bytes;

use super::codes;
use crate::oci::manifest::InvalidConfig;
use crate::oci::{
    self, BlobSource, Compression, Descriptor, Digest, Format, ImageConfig, ImageIndex,
    ImageManifest, ImageReference, Layer, MediaType, Platform,
};
use crate::report::{Details, Diagnose};

/// The maximum length of an index, a manifest or a configuration.
pub const LARGEST_DOCUMENT: u64 = 8 << 20;

/// The maximum number of layers: overlay file systems support no more either.
const MOST_LAYERS: usize = 500;

/// A base image for one platform.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseImage {
    /// Its platform.
    pub platform: Platform,
    /// Its family of media types, also used for the image that is built on it.
    pub format: Format,
    /// Its configuration.
    pub config: ImageConfig,
    /// Its layers, lowest first, and where their blobs are.
    pub layers: Vec<(Layer, BlobSource)>,
    /// The name by which it can be pulled.
    pub name: Option<ImageReference>,
    /// The digest of its manifest.
    pub digest: Option<Digest>,
    /// The digest of the index that it was selected from, if any.
    pub index: Option<Digest>,
}

/// The reason why documents are not those of a usable base image.
#[derive(Debug, thiserror::Error)]
pub enum InvalidBase {
    /// A document is too large.
    #[error("its {what} has {size} bytes, more than {LARGEST_DOCUMENT}")]
    TooLarge {
        /// The document.
        what: &'static str,
        /// Its length.
        size: u64,
    },
    /// A document does not have the expected digest.
    #[error("its {what} has the digest {found}, expected {expected}")]
    Digest {
        /// The document.
        what: &'static str,
        /// The expected digest.
        expected: Digest,
        /// The digest of what was received.
        found: Digest,
    },
    /// A document cannot be parsed.
    #[error("its {what} cannot be parsed")]
    Json {
        /// The document.
        what: &'static str,
        /// The cause.
        source: serde_json::Error,
    },
    /// A media type that container images do not have.
    #[error("its {what} has the media type `{media_type}`, which is not one of a container image")]
    MediaType {
        /// The document or blob.
        what: &'static str,
        /// Its media type.
        media_type: MediaType,
    },
    /// The index has no image for the platform.
    #[error("it is not available for {wanted}, only for {}", list(.offered))]
    Platform {
        /// The requested platform.
        wanted: Platform,
        /// The available ones.
        offered: Vec<Platform>,
    },
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] InvalidConfig),
    /// The numbers of layers and of diff IDs differ.
    #[error("its manifest has {layers} layers, but its configuration has {diff_ids} diff IDs")]
    Layers {
        /// The number of layers.
        layers: usize,
        /// The number of diff IDs.
        diff_ids: usize,
    },
    /// More layers than an image can have.
    #[error("it has {0} layers, more than {MOST_LAYERS}")]
    TooManyLayers(usize),
}

impl Diagnose for InvalidBase {
    fn details(&self) -> Details {
        match self {
            Self::Platform { .. } => Details::new(&codes::BASE_IMAGE_PLATFORM).hint(
                "build for one of these with --platform, or use another base image \
                 (`defaultBaseImage` or `baseImageOverrides` in .ko-rs.yaml); `static` is available \
                 for every platform",
            ),
            Self::Digest { .. } => Details::new(&oci::codes::WRONG_DIGEST),
            Self::TooLarge { .. }
            | Self::Json { .. }
            | Self::MediaType { .. }
            | Self::Config(_)
            | Self::Layers { .. }
            | Self::TooManyLayers(_) => Details::new(&codes::INVALID_BASE_IMAGE),
        }
    }
}

fn list(platforms: &[Platform]) -> String {
    match platforms {
        [] => "none".to_owned(),
        platforms => platforms.iter().map(Platform::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// Selects the image for a platform from an index. Entries without a platform and attestations
/// (`unknown/unknown`) are not images.
pub fn choose(index: &[u8], platform: &Platform) -> Result<Descriptor, InvalidBase> {
    bounded("index", index)?;
    let index: ImageIndex = serde_json::from_slice(index)
        .map_err(|source| InvalidBase::Json { what: "index", source })?;
    if let Some(media_type) = index.media_type.filter(|media_type| !Format::is_index(media_type)) {
        return Err(InvalidBase::MediaType { what: "index", media_type });
    }
    choose_among(index.manifests, platform)
}

/// The first of the manifests that fit a platform best.
pub(super) fn choose_among(
    manifests: Vec<Descriptor>,
    platform: &Platform,
) -> Result<Descriptor, InvalidBase> {
    let known = |found: &Platform| found.os != "unknown";
    let offered: Vec<Platform> =
        manifests.iter().filter_map(|entry| entry.platform.clone()).filter(known).collect();
    let chosen = manifests
        .into_iter()
        .filter(|entry| entry.platform.as_ref().is_some_and(known))
        .filter_map(|entry| Some((fit(platform, entry.platform.as_ref()?)?, entry)))
        .min_by_key(|&(fit, _)| fit)
        .map(|(_, entry)| entry)
        .ok_or_else(|| InvalidBase::Platform { wanted: platform.clone(), offered })?;
    if Format::of(&chosen.media_type).is_none() || Format::is_index(&chosen.media_type) {
        return Err(InvalidBase::MediaType { what: "entry", media_type: chosen.media_type });
    }
    Ok(chosen)
}

/// How well an image for `found` fits `wanted`; the lowest number is the best.
fn fit(wanted: &Platform, found: &Platform) -> Option<usize> {
    if (&wanted.os, &wanted.architecture) != (&found.os, &found.architecture) {
        return None;
    }
    // A 32-bit Arm runs code for earlier versions.
    let arms = ["v8", "v7", "v6", "v5"];
    let usual = match wanted.architecture.as_str() {
        "arm64" => Some("v8"),
        "arm" => Some("v7"),
        _ => None,
    };
    match (wanted.variant.as_deref().or(usual), found.variant.as_deref()) {
        (wanted, found) if wanted == found => Some(0),
        (_, None) => Some(1),
        (None, Some(_)) => Some(2),
        (Some(wanted), Some(found)) if arms.contains(&wanted) && usual == Some("v7") => {
            let place = |variant| arms.iter().position(|&arm| arm == variant);
            place(found).filter(|&at| Some(at) >= place(wanted)).map(|at| 2 + at)
        }
        _ => None,
    }
}

/// Reads the image manifest that a descriptor refers to.
pub fn image_manifest(
    descriptor: &Descriptor,
    manifest: &[u8],
) -> Result<(Format, ImageManifest), InvalidBase> {
    verify("manifest", descriptor, manifest)?;
    let manifest: ImageManifest = serde_json::from_slice(manifest)
        .map_err(|source| InvalidBase::Json { what: "manifest", source })?;
    let media_type = manifest.media_type.as_ref().unwrap_or(&descriptor.media_type);
    let format = Format::of(media_type)
        .filter(|_| !Format::is_index(media_type) && manifest.artifact_type.is_none());
    let Some(format) = format else {
        return Err(InvalidBase::MediaType { what: "manifest", media_type: media_type.clone() });
    };
    if manifest.config.media_type != format.config() {
        let media_type = manifest.config.media_type;
        return Err(InvalidBase::MediaType { what: "configuration", media_type });
    }
    if manifest.config.size > LARGEST_DOCUMENT {
        return Err(InvalidBase::TooLarge { what: "configuration", size: manifest.config.size });
    }
    if manifest.layers.len() > MOST_LAYERS {
        return Err(InvalidBase::TooManyLayers(manifest.layers.len()));
    }
    for layer in &manifest.layers {
        if !is_layer(&layer.media_type) {
            let media_type = layer.media_type.clone();
            return Err(InvalidBase::MediaType { what: "layer", media_type });
        }
    }
    Ok((format, manifest))
}

/// Whether a media type is that of a layer, with any compression.
fn is_layer(media_type: &MediaType) -> bool {
    [Compression::None, Compression::Gzip { level: 1 }, Compression::Zstd { level: 1 }]
        .into_iter()
        .any(|compression| {
            [Format::Oci, Format::Docker].iter().any(|f| f.layer(compression) == *media_type)
        })
}

/// Reads a base image document by document: an optional index, the manifest, the configuration. The
/// caller fetches them.
#[derive(Clone, Debug)]
pub struct Reading {
    platform: Platform,
    wanted: Descriptor,
    index: Option<Digest>,
    manifest: Option<(Descriptor, Bytes)>,
}

impl Reading {
    /// Begins with the index or manifest that a descriptor refers to.
    #[must_use]
    pub fn begin(platform: &Platform, descriptor: Descriptor) -> Self {
        Self { platform: platform.clone(), wanted: descriptor, index: None, manifest: None }
    }

    /// The next document to fetch. It must not have more than [`LARGEST_DOCUMENT`] bytes.
    #[must_use]
    pub fn wants(&self) -> &Descriptor {
        &self.wanted
    }

    /// Whether that document is a manifest in a registry, not a blob.
    #[must_use]
    pub fn wants_manifest(&self) -> bool {
        self.manifest.is_none()
    }

    /// Accepts the requested document. Returns the base image if it was the last one. `source` returns
    /// where the blob of a layer is.
    pub fn take(
        &mut self,
        document: Bytes,
        source: impl Fn(&Descriptor) -> BlobSource,
    ) -> Result<Option<BaseImage>, InvalidBase> {
        if let Some((descriptor, manifest)) = &self.manifest {
            let base =
                BaseImage::from_parts(&self.platform, descriptor, manifest, &document, source);
            return Ok(Some(BaseImage { index: self.index, ..base? }));
        }
        if Format::is_index(&self.wanted.media_type) {
            verify("index", &self.wanted, &document)?;
            self.index = Some(self.wanted.digest);
            self.wanted = choose(&document, &self.platform)?;
        } else {
            let config = image_manifest(&self.wanted, &document)?.1.config;
            let descriptor = std::mem::replace(&mut self.wanted, config);
            self.manifest = Some((descriptor, document));
        }
        Ok(None)
    }
}

impl BaseImage {
    /// Assembles a base image from its manifest and configuration, both verified. `source` returns where
    /// the blob of a layer is.
    pub fn from_parts(
        platform: &Platform,
        descriptor: &Descriptor,
        manifest: &[u8],
        config: &Bytes,
        source: impl Fn(&Descriptor) -> BlobSource,
    ) -> Result<Self, InvalidBase> {
        let (format, manifest) = image_manifest(descriptor, manifest)?;
        verify("configuration", &manifest.config, config)?;
        let config = ImageConfig::parse(config)?;
        let stated = descriptor.platform.as_ref().and_then(|stated| stated.variant.clone());
        let found = fitting(platform, &config, stated)?;
        let diff_ids = config.diff_ids()?;
        if diff_ids.len() != manifest.layers.len() {
            let (layers, diff_ids) = (manifest.layers.len(), diff_ids.len());
            return Err(InvalidBase::Layers { layers, diff_ids });
        }
        let layers = manifest.layers.into_iter().zip(diff_ids).map(|(descriptor, diff_id)| {
            let source = source(&descriptor);
            (Layer { descriptor, diff_id }, source)
        });
        let layers = layers.collect();
        let digest = Some(descriptor.digest);
        Ok(Self { platform: found, format, config, layers, name: None, digest, index: None })
    }

    /// Assembles a base image from its configuration and its layers.
    pub(super) fn from_config(
        platform: &Platform,
        format: Format,
        config: &Bytes,
        layers: Vec<(Layer, BlobSource)>,
    ) -> Result<Self, InvalidBase> {
        bounded("configuration", config)?;
        let config = ImageConfig::parse(config)?;
        let platform = fitting(platform, &config, None)?;
        Ok(Self { platform, format, config, layers, name: None, digest: None, index: None })
    }

    /// The same base image with the name by which it can be pulled.
    #[must_use]
    pub fn named(self, name: ImageReference) -> Self {
        Self { name: Some(name), ..self }
    }
}

/// The platform of a configuration, if it fits the requested one. The variant may be `stated`
/// elsewhere.
fn fitting(
    platform: &Platform,
    config: &ImageConfig,
    stated: Option<String>,
) -> Result<Platform, InvalidBase> {
    let mut found = config.platform()?;
    found.variant = found.variant.or(stated);
    if fit(platform, &found).is_none() {
        let (wanted, offered) = (platform.clone(), vec![found]);
        return Err(InvalidBase::Platform { wanted, offered });
    }
    Ok(found)
}

fn bounded(what: &'static str, bytes: &[u8]) -> Result<(), InvalidBase> {
    match bytes.len() as u64 {
        size if size > LARGEST_DOCUMENT => Err(InvalidBase::TooLarge { what, size }),
        _ => Ok(()),
    }
}

/// Checks that a document is the one that a descriptor refers to.
pub(super) fn verify(
    what: &'static str,
    descriptor: &Descriptor,
    bytes: &[u8],
) -> Result<(), InvalidBase> {
    bounded(what, bytes)?;
    let (expected, found) = (descriptor.digest, Digest::of(bytes));
    if expected == found { Ok(()) } else { Err(InvalidBase::Digest { what, expected, found }) }
}

#[cfg(test)]
mod tests;
