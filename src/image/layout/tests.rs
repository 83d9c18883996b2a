use std::collections::BTreeMap;
use std::fs;

use super::super::embedded;
use super::*;
use crate::oci::{Image, IndexedImages};

fn write(folder: &Path, digest: &Digest, bytes: &[u8]) {
    let path = blob(folder, digest);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn image(folder: &Path, platform: &Platform, format: Format) -> Image {
    let base = embedded(platform);
    let (layers, sources): (Vec<_>, Vec<_>) = base.layers.into_iter().unzip();
    let image = Image::new(format, platform.clone(), base.config, layers, BTreeMap::new());
    write(folder, &image.digest(), image.manifest());
    write(folder, &image.config_digest(), image.config());
    let [BlobSource::Bytes(layer)] = &*sources else { panic!("{sources:?}") };
    write(folder, &image.layers()[0].descriptor.digest, layer);
    image
}

fn index(folder: &Path, entries: Vec<Descriptor>) {
    let index = ImageIndex::new(Format::Oci, entries, BTreeMap::new());
    fs::write(folder.join("index.json"), index.to_bytes()).unwrap();
}

#[test]
fn one_image_and_an_index_of_images_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let (amd64, arm64) = (Platform::linux("amd64"), Platform::linux("arm64"));
    let one = image(folder.path(), &amd64, Format::Oci);
    let two = image(folder.path(), &arm64, Format::Oci);

    // As skopeo and umoci write it: without a platform.
    index(folder.path(), vec![Descriptor { platform: None, ..one.descriptor().clone() }]);
    let base = from_layout(folder.path(), &amd64).unwrap();
    assert_eq!(base.digest, Some(one.digest()));
    assert!(matches!(&base.layers[0].1, BlobSource::File(path) if path.is_file()));
    assert!(matches!(from_layout(folder.path(), &arm64), Err(LayoutError::Base { .. })));

    let both = IndexedImages::new(Format::Oci, vec![one.clone(), two.clone()], BTreeMap::new());
    write(folder.path(), &both.descriptor().digest, both.index());
    index(folder.path(), vec![both.descriptor().clone()]);
    let base = from_layout(folder.path(), &arm64).unwrap();
    assert_eq!((base.digest, base.index), (Some(two.digest()), Some(both.descriptor().digest)));

    index(folder.path(), vec![one.descriptor().clone(), two.descriptor().clone()]);
    assert_eq!(from_layout(folder.path(), &amd64).unwrap().digest, Some(one.digest()));
}

#[test]
fn a_layout_that_is_ambiguous_or_broken_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let amd64 = Platform::linux("amd64");
    assert!(matches!(from_layout(folder.path(), &amd64), Err(LayoutError::Read { .. })));
    let one = image(folder.path(), &amd64, Format::Oci);
    let two = image(folder.path(), &amd64, Format::Docker);
    let entry = |image: &Image| Descriptor { platform: None, ..image.descriptor().clone() };
    index(folder.path(), vec![entry(&one), entry(&two)]);
    let error = from_layout(folder.path(), &amd64).unwrap_err();
    assert!(matches!(error, LayoutError::Several { count: 2, .. }), "{error}");

    index(folder.path(), vec![entry(&one), entry(&one)]);
    assert!(from_layout(folder.path(), &amd64).is_ok());
    let layer = blob(folder.path(), &one.layers()[0].descriptor.digest);
    fs::write(&layer, "short").unwrap();
    assert!(matches!(from_layout(folder.path(), &amd64), Err(LayoutError::Read { .. })));
    write(folder.path(), &one.config_digest(), b"{}");
    assert!(matches!(from_layout(folder.path(), &amd64), Err(LayoutError::Base { .. })));
}
