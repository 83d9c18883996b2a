//! Reads an OCI image layout as a stranger would: every digest, diff ID and size is computed anew.
//! Shares no code with ko-rs.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// An image for one platform, all of it read and checked.
pub(crate) struct Image {
    /// What the index calls it: `org.opencontainers.image.ref.name`, of its index if it is in one.
    pub(crate) name: Option<String>,
    /// The digest by which it is pulled: its index's if it is in one.
    pub(crate) digest: String,
    pub(crate) manifest: Value,
    pub(crate) config: Value,
    pub(crate) layers: Vec<Vec<File>>,
}

/// What a layer says about a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) kind: tar::EntryType,
    pub(crate) mode: u32,
    pub(crate) owner: (u64, u64),
    pub(crate) mtime: u64,
    pub(crate) content: Vec<u8>,
}

impl Image {
    /// The file that a container would see: the uppermost layer's.
    #[track_caller]
    pub(crate) fn file(&self, path: &str) -> &File {
        let found = self.layers.iter().rev().flatten().find(|file| file.path == path);
        found.unwrap_or_else(|| panic!("no `{path}` in the image"))
    }

    /// The paths of the uppermost layers, beyond those of the base.
    pub(crate) fn paths(&self, layer: usize) -> Vec<&str> {
        self.layers[layer].iter().map(|file| file.path.as_str()).collect()
    }
}

/// Reads a layout and everything in it; fails on the first byte that is not as it is described, and
/// on a blob that nothing refers to.
#[track_caller]
pub(crate) fn validate(folder: &Path) -> Vec<Image> {
    let marker: Value = json(&fs::read(folder.join("oci-layout")).unwrap());
    assert_eq!(marker["imageLayoutVersion"], "1.0.0");
    let index = json(&fs::read(folder.join("index.json")).unwrap());
    assert_eq!(index["schemaVersion"], 2);
    let mut seen = BTreeSet::new();
    let mut images = Vec::new();
    for entry in index["manifests"].as_array().unwrap() {
        let name = entry["annotations"]["org.opencontainers.image.ref.name"].as_str();
        let bytes = blob(folder, entry, &mut seen);
        let document = json(&bytes);
        assert_eq!(document["schemaVersion"], 2);
        assert_eq!(document["mediaType"], entry["mediaType"]);
        let children = document["manifests"].as_array().cloned();
        for child in children.unwrap_or_else(|| vec![entry.clone()]) {
            let mut image = read_image(folder, &child, &mut seen);
            image.name = name.map(str::to_owned);
            image.digest = entry["digest"].as_str().unwrap().to_owned();
            images.push(image);
        }
    }
    let blobs = fs::read_dir(folder.join("blobs/sha256")).unwrap();
    let there: BTreeSet<String> =
        blobs.map(|blob| blob.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, seen, "a blob that nothing refers to");
    images
}

fn read_image(folder: &Path, entry: &Value, seen: &mut BTreeSet<String>) -> Image {
    let manifest = json(&blob(folder, entry, seen));
    let config = json(&blob(folder, &manifest["config"], seen));
    if let Some(platform) = entry["platform"].as_object() {
        for (key, value) in platform {
            assert_eq!(&config[key], value, "the platform of the index is another");
        }
    }
    let descriptors = manifest["layers"].as_array().unwrap();
    let diff_ids = config["rootfs"]["diff_ids"].as_array().unwrap();
    assert_eq!(descriptors.len(), diff_ids.len());
    let history = config["history"].as_array().unwrap();
    let with_layer = history.iter().filter(|entry| entry["empty_layer"] != true).count();
    assert_eq!(with_layer, descriptors.len(), "history and layers disagree");
    let mut layers = Vec::new();
    for (descriptor, diff_id) in descriptors.iter().zip(diff_ids) {
        let media_type = descriptor["mediaType"].as_str().unwrap();
        let bytes = uncompressed(media_type, blob(folder, descriptor, seen));
        assert_eq!(*diff_id, format!("sha256:{}", hex(&bytes)), "a diff ID is wrong");
        layers.push(read_layer(&bytes));
    }
    Image { name: None, digest: String::new(), manifest, config, layers }
}

fn uncompressed(media_type: &str, bytes: Vec<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    match media_type.rsplit(['.', '+']).next() {
        Some("gzip") => {
            // One member and nothing after it: some runtimes read no further.
            let mut one = flate2::bufread::GzDecoder::new(bytes.as_slice());
            one.read_to_end(&mut out).unwrap();
            assert!(one.into_inner().is_empty(), "bytes after the gzip member");
        }
        Some("zstd") => out = zstd::decode_all(bytes.as_slice()).unwrap(),
        Some("tar") => out = bytes,
        _ => panic!("`{media_type}` is no layer"),
    }
    out
}

/// The entries of a layer, which stand in order, each once and after its folder.
pub(crate) fn read_layer(bytes: &[u8]) -> Vec<File> {
    let mut files = Vec::new();
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        let path = entry.path().unwrap().to_str().unwrap().trim_end_matches('/').to_owned();
        assert!(!path.starts_with('/') && !path.split('/').any(|part| part == ".."), "{path}");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.push(File {
            path,
            kind: header.entry_type(),
            mode: header.mode().unwrap(),
            owner: (header.uid().unwrap(), header.gid().unwrap()),
            mtime: header.mtime().unwrap(),
            content,
        });
    }
    let unique: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(unique.len(), files.len(), "a path stands twice");
    files
}

/// The bytes of a blob, which are those that its descriptor describes.
#[track_caller]
fn blob(folder: &Path, descriptor: &Value, seen: &mut BTreeSet<String>) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let bytes = fs::read(folder.join("blobs/sha256").join(digest)).unwrap();
    assert_eq!(hex(&bytes), digest, "a blob has another digest than its name");
    assert_eq!(descriptor["size"].as_u64(), Some(bytes.len() as u64), "the size of {digest}");
    seen.insert(digest.to_owned());
    bytes
}

/// The SHA-256 of bytes, in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}
