//! Bases as they are asked for: each is looked up once a run, for one platform.

use tokio::sync::OnceCell;

use crate::cache::Cache;
use crate::cargo::TargetTriple;
use crate::daemon::{self, Address, Daemon};
use crate::image::{self, BaseError, BaseImage, BaseName, Contents, Reading};
use crate::oci::{BlobSource, ImageReference, Platform};
use crate::registry::{self, Client};
use crate::report::Reporter;

/// Why a base image is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry.
    #[error("could not pull the base image `{name}`")]
    Registry {
        /// The base.
        name: ImageReference,
        /// Why.
        source: registry::Error,
    },
    /// A file of it, as it lies in the cache.
    #[error("could not read the base image `{name}`")]
    Read {
        /// The base.
        name: ImageReference,
        /// Why.
        source: std::io::Error,
    },
    /// What was found is no base.
    #[error("`{name}` cannot be the base image")]
    Unusable {
        /// The base.
        name: BaseName,
        /// Why.
        source: BaseError,
    },
    /// A layout.
    #[error("`{name}` cannot be the base image")]
    Layout {
        /// The base.
        name: BaseName,
        /// Why.
        source: image::LayoutError,
    },
    /// What is in it.
    #[error("could not look into the base image `{name}`")]
    Contents {
        /// The base.
        name: BaseName,
        /// Why.
        source: Box<image::ContentsError>,
    },
    /// There is no engine to ask.
    #[error("could not read the base image `{name}`")]
    NoEngine {
        /// The base.
        name: BaseName,
        /// Why.
        source: daemon::Error,
    },
    /// An engine's image.
    #[error("`{name}` cannot be the base image")]
    Engine {
        /// The base.
        name: BaseName,
        /// Why.
        source: Box<image::EngineError>,
    },
}

impl Error {
    /// What the base is there for, if it is not there for what was asked.
    fn offered(&self) -> Option<&[Platform]> {
        let source = match self {
            Self::Unusable { source, .. } => source,
            Self::Engine { source, .. } => match &**source {
                image::EngineError::Base(source) => source,
                _ => return None,
            },
            Self::Layout { source: image::LayoutError::Base { source, .. }, .. } => source,
            Self::Layout { .. }
            | Self::Registry { .. }
            | Self::Read { .. }
            | Self::Contents { .. }
            | Self::NoEngine { .. } => return None,
        };
        match source {
            BaseError::Platform { offered, .. } => Some(offered),
            _ => None,
        }
    }

    /// The way out.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Registry { source, .. } => source.hint(),
            Self::Unusable { source, .. } => source.hint(),
            Self::Contents { source, .. } => source.hint(),
            Self::NoEngine { source, .. } => source.hint(),
            Self::Engine { source, .. } => source.hint(),
            Self::Read { .. } | Self::Layout { .. } => None,
        }
    }
}

/// Every platform that a base is there for.
pub(super) async fn platforms(
    places: &Places<'_>,
    name: &BaseName,
) -> Result<Vec<Platform>, Error> {
    if matches!(name, BaseName::Static | BaseName::Scratch) {
        return Ok(TargetTriple::static_platforms().collect());
    }
    // Asked for what nothing is made for, a base says what it is made for.
    let none = Platform { os: "none".to_owned(), ..Platform::linux("none") };
    match find(places, name, &none).await {
        Ok(base) => Ok(vec![base.platform]),
        Err(error) => error.offered().map(<[Platform]>::to_vec).ok_or(error),
    }
}

/// Where bases are looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    pub(super) client: &'a Client,
    pub(super) cache: &'a Cache,
    pub(super) engine: &'a daemon::Settings,
    pub(super) report: &'a Reporter,
}

/// Finds a base for one platform.
pub(super) async fn find(
    places: &Places<'_>,
    name: &BaseName,
    platform: &Platform,
) -> Result<BaseImage, Error> {
    match name {
        BaseName::Static => Ok(image::embedded(platform)),
        BaseName::Scratch => Ok(image::scratch(platform)),
        BaseName::Layout(folder) => image::from_layout(folder, platform)
            .map_err(|source| Error::Layout { name: name.clone(), source }),
        BaseName::Daemon(image) => {
            let daemon = Address::choose(places.engine)
                .and_then(|address| Daemon::new(address, places.report.clone()))
                .map_err(|source| Error::NoEngine { name: name.clone(), source })?;
            let base = image::from_engine(&daemon, image, platform, places.cache).await;
            base.map_err(|source| {
                let source = Box::new(source);
                Error::Engine { name: name.clone(), source }
            })
        }
        BaseName::Registry(image) => pull(places.client, name, image, platform).await,
    }
}

async fn pull(
    client: &Client,
    name: &BaseName,
    image: &ImageReference,
    platform: &Platform,
) -> Result<BaseImage, Error> {
    let registry = |source| Error::Registry { name: image.clone(), source };
    let found = client.manifest(image).await.map_err(registry)?;
    let mut reading = Reading::begin(platform, found.descriptor);
    let mut document = found.bytes;
    loop {
        let layer = |_: &_| BlobSource::Registry(image.repository.clone());
        let taken = reading.take(document, layer);
        let taken = taken.map_err(|source| Error::Unusable { name: name.clone(), source })?;
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
            read.map_err(|source| Error::Read { name: image.clone(), source })?.into()
        };
    }
}

/// A base, and what it holds once somebody asked.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) image: BaseImage,
    contents: OnceCell<Contents>,
}

impl Base {
    pub(super) fn new(image: BaseImage) -> Self {
        Self { image, contents: OnceCell::new() }
    }

    /// What it holds. Several may ask at once, and one looks.
    pub(super) async fn contents(
        &self,
        name: &BaseName,
        client: &Client,
        cache: &Cache,
    ) -> Result<&Contents, Error> {
        let look = || Contents::of(&self.image, client, cache);
        let looked = self.contents.get_or_try_init(look).await;
        looked.map_err(|source| {
            let source = Box::new(source);
            Error::Contents { name: name.clone(), source }
        })
    }
}
