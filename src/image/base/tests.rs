use std::collections::BTreeMap;

use super::*;
use crate::oci::Image;

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

fn index(format: Format, platforms: &[&str]) -> Vec<u8> {
    let entries = platforms.iter().map(|text| {
        let entry = Descriptor::of(format.manifest(), text.as_bytes());
        if text.is_empty() { entry } else { entry.on(platform(text)) }
    });
    ImageIndex::new(format, entries.collect(), BTreeMap::new()).to_bytes()
}

#[test]
fn an_index_gives_the_image_that_fits_best() {
    let real = &[
        "unknown/unknown",
        "",
        "linux/amd64/v3",
        "linux/amd64",
        "linux/arm/v5",
        "linux/arm/v6",
        "linux/arm64/v8",
        "windows/amd64",
    ];
    for format in [Format::Oci, Format::Docker] {
        let index = index(format, real);
        for (wanted, chosen) in [
            ("linux/amd64", "linux/amd64"),
            ("linux/amd64/v3", "linux/amd64/v3"),
            ("linux/amd64/v2", "linux/amd64"),
            ("linux/arm64", "linux/arm64/v8"),
            ("linux/arm64/v8", "linux/arm64/v8"),
            ("linux/arm/v7", "linux/arm/v6"),
            ("linux/arm", "linux/arm/v6"),
            ("linux/arm/v5", "linux/arm/v5"),
            ("windows/amd64", "windows/amd64"),
        ] {
            let found = choose(&index, &platform(wanted)).unwrap();
            assert_eq!(found.platform, Some(platform(chosen)), "{wanted}");
            assert_eq!(found.digest, Digest::of(chosen.as_bytes()));
        }
    }
}

#[test]
fn a_platform_that_is_not_there_is_named_with_those_that_are() {
    let index = index(Format::Oci, &["linux/arm/v7", "unknown/unknown", "linux/amd64"]);
    for wanted in ["linux/arm/v6", "linux/s390x", "unknown/unknown"] {
        let error = choose(&index, &platform(wanted)).unwrap_err();
        let text = format!("it is not available for {wanted}, only for linux/arm/v7, linux/amd64");
        assert_eq!(error.to_string(), text);
    }
    let image = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]}"#;
    assert!(matches!(
        choose(image, &platform("linux/amd64")),
        Err(InvalidBase::MediaType { what: "index", .. })
    ));
    assert!(matches!(choose(b"[", &platform("linux/amd64")), Err(InvalidBase::Json { .. })));
}

/// An image of one layer, as its parts.
fn parts(config: &str) -> (Descriptor, Vec<u8>, Bytes) {
    let layer = Layer {
        descriptor: Descriptor::of(MediaType::ImageLayerGzip, b"blob"),
        diff_id: Digest::of(b"tar"),
    };
    let config = ImageConfig::parse(config.as_bytes()).unwrap();
    let image =
        Image::new(Format::Oci, platform("linux/arm64/v8"), config, vec![layer], BTreeMap::new());
    (image.descriptor().clone(), image.manifest().to_vec(), image.config().clone())
}

fn read(
    descriptor: &Descriptor,
    manifest: &[u8],
    config: &Bytes,
) -> Result<BaseImage, InvalidBase> {
    let source = |layer: &Descriptor| BlobSource::File(layer.digest.hex().into());
    BaseImage::from_parts(&platform("linux/arm64"), descriptor, manifest, config, source)
}

#[test]
fn a_base_is_put_together_from_verified_parts() {
    let (descriptor, manifest, config) = parts(r#"{"architecture":"arm64","os":"linux"}"#);
    let base = read(&descriptor, &manifest, &config).unwrap();
    assert_eq!(base.platform, platform("linux/arm64/v8"));
    assert_eq!(base.digest, Some(descriptor.digest));
    let [(layer, BlobSource::File(path))] = &*base.layers else { panic!("{base:?}") };
    assert_eq!(layer.diff_id, Digest::of(b"tar"));
    assert_eq!(path.to_str().unwrap(), Digest::of(b"blob").hex());

    let other = Bytes::from_static(b"{}");
    let error = read(&descriptor, &manifest, &other).unwrap_err();
    assert!(matches!(error, InvalidBase::Digest { what: "configuration", .. }));
    let error = read(&descriptor, b"{}", &config).unwrap_err();
    assert!(matches!(error, InvalidBase::Digest { what: "manifest", .. }));
}

/// The same manifest with something replaced, correctly described.
fn tampered(from: &str, to: &str) -> Result<BaseImage, InvalidBase> {
    let (descriptor, manifest, config) = parts(r#"{"architecture":"arm64","os":"linux"}"#);
    let manifest = String::from_utf8(manifest).unwrap();
    assert!(manifest.contains(from), "{manifest}");
    let manifest = manifest.replace(from, to);
    let descriptor = Descriptor { digest: Digest::of(manifest.as_bytes()), ..descriptor };
    read(&descriptor, manifest.as_bytes(), &config)
}

#[test]
fn documents_that_are_not_of_an_image_are_rejected() {
    for (from, to, text) in [
        (
            "vnd.oci.image.config.v1+json",
            "vnd.cncf.helm.config.v1+json",
            "its configuration has the media type `application/vnd.cncf.helm.config.v1+json`, which is not one of a container image",
        ),
        (
            "vnd.oci.image.layer.v1.tar+gzip",
            "vnd.in-toto+json",
            "its layer has the media type `application/vnd.in-toto+json`, which is not one of a container image",
        ),
        (
            "vnd.oci.image.manifest.v1+json",
            "vnd.docker.distribution.manifest.v1+json",
            "its manifest has the media type `application/vnd.docker.distribution.manifest.v1+json`, which is not one of a container image",
        ),
        (
            r#""layers":["#,
            r#""subject":null,"layers":[],"x":["#,
            "its manifest has 0 layers, but its configuration has 1 diff IDs",
        ),
    ] {
        assert_eq!(tampered(from, to).unwrap_err().to_string(), text);
    }
    let enormous = tampered(r#""size":"#, r#""size":9999999"#).unwrap_err();
    assert!(matches!(enormous, InvalidBase::TooLarge { what: "configuration", .. }));
    let layer = r#"{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0},"#;
    let many = tampered(r#""layers":["#, &format!(r#""layers":[{}"#, layer.repeat(1000)));
    assert!(matches!(many, Err(InvalidBase::TooManyLayers(1001))));
}

#[test]
fn an_image_for_another_platform_is_none_for_this() {
    for config in [
        r#"{"architecture":"amd64","os":"linux"}"#,
        r#"{"architecture":"arm64","os":"linux","variant":"v9"}"#,
    ] {
        let (descriptor, manifest, config) = parts(config);
        let error = read(&descriptor, &manifest, &config).unwrap_err();
        assert!(matches!(error, InvalidBase::Platform { .. }), "{error}");
    }
    let (descriptor, manifest, config) = parts(r#"{"os":"linux"}"#);
    assert!(matches!(read(&descriptor, &manifest, &config), Err(InvalidBase::Config(_))));
}
