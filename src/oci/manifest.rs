//! Image manifests, image indexes and image configurations, in OCI's or Docker's media types.
//!
//! What is read keeps its bytes elsewhere (a digest is of bytes); what is written is compact JSON
//! with sorted maps, so that the same value is always the same bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Compression, Descriptor, Digest, MediaType, Platform};

/// The two families of media types. An image has the family of its base image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `application/vnd.oci.image.…`
    Oci,
    /// `application/vnd.docker.…`, schema 2.
    Docker,
}

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

impl Format {
    /// The media type of an image manifest.
    #[must_use]
    pub fn manifest(self) -> MediaType {
        match self {
            Self::Oci => MediaType::ImageManifest,
            Self::Docker => DOCKER_MANIFEST.into(),
        }
    }

    /// The media type of an index (Docker: manifest list).
    #[must_use]
    pub fn index(self) -> MediaType {
        match self {
            Self::Oci => MediaType::ImageIndex,
            Self::Docker => DOCKER_INDEX.into(),
        }
    }

    /// The media type of an image configuration.
    #[must_use]
    pub fn config(self) -> MediaType {
        match self {
            Self::Oci => MediaType::ImageConfig,
            Self::Docker => DOCKER_CONFIG.into(),
        }
    }

    /// The media type of a layer. Docker's family has none for zstd, so the OCI one is used.
    #[must_use]
    pub fn layer(self, compression: Compression) -> MediaType {
        match (self, compression) {
            (Self::Oci, Compression::None) => MediaType::ImageLayer,
            (Self::Oci, Compression::Gzip { .. }) => MediaType::ImageLayerGzip,
            (_, Compression::Zstd { .. }) => MediaType::ImageLayerZstd,
            (Self::Docker, Compression::None) => DOCKER_LAYER.into(),
            (Self::Docker, Compression::Gzip { .. }) => DOCKER_LAYER_GZIP.into(),
        }
    }

    /// The family of the media type of a manifest or index, or `None` for other media types.
    #[must_use]
    pub fn of(media_type: &MediaType) -> Option<Self> {
        [Self::Oci, Self::Docker]
            .into_iter()
            .find(|format| *media_type == format.manifest() || *media_type == format.index())
    }

    /// Whether a media type is that of an index, in either family.
    #[must_use]
    pub fn is_index(media_type: &MediaType) -> bool {
        *media_type == Self::Oci.index() || *media_type == Self::Docker.index()
    }
}

/// An image manifest ([manifest.md](https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// Always 2.
    pub schema_version: u32,
    /// The media type of the manifest; optional in old OCI manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// The type of the artifact, if it is not an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<MediaType>,
    /// The image configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// The manifest that this one refers to (OCI 1.1 referrers).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Metadata, by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An image index ([image-index.md](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageIndex {
    /// Always 2.
    pub schema_version: u32,
    /// The media type of the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// The type of the artifact, if it is not a set of images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<MediaType>,
    /// The manifests. Clients use the first that fits.
    pub manifests: Vec<Descriptor>,
    /// The manifest that this index refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Metadata, by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An image configuration ([config.md](https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md)).
///
/// Kept as JSON, so that unknown fields of a base image (Docker's `Healthcheck`, `OnBuild`, `Shell`
/// and future ones) reach the image that is built on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImageConfig(Map<String, Value>);

/// The reason why a document is not an image configuration.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfig {
    /// Not a JSON object.
    #[error("the image configuration is not a JSON object")]
    Json(#[source] serde_json::Error),
    /// `rootfs.diff_ids` is not an array of digests.
    #[error("`rootfs.diff_ids` of the image configuration is not a list of digests")]
    DiffIds,
    /// `os` or `architecture` is missing.
    #[error("the image configuration has no `{0}`")]
    Missing(&'static str),
}

impl ImageConfig {
    /// A configuration with nothing but a platform.
    #[must_use]
    pub fn empty(platform: &Platform) -> Self {
        let mut config = Map::new();
        config.insert("architecture".to_owned(), platform.architecture.clone().into());
        config.insert("os".to_owned(), platform.os.clone().into());
        if let Some(variant) = &platform.variant {
            config.insert("variant".to_owned(), variant.clone().into());
        }
        config.insert("config".to_owned(), Value::Object(Map::new()));
        config.insert("rootfs".to_owned(), serde_json::json!({"type": "layers", "diff_ids": []}));
        Self(config)
    }

    /// Reads a configuration.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidConfig> {
        serde_json::from_slice(bytes).map(Self).map_err(InvalidConfig::Json)
    }

    /// The top-level fields.
    #[must_use]
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The top-level fields, mutable.
    pub fn fields_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }

    /// A field of `config`, which applies to containers: `Env`, `User`, `Entrypoint` …
    #[must_use]
    pub fn run(&self, field: &str) -> Option<&Value> {
        self.0.get("config")?.get(field)
    }

    /// The platform of the image.
    pub fn platform(&self) -> Result<Platform, InvalidConfig> {
        let text = |field: &'static str| self.0.get(field).and_then(Value::as_str);
        Ok(Platform {
            architecture: text("architecture")
                .ok_or(InvalidConfig::Missing("architecture"))?
                .to_owned(),
            os: text("os").ok_or(InvalidConfig::Missing("os"))?.to_owned(),
            os_version: text("os.version").map(str::to_owned),
            variant: text("variant").filter(|variant| !variant.is_empty()).map(str::to_owned),
        })
    }

    /// The diff IDs of the layers, lowest first.
    pub fn diff_ids(&self) -> Result<Vec<Digest>, InvalidConfig> {
        let Some(ids) = self.0.get("rootfs").and_then(|rootfs| rootfs.get("diff_ids")) else {
            return Ok(Vec::new());
        };
        serde_json::from_value(ids.clone()).map_err(|_| InvalidConfig::DiffIds)
    }
}

/// The bytes of a value that are digested and sent: compact JSON.
fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("maps with string keys and no floats always serialise")
}

impl ImageManifest {
    /// The bytes that are digested and sent.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }
}

impl ImageIndex {
    /// The bytes that are digested and sent.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// An index of manifests, in one family of media types.
    #[must_use]
    pub fn new(
        format: Format,
        manifests: Vec<Descriptor>,
        annotations: BTreeMap<String, String>,
    ) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(format.index()),
            artifact_type: None,
            manifests,
            subject: None,
            annotations,
        }
    }
}

impl ImageConfig {
    /// The bytes that are digested and sent.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_as_an_oci_manifest_by_the_specification_s_own_types() {
        let config = Descriptor::of(Format::Oci.config(), b"{}");
        let manifest = ImageManifest {
            schema_version: 2,
            media_type: Some(Format::Oci.manifest()),
            artifact_type: None,
            layers: vec![Descriptor::of(Format::Oci.layer(Compression::None), b"layer")],
            config,
            subject: None,
            annotations: BTreeMap::from([("b".into(), "2".into()), ("a".into(), "1".into())]),
        };
        let read = oci_spec::image::ImageManifest::from_reader(&*manifest.to_bytes()).unwrap();
        assert_eq!(read.layers()[0].digest().to_string(), Digest::of(b"layer").to_string());
        assert_eq!(read.media_type(), &Some(MediaType::ImageManifest));
        assert_eq!(
            serde_json::from_slice::<ImageManifest>(&manifest.to_bytes()).unwrap(),
            manifest
        );
    }

    #[test]
    fn a_configuration_keeps_fields_nobody_here_knows() {
        let text = br#"{"architecture":"arm64","os":"linux","variant":"v8","config":{"Shell":["/x"]},"moby.x":1}"#;
        let config = ImageConfig::parse(text).unwrap();
        assert_eq!(config.to_bytes(), text);
        assert_eq!(config.platform().unwrap().to_string(), "linux/arm64/v8");
        assert_eq!(config.diff_ids().unwrap(), []);
        assert!(config.run("Shell").is_some());
    }
}
