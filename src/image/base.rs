//! A base image, read from the bytes of its index, manifest and configuration.
//!
//! Every byte comes from outside: sizes are bounded, digests recomputed, and a document that is
//! something else than it was said to be is an error.

use bytes::Bytes;

use crate::oci::manifest::InvalidConfig;
use crate::oci::{
    BlobSource, Compression, Descriptor, Digest, Format, ImageConfig, ImageIndex, ImageManifest,
    ImageReference, Layer, MediaType, Platform,
};

/// The largest index, manifest or configuration that is read.
pub const LARGEST_DOCUMENT: u64 = 8 << 20;

/// The most layers a base may have: file systems that stack them take no more either.
const MOST_LAYERS: usize = 500;

/// What an image is built upon, for one platform.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseImage {
    /// What it runs on.
    pub platform: Platform,
    /// Its family of media types, which an image on it shares.
    pub format: Format,
    /// Its configuration.
    pub config: ImageConfig,
    /// Its layers, lowest first, and where their blobs can be had.
    pub layers: Vec<(Layer, BlobSource)>,
    /// The name by which others can pull it.
    pub name: Option<ImageReference>,
    /// The digest of its manifest.
    pub digest: Option<Digest>,
    /// The digest of the index that it was chosen from, if it was.
    pub index: Option<Digest>,
}

/// Why something is no base image.
#[derive(Debug, thiserror::Error)]
pub enum InvalidBase {
    /// A document is larger than any that means well.
    #[error("its {what} has {size} bytes, more than {LARGEST_DOCUMENT}")]
    TooLarge {
        /// Which document.
        what: &'static str,
        /// Its length.
        size: u64,
    },
    /// A document is not what its digest says.
    #[error("its {what} has the digest {found}, not {expected}")]
    Digest {
        /// Which document.
        what: &'static str,
        /// What was asked for.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// A document cannot be read.
    #[error("its {what} is no such document")]
    Json {
        /// Which document.
        what: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// A media type that is none of an image's.
    #[error("its {what} has the media type `{media_type}`, which is none of a container image's")]
    MediaType {
        /// Which document or blob.
        what: &'static str,
        /// Its media type.
        media_type: MediaType,
    },
    /// The index has nothing for the platform.
    #[error("it is not there for {wanted}, only for {}", list(.offered))]
    Platform {
        /// What was asked for.
        wanted: Platform,
        /// What there is.
        offered: Vec<Platform>,
    },
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] InvalidConfig),
    /// Layers and diff IDs do not go together.
    #[error("its manifest has {layers} layers and its configuration {diff_ids} diff IDs")]
    Layers {
        /// How many layers.
        layers: usize,
        /// How many diff IDs.
        diff_ids: usize,
    },
    /// More layers than an image can have.
    #[error("it has {0} layers, more than {MOST_LAYERS}")]
    TooManyLayers(usize),
}

impl InvalidBase {
    /// The way out.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Platform { .. } => Some(
                "ask for one of those with --platform, or take another base (`defaultBaseImage` or \
                 `baseImageOverrides` in .ko-rs.yaml); `static` is there for every platform"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

fn list(platforms: &[Platform]) -> String {
    match platforms {
        [] => "none".to_owned(),
        platforms => platforms.iter().map(Platform::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// Picks the image for a platform out of an index. Entries without a platform and attestations
/// (`unknown/unknown`) are no images.
pub fn choose(index: &[u8], platform: &Platform) -> Result<Descriptor, InvalidBase> {
    bounded("index", index)?;
    let index: ImageIndex = serde_json::from_slice(index)
        .map_err(|source| InvalidBase::Json { what: "index", source })?;
    if let Some(media_type) = index.media_type.filter(|media_type| !Format::is_index(media_type)) {
        return Err(InvalidBase::MediaType { what: "index", media_type });
    }
    choose_among(index.manifests, platform)
}

/// The first of those manifests that fits a platform best.
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

/// How well something made for `found` runs where `wanted` is asked for, the least number best.
fn fit(wanted: &Platform, found: &Platform) -> Option<usize> {
    if (&wanted.os, &wanted.architecture) != (&found.os, &found.architecture) {
        return None;
    }
    // Of the 32-bit Arms a later one runs what was made for an earlier one.
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

/// Reads an image manifest, which must be the one described.
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

/// Whether a media type is that of a layer's tar, in whatever compression.
fn is_layer(media_type: &MediaType) -> bool {
    [Compression::None, Compression::Gzip { level: 1 }, Compression::Zstd { level: 1 }]
        .into_iter()
        .any(|compression| {
            [Format::Oci, Format::Docker].iter().any(|f| f.layer(compression) == *media_type)
        })
}

/// A base on its way from its documents, one after the other: an index perhaps, the manifest, the
/// configuration. Who fetches them, and from where, is not known here.
#[derive(Clone, Debug)]
pub struct Reading {
    platform: Platform,
    wanted: Descriptor,
    index: Option<Digest>,
    manifest: Option<(Descriptor, Bytes)>,
}

impl Reading {
    /// Begins with the index or manifest that is described.
    #[must_use]
    pub fn begin(platform: &Platform, descriptor: Descriptor) -> Self {
        Self { platform: platform.clone(), wanted: descriptor, index: None, manifest: None }
    }

    /// The document that is to be fetched. What has more than [`LARGEST_DOCUMENT`] bytes is refused.
    #[must_use]
    pub fn wants(&self) -> &Descriptor {
        &self.wanted
    }

    /// Whether a registry has that document among its manifests, not among its blobs.
    #[must_use]
    pub fn wants_manifest(&self) -> bool {
        self.manifest.is_none()
    }

    /// Takes the document that was wanted; gives the base once it is complete, else wants another.
    /// `source` says where a layer's blob can be had.
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
    /// Puts a base together from its manifest and configuration, each of which must be the one
    /// described. `source` says where a layer's blob can be had.
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

    /// Puts a base together from its configuration and the layers that it names, which lie here.
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

    /// The same base, which others can pull by that name.
    #[must_use]
    pub fn named(self, name: ImageReference) -> Self {
        Self { name: Some(name), ..self }
    }
}

/// What a configuration's image runs on, if that is what is wanted. The variant may be `stated`
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

/// Whether a document is the one that a descriptor points at.
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
