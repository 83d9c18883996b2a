//! An [OCI image layout][spec]: a folder of blobs and an `index.json` that names images.
//!
//! Blobs are written under temporary names and renamed; `index.json` is replaced last and atomically,
//! so that readers never find an incomplete image. An image that is written again replaces itself.
//!
//! [spec]: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::codes;
use super::outgoing::{Outgoing, Tools};
use super::sealed::Sealed;
use super::store;
use crate::image::Blob;
use crate::oci::{
    BlobSource, Compression, Descriptor, Digest, Format, ImageIndex, Layer, LayerSource, PackError,
    Packed, Packing,
};
use crate::registry;
use crate::report::{Details, Diagnose};

/// The annotation that names an image in `index.json`.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The content of `oci-layout`.
pub(super) const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// A failure to write a layout.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of the layout.
    #[error("could not write `{path}` of the OCI layout")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The folder holds something else.
    #[error("`{0}` is neither an OCI layout nor empty")]
    NotALayout(PathBuf),
    /// The layout's `index.json` is not an index.
    #[error("`{path}` is not an image index")]
    Index {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// A layer cannot be packed.
    #[error("could not pack a layer")]
    Pack(#[source] PackError),
    /// A new layer.
    #[error(transparent)]
    Layer(#[from] store::Error),
    /// A layer of the base cannot be read.
    #[error("could not read a layer of the base image")]
    Base(#[source] registry::Error),
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::Write { .. } => Details::new(&codes::IMAGE_NOT_WRITTEN),
            Self::Pack(error) => error.details(),
            Self::NotALayout(_) | Self::Index { .. } => {
                Details::new(&codes::NOT_A_LAYOUT).hint("use another folder, or an empty one")
            }
            Self::Layer(error) => error.details(),
            Self::Base(error) => error.details(),
        }
    }
}

/// An OCI image layout as a destination.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) folder: PathBuf,
    pub(super) tools: Tools,
}

impl Layout {
    /// Fails if the folder holds something else.
    pub(super) fn check(&self) -> Result<(), Error> {
        Blobs::check(&self.folder)
    }

    /// Writes what is not there yet, the names last.
    pub(super) async fn put(&self, image: &Outgoing<'_>) -> Result<Sealed, Error> {
        let (drafts, store) = (image.drafts, &self.tools.store);
        let layout = Blobs::open(&self.folder)?;
        let mut packed = Vec::new();
        for draft in drafts {
            for (layer, blob) in draft.base_layers() {
                self.base_layer(&layout, layer, blob).await?;
            }
            let mut layers = Vec::new();
            for source in draft.sources() {
                layers.push(self.layer(&layout, source).await?);
            }
            packed.push(layers);
        }
        let sealed = Sealed::new(drafts, &packed, store.compression);
        for image in sealed.images() {
            layout.write(image.config())?;
            layout.write(image.manifest())?;
        }
        layout.write(sealed.bytes())?;
        layout.add(sealed.descriptor(), &image.tagged())?;
        // Used by an archive that is written too.
        let _ = image.sealed.set(sealed.clone());
        Ok(sealed)
    }

    async fn base_layer(
        &self,
        layout: &Blobs,
        layer: &Layer,
        blob: &BlobSource,
    ) -> Result<(), Error> {
        let Descriptor { digest, size, .. } = &layer.descriptor;
        if layout.has(digest, *size) {
            return Ok(());
        }
        match Blob::fetch(&self.tools.client, blob, &layer.descriptor).await.map_err(Error::Base)? {
            Blob::Bytes(bytes) => layout.write(&bytes),
            Blob::File(path) => layout.copy(&path, digest, *size),
        }
    }

    async fn layer(&self, layout: &Blobs, source: &LayerSource) -> Result<Packed, Error> {
        if let Some(known) = self.tools.store.known(source)
            && layout.has(&known.digest, known.size)
        {
            return Ok(known);
        }
        if self.tools.store.compression == Compression::None {
            let packed = layout.pack(self.tools.store.pack(source)).await?;
            self.tools.store.remember(source, packed);
            return Ok(packed);
        }
        let (packed, path) = self.tools.store.file(source).await?;
        layout.copy(&path, &packed.digest, packed.size)?;
        Ok(packed)
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    |source| Error::Write { path: path.to_owned(), source }
}

/// The folder of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Blobs {
    folder: PathBuf,
}

impl Blobs {
    /// Fails if the folder holds something else.
    fn check(folder: &Path) -> Result<(), Error> {
        let occupied = || fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
        match folder.join("oci-layout").exists() || !(folder.is_file() || occupied()) {
            true => Ok(()),
            false => Err(Error::NotALayout(folder.to_owned())),
        }
    }

    /// Opens a layout, or creates one in a folder that is missing or empty.
    fn open(folder: &Path) -> Result<Self, Error> {
        Self::check(folder)?;
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let header = folder.join("oci-layout");
        let layout = Self { folder: folder.to_owned() };
        let blobs = layout.blobs();
        fs::create_dir_all(&blobs).map_err(failed(&blobs))?;
        if !header.exists() {
            layout.replace(&header, LAYOUT.as_bytes())?;
        }
        Ok(layout)
    }

    fn blobs(&self) -> PathBuf {
        self.folder.join("blobs").join("sha256")
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    /// Whether a blob is there with that many bytes.
    fn has(&self, digest: &Digest, size: u64) -> bool {
        fs::metadata(self.blob(digest)).is_ok_and(|file| file.is_file() && file.len() == size)
    }

    /// Writes a blob from memory.
    fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        let digest = Digest::of(bytes);
        if self.has(&digest, bytes.len() as u64) {
            return Ok(());
        }
        self.replace(&self.blob(&digest), bytes)
    }

    /// Copies a blob from a file that is known to have the digest.
    fn copy(&self, from: &Path, digest: &Digest, size: u64) -> Result<(), Error> {
        if self.has(digest, size) {
            return Ok(());
        }
        let path = self.blob(digest);
        let temporary = NamedTempFile::new_in(self.blobs()).map_err(failed(&path))?;
        fs::copy(from, temporary.path()).map_err(failed(&path))?;
        self.persist(temporary, &path)
    }

    /// Writes a layer while it is packed.
    async fn pack(&self, mut packing: Packing) -> Result<Packed, Error> {
        let folder = self.blobs();
        let mut temporary = NamedTempFile::new_in(&folder).map_err(failed(&folder))?;
        while let Some(chunk) = packing.chunks.recv().await {
            temporary.write_all(&chunk).map_err(failed(&folder))?;
        }
        let packed = packing.finish().await.map_err(Error::Pack)?;
        self.persist(temporary, &self.blob(&packed.digest))?;
        Ok(packed)
    }

    /// Adds an image to `index.json` under each of its names. Replaces entries with one of these names,
    /// or with the digest and no name.
    fn add(&self, image: &Descriptor, names: &[String]) -> Result<(), Error> {
        let path = self.folder.join("index.json");
        // Two runs may add to one layout: the later reads what the earlier wrote.
        let lock = File::open(self.folder.join("oci-layout")).map_err(failed(&path))?;
        lock.lock().map_err(failed(&path))?;
        let mut index = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<ImageIndex>(&bytes)
                .map_err(|source| Error::Index { path: path.clone(), source })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                ImageIndex::new(Format::Oci, Vec::new(), Default::default())
            }
            Err(error) => return Err(failed(&path)(error)),
        };
        index.manifests.retain(|old| match old.annotations.get(REF_NAME) {
            Some(old_name) => !names.contains(old_name),
            None => old.digest != image.digest,
        });
        if names.is_empty() {
            index.manifests.push(image.clone());
        }
        index.manifests.extend(names.iter().map(|name| {
            let mut entry = image.clone();
            entry.annotations.insert(REF_NAME.to_owned(), name.clone());
            entry
        }));
        // Images arrive in any order; the file is the same for the same images.
        let name = |entry: &Descriptor| entry.annotations.get(REF_NAME).cloned();
        index.manifests.sort_by_key(|entry| (name(entry), entry.digest));
        self.replace(&path, &index.to_bytes())
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let folder = path.parent().unwrap_or(&self.folder);
        let mut temporary = NamedTempFile::new_in(folder).map_err(failed(path))?;
        temporary.write_all(bytes).map_err(failed(path))?;
        self.persist(temporary, path)
    }

    /// Renames a complete file to its path, readable by everyone who can read the folder.
    fn persist(&self, temporary: NamedTempFile, path: &Path) -> Result<(), Error> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::Permissions::from_mode(0o644);
            temporary.as_file().set_permissions(mode).map_err(failed(path))?;
        }
        temporary.persist(path).map_err(|error| failed(path)(error.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::MediaType;

    fn names(folder: &Path) -> Vec<(Option<String>, Digest)> {
        let bytes = fs::read(folder.join("index.json")).unwrap();
        let index: ImageIndex = serde_json::from_slice(&bytes).unwrap();
        let entry = |d: &Descriptor| (d.annotations.get(REF_NAME).cloned(), d.digest);
        index.manifests.iter().map(entry).collect()
    }

    #[test]
    fn an_image_written_twice_is_listed_once_and_others_remain() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Blobs::open(folder.path()).unwrap();
        let image = |bytes: &[u8]| Descriptor::of(MediaType::ImageManifest, bytes);
        let add = |bytes: &[u8], names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            layout.add(&image(bytes), &names).unwrap();
        };
        add(b"one", &["a:latest", "a:v1"]);
        add(b"other", &["b:latest"]);
        add(b"two", &["a:latest", "a:v2"]);
        add(b"two", &["a:v2", "a:latest"]);
        add(b"none", &[]);
        add(b"none", &[]);
        let named = |name: &str, bytes: &[u8]| (Some(name.to_owned()), Digest::of(bytes));
        let expected = [
            (None, Digest::of(b"none")),
            named("a:latest", b"two"),
            named("a:v1", b"one"),
            named("a:v2", b"two"),
            named("b:latest", b"other"),
        ];
        assert_eq!(names(folder.path()), expected);
        assert_eq!(Blobs::open(folder.path()).unwrap(), layout);
    }

    #[test]
    fn a_folder_with_other_contents_is_not_modified() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        assert!(matches!(Blobs::open(folder.path()), Err(Error::NotALayout(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_truncated_blob_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Blobs::open(folder.path()).unwrap();
        layout.write(b"blob").unwrap();
        fs::write(layout.blob(&Digest::of(b"blob")), b"bl").unwrap();
        layout.write(b"blob").unwrap();
        assert_eq!(fs::read(layout.blob(&Digest::of(b"blob"))).unwrap(), b"blob");
    }
}
