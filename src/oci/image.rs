//! A finished image, and an index of several.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

use super::{Descriptor, Digest, Format, ImageConfig, ImageIndex, ImageManifest, Layer, Platform};

/// An image with all digests: manifest, configuration and layers. It contains the bytes of the
/// manifest and of the configuration; those of the layers stay where they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    manifest: Bytes,
    descriptor: Descriptor,
    config: Bytes,
    config_digest: Digest,
    layers: Vec<Layer>,
}

impl Image {
    /// Creates the manifest for a configuration and its layers, lowest first. The diff IDs of the
    /// layers are put into the configuration.
    #[must_use]
    pub fn new(
        format: Format,
        platform: Platform,
        mut config: ImageConfig,
        layers: Vec<Layer>,
        annotations: BTreeMap<String, String>,
    ) -> Self {
        let diff_ids: Vec<Value> =
            layers.iter().map(|layer| Value::String(layer.diff_id.to_string())).collect();
        config.fields_mut().insert(
            "rootfs".to_owned(),
            serde_json::json!({"type": "layers", "diff_ids": diff_ids}),
        );
        let config = Bytes::from(config.to_bytes());
        let config_descriptor = Descriptor::of(format.config(), &config);
        let config_digest = config_descriptor.digest;
        let manifest = ImageManifest {
            schema_version: 2,
            media_type: Some(format.manifest()),
            artifact_type: None,
            config: config_descriptor,
            layers: layers.iter().map(|layer| layer.descriptor.clone()).collect(),
            subject: None,
            annotations,
        };
        let manifest = Bytes::from(manifest.to_bytes());
        let descriptor = Descriptor::of(format.manifest(), &manifest).on(platform);
        Self { manifest, descriptor, config, config_digest, layers }
    }

    /// The manifest's bytes.
    #[must_use]
    pub fn manifest(&self) -> &Bytes {
        &self.manifest
    }

    /// Describes the manifest, with the platform the image runs on.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The digest of the manifest: the image's digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.descriptor.digest
    }

    /// The configuration's bytes.
    #[must_use]
    pub fn config(&self) -> &Bytes {
        &self.config
    }

    /// The digest of the configuration: the image's ID in a Docker Engine with graph drivers.
    #[must_use]
    pub fn config_digest(&self) -> Digest {
        self.config_digest
    }

    /// The layers, lowest first.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }
}

/// Images of one program for several platforms, under an index.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexedImages {
    index: Bytes,
    descriptor: Descriptor,
    images: Vec<Image>,
}

impl IndexedImages {
    /// Puts images under an index, in the order given.
    #[must_use]
    pub fn new(format: Format, images: Vec<Image>, annotations: BTreeMap<String, String>) -> Self {
        let manifests = images.iter().map(|image| image.descriptor().clone()).collect();
        let index = Bytes::from(ImageIndex::new(format, manifests, annotations).to_bytes());
        Self { descriptor: Descriptor::of(format.index(), &index), index, images }
    }

    /// The index's bytes.
    #[must_use]
    pub fn index(&self) -> &Bytes {
        &self.index
    }

    /// Describes the index.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The images, in the index's order.
    #[must_use]
    pub fn images(&self) -> &[Image] {
        &self.images
    }
}
