//! All destinations in one shape: checked before anything is built, reached while Cargo compiles,
//! given each image, and finished once at the end.

use tokio::sync::OnceCell;

use super::archive::Archive;
use super::choose::Destination;
use super::engine::Engine;
use super::error::Error;
use super::layout::Layout;
use super::nodes::Nodes;
use super::outgoing::{Outgoing, Tools};
use super::registry::Registry;
use super::sealed::Sealed;
use crate::daemon::{self, Daemon};
use crate::oci::{Image, Repository};

/// A destination that is ready to take images.
#[derive(Debug)]
pub(super) enum Sink {
    Registry(Registry),
    Engine(Engine),
    Nodes(Nodes),
    Layout(Layout),
    Archive(Archive),
}

/// What a destination made of an image.
pub(super) enum Arrived {
    Pushed(Sealed),
    Loaded(Image),
    Written(Sealed),
}

impl Arrived {
    /// The lower, the more the printed name is that of this destination.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Pushed(_) => 0,
            Self::Loaded(_) => 1,
            Self::Written(_) => 2,
        }
    }
}

impl Sink {
    /// Opens a destination. Nothing is sent or written yet.
    pub(super) fn open(
        destination: &Destination,
        engine: &daemon::Settings,
        host_engine: &daemon::Settings,
        tools: &Tools,
    ) -> Result<Self, Error> {
        let tools = tools.clone();
        Ok(match destination {
            Destination::Registry => Self::Registry(Registry { tools }),
            Destination::Engine => {
                let daemon = open(engine, &tools);
                let daemon = daemon.map_err(|error| Error::Engine(error.into()))?;
                Self::Engine(Engine { daemon, tools })
            }
            Destination::Nodes(cluster) => {
                let daemon = open(host_engine, &tools);
                let daemon = daemon.map_err(|error| Error::Nodes(error.into()))?;
                let cluster = cluster.clone();
                Self::Nodes(Nodes { cluster, daemon, tools, found: OnceCell::new() })
            }
            Destination::Layout(folder) => Self::Layout(Layout { folder: folder.clone(), tools }),
            Destination::Archive(path) => Self::Archive(Archive::new(path.clone(), tools)),
        })
    }

    /// Fails if the destination cannot be written to, before anything is built.
    pub(super) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Registry(_) | Self::Engine(_) | Self::Nodes(_) => Ok(()),
            Self::Layout(layout) => layout.check().map_err(Error::Layout),
            Self::Archive(archive) => archive.check().map_err(Error::Archive),
        }
    }

    /// Fails if the destination cannot be reached or denies access, while Cargo compiles.
    pub(super) async fn reach(&self, repository: &Repository) -> Result<(), Error> {
        match self {
            Self::Registry(registry) => registry.reach(repository).await,
            Self::Engine(engine) => engine.reach().await.map_err(Error::Engine),
            Self::Nodes(nodes) => nodes.reach().await.map_err(Error::Nodes),
            Self::Layout(_) | Self::Archive(_) => Ok(()),
        }
    }

    /// Takes an image to the destination.
    pub(super) async fn put(&self, image: &Outgoing<'_>) -> Result<Arrived, Error> {
        match self {
            Self::Registry(registry) => registry.put(image).await.map(Arrived::Pushed),
            Self::Engine(engine) => {
                engine.put(image).await.map(Arrived::Loaded).map_err(Error::Engine)
            }
            Self::Nodes(nodes) => nodes.put(image).await.map(Arrived::Loaded).map_err(Error::Nodes),
            Self::Layout(layout) => {
                layout.put(image).await.map(Arrived::Written).map_err(Error::Layout)
            }
            Self::Archive(archive) => Ok(Arrived::Written(archive.put(image).await?)),
        }
    }

    /// Ends the run: writes what is written once for all images.
    pub(super) async fn finish(&self) -> Result<(), Error> {
        match self {
            Self::Registry(_) | Self::Engine(_) | Self::Nodes(_) | Self::Layout(_) => Ok(()),
            Self::Archive(archive) => archive.finish().await.map_err(Error::Archive),
        }
    }

    /// Where an image goes, as it is shown.
    pub(super) fn shown(&self, image: &Outgoing<'_>) -> String {
        match self {
            Self::Registry(_) | Self::Engine(_) | Self::Nodes(_) => image.repository.to_string(),
            Self::Layout(layout) => layout.folder.display().to_string(),
            Self::Archive(archive) => archive.path.display().to_string(),
        }
    }
}

fn open(engine: &daemon::Settings, tools: &Tools) -> Result<Daemon, daemon::Error> {
    Daemon::new(engine.address()?, tools.report.clone())
}
