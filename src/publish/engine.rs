//! Loads images into a Docker Engine. An image that it has is not sent, and of a new version only the
//! new layers are.

use std::collections::BTreeSet;

use super::docker_archive::{self as archive, Named};
use super::outgoing::{Outgoing, Tools};
use super::store::{self, Store};
use crate::daemon::archive::{ArchiveStream, Naming, transfer};
use crate::daemon::{self, Daemon};
use crate::image::ImageDraft;
use crate::oci::{Digest, Image, ImageReference, Packed, Repository, Tag};
use crate::registry::Client;
use crate::report::{Details, Diagnose, Reporter};

/// A Docker Engine as a destination.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) daemon: Daemon,
    pub(super) tools: Tools,
}

impl Engine {
    /// Fails if the engine does not answer.
    pub(super) async fn reach(&self) -> Result<(), Error> {
        Ok(self.daemon.reach().await?)
    }

    /// Loads an image. Of several platforms the engine gets the one that it runs.
    pub(super) async fn put(&self, image: &Outgoing<'_>) -> Result<Image, Error> {
        let Tools { client, store, report, .. } = &self.tools;
        let (daemon, repository, tags) = (&self.daemon, &image.repository, image.tags);
        Load { daemon, client, store, repository, tags, report }.load(image.drafts).await
    }
}

/// The loading of one binary's image.
struct Load<'a> {
    daemon: &'a Daemon,
    client: &'a Client,
    store: &'a Store,
    repository: &'a Repository,
    tags: &'a [Tag],
    report: &'a Reporter,
}

/// A failure to load an image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] daemon::Error),
    /// The archive that is sent.
    #[error(transparent)]
    Archive(#[from] archive::Error),
    /// A layer.
    #[error(transparent)]
    Layer(#[from] store::Error),
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::Engine(error) => error.details(),
            Self::Archive(error) => error.details(),
            Self::Layer(error) => error.details(),
        }
    }
}

impl Load<'_> {
    /// Loads the image if the engine does not have it, and sets its tags.
    async fn load(&self, drafts: &[ImageDraft]) -> Result<Image, Error> {
        let draft = self.choose(drafts).await?;
        let plain = self.store.plain();
        let known: Option<Vec<Packed>> =
            draft.sources().iter().map(|source| plain.known(source)).collect();
        if let Some(packed) = known {
            let image = archive::sealed(draft, &packed);
            let name = self.by_digest(&image);
            if self.daemon.image(&name).await?.is_some() {
                for tag in self.tags {
                    self.daemon.tag(&name, self.repository, tag).await?;
                }
                return Ok(image);
            }
        }
        let there = self.layers_there(draft).await?;
        let loaded = self.send(draft, &there).await;
        let image = match loaded {
            // The engine claimed to have the layers; send them after all.
            Err(Error::Engine(_)) if !there.is_empty() => {
                self.send(draft, &BTreeSet::new()).await?
            }
            loaded => loaded?,
        };
        Ok(image)
    }

    async fn choose<'d>(&self, drafts: &'d [ImageDraft]) -> Result<&'d ImageDraft, Error> {
        if let [only] = drafts {
            return Ok(only);
        }
        let platform = self.daemon.platform().await?;
        let fitting = drafts.iter().find(|draft| platform.matches(draft.platform()));
        let draft = fitting.unwrap_or(&drafts[0]);
        self.report.note(format!(
            "the Docker Engine at {} receives the image for {}",
            self.daemon.address(),
            draft.platform()
        ));
        Ok(draft)
    }

    /// The name that is unique to the image: the digest of its configuration as a tag.
    fn by_digest(&self, image: &Image) -> ImageReference {
        let tag = image.config_digest().hex().parse().unwrap_or_else(|_| Tag::latest());
        self.repository.tagged(tag)
    }

    /// The layers of the base that the engine has, from the lowest on: those in the image that has this
    /// name there.
    async fn layers_there(&self, draft: &ImageDraft) -> Result<BTreeSet<Digest>, Error> {
        let Some(tag) = self.tags.first() else { return Ok(BTreeSet::new()) };
        let Some(old) = self.daemon.image(&self.repository.tagged(tag.clone())).await? else {
            return Ok(BTreeSet::new());
        };
        if self.daemon.store().await? != daemon::Store::GraphDriver {
            return Ok(BTreeSet::new());
        }
        let base = draft.base_layers().iter().map(|(layer, _)| layer.diff_id);
        let common = base.zip(&old.diff_ids).take_while(|(ours, theirs)| ours == *theirs);
        Ok(common.map(|(ours, _)| ours).collect())
    }

    async fn send(&self, draft: &ImageDraft, left_out: &BTreeSet<Digest>) -> Result<Image, Error> {
        let names = self.tags.iter().map(|tag| self.repository.tagged(tag.clone())).collect();
        let named = [Named { draft, names, tag_digest: Some(self.repository.clone()) }];
        let write = async |writer| {
            let configs = archive::write_all(writer, &named, self.store, self.client, left_out);
            Ok::<_, Error>(configs.await?)
        };
        let read = async |stream: ArchiveStream| Ok(self.daemon.load(stream).await?);
        transfer(Naming::Once, write, read).await?;
        let plain = self.store.plain();
        let mut packed = Vec::new();
        for source in draft.sources() {
            packed.push(plain.measure(source).await?);
        }
        Ok(archive::sealed(draft, &packed))
    }
}
