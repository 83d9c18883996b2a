//! The contents of a base image: the facts of its layers, applied in order ([layer.md][spec]). Each
//! layer is read once per machine; its facts are cached under its digest.
//!
//! [spec]: https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#applying-changesets

use std::collections::BTreeMap;
use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc;

use super::BaseImage;
use super::blob::Blob;
use super::codes;
use super::elf::ElfFacts;
use super::layer_facts::{LARGEST_TEXT, LayerError, LayerFacts, kept};
use super::packages::Package;
use super::unpack::{unpack, unpack_from};
use crate::cache::Cache;
use crate::oci::facts::{FileTree, Inside, Node, User};
use crate::oci::file::OpenedFile;
use crate::oci::layer::{Content, Entry};
use crate::oci::{BlobSource, Digest, Layer};
use crate::registry::{self, Client};
use crate::report::{Details, Diagnose};

/// The kind of the records of layers. Its number changes with their contents.
const RECORDS: &str = "layer-facts-1";

/// The number of layers that are fetched and read concurrently.
const AT_ONCE: usize = 4;

/// The contents of an image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    files: FileTree,
    libraries: BTreeMap<String, ElfFacts>,
    texts: BTreeMap<String, String>,
    packages: BTreeMap<String, Vec<Package>>,
}

/// The reason why the contents of an image cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// A layer cannot be pulled.
    #[error("could not pull the layer {layer} of the base image")]
    Pull {
        /// The layer.
        layer: Digest,
        /// The cause.
        source: registry::Error,
    },
    /// A layer cannot be read.
    #[error("could not read the layer {layer} of the base image")]
    Layer {
        /// The layer.
        layer: Digest,
        /// The cause.
        source: LayerError,
    },
    /// Reading was interrupted.
    #[error("reading the layer {0} of the base image was interrupted")]
    Interrupted(Digest),
}

impl Diagnose for ContentsError {
    fn details(&self) -> Details {
        match self {
            Self::Pull { source, .. } => source.details(),
            Self::Layer { source, .. } => source.details(),
            Self::Interrupted(_) => Details::new(&codes::BASE_IMAGE_UNREADABLE),
        }
    }
}

impl Contents {
    /// Reads the contents of a base image. Layers without cached facts are fetched and read.
    pub async fn of(
        base: &BaseImage,
        client: &Client,
        cache: &Cache,
    ) -> Result<Self, ContentsError> {
        Self::of_layers(&base.layers, client, cache).await
    }

    /// Reads the contents of layers, lowest first.
    pub async fn of_layers(
        layers: &[(Layer, BlobSource)],
        client: &Client,
        cache: &Cache,
    ) -> Result<Self, ContentsError> {
        let layers = stream::iter(layers)
            .map(|(layer, source)| read(layer, source, client, cache))
            .buffered(AT_ONCE);
        let layers: Vec<LayerFacts> = layers.try_collect().await?;
        Ok(Self::from_layers(layers))
    }

    /// Applies layers in order, the lowest first.
    pub(super) fn from_layers(layers: impl IntoIterator<Item = LayerFacts>) -> Self {
        let mut contents = Self::default();
        for layer in layers {
            contents.apply(layer);
        }
        let Self { files, libraries, texts, packages } = &mut contents;
        let is_there = |path: &str| files.get(path) == Some(&Node::File);
        libraries.retain(|path, _| is_there(path));
        texts.retain(|path, _| is_there(path));
        packages.retain(|path, _| is_there(path));
        contents
    }

    fn apply(&mut self, layer: LayerFacts) {
        for folder in layer.emptied() {
            let folder = self.files.resolve(folder).unwrap_or_else(|| folder.to_owned());
            self.files.clear(&folder);
        }
        for path in layer.removed() {
            let path = self.files.place(path);
            self.files.remove(&path);
        }
        for (path, node) in layer.nodes() {
            let path = self.files.place(&path);
            self.libraries.remove(&path);
            self.texts.remove(&path);
            self.packages.remove(&path);
            self.files.put(&path, node);
        }
        for (path, library) in layer.libraries {
            self.libraries.insert(self.files.place(&path), library);
        }
        for (path, text) in layer.texts {
            self.texts.insert(self.files.place(&path), text);
        }
        for (path, packages) in layer.packages {
            self.packages.insert(self.files.place(&path), packages);
        }
    }

    /// The same contents with a new layer on top.
    #[must_use]
    pub(super) fn with(&self, entries: &[Entry]) -> Self {
        let mut contents = self.clone();
        for entry in entries {
            let path = contents.files.place(&entry.path);
            let node = match &entry.content {
                Content::Folder => Node::Folder,
                Content::Link(target) => Node::Link(target.clone()),
                Content::Bytes(_) | Content::File(_) | Content::Seen(_) => Node::File,
            };
            contents.libraries.remove(&path);
            contents.texts.remove(&path);
            // A file that cannot be read is reported when it is packed.
            if let Content::Seen(file) = &entry.content
                && let Ok(Some(file)) = file.open()
            {
                if path.contains(".so")
                    && let Ok(facts) = ElfFacts::read(&file)
                {
                    contents.libraries.insert(path.clone(), facts);
                }
                let text = text_of(&file).and_then(|text| kept(&path, &text));
                contents.texts.extend(text.map(|text| (path.clone(), text)));
            }
            contents.files.put(&path, node);
        }
        contents
    }

    /// The files.
    #[must_use]
    pub fn files(&self) -> &FileTree {
        &self.files
    }

    /// The facts of a shared library, after following links.
    pub(super) fn library(&self, path: &str) -> Option<&ElfFacts> {
        self.libraries.get(&self.files.resolve(path)?)
    }

    /// The text of a file that is kept, after following links.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(&self.files.resolve(path)?).map(String::as_str)
    }

    /// The users in its `/etc/passwd`.
    #[must_use]
    pub fn users(&self) -> Vec<User> {
        let user = |line: &str| {
            let mut fields = line.split(':');
            let (name, _password) = (fields.next()?, fields.next()?);
            let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            (!name.is_empty()).then(|| User { name: name.to_owned(), uid, gid })
        };
        self.text("etc/passwd").unwrap_or_default().lines().filter_map(user).collect()
    }

    /// The installed packages of its package manager, sorted.
    #[must_use]
    pub fn packages(&self) -> Vec<Package> {
        let mut packages: Vec<Package> = self.packages.values().flatten().cloned().collect();
        packages.sort();
        packages.dedup();
        packages
    }

    /// A value in its `/etc/os-release`: `ID`, `VERSION_ID`.
    #[must_use]
    pub fn os_release(&self, key: &str) -> Option<String> {
        let text = self.text("etc/os-release").or_else(|| self.text("usr/lib/os-release"))?;
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(value.trim().trim_matches(['"', '\'']).to_owned())
    }

    /// The contents for lints.
    #[must_use]
    pub fn inside(&self) -> Inside {
        Inside { files: self.files.clone(), users: self.users() }
    }
}

/// The contents of a small file.
fn text_of(file: &OpenedFile) -> Option<Vec<u8>> {
    let size = usize::try_from(file.size()).ok()?;
    let mut text = vec![0; (file.size() <= LARGEST_TEXT).then_some(size)?];
    let count = file.read_at(&mut text, 0).ok()?;
    text.truncate(count);
    Some(text)
}

async fn read(
    layer: &Layer,
    source: &BlobSource,
    client: &Client,
    cache: &Cache,
) -> Result<LayerFacts, ContentsError> {
    let fetch = async {
        let blob = Blob::fetch(client, source, &layer.descriptor).await;
        blob.map_err(|source| ContentsError::Pull { layer: layer.descriptor.digest, source })
    };
    kept_or_read(layer, fetch, cache).await
}

/// The cached facts of a layer, or those in the blob that is fetched for it.
async fn kept_or_read(
    layer: &Layer,
    blob: impl Future<Output = Result<Blob, ContentsError>>,
    cache: &Cache,
) -> Result<LayerFacts, ContentsError> {
    let digest = layer.descriptor.digest;
    if let Some(facts) = cache.record(RECORDS, &digest) {
        return Ok(facts);
    }
    let blob = blob.await?;
    read_and_keep(layer, cache, move |layer| unpack(layer, &blob)).await
}

/// Reads a layer on a blocking thread, and caches its facts.
async fn read_and_keep(
    layer: &Layer,
    cache: &Cache,
    read: impl FnOnce(&Layer) -> Result<LayerFacts, LayerError> + Send + 'static,
) -> Result<LayerFacts, ContentsError> {
    let (digest, layer) = (layer.descriptor.digest, layer.clone());
    let facts = tokio::task::spawn_blocking(move || read(&layer)).await;
    let facts = facts
        .map_err(|_| ContentsError::Interrupted(digest))?
        .map_err(|source| ContentsError::Layer { layer: digest, source })?;
    // A failure to cache them only costs time in the next run.
    let _ = cache.put_record(RECORDS, &digest, &facts);
    Ok(facts)
}

/// Reads a layer while it is being copied, so that its facts are cached. An incomplete layer is
/// ignored.
pub async fn look_into(layer: &Layer, pieces: mpsc::Receiver<Bytes>, cache: &Cache) {
    if cache.record::<LayerFacts>(RECORDS, &layer.descriptor.digest).is_none() {
        let pieces = Pieces { pieces, piece: Bytes::new() };
        let _ = read_and_keep(layer, cache, move |layer| unpack_from(layer, pieces)).await;
    }
}

/// Reads pieces as they arrive.
struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let count = self.piece.len().min(buffer.len());
        self.piece.split_to(count).copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
pub(super) mod tests;
