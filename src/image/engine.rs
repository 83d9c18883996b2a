//! Base images of a Docker Engine. An image is exported as a docker-archive, whose layers are
//! cached. It is exported again only if its ID has changed.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use tar::EntryType;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::base::{BaseImage, InvalidBase, LARGEST_DOCUMENT};
use super::blob::Blob;
use super::codes;
use super::layer_facts::{LARGEST_TAR, LayerError};
use super::tar_entries::TarEntries;
use super::unpack::unpack;
use crate::cache::{self, Cache};
use crate::daemon::{self, Daemon};
use crate::oci::manifest::InvalidConfig;
use crate::oci::{
    BlobSource, Compression, Descriptor, Digest, Format, ImageConfig, ImageReference, Layer,
    Platform,
};
use crate::report::{Details, Diagnose};

/// The kind of the records of exported images.
const RECORDS: &str = "engine-base-1";

/// The reason why an engine does not provide a base image.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] daemon::Error),
    /// The engine does not have the image.
    #[error("the Docker Engine at {address} does not have the image")]
    Missing {
        /// The engine.
        address: daemon::Address,
    },
    /// The archive cannot be read.
    #[error("could not read the archive that the Docker Engine sent")]
    Archive(#[source] io::Error),
    /// A file is missing in the archive, or cannot be used.
    #[error("the archive that the Docker Engine sent has no usable `{0}`")]
    Entry(String),
    /// A layer cannot be written to the cache.
    #[error(transparent)]
    Keep(#[from] cache::Error),
    /// A layer is not the one in the configuration.
    #[error("could not read the layer {diff_id}")]
    Layer {
        /// The layer.
        diff_id: Digest,
        /// The cause.
        source: LayerError,
    },
    /// The image is not a usable base image.
    #[error(transparent)]
    Base(#[from] InvalidBase),
    /// Reading was interrupted.
    #[error("reading the archive was interrupted")]
    Interrupted,
}

impl Diagnose for EngineError {
    fn details(&self) -> Details {
        match self {
            Self::Engine(error) => error.details(),
            Self::Missing { .. } => Details::new(&codes::BASE_IMAGE_UNREADABLE).hint(
                "`docker images` lists its images; give one a name with `docker tag IMAGE \
                 ko.local/NAME`",
            ),
            Self::Base(error) => error.details(),
            Self::Keep(error) => error.details(),
            Self::Layer { source, .. } => source.details(),
            Self::Archive(_) | Self::Entry(_) | Self::Interrupted => {
                Details::new(&codes::BASE_IMAGE_UNREADABLE)
            }
        }
    }
}

/// The cached part of an exported image: its configuration, and its layers as they were sent.
#[derive(Debug, Serialize, Deserialize)]
struct Exported {
    config: (Digest, u64),
    layers: Vec<Layer>,
}

/// An entry of `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    config: String,
    layers: Vec<String>,
}

/// An entry of the archive, in the cache.
struct Kept {
    digest: Digest,
    size: u64,
    path: PathBuf,
}

/// Reads a base image for a platform from an engine.
pub async fn from_engine(
    daemon: &Daemon,
    name: &ImageReference,
    platform: &Platform,
    cache: &Cache,
) -> Result<BaseImage, EngineError> {
    let Some(image) = daemon.image(name).await? else {
        return Err(EngineError::Missing { address: daemon.address().clone() });
    };
    let key = Digest::of(format!("{} {}", image.id, image.platform).as_bytes());
    if let Some(exported) = cache.record::<Exported>(RECORDS, &key)
        && let Some(base) = put_together(&exported, platform, cache)
    {
        return Ok(base?);
    }
    let archive = daemon.export(name).await?.map_err(io::Error::other);
    let bridge = SyncIoBridge::new(StreamReader::new(Box::pin(archive)));
    let keep_in = cache.clone();
    let exported = tokio::task::spawn_blocking(move || take_in(bridge, &keep_in)).await;
    let exported = exported.map_err(|_| EngineError::Interrupted)??;
    let _ = cache.put_record(RECORDS, &key, &exported);
    let base = put_together(&exported, platform, cache);
    Ok(base.ok_or_else(|| EngineError::Entry("layers".to_owned()))??)
}

/// The base image of an exported image, or `None` if something was removed from the cache.
fn put_together(
    exported: &Exported,
    platform: &Platform,
    cache: &Cache,
) -> Option<Result<BaseImage, InvalidBase>> {
    let (digest, size) = exported.config;
    let config = Bytes::from(std::fs::read(cache.blob(&digest, size)?).ok()?);
    let mut layers = Vec::new();
    for layer in &exported.layers {
        let path = cache.blob(&layer.descriptor.digest, layer.descriptor.size)?;
        layers.push((layer.clone(), BlobSource::File(path)));
    }
    Some(BaseImage::from_config(platform, Format::Docker, &config, layers))
}

/// Reads an archive into the cache, and verifies every layer against the configuration.
fn take_in(archive: impl io::Read, cache: &Cache) -> Result<Exported, EngineError> {
    let mut entries = TarEntries::new(archive.take(LARGEST_TAR));
    let mut kept: BTreeMap<String, Kept> = BTreeMap::new();
    let mut links: BTreeMap<String, String> = BTreeMap::new();
    while let Some(entry) = entries.next().map_err(EngineError::Archive)? {
        match entry.kind {
            EntryType::Symlink | EntryType::Link => {
                // Old engines contain a layer of several images once, and link to it.
                let target = entry.link.trim_start_matches("../").to_owned();
                links.insert(entry.path, target);
            }
            EntryType::Regular => {
                let mut writer = cache.write_blob()?;
                entries.copy(&mut writer).map_err(EngineError::Archive)?;
                writer.flush().map_err(EngineError::Archive)?;
                let size = writer.length();
                let (digest, path) = writer.commit(None)?;
                let path = path.ok_or_else(|| EngineError::Entry(entry.path.clone()))?;
                kept.insert(entry.path, Kept { digest, size, path });
            }
            _ => {}
        }
    }
    let find = |name: &str| {
        let name = links.get(name).map_or(name, String::as_str);
        kept.get(name).ok_or_else(|| EngineError::Entry(name.chars().take(300).collect()))
    };
    let document = |name: &str| {
        let found = find(name)?;
        let small = found.size <= LARGEST_DOCUMENT;
        let bytes = if small { std::fs::read(&found.path).ok() } else { None };
        bytes.ok_or_else(|| EngineError::Entry(name.to_owned()))
    };
    let listed = "manifest.json";
    let images: Vec<Image> = serde_json::from_slice(&document(listed)?)
        .map_err(|_| EngineError::Entry(listed.to_owned()))?;
    let [image] = images.as_slice() else { return Err(EngineError::Entry(listed.to_owned())) };
    let config = ImageConfig::parse(&document(&image.config)?).map_err(InvalidBase::Config)?;
    let diff_ids = config.diff_ids().map_err(InvalidBase::Config)?;
    if diff_ids.len() != image.layers.len() {
        let (layers, diff_ids) = (image.layers.len(), diff_ids.len());
        return Err(InvalidBase::Layers { layers, diff_ids }.into());
    }
    let mut layers = Vec::new();
    for (name, diff_id) in image.layers.iter().zip(diff_ids) {
        let found = find(name)?;
        let compression = compression_of(found).map_err(EngineError::Archive)?;
        let media_type = Format::Docker.layer(compression);
        let descriptor = Descriptor::new(media_type, found.digest, found.size);
        let layer = Layer { descriptor, diff_id };
        // An uncompressed tar archive is verified by its digest; any other must be unpacked.
        if compression != Compression::None {
            unpack(&layer, &Blob::File(found.path.clone()))
                .map_err(|source| EngineError::Layer { diff_id, source })?;
        } else if found.digest != diff_id {
            let (expected, found) = (diff_id, found.digest);
            let source = LayerError::Digest { what: "tar", expected, found };
            return Err(EngineError::Layer { diff_id, source });
        }
        layers.push(layer);
    }
    let config = find(&image.config)?;
    Ok(Exported { config: (config.digest, config.size), layers })
}

/// The compression of a layer, by its first bytes: engines with containerd do not change it.
fn compression_of(kept: &Kept) -> io::Result<Compression> {
    let mut start = [0; 4];
    let count = io::Read::read(&mut std::fs::File::open(&kept.path)?, &mut start)?;
    Ok(match start.get(..count) {
        Some([0x1f, 0x8b, ..]) => Compression::Gzip { level: 1 },
        Some([0x28, 0xb5, 0x2f, 0xfd]) => Compression::Zstd { level: 1 },
        _ => Compression::None,
    })
}

impl From<InvalidConfig> for EngineError {
    fn from(error: InvalidConfig) -> Self {
        Self::Base(InvalidBase::Config(error))
    }
}

#[cfg(test)]
mod tests {
    use super::super::contents::tests::{Put, tar};
    use super::*;

    const CONFIG: &str = r#"{"architecture":"amd64","os":"linux","config":{"User":"7"},"rootfs":{"type":"layers","diff_ids":["A","A"]}}"#;

    fn archive(layer: &[u8], diff_id: &str) -> Vec<u8> {
        let config = CONFIG.replace('A', diff_id).replace("DIFF", diff_id);
        let manifest = br#"[{"Config":"c.json","RepoTags":["x:1"],"Layers":["one/layer.tar","two/layer.tar"]}]"#;
        let config = config.replace(&format!("{diff_id}md64"), "amd64");
        tar(&[
            ("one", Put::Folder),
            ("one/layer.tar", Put::File(layer)),
            ("two/layer.tar", Put::Link("../one/layer.tar")),
            ("c.json", Put::File(config.as_bytes())),
            ("manifest.json", Put::File(manifest)),
        ])
    }

    #[test]
    fn an_archive_gives_the_base_that_its_configuration_vouches_for() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let layer = tar(&[("etc/x", Put::File(b"x"))]);
        let right = Digest::of(&layer).to_string();
        let exported = take_in(&*archive(&layer, &right), &cache).unwrap();
        let amd64 = Platform::linux("amd64");
        let base = put_together(&exported, &amd64, &cache).unwrap().unwrap();
        assert_eq!(base.layers.len(), 2);
        assert_eq!(base.config.run("User").unwrap(), "7");
        assert_eq!((base.digest, base.name), (None, None));
        let arm = put_together(&exported, &Platform::linux("arm64"), &cache).unwrap();
        assert!(matches!(arm, Err(InvalidBase::Platform { .. })));

        let wrong = Digest::of(b"another").to_string();
        let error = take_in(&*archive(&layer, &wrong), &cache).unwrap_err();
        assert!(matches!(error, EngineError::Layer { .. }), "{error}");
        let zstd = zstd::encode_all(&*layer, 1).unwrap();
        let exported = take_in(&*archive(&zstd, &right), &cache).unwrap();
        assert!(exported.layers[0].descriptor.media_type.to_string().ends_with("+zstd"));
        assert!(take_in(&*archive(&zstd, &wrong), &cache).is_err());
        std::fs::remove_dir_all(folder.path().join("blobs")).unwrap();
        assert!(put_together(&exported, &amd64, &cache).is_none());
        let cut = archive(&layer, &right);
        for length in (0..cut.len()).step_by(97) {
            let _ = take_in(&cut[..length], &cache);
        }
    }
}
