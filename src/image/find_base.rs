//! Finds a base image by its name: embedded, in a registry, in a layout, or in an engine.

use tokio::sync::OnceCell;

use super::base::{BaseImage, InvalidBase, Reading};
use super::base_name::BaseName;
use super::codes;
use super::contents::{Contents, ContentsError};
use super::embedded::{embedded, scratch};
use super::engine::{EngineError, from_engine};
use super::layout::{LayoutError, from_layout};
use crate::cache::Cache;
use crate::cargo::TargetTriple;
use crate::daemon::{self, Daemon};
use crate::oci::{BlobSource, ImageReference, Platform};
use crate::registry::{self, Client};
use crate::report::{Details, Diagnose, Reporter};

/// A failure to find a base image, or to read it.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// It could not be pulled from a registry.
    #[error("could not pull the base image `{name}`")]
    Registry {
        /// The base image.
        name: ImageReference,
        /// The cause.
        source: registry::Error,
    },
    /// One of its blobs could not be read from the cache.
    #[error("could not read the base image `{name}`")]
    Read {
        /// The base image.
        name: ImageReference,
        /// The cause.
        source: std::io::Error,
    },
    /// What the registry returned is not a usable image.
    #[error("cannot use `{name}` as the base image")]
    Unusable {
        /// The base image.
        name: BaseName,
        /// The cause.
        source: InvalidBase,
    },
    /// An OCI image layout.
    #[error("cannot use `{name}` as the base image")]
    Layout {
        /// The base image.
        name: BaseName,
        /// The cause.
        source: LayoutError,
    },
    /// The files in its layers could not be read.
    #[error("could not read the contents of the base image `{name}`")]
    Contents {
        /// The base image.
        name: BaseName,
        /// The cause.
        source: Box<ContentsError>,
    },
    /// No Docker Engine is available to read it from.
    #[error("could not read the base image `{name}`")]
    NoEngine {
        /// The base image.
        name: BaseName,
        /// The cause.
        source: daemon::Error,
    },
    /// An image of a Docker Engine.
    #[error("cannot use `{name}` as the base image")]
    Engine {
        /// The base image.
        name: BaseName,
        /// The cause.
        source: Box<EngineError>,
    },
}

impl BaseError {
    /// The platforms that the base image supports, if it does not support the requested one.
    fn offered(&self) -> Option<&[Platform]> {
        let source = match self {
            Self::Unusable { source, .. } => source,
            Self::Engine { source, .. } => match &**source {
                EngineError::Base(source) => source,
                _ => return None,
            },
            Self::Layout { source: LayoutError::Base { source, .. }, .. } => source,
            Self::Layout { .. }
            | Self::Registry { .. }
            | Self::Read { .. }
            | Self::Contents { .. }
            | Self::NoEngine { .. } => return None,
        };
        match source {
            InvalidBase::Platform { offered, .. } => Some(offered),
            _ => None,
        }
    }
}

impl Diagnose for BaseError {
    fn details(&self) -> Details {
        match self {
            Self::Registry { source, .. } => source.details(),
            Self::Read { .. } => Details::new(&codes::BASE_IMAGE_UNREADABLE),
            Self::Unusable { source, .. } => source.details(),
            Self::Layout { source, .. } => source.details(),
            Self::Contents { source, .. } => source.details(),
            Self::NoEngine { source, .. } => source.details(),
            Self::Engine { source, .. } => source.details(),
        }
    }
}

/// Where base images are looked up.
#[derive(Clone, Copy, Debug)]
pub struct BaseSources<'a> {
    /// Registries.
    pub client: &'a Client,
    /// Where the layers of an engine's images are kept.
    pub cache: &'a Cache,
    /// The Docker Engine.
    pub engine: &'a daemon::Settings,
    /// Receives what happens.
    pub report: &'a Reporter,
}

impl BaseSources<'_> {
    /// Every platform that a base image supports.
    pub async fn platforms(&self, name: &BaseName) -> Result<Vec<Platform>, BaseError> {
        if matches!(name, BaseName::Static | BaseName::Scratch) {
            return Ok(TargetTriple::static_platforms().collect());
        }
        // The error for a platform that no image supports lists the supported ones.
        let none = Platform { os: "none".to_owned(), ..Platform::linux("none") };
        match self.find(name, &none).await {
            Ok(base) => Ok(vec![base.platform]),
            Err(error) => error.offered().map(<[Platform]>::to_vec).ok_or(error),
        }
    }

    /// Finds a base image for one platform.
    pub async fn find(&self, name: &BaseName, platform: &Platform) -> Result<BaseImage, BaseError> {
        match name {
            BaseName::Static => Ok(embedded(platform)),
            BaseName::Scratch => Ok(scratch(platform)),
            BaseName::Layout(folder) => from_layout(folder, platform)
                .map_err(|source| BaseError::Layout { name: name.clone(), source }),
            BaseName::Daemon(image) => {
                let daemon = self
                    .engine
                    .address()
                    .and_then(|address| Daemon::new(address, self.report.clone()))
                    .map_err(|source| BaseError::NoEngine { name: name.clone(), source })?;
                let base = from_engine(&daemon, image, platform, self.cache).await;
                base.map_err(|source| {
                    let source = Box::new(source);
                    BaseError::Engine { name: name.clone(), source }
                })
            }
            BaseName::Registry(image) => pull(self.client, name, image, platform).await,
        }
    }
}

async fn pull(
    client: &Client,
    name: &BaseName,
    image: &ImageReference,
    platform: &Platform,
) -> Result<BaseImage, BaseError> {
    let registry = |source| BaseError::Registry { name: image.clone(), source };
    let found = client.manifest(image).await.map_err(registry)?;
    let mut reading = Reading::begin(platform, found.descriptor);
    let mut document = found.bytes;
    loop {
        let layer = |_: &_| BlobSource::Registry(image.repository.clone());
        let taken = reading.take(document, layer);
        let taken = taken.map_err(|source| BaseError::Unusable { name: name.clone(), source })?;
        if let Some(base) = taken {
            return Ok(base.named(image.clone()));
        }
        let wanted = reading.wants();
        document = if reading.wants_manifest() {
            let manifest = image.repository.at(wanted.digest);
            client.manifest(&manifest).await.map_err(registry)?.bytes
        } else {
            let path = client.blob(&image.repository, wanted).await.map_err(registry)?;
            let read = tokio::fs::read(&path).await;
            read.map_err(|source| BaseError::Read { name: image.clone(), source })?.into()
        };
    }
}

/// A base image whose contents are read when they are first needed.
#[derive(Debug)]
pub struct FoundBase {
    /// The image.
    pub image: BaseImage,
    contents: OnceCell<Contents>,
}

impl FoundBase {
    /// A base image whose contents have not been read.
    #[must_use]
    pub fn new(image: BaseImage) -> Self {
        Self { image, contents: OnceCell::new() }
    }

    /// Its contents. Concurrent callers share one read.
    pub async fn contents(
        &self,
        name: &BaseName,
        client: &Client,
        cache: &Cache,
    ) -> Result<&Contents, BaseError> {
        let read = || Contents::of(&self.image, client, cache);
        let contents = self.contents.get_or_try_init(read).await;
        contents.map_err(|source| {
            let source = Box::new(source);
            BaseError::Contents { name: name.clone(), source }
        })
    }
}
