//! Entry points of `fuzz/` to the code that reads base images: documents and layers. The unit tests
//! run them on `fuzz/seeds`.

use super::contents::Contents;
use super::layer_facts::LayerFacts;
use super::{BaseImage, choose, image_manifest};
use crate::oci::{BlobSource, Descriptor, Digest, MediaType, Platform};

/// An index, a manifest or a configuration: any bytes are accepted or rejected.
pub fn documents(bytes: &[u8]) {
    let platform: Platform = "linux/arm64/v8".parse().expect("it is a platform");
    let _ = choose(bytes, &platform);
    for media_type in [
        MediaType::ImageManifest,
        MediaType::from("application/vnd.docker.distribution.manifest.v2+json"),
    ] {
        let descriptor = Descriptor::of(media_type, bytes);
        let _ = image_manifest(&descriptor, bytes);
    }
    // The same bytes as a configuration, with a matching manifest.
    let config = Descriptor::of(MediaType::ImageConfig, bytes);
    let layer = Digest::of(b"");
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer}","size":0}}]}}"#,
        config.digest, config.size
    );
    let descriptor = Descriptor::of(MediaType::ImageManifest, manifest.as_bytes());
    let source = |_: &Descriptor| BlobSource::Registry("r.example/x".parse().expect("a name"));
    let config = bytes.to_vec().into();
    let _ = BaseImage::from_parts(&platform, &descriptor, manifest.as_bytes(), &config, source);
}

/// The tar archive of a layer: its facts cannot be larger than the archive.
pub fn layer(tar: &[u8]) {
    let Ok(facts) = LayerFacts::read(tar) else { return };
    let kept: usize = facts.nodes().map(|(path, _)| path.len()).sum();
    assert!(kept <= tar.len().saturating_mul(2), "{kept} bytes of names from {}", tar.len());
    let texts: usize = facts.texts.values().map(String::len).sum();
    assert!(texts <= tar.len().saturating_mul(3), "{texts} bytes of text from {}", tar.len());
    let _ = Contents::from_layers([facts]);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{documents, layer};
    use crate::registry::fuzzing::{bodies, files, headers, names};

    /// The facts of a corpus of a fuzz target.
    fn seeds(target: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
        let files = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{folder:?}: {e}"));
        let seeds: Vec<_> =
            files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
        assert!(seeds.len() > 10, "{folder:?} holds a corpus");
        seeds
    }

    fn texts(target: &str) -> impl Iterator<Item = String> {
        seeds(target).into_iter().filter_map(|seed| String::from_utf8(seed).ok())
    }

    #[test]
    fn what_fuzzers_kept_is_read_or_refused() {
        seeds("layers").iter().for_each(|seed| layer(seed));
        seeds("images").iter().for_each(|seed| documents(seed));
        for seed in seeds("answers") {
            headers(&seed);
            bodies(&seed);
        }
        texts("names").for_each(|text| names(&text));
        let folder = tempfile::tempdir().unwrap();
        texts("files").for_each(|text| files(&text, folder.path()));
    }
}
