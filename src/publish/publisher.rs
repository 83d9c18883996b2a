//! Takes the images of one run to every destination.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::OnceCell;

use super::choose::{Asked, Choice, Destination};
use super::destination::{Arrived, Sink};
use super::error::Error;
use super::keep::KeepTag;
use super::local_paths;
use super::naming::Naming;
use super::outgoing::{Outgoing, Tools};
use super::registry;
use super::sbom::{Compiled, Sbom, Sboms};
use super::sealed::Sealed;
use super::store::Store;
use crate::cache::Cache;
use crate::daemon;
use crate::image::ImageDraft;
use crate::oci::{Digest, Repository, Tag};
use crate::reference::{ImportPath, NameStyle};
use crate::registry::Client;
use crate::report::{Event, Reporter};

/// How images are published: complete but for the choice of destinations.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where images should go.
    pub asked: Asked,
    /// How the import path follows `REPO` in their names.
    pub style: NameStyle,
    /// Their tags; without any, images are pushed by digest alone.
    pub tags: Vec<Tag>,
    /// Whether the tag is printed instead of the digest.
    pub tag_only: bool,
    /// How many threads compress one layer.
    pub threads: usize,
    /// Which SBOMs are made.
    pub sbom: Option<Sbom>,
    /// How the Docker Engine is found.
    pub engine: daemon::Settings,
    /// How the engine is found that runs the nodes of local clusters: the same, but never one inside of
    /// a node, which `minikube docker-env` sets.
    pub host_engine: daemon::Settings,
}

/// A published image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Published {
    /// What is printed and put into manifests.
    pub reference: String,
    /// The digest of the image, or of the index of several.
    #[cfg_attr(test, schemars(with = "String"))]
    pub digest: Digest,
    /// All names: the reference, then each image of an index by digest.
    pub names: Vec<String>,
}

/// Publishes the images of one run.
#[derive(Debug)]
pub(crate) struct Publisher {
    choice: Choice,
    naming: Naming,
    sbom: Option<Sbom>,
    tools: Tools,
    sinks: Vec<Sink>,
    /// Images that have arrived only when the run is finished, by repository.
    unfinished: Mutex<Vec<(String, String)>>,
}

impl Publisher {
    /// Opens the chosen destinations. Nothing is sent or written yet.
    pub(crate) fn open(
        settings: &Settings,
        choice: Choice,
        client: Client,
        cache: Cache,
        report: Reporter,
    ) -> Result<Self, Error> {
        let naming = Naming {
            repo: choice.repo.clone(),
            style: settings.style,
            tags: settings.tags.clone(),
            tag_only: settings.tag_only,
        };
        let (compression, threads) = (choice.compression, settings.threads);
        let store = Store { cache: cache.clone(), compression, threads };
        let tools = Tools { client, cache, store, report };
        let Settings { engine, host_engine, .. } = settings;
        let open = |destination| Sink::open(destination, engine, host_engine, &tools);
        let sinks = choice.destinations.iter().map(open).collect::<Result<_, _>>()?;
        let sbom = settings.sbom.clone();
        Ok(Self { choice, naming, sbom, tools, sinks, unfinished: Mutex::default() })
    }

    /// Where images go, and why.
    #[must_use]
    pub(crate) fn choice(&self) -> &Choice {
        &self.choice
    }

    /// How images are named.
    #[must_use]
    pub(crate) fn naming(&self) -> &Naming {
        &self.naming
    }

    /// Fails if two binaries would have the same name, or if one has an invalid name.
    pub(crate) fn check_names<'a>(
        &self,
        import_paths: impl IntoIterator<Item = &'a ImportPath>,
    ) -> Result<(), Error> {
        let mut seen = BTreeMap::new();
        for path in import_paths {
            let name = self.naming.name(path);
            if !self.naming.repo.is_empty() {
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

    /// Fails if a destination cannot be written to, or if the SBOMs of these executables cannot all
    /// be written, before anything is built.
    pub(crate) fn check<'a>(
        &self,
        executables: impl IntoIterator<Item = (&'a ImportPath, &'a str)>,
    ) -> Result<(), Error> {
        self.sinks.iter().try_for_each(Sink::check)?;
        let Some(sbom) = &self.sbom else { return Ok(()) };
        let named = executables.into_iter().map(|(path, program)| (path.to_string(), program));
        sbom.check(named).map_err(Error::Sbom)
    }

    /// Fails if a destination cannot be reached or denies access. It is called while Cargo compiles,
    /// so that nobody waits for a build that cannot be published.
    pub(crate) async fn check_access(&self, import_path: &ImportPath) -> Result<(), Error> {
        let repository = self.repository(import_path)?;
        for sink in &self.sinks {
            sink.reach(&repository).await?;
        }
        Ok(())
    }

    /// Whether the registry requires that the repository of a binary exists before a push.
    #[must_use]
    pub(crate) fn requires_repository(&self, import_path: &ImportPath) -> bool {
        self.repository(import_path).is_ok_and(|name| crate::registry::makes_no_repository(&name))
    }

    /// Whether this machine has pushed images of a binary before. Most likely it still may, and a
    /// build that changes nothing need not ask.
    #[must_use]
    pub(crate) fn has_pushed(&self, import_path: &ImportPath) -> bool {
        let repository = self.repository(import_path);
        repository.is_ok_and(|repository| registry::pushed_before(&self.tools.cache, &repository))
    }

    fn repository(&self, import_path: &ImportPath) -> Result<Repository, Error> {
        let named = self.naming.repository(import_path);
        named.map_err(|source| Error::Name { import_path: import_path.to_string(), source })
    }

    /// Takes the image of one binary, or its images for several platforms, to every destination.
    /// `compiled` is queried only if an SBOM is made, which is not the case for an image that has
    /// been published before.
    pub(crate) async fn publish(
        &self,
        import_path: &ImportPath,
        drafts: &[ImageDraft],
        compiled: Compiled<'_>,
        keep: Option<&KeepTag>,
    ) -> Result<Published, Error> {
        let Tools { client, cache, store, report } = &self.tools;
        let name = self.naming.name(import_path);
        let image = Outgoing {
            repository: self.repository(import_path)?,
            tags: &self.naming.tags,
            drafts,
            keep,
            sboms: Sboms {
                sbom: self.sbom.as_ref(),
                name: name.rsplit('/').next().unwrap_or(&name).to_owned(),
                drafts,
                compiled,
                report,
                client,
                cache,
                dependencies: OnceCell::new(),
                found: OnceCell::new(),
            },
            sealed: OnceCell::new(),
            name,
        };
        let mut arrived = Vec::new();
        for sink in &self.sinks {
            report.send(Event::Publishing { destination: sink.shown(&image) });
            arrived.push(sink.put(&image).await?);
        }
        let (reference, sealed) = match arrived.into_iter().min_by_key(Arrived::rank) {
            Some(Arrived::Pushed(sealed) | Arrived::Written(sealed)) => {
                (self.naming.pushed(import_path, sealed.digest()), sealed)
            }
            Some(Arrived::Loaded(image)) => {
                (self.naming.loaded(import_path, image.config_digest()), Sealed::Image(image))
            }
            None => {
                let sealed = image.sealed(store).await?.clone();
                (self.naming.unpushed(import_path, sealed.digest()), sealed)
            }
        };
        image.sboms.write(sealed.images()).await.map_err(Error::Sbom)?;
        for draft in drafts {
            local_paths::warn(&import_path.to_string(), draft, compiled, cache, report);
        }
        if self.choice.destinations.iter().any(|to| matches!(to, Destination::Archive(_))) {
            let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
            unfinished.push((image.repository.to_string(), reference.clone()));
        } else {
            report.send(Event::Published { reference: reference.clone() });
        }
        let name = &image.name;
        let children = sealed.children().into_iter().map(|digest| format!("{name}@{digest}"));
        let names = std::iter::once(reference.clone()).chain(children).collect();
        Ok(Published { digest: sealed.digest(), reference, names })
    }

    /// Ends the run: writes what is written once for all images.
    pub(crate) async fn finish(&self) -> Result<(), Error> {
        for sink in &self.sinks {
            sink.finish().await?;
        }
        let mut unfinished =
            std::mem::take(&mut *self.unfinished.lock().unwrap_or_else(PoisonError::into_inner));
        unfinished.sort();
        for (_, reference) in unfinished {
            self.tools.report.send(Event::Published { reference });
        }
        Ok(())
    }
}
