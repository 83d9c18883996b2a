//! Takes drafts of images to their destinations and says what they are called there.
//!
//! Knows nothing of manifests or of how an executable came to be. A layer is compressed once for
//! all destinations; each destination is one file of this module.

mod archive;
mod daemon;
mod find_sbom;
mod keep;
mod layout;
mod local_paths;
mod naming;
mod oci_archive;
mod push_base;
mod referrer;
mod registry;
mod sbom;
mod sealed;
mod store;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::cache::Cache;
use crate::daemon::Daemon;
use crate::image::ImageDraft;
use crate::oci::{Compression, Digest};
use crate::reference::ImportPath;
use crate::registry::Client;
use crate::report::{Event, Reporter};

pub use find_sbom::{FindSbomError, SbomQuery, find_sbom};
pub use keep::{KeepTag, KeepTagError};
pub use naming::Naming;
pub use push_base::{PushBaseError, push_base, static_base};
pub use sbom::{Compiled, Error as SbomError, Sbom};
pub use sealed::Sealed;

use archive::Archive;
use layout::Layout;
use sbom::Bills;
use store::Store;

/// How and where images of one run are published: complete.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How they are named.
    pub naming: Naming,
    /// Where they go; nowhere if empty.
    pub destinations: Vec<Destination>,
    /// How their new layers are compressed.
    pub compression: Compression,
    /// How many threads compress one layer.
    pub threads: usize,
    /// Which bills of materials are made.
    pub sbom: Option<Sbom>,
}

/// One place where images go.
#[derive(Clone, Debug)]
pub enum Destination {
    /// The registry that `REPO` names.
    Registry,
    /// A Docker Engine.
    Daemon(Daemon),
    /// An OCI image layout in a folder.
    Layout(PathBuf),
    /// An archive with all images of the run: for `docker load`, or of OCI's form where one of
    /// them is for several platforms.
    Archive(PathBuf),
}

/// An image that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// What is printed and put into manifests.
    pub reference: String,
    /// The digest of the image, or of the index of several.
    pub digest: Digest,
    /// A line for each thing published: the reference, and each image of an index by digest.
    pub lines: Vec<String>,
}

/// Why an image did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The image's name is none that a registry takes.
    #[error("could not name the image of `{import_path}`")]
    Name {
        /// The binary.
        import_path: String,
        /// Why.
        source: <crate::oci::Repository as std::str::FromStr>::Err,
    },
    /// Two binaries have the same name there.
    #[error("`{first}` and `{second}` would both be pushed to `{name}`")]
    SameName {
        /// One binary.
        first: String,
        /// The other.
        second: String,
        /// The name.
        name: String,
    },
    /// A registry.
    #[error("could not push the image")]
    Registry(#[source] crate::registry::Error),
    /// A tag is another image, and the registry does not let it be moved.
    #[error("`{tag}` is {there} and could not be moved to {wanted}")]
    Taken {
        /// The image by its tag.
        tag: String,
        /// What it is.
        there: Digest,
        /// What it was to be.
        wanted: Digest,
        /// What the registry said.
        source: crate::registry::Error,
    },
    /// The tag that keeps it.
    #[error(transparent)]
    KeepTag(#[from] KeepTagError),
    /// A layer.
    #[error("could not prepare the image")]
    Layer(#[from] store::Error),
    /// A layout.
    #[error("could not write the image into an OCI layout")]
    Layout(#[source] layout::Error),
    /// An engine.
    #[error("could not load the image into the Docker Engine")]
    Daemon(#[source] daemon::Error),
    /// An archive.
    #[error("could not write the archive of images")]
    Archive(#[source] archive::Error),
    /// A bill of materials.
    #[error("could not make the image's bill of materials")]
    Sbom(#[source] sbom::Error),
}

impl Error {
    /// The way out.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Registry(error) => error.hint(),
            Self::KeepTag(error) => error.hint(),
            Self::Taken { .. } => Some(
                "if tags there can never be changed, push under another one, or by digest alone: --tags="
                    .to_owned(),
            ),
            Self::Daemon(error) => error.hint(),
            Self::Sbom(error) => error.hint(),
            Self::SameName { .. } => Some(
                "leave out -B or --bare: the default names are unique to each import path"
                    .to_owned(),
            ),
            Self::Name { .. } => Some(
                "set KO_DOCKER_REPO or --repo to REGISTRY/PATH, as in `ghcr.io/team`".to_owned(),
            ),
            Self::Layer(error)
            | Self::Layout(layout::Error::Layer(error))
            | Self::Archive(archive::Error::Layer(error)) => error.hint(),
            Self::Layout(_) | Self::Archive(_) => None,
        }
    }
}

/// Publishes the images of one run.
#[derive(Debug)]
pub struct Publisher {
    settings: Settings,
    client: Client,
    cache: Cache,
    store: Store,
    report: Reporter,
    archived: Mutex<Vec<Archived>>,
}

/// An image that waits for the archive of the run, and what is said of it once that is written.
#[derive(Debug)]
struct Archived {
    name: String,
    repository: crate::oci::Repository,
    drafts: Vec<ImageDraft>,
    sealed: Sealed,
    reference: String,
}

impl Publisher {
    /// Makes a publisher. No destination is spoken to yet.
    #[must_use]
    pub fn new(settings: Settings, client: Client, cache: Cache, report: Reporter) -> Self {
        let store = Store {
            cache: cache.clone(),
            compression: settings.compression,
            threads: settings.threads,
        };
        Self { settings, client, cache, store, report, archived: Mutex::default() }
    }

    /// Refuses binaries that would land on one name, before anything is built.
    pub fn check_names<'a>(
        &self,
        import_paths: impl IntoIterator<Item = &'a ImportPath>,
    ) -> Result<(), Error> {
        let mut seen = std::collections::BTreeMap::new();
        for path in import_paths {
            let name = self.settings.naming.name(path);
            if !self.settings.naming.repo.is_empty() {
                self.repository(path)?;
            }
            match seen.insert(name.clone(), path) {
                Some(other) if other != path => {
                    let (first, second) = (other.to_string(), path.to_string());
                    return Err(Error::SameName { first, second, name });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Refuses binaries whose bills of materials would land in one file, and a folder for them that
    /// cannot be written, before anything is built.
    pub fn check_sboms<'a>(
        &self,
        binaries: impl IntoIterator<Item = (&'a ImportPath, &'a str)>,
    ) -> Result<(), Error> {
        let Some(sbom) = &self.settings.sbom else { return Ok(()) };
        let named = binaries.into_iter().map(|(path, program)| (path.to_string(), program));
        sbom.check(named).map_err(Error::Sbom)
    }

    /// Refuses destinations that cannot be written, before anything is built.
    pub fn check_destinations(&self) -> Result<(), Error> {
        for destination in &self.settings.destinations {
            match destination {
                Destination::Registry | Destination::Daemon(_) => {}
                Destination::Layout(folder) => Layout::check(folder).map_err(Error::Layout)?,
                Destination::Archive(path) => {
                    archive::begin(path).map_err(Error::Archive)?;
                }
            }
        }
        Ok(())
    }

    /// Asks whether engines are there, and the registry whether it may be pushed to, if images go to
    /// one; beside compiling, so that nobody waits for a build that can go nowhere.
    pub async fn check_access(&self, import_path: &ImportPath) -> Result<(), Error> {
        for destination in &self.settings.destinations {
            if let Destination::Daemon(daemon) = destination {
                let reached = daemon.reach().await;
                reached.map_err(|error| Error::Daemon(daemon::Error::Engine(error)))?;
            }
        }
        if !self.settings.destinations.iter().any(|to| matches!(to, Destination::Registry)) {
            return Ok(());
        }
        let repository = self.repository(import_path)?;
        self.client.may_push(&repository).await.map_err(Error::Registry)
    }

    /// Whether a binary's repository has to be there before a push, each by itself.
    #[must_use]
    pub fn must_find_repository(&self, import_path: &ImportPath) -> bool {
        self.repository(import_path).is_ok_and(|name| crate::registry::makes_no_repository(&name))
    }

    /// Whether this machine has pushed the images of a binary before, so that it most likely still
    /// may, and a build that changes nothing need not ask.
    #[must_use]
    pub fn has_pushed(&self, import_path: &ImportPath) -> bool {
        let repository = self.repository(import_path);
        repository.is_ok_and(|repository| registry::pushed_before(&self.cache, &repository))
    }

    fn repository(&self, import_path: &ImportPath) -> Result<crate::oci::Repository, Error> {
        let named = self.settings.naming.repository(import_path);
        named.map_err(|source| Error::Name { import_path: import_path.to_string(), source })
    }

    /// Takes the image of one binary, or its images for several platforms, to every destination.
    /// Of what it was `compiled` is asked only where a bill of materials is made: not for an image
    /// that is there already.
    pub async fn publish(
        &self,
        import_path: &ImportPath,
        drafts: Vec<ImageDraft>,
        compiled: Compiled<'_>,
        keep: Option<&KeepTag>,
    ) -> Result<Published, Error> {
        let naming = &self.settings.naming;
        let name = naming.name(import_path);
        let bills = Bills {
            sbom: self.settings.sbom.as_ref(),
            name: name.rsplit('/').next().unwrap_or(&name).to_owned(),
            drafts: &drafts,
            compiled,
            report: &self.report,
            client: &self.client,
            cache: &self.cache,
            dependencies: OnceCell::new(),
            found: OnceCell::new(),
        };
        let mut pushed = None;
        let mut loaded = None;
        let mut written = None;
        let mut archived = None;
        for destination in &self.settings.destinations {
            match destination {
                Destination::Registry => {
                    let repository = self.repository(import_path)?;
                    self.report.send(Event::Publishing { destination: repository.to_string() });
                    let sink = registry::Sink {
                        client: &self.client,
                        cache: &self.cache,
                        store: &self.store,
                        repository,
                        tags: &naming.tags,
                        keep,
                        bills: &bills,
                        report: &self.report,
                    };
                    pushed = Some(sink.push(&drafts).await?);
                }
                Destination::Daemon(daemon) => {
                    let repository = self.repository(import_path)?;
                    self.report.send(Event::Publishing { destination: repository.to_string() });
                    let sink = daemon::Sink {
                        daemon,
                        client: &self.client,
                        store: &self.store,
                        repository,
                        tags: &naming.tags,
                        report: &self.report,
                    };
                    loaded = Some(sink.load(&drafts).await.map_err(Error::Daemon)?);
                }
                Destination::Layout(folder) => {
                    self.report
                        .send(Event::Publishing { destination: folder.display().to_string() });
                    let names = naming.tagged(import_path);
                    let sink =
                        layout::Sink { client: &self.client, store: &self.store, folder, names };
                    written = Some(sink.write(&drafts).await.map_err(Error::Layout)?);
                }
                Destination::Archive(path) => {
                    self.report.send(Event::Publishing { destination: path.display().to_string() });
                    let sealed = match &written {
                        Some(sealed) => sealed,
                        None => written.insert(self.seal(&drafts).await?),
                    };
                    archived = Some(sealed.clone());
                }
            }
        }
        let (reference, sealed) = match (pushed, loaded, written) {
            (Some(sealed), _, _) | (None, None, Some(sealed)) => {
                (naming.pushed(import_path, sealed.digest()), sealed)
            }
            (None, Some(image), _) => {
                (naming.loaded(import_path, image.config_digest()), Sealed::Image(image))
            }
            (None, None, None) => {
                let sealed = self.seal(&drafts).await?;
                (naming.unpushed(import_path, sealed.digest()), sealed)
            }
        };
        bills.write(sealed.images()).await.map_err(Error::Sbom)?;
        for draft in &drafts {
            let binary = import_path.to_string();
            local_paths::warn(&binary, draft, compiled, &self.cache, &self.report);
        }
        if let Some(sealed) = archived {
            let repository = self.repository(import_path)?;
            let (drafts, reference) = (drafts.clone(), reference.clone());
            let mut waiting = self.archived.lock().unwrap_or_else(PoisonError::into_inner);
            let name = name.clone();
            waiting.push(Archived { name, repository, drafts, sealed, reference });
        } else {
            self.report.send(Event::Published { reference: reference.clone() });
        }
        let children = sealed.children().into_iter().map(|digest| format!("{name}@{digest}"));
        let lines = std::iter::once(reference.clone()).chain(children).collect();
        Ok(Published { digest: sealed.digest(), reference, lines })
    }

    /// Ends the run: writes what is written once for all images.
    pub async fn finish(&self) -> Result<(), Error> {
        let mut images =
            std::mem::take(&mut *self.archived.lock().unwrap_or_else(PoisonError::into_inner));
        // Images arrive in any order; the archive is the same for the same images.
        images.sort_by_key(|image| image.repository.to_string());
        for destination in &self.settings.destinations {
            if let Destination::Archive(path) = destination {
                let archive = Archive { path, store: &self.store, client: &self.client };
                self.archive(&archive, &images).await.map_err(Error::Archive)?;
            }
        }
        for Archived { reference, .. } in &images {
            self.report.send(Event::Published { reference: reference.clone() });
        }
        Ok(())
    }

    /// Writes an archive: for `docker load` if each image is for one platform, else OCI's.
    async fn archive(
        &self,
        archive: &Archive<'_>,
        images: &[Archived],
    ) -> Result<(), archive::Error> {
        let names = |repository: &crate::oci::Repository| {
            self.settings.naming.tags.iter().map(|tag| repository.tagged(tag.clone())).collect()
        };
        if images.iter().all(|image| image.drafts.len() == 1) {
            let named = images.iter().flat_map(|image| {
                let names = names(&image.repository);
                image.drafts.first().map(|draft| archive::Named { draft, names, tag_digest: None })
            });
            return archive.write(&named.collect::<Vec<_>>()).await;
        }
        self.report.note(format!(
            "`{}` is an oci-archive: it holds images for several platforms",
            archive.path.display()
        ));
        let indexed = images.iter().map(|image| oci_archive::Indexed {
            drafts: &image.drafts,
            sealed: &image.sealed,
            names: self
                .settings
                .naming
                .tags
                .iter()
                .map(|tag| format!("{}:{tag}", image.name))
                .zip(names(&image.repository))
                .collect(),
        });
        archive.write_layout(&indexed.collect::<Vec<_>>()).await
    }

    /// The finished image of drafts whose layers go nowhere: each is packed, and kept for later.
    async fn seal(&self, drafts: &[ImageDraft]) -> Result<Sealed, Error> {
        let mut packed = Vec::new();
        for draft in drafts {
            let mut layers = Vec::new();
            for source in draft.sources() {
                layers.push(match self.store.compression {
                    Compression::None => self.store.measure(source).await?,
                    Compression::Gzip { .. } | Compression::Zstd { .. } => {
                        match self.store.known(source) {
                            Some(packed) => packed,
                            None => self.store.file(source).await?.0,
                        }
                    }
                });
            }
            packed.push(layers);
        }
        Ok(Sealed::new(drafts, &packed, self.store.compression))
    }
}
