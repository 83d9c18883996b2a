//! The SBOMs of images. One is made for each image, only if it is needed, and once for all
//! destinations; otherwise neither Cargo nor the layers of the base are queried.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio::sync::{OnceCell, mpsc};

use super::codes;
use crate::cache::Cache;
use crate::cargo::{self, Build, Dependencies, Workspace};
use crate::image::{Contents, ContentsError, ImageDraft, SbomFormat, look_into};
use crate::oci::{Descriptor, Image, ImageManifest, Layer, MediaType, Platform};
use crate::registry::{self, Client};
use crate::report::{Details, Diagnose, Reporter};

/// Which SBOMs are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sbom {
    /// Their format.
    pub format: SbomFormat,
    /// Whether an image without an SBOM must not get its tag.
    pub required: bool,
    /// The folder to which they are written as files.
    pub folder: Option<PathBuf>,
}

/// A failure to make or publish an SBOM.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Cargo did not list what it compiled.
    #[error("could not list the dependencies of the executable")]
    Dependencies(#[source] Box<cargo::Error>),
    /// The base image cannot be read.
    #[error("could not read the contents of the base image")]
    Base(#[source] ContentsError),
    /// The registry did not accept it.
    #[error("could not push the SBOM")]
    Push(#[source] registry::Error),
    /// A file in the folder for SBOMs.
    #[error("could not write `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Two executables of the same name would write the same file.
    #[error("`{first}` and `{second}` would both write `{name}-….{suffix}`")]
    SameName {
        /// One binary.
        first: String,
        /// The other.
        second: String,
        /// The name of both.
        name: String,
        /// The end of the file's name.
        suffix: &'static str,
    },
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::Dependencies(error) => error.details(),
            Self::Base(error) => error.details(),
            Self::Push(error) => error.details(),
            Self::Write { .. } => Details::new(&codes::SBOM_NOT_WRITTEN),
            Self::SameName { .. } => Details::new(&codes::SAME_SBOM_NAME)
                .hint("build them in two runs with a different --sbom-dir each"),
        }
    }
}

/// What the images of a binary were compiled from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compiled<'a> {
    /// The workspace, which lists dependencies.
    pub workspace: &'a Workspace,
    /// The builds, in the order of the images.
    pub builds: &'a [Build],
}

/// The SBOMs of one binary's images.
pub(super) struct Sboms<'a> {
    pub(super) sbom: Option<&'a Sbom>,
    /// The last part of the name of the images' repository.
    pub(super) name: String,
    pub(super) drafts: &'a [ImageDraft],
    pub(super) compiled: Compiled<'a>,
    pub(super) report: &'a Reporter,
    pub(super) client: &'a Client,
    pub(super) cache: &'a Cache,
    pub(super) dependencies: OnceCell<Vec<Dependencies>>,
    pub(super) found: OnceCell<Vec<Found>>,
}

/// What an image is made of.
pub(super) struct Found {
    platform: Platform,
    dependencies: Dependencies,
    contents: Contents,
}

/// An SBOM, and the manifest that makes it a referrer of its image.
pub(super) struct Attachment {
    /// The descriptor of the document's blob.
    pub(super) descriptor: Descriptor,
    pub(super) document: Bytes,
    /// The descriptor of the referrer in the list of referrers.
    pub(super) referrer: Descriptor,
    pub(super) manifest: Bytes,
}

/// The configuration of an artifact without one ([spec]).
///
/// [spec]: https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidance-for-an-empty-descriptor
pub(super) const NO_CONFIG: &[u8] = b"{}";

/// The descriptor of [`NO_CONFIG`].
pub(super) fn no_config() -> Descriptor {
    Descriptor::of(MediaType::EmptyJSON, NO_CONFIG)
}

impl Sboms<'_> {
    /// What Cargo compiled, queried once.
    async fn dependencies(&self) -> Result<&[Dependencies], Error> {
        let asked = self.dependencies.get_or_try_init(async || {
            let Compiled { workspace, builds } = self.compiled;
            let all = builds.iter().map(|build| workspace.dependencies(build, self.report));
            let all = try_join_all(all).await;
            all.map_err(|error| Error::Dependencies(Box::new(error)))
        });
        asked.await.map(Vec::as_slice)
    }

    /// Queries Cargo in advance if SBOMs are made. A failure is reported where the answer is needed.
    pub(super) async fn query(&self) {
        if self.sbom.is_some() {
            let _ = self.dependencies().await;
        }
    }

    /// Reads a layer of a base while it is copied, if SBOMs are made: returns a sender for its pieces
    /// and a future that reads them. A failure is reported where the contents are needed.
    pub(super) fn look_into<'b>(
        &'b self,
        layer: &'b Layer,
    ) -> (Option<mpsc::Sender<Bytes>>, impl Future<Output = ()> + 'b) {
        let asked = self.sbom.is_some() && self.cache.root().is_some();
        let (sender, pieces) = mpsc::channel(1);
        let looking = async move {
            if asked {
                look_into(layer, pieces, self.cache).await;
            }
        };
        (asked.then_some(sender), looking)
    }

    /// What the images are made of, queried once.
    async fn found(&self) -> Result<&[Found], Error> {
        let found = self.found.get_or_try_init(async || {
            let all = self.dependencies().await?;
            let mut found = Vec::new();
            for (draft, dependencies) in self.drafts.iter().zip(all.iter().cloned()) {
                let layers = draft.base_layers();
                let contents = Contents::of_layers(layers, self.client, self.cache).await;
                let contents = contents.map_err(Error::Base)?;
                let platform = draft.platform().clone();
                found.push(Found { platform, dependencies, contents });
            }
            Ok(found)
        });
        found.await.map(Vec::as_slice)
    }

    /// Queries what the images are made of, if SBOMs are made. Returns whether they are.
    pub(super) async fn prepare(&self) -> Result<bool, Error> {
        if self.sbom.is_some() { self.found().await.map(|_| true) } else { Ok(false) }
    }

    /// Whether every image must have an SBOM.
    pub(super) fn are_required(&self) -> bool {
        self.sbom.is_some_and(|sbom| sbom.required)
    }

    /// The SBOM of an image; none if none are made.
    pub(super) async fn of(&self, image: &Image) -> Result<Option<Attachment>, Error> {
        let Some(sbom) = self.sbom else { return Ok(None) };
        let document = self.document(image, sbom.format).await?;
        Ok(document.map(|(file, document)| Attachment::new(image, sbom.format, file, document)))
    }

    /// The SBOM of an image, and the name of its file.
    async fn document(
        &self,
        image: &Image,
        format: SbomFormat,
    ) -> Result<Option<(String, Bytes)>, Error> {
        let platform = image.descriptor().platform.as_ref();
        let mut found = self.drafts.iter().zip(self.found().await?);
        let Some((draft, found)) = found.find(|(_, found)| Some(&found.platform) == platform)
        else {
            return Ok(None);
        };
        let dependencies = found.dependencies.clone();
        let materials = draft.materials(&self.name, image.digest(), dependencies, &found.contents);
        let platform = found.platform.to_string().replace(['/', ':'], "-");
        let file = format!("{}-{platform}.{}", draft.program(), format.suffix());
        Ok(Some((file, materials.document(format))))
    }

    /// Writes the SBOMs of images to the folder that is set for them.
    pub(super) async fn write(&self, images: &[Image]) -> Result<(), Error> {
        let Some((sbom, folder)) = self.sbom.and_then(|sbom| Some((sbom, sbom.folder.as_ref()?)))
        else {
            return Ok(());
        };
        for image in images {
            if let Some((name, document)) = self.document(image, sbom.format).await? {
                write(folder, &name, &document)?;
            }
        }
        Ok(())
    }
}

impl Attachment {
    fn new(image: &Image, format: SbomFormat, file: String, document: Bytes) -> Self {
        let titled = |key: &str, value: String| BTreeMap::from([(key.to_owned(), value)]);
        let mut descriptor = Descriptor::of(format.media_type(), &document);
        descriptor.annotations = titled("org.opencontainers.image.title", file);
        let Descriptor { media_type, digest, size, .. } = image.descriptor();
        let manifest = ImageManifest {
            schema_version: 2,
            media_type: Some(MediaType::ImageManifest),
            artifact_type: Some(format.media_type()),
            config: no_config(),
            layers: vec![descriptor.clone()],
            subject: Some(Descriptor::new(media_type.clone(), *digest, *size)),
            annotations: BTreeMap::new(),
        };
        let manifest = Bytes::from(manifest.to_bytes());
        let mut referrer = Descriptor::of(MediaType::ImageManifest, &manifest);
        referrer.artifact_type = Some(format.media_type());
        Self { descriptor, document, referrer, manifest }
    }
}

impl Sbom {
    /// Fails if the folder cannot be written to, or if two executables would write the same file.
    pub(super) fn check<'a>(
        &self,
        programs: impl IntoIterator<Item = (String, &'a str)>,
    ) -> Result<(), Error> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut seen = BTreeMap::new();
        for (binary, program) in programs {
            if let Some(first) = seen.insert(program, binary.clone()) {
                let (name, suffix) = (program.to_owned(), self.format.suffix());
                return Err(Error::SameName { first, second: binary, name, suffix });
            }
        }
        begin(folder).map(|_| ()).map_err(|source| Error::Write { path: folder.clone(), source })
    }
}

/// Creates a temporary file, which is removed unless it is persisted.
fn begin(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    std::fs::create_dir_all(folder)?;
    new_file().tempfile_in(folder)
}

/// A file that is as readable as any other that this user creates.
#[cfg(unix)]
fn new_file() -> tempfile::Builder<'static, 'static> {
    let mut file = tempfile::Builder::new();
    file.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    file
}

#[cfg(not(unix))]
fn new_file() -> tempfile::Builder<'static, 'static> {
    tempfile::Builder::new()
}

/// Writes a file atomically.
fn write(folder: &Path, name: &str, document: &[u8]) -> Result<(), Error> {
    let path = folder.join(name);
    let written = begin(folder).and_then(|mut file| {
        file.write_all(document)?;
        file.persist(&path)?;
        Ok(())
    });
    written.map_err(|source| Error::Write { path, source })
}
