//! The base images without network and engine: `static`, which is embedded in ko-rs, and `scratch`.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::BaseImage;
use crate::oci::{
    BlobSource, Descriptor, Digest, Format, Image, ImageConfig, IndexedImages, Layer, MediaType,
    Platform,
};

const LAYER: &[u8] = include_bytes!("../../base-images/static/layer.tar.gz");
const BASE: &str = include_str!("../../base-images/static/base.json");

/// The contents of `base.json`.
#[derive(Deserialize)]
struct Base {
    date: String,
    config: Map<String, Value>,
    layer: BaseLayer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BaseLayer {
    media_type: MediaType,
    digest: Digest,
    size: u64,
    diff_id: Digest,
}

fn base() -> Base {
    serde_json::from_str(BASE).expect("base.json is compiled in, and a test reads it")
}

/// The base image `static`. It is the same for every platform, except for the name of the platform.
#[must_use]
pub fn embedded(platform: &Platform) -> BaseImage {
    let (image, config, layer) = parts(platform);
    BaseImage {
        platform: platform.clone(),
        format: Format::Oci,
        config,
        layers: vec![(layer, BlobSource::Bytes(Bytes::from_static(LAYER)))],
        name: None,
        // The digest that the base image has in a registry.
        digest: Some(image.digest()),
        index: None,
    }
}

/// The base image `static` as it is pushed to a registry: an index of the same image for each
/// platform.
#[must_use]
pub fn embedded_index(platforms: impl IntoIterator<Item = Platform>) -> IndexedImages {
    let images = platforms.into_iter().map(|platform| parts(&platform).0).collect();
    IndexedImages::new(Format::Oci, images, BTreeMap::new())
}

/// The one layer of `static`.
#[must_use]
pub fn embedded_layer() -> (Descriptor, Bytes) {
    let BaseLayer { media_type, digest, size, .. } = base().layer;
    (Descriptor::new(media_type, digest, size), Bytes::from_static(LAYER))
}

fn parts(platform: &Platform) -> (Image, ImageConfig, Layer) {
    let base = base();
    let mut config = ImageConfig::empty(platform);
    let fields = config.fields_mut();
    fields.insert("created".to_owned(), "1970-01-01T00:00:00Z".into());
    fields.insert("config".to_owned(), Value::Object(base.config));
    fields.insert(
        "history".to_owned(),
        serde_json::json!([
            {"created": "1970-01-01T00:00:00Z", "created_by": "ko-rs: base image static"}
        ]),
    );
    let BaseLayer { media_type, digest, size, diff_id } = base.layer;
    let layer = Layer { descriptor: Descriptor::new(media_type, digest, size), diff_id };
    let image = Image::new(
        Format::Oci,
        platform.clone(),
        config.clone(),
        vec![layer.clone()],
        BTreeMap::new(),
    );
    (image, config, layer)
}

/// The date of the packages in `static`, as `YYYY-MM-DD`.
#[must_use]
pub fn embedded_date() -> String {
    base().date
}

/// The empty base image.
#[must_use]
pub fn scratch(platform: &Platform) -> BaseImage {
    BaseImage {
        platform: platform.clone(),
        format: Format::Oci,
        config: ImageConfig::empty(platform),
        layers: Vec::new(),
        name: None,
        digest: None,
        index: None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_embedded_is_what_it_is_said_to_be() {
        let base = embedded(&Platform::linux("arm64"));
        let [(layer, BlobSource::Bytes(blob))] = &*base.layers else { panic!("{base:?}") };
        assert_eq!(Digest::of(blob), layer.descriptor.digest);
        assert_eq!(blob.len() as u64, layer.descriptor.size);
        let mut tar = Vec::new();
        flate2::read::GzDecoder::new(&**blob).read_to_end(&mut tar).unwrap();
        assert_eq!(Digest::of(&tar), layer.diff_id);
        assert_eq!(base.config.run("User").unwrap(), "65532");
        assert_eq!(base.config.platform().unwrap(), base.platform);
        assert_eq!(embedded_date().len(), 10);
    }
}
