//! Any bytes as an index, an image manifest or an image configuration: no panic.
#![no_main]

use ko_rs::image::{BaseImage, choose, image_manifest};
use ko_rs::oci::{BlobSource, Descriptor, Digest, MediaType, Platform};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let platform: Platform = "linux/arm64/v8".parse().expect("it is a platform");
    let _ = choose(bytes, &platform);
    for media_type in [
        MediaType::ImageManifest,
        MediaType::from("application/vnd.docker.distribution.manifest.v2+json"),
    ] {
        let descriptor = Descriptor::of(media_type, bytes);
        let _ = image_manifest(&descriptor, bytes);
    }
    // The same bytes as a configuration, under a manifest that fits them.
    let config = Descriptor::of(MediaType::ImageConfig, bytes);
    let layer = Digest::of(b"");
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer}","size":0}}]}}"#,
        config.digest, config.size
    );
    let descriptor = Descriptor::of(MediaType::ImageManifest, manifest.as_bytes());
    let source = |_: &Descriptor| BlobSource::Registry("r.example/x".parse().expect("a name"));
    let _ = BaseImage::from_parts(
        &platform,
        &descriptor,
        manifest.as_bytes(),
        &bytes.to_vec().into(),
        source,
    );
});
