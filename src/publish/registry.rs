//! Pushes images to a registry: what the registry has is not sent, the images of an index are pushed
//! first and by digest, and the tag is set last.

use std::collections::BTreeSet;
use std::io::Write as _;

use bytes::Bytes;
use futures_util::future::{join, try_join_all};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::{mpsc, oneshot};

use super::codes;
use super::error::Error;
use super::keep::KeepTag;
use super::outgoing::{Outgoing, Tools};
use super::sbom::{Attachment, Sboms, no_config};
use super::sealed::Sealed;
use super::store::{self, Store};
use crate::cache::Cache;
use crate::image::ImageDraft;
use crate::oci::{
    BlobSource, Compression, Descriptor, Digest, Layer, LayerSource, Packed, Repository, Tag,
};
use crate::registry::{BlobBody, Client, Mounted, Streamed};
use crate::report::{Diagnostic, Reporter};

/// How many blobs of one image are pushed at once.
const AT_ONCE: usize = 4;

/// How many layers of a base are copied at once if each is unpacked too, which takes more memory.
const UNPACKED_AT_ONCE: usize = 2;

/// How many digests are remembered for one repository.
const REMEMBERED: usize = 64;

/// A registry as a destination.
#[derive(Debug)]
pub(super) struct Registry {
    pub(super) tools: Tools,
}

impl Registry {
    /// Fails if the registry does not allow pushing to a repository.
    pub(super) async fn reach(&self, repository: &Repository) -> Result<(), Error> {
        self.tools.client.may_push(repository).await.map_err(Error::Registry)
    }

    /// Pushes what the registry does not have yet, and sets the tag that keeps it.
    pub(super) async fn put(&self, image: &Outgoing<'_>) -> Result<Sealed, Error> {
        let Tools { client, cache, store, report } = &self.tools;
        let (repository, tags, sboms) = (&image.repository, image.tags, &image.sboms);
        let push = Push { client, cache, store, repository, tags, sboms, report };
        let sealed = push.push_tagged(image.drafts).await?;
        if let Some(keep) = image.keep {
            push.keep(keep, &sealed).await?;
        }
        Ok(sealed)
    }
}

/// The push of one binary's images to their repository.
pub(super) struct Push<'a> {
    pub(super) client: &'a Client,
    pub(super) cache: &'a Cache,
    pub(super) store: &'a Store,
    pub(super) repository: &'a Repository,
    pub(super) tags: &'a [Tag],
    pub(super) sboms: &'a Sboms<'a>,
    pub(super) report: &'a Reporter,
}

/// The kind of the records of what a repository has.
const PRESENT: &str = "present";

fn key(repository: &Repository) -> Digest {
    Digest::of(repository.to_string().as_bytes())
}

/// Whether this machine has pushed to a repository before.
pub(super) fn pushed_before(cache: &Cache, repository: &Repository) -> bool {
    cache.record::<Hints>(PRESENT, &key(repository)).is_some()
}

/// What the repository is assumed to have. Only a hint: a registry may be emptied.
pub(super) type Hints = BTreeSet<Digest>;

/// What a repository has of an image.
struct There<'a> {
    /// Whether it has the image, under one of its tags or by its digest.
    image: bool,
    /// The tags that it lacks.
    missing: Vec<Option<&'a Tag>>,
}

impl Push<'_> {
    async fn push_tagged(&self, drafts: &[ImageDraft]) -> Result<Sealed, Error> {
        if let Some(sealed) = self.known(drafts) {
            let there = self.find(&sealed).await?;
            if there.missing.is_empty() {
                return Ok(sealed);
            }
            let image = there.image || self.has(&sealed, &there.missing).await?;
            if image && self.set_tags(&sealed, &there.missing).await? {
                return Ok(sealed);
            }
        }
        match self.push_with(drafts, Some(self.hints())).await {
            Err(Error::Registry(error)) if error.is_missing_blob() => {
                self.cache.remove_record(PRESENT, &key(self.repository));
                self.push_with(drafts, None).await
            }
            outcome => outcome,
        }
    }

    /// The finished image, if all its layers were packed before.
    fn known(&self, drafts: &[ImageDraft]) -> Option<Sealed> {
        let layers = |draft: &ImageDraft| {
            draft
                .sources()
                .iter()
                .map(|source| self.store.known(source))
                .collect::<Option<Vec<_>>>()
        };
        let packed = drafts.iter().map(layers).collect::<Option<Vec<_>>>()?;
        Some(Sealed::new(drafts, &packed, self.store.compression))
    }

    /// Finds out which tags do not name this image yet; without tags, whether its digest is missing.
    async fn find(&self, sealed: &Sealed) -> Result<There<'_>, Error> {
        let wanted: Vec<Option<&Tag>> = match self.tags {
            [] => vec![None],
            tags => tags.iter().map(Some).collect(),
        };
        let found = try_join_all(wanted.iter().map(async |tag| {
            let image = match tag {
                Some(tag) => self.repository.tagged((*tag).clone()),
                None => self.repository.at(sealed.digest()),
            };
            let found = self.client.find_manifest(&image).await.map_err(Error::Registry)?;
            Ok::<_, Error>(found.is_some_and(|found| found.digest == sealed.digest()))
        }));
        let found = found.await?;
        let missing = wanted.into_iter().zip(&found).filter(|(_, found)| !**found);
        Ok(There { image: found.contains(&true), missing: missing.map(|(tag, _)| tag).collect() })
    }

    /// Whether the registry has an image by its digest. Without tags that is already known.
    async fn has(&self, sealed: &Sealed, tags: &[Option<&Tag>]) -> Result<bool, Error> {
        let asked = tags.contains(&None);
        let image = self.repository.at(sealed.digest());
        Ok(!asked && self.client.find_manifest(&image).await.map_err(Error::Registry)?.is_some())
    }

    /// Sets further tags of an image; false if the registry lacks parts of the image after all.
    async fn set_tags(&self, sealed: &Sealed, tags: &[Option<&Tag>]) -> Result<bool, Error> {
        for tag in tags {
            match self.push_manifest(*tag, sealed.descriptor(), sealed.bytes()).await {
                Ok(()) => {}
                Err(Error::Registry(error)) if error.is_missing_blob() => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Pushes what the registry neither is assumed nor claims to have. Without hints everything is
    /// pushed: the registry claimed to have something that it lacks.
    async fn push_with(
        &self,
        drafts: &[ImageDraft],
        hints: Option<Hints>,
    ) -> Result<Sealed, Error> {
        let full = hints.is_none();
        let mut hints = hints.unwrap_or_default();
        let mut base: Vec<&(Layer, BlobSource)> =
            drafts.iter().flat_map(ImageDraft::base_layers).collect();
        base.sort_by_key(|(layer, _)| layer.descriptor.digest);
        base.dedup_by_key(|(layer, _)| layer.descriptor.digest);
        base.retain(|(layer, _)| !hints.contains(&layer.descriptor.digest));
        let at_once = if self.sboms.sbom.is_some() { UNPACKED_AT_ONCE } else { AT_ONCE };
        let base_layers = stream::iter(base.iter())
            .map(async |(layer, blob)| self.base_layer(layer, blob, full).await)
            .buffer_unordered(at_once)
            .try_collect::<Vec<()>>();
        let prepared = async {
            // Reading a layer before it is copied would pull it a second time.
            let ((), copied) = join(self.sboms.query(), base_layers).await;
            copied?;
            self.prepare().await
        };
        let sources = drafts.iter().flat_map(ImageDraft::sources);
        let layers = stream::iter(sources)
            .map(async |source| self.layer(source, full).await)
            .buffered(AT_ONCE)
            .try_collect::<Vec<Packed>>();
        let (prepared, layers) = join(prepared, layers).await;
        let with_sboms = prepared?;
        let mut layers = layers?.into_iter();
        let packed: Vec<Vec<Packed>> = drafts
            .iter()
            .map(|draft| layers.by_ref().take(draft.sources().len()).collect())
            .collect();
        let sealed = Sealed::new(drafts, &packed, self.store.compression);
        let configs = try_join_all(sealed.images().iter().map(async |image| {
            let descriptor = Descriptor::new(
                drafts[0].format().config(),
                image.config_digest(),
                image.config().len() as u64,
            );
            let body = BlobBody::Bytes(image.config().clone());
            let pushed = self.client.push_blob(self.repository, &descriptor, body).await;
            pushed.map_err(Error::Registry)
        }));
        let documents = async {
            if with_sboms { self.documents(&sealed, &hints).await } else { Ok(Vec::new()) }
        };
        let (configs, sboms) = join(configs, documents).await;
        configs?;
        let sboms = sboms?;
        self.push_manifests(&sealed, &sboms, hints.is_empty()).await?;
        hints.extend(base.iter().map(|(layer, _)| layer.descriptor.digest));
        if !sboms.is_empty() {
            hints.insert(no_config().digest);
        }
        self.remember(hints);
        Ok(sealed)
    }

    /// Pushes the images of an index by digest, then their referrers, then each tag, or the digest if
    /// there are no tags.
    async fn push_manifests(
        &self,
        sealed: &Sealed,
        sboms: &[Attachment],
        certain: bool,
    ) -> Result<(), Error> {
        let indexed = matches!(sealed, Sealed::Index(_));
        if indexed {
            for image in sealed.images() {
                self.push_manifest(None, image.descriptor(), image.manifest()).await?;
            }
        }
        for (image, sbom) in sealed.images().iter().zip(sboms) {
            self.attach(image, sbom, indexed, certain).await?;
        }
        if self.tags.is_empty() {
            self.push_manifest(None, sealed.descriptor(), sealed.bytes()).await?;
        }
        for tag in self.tags {
            self.push_manifest(Some(tag), sealed.descriptor(), sealed.bytes()).await?;
        }
        Ok(())
    }

    pub(super) async fn push_manifest(
        &self,
        tag: Option<&Tag>,
        descriptor: &Descriptor,
        bytes: &Bytes,
    ) -> Result<(), Error> {
        let media_type = &descriptor.media_type;
        let pushed = self.client.push_manifest(self.repository, tag, media_type, bytes.clone());
        match (pushed.await, tag) {
            (Ok(_), _) => Ok(()),
            (Err(error), Some(tag)) => match self.taken(tag, &error).await {
                Some(there) if there == descriptor.digest => Ok(()),
                Some(there) => Err(Error::Taken {
                    tag: self.repository.tagged(tag.clone()).to_string(),
                    there,
                    wanted: descriptor.digest,
                    source: error,
                }),
                None => Err(Error::Registry(error)),
            },
            (Err(error), None) => Err(Error::Registry(error)),
        }
    }

    /// What a tag names that the registry refused to set: an immutable tag cannot even be set to the
    /// same image again.
    async fn taken(&self, tag: &Tag, error: &crate::registry::Error) -> Option<Digest> {
        let refused = error.status().is_some_and(|status| status.is_client_error());
        if !refused || error.is_missing_blob() {
            return None;
        }
        let found = self.client.find_manifest(&self.repository.tagged(tag.clone())).await;
        found.ok().flatten().map(|found| found.digest)
    }

    /// Sets the tag that keeps an image, unless the tag exists: it is never moved.
    async fn keep(&self, keep: &KeepTag, sealed: &Sealed) -> Result<(), Error> {
        let digest = sealed.digest();
        let tag = keep.of(digest)?;
        let image = self.repository.tagged(tag.clone());
        match self.client.find_manifest(&image).await.map_err(Error::Registry)? {
            None => self.push_manifest(Some(&tag), sealed.descriptor(), sealed.bytes()).await,
            Some(there) => {
                if there.digest != digest {
                    let message = format!(
                        "`{image}` names {} already, so no tag keeps {digest}",
                        there.digest
                    );
                    self.report.diagnostic(
                        Diagnostic::warning(&codes::KEEP_TAG_TAKEN, message).hint(
                            "use a different tag for each image: keepTag: \"d-{{ Digest }}\"",
                        ),
                    );
                }
                Ok(())
            }
        }
    }

    async fn has_blob(&self, digest: &Digest) -> Result<bool, Error> {
        self.client.has_blob(self.repository, digest).await.map_err(Error::Registry)
    }

    /// Pushes a layer of the base: mounts it from its own repository on the same registry, else copies
    /// it from or through the cache.
    async fn base_layer(&self, layer: &Layer, blob: &BlobSource, full: bool) -> Result<(), Error> {
        let descriptor = &layer.descriptor;
        if !full && self.has_blob(&descriptor.digest).await? {
            return Ok(());
        }
        if let BlobSource::Registry(from) = blob
            && from.registry() == self.repository.registry()
            && !full
        {
            let mounted = self.client.mount_blob(self.repository, from, &descriptor.digest).await;
            if matches!(mounted.map_err(Error::Registry)?, Mounted::Yes) {
                return Ok(());
            }
        }
        let to = self.repository;
        let pushed = match blob {
            BlobSource::Registry(from) => {
                let (read, looking) = self.sboms.look_into(layer);
                join(self.client.copy_blob(from, to, descriptor, read), looking).await.0
            }
            BlobSource::File(path) => {
                self.client.push_blob(to, descriptor, BlobBody::File(path.clone())).await
            }
            BlobSource::Bytes(bytes) => {
                self.client.push_blob(to, descriptor, BlobBody::Bytes(bytes.clone())).await
            }
        };
        pushed.map_err(Error::Registry)
    }

    /// Pushes a new layer in the cheapest way that works: it is there, it is sent from the cache, or
    /// it is packed, digested, kept and sent in one pass.
    async fn layer(&self, source: &LayerSource, full: bool) -> Result<Packed, Error> {
        if let Some(packed) = self.store.known(source) {
            if !full && self.has_blob(&packed.digest).await? {
                return Ok(packed);
            }
            if let Some(path) = self.store.kept(&packed) {
                match self.push_file(packed, path).await {
                    // The cached file was modified; packing again costs only time.
                    Err(Error::Registry(error)) if error.is_wrong_file() => {
                        self.store.cache.remove_blob(&packed.digest);
                    }
                    outcome => return outcome,
                }
            }
        }
        self.stream(source).await
    }

    fn descriptor(&self, packed: &Packed) -> Descriptor {
        let format = crate::oci::Format::Oci;
        Descriptor::new(format.layer(self.store.compression), packed.digest, packed.size)
    }

    async fn push_file(&self, packed: Packed, path: std::path::PathBuf) -> Result<Packed, Error> {
        let descriptor = self.descriptor(&packed);
        let pushed =
            self.client.push_blob(self.repository, &descriptor, BlobBody::File(path)).await;
        pushed.map_err(Error::Registry)?;
        Ok(packed)
    }

    /// Packs a layer once, to the registry and, if it is compressed, at the same time into the cache.
    /// If the registry does not accept streams, or the connection breaks, it is sent again as a
    /// whole. If it cannot be kept, as on a full disk, only a later run takes longer.
    async fn stream(&self, source: &LayerSource) -> Result<Packed, Error> {
        let purpose = source.purpose;
        let kept = self.store.compression != Compression::None;
        let mut writer = kept.then(|| self.store.cache.write_blob().ok()).flatten();
        let mut packing = self.store.pack(source);
        let (sender, pieces) = mpsc::channel(2);
        let (tell, told) = oneshot::channel();
        let upload =
            self.client.push_stream(self.repository, None, pieces, async { told.await.ok() });
        let pack = async {
            let mut listening = true;
            while let Some(chunk) = packing.chunks.recv().await {
                writer = writer.and_then(|mut to| to.write_all(&chunk).is_ok().then_some(to));
                // An upload that ended early is handled below; the bytes are still needed here.
                listening = listening && sender.send(chunk).await.is_ok();
            }
            let packed = packing.finish().await;
            let packed = packed.map_err(|source| store::Error::Pack { purpose, source })?;
            if let Some(writer) = writer {
                let _ = writer.commit(Some(&packed.digest));
            }
            let _ = tell.send(packed.digest);
            drop(sender);
            Ok::<_, store::Error>(packed)
        };
        let (streamed, packed) = join(upload, pack).await;
        let packed = packed?;
        self.store.remember(source, packed);
        match streamed.map_err(Error::Registry)? {
            Streamed::Done(_) => Ok(packed),
            Streamed::Refused(_) => {
                let (packed, path) = self.store.file(source).await?;
                self.push_file(packed, path).await
            }
        }
    }

    fn hints(&self) -> Hints {
        self.cache.record(PRESENT, &key(self.repository)).unwrap_or_default()
    }

    fn remember(&self, hints: Hints) {
        let hints: Hints = hints.into_iter().take(REMEMBERED).collect();
        let _ = self.cache.put_record(PRESENT, &key(self.repository), &hints);
    }
}
