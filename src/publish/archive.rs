//! One file with all images of a run: a docker-archive, or an oci-archive if any image is for several
//! platforms.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt as _;
use tempfile::NamedTempFile;

pub(super) use super::docker_archive::Error;
use super::docker_archive::{self, Named};
use super::oci_archive::{self, Indexed};
use super::outgoing::{Outgoing, Tools};
use super::sealed::Sealed;
use super::store;
use crate::daemon::archive::{self, ArchiveStream, ArchiveWriter, Naming};
use crate::image::ImageDraft;
use crate::oci::{ImageReference, Repository, Tag};

/// An archive as a destination.
#[derive(Debug)]
pub(super) struct Archive {
    pub(super) path: PathBuf,
    tools: Tools,
    waiting: Mutex<Vec<Waiting>>,
}

/// An image that waits for the end of the run.
#[derive(Debug)]
struct Waiting {
    name: String,
    repository: Repository,
    tags: Vec<Tag>,
    drafts: Vec<ImageDraft>,
    sealed: Sealed,
}

impl Waiting {
    fn names(&self) -> Vec<ImageReference> {
        self.tags.iter().map(|tag| self.repository.tagged(tag.clone())).collect()
    }
}

impl Archive {
    pub(super) fn new(path: PathBuf, tools: Tools) -> Self {
        Self { path, tools, waiting: Mutex::default() }
    }

    /// Fails if the file cannot be written.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.begin().map(|_| ())
    }

    /// Takes in an image for the end of the run.
    pub(super) async fn put(&self, image: &Outgoing<'_>) -> Result<Sealed, store::Error> {
        let sealed = image.sealed(&self.tools.store).await?.clone();
        let waiting = Waiting {
            name: image.name.clone(),
            repository: image.repository.clone(),
            tags: image.tags.to_vec(),
            drafts: image.drafts.to_vec(),
            sealed: sealed.clone(),
        };
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(waiting);
        Ok(sealed)
    }

    /// Writes all images.
    pub(super) async fn finish(&self) -> Result<(), Error> {
        let mut images =
            std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        // Images arrive in any order; the archive is the same for the same images.
        images.sort_by_key(|image| image.repository.to_string());
        let (store, client) = (&self.tools.store, &self.tools.client);
        if images.iter().all(|image| image.drafts.len() == 1) {
            let named = images.iter().flat_map(|image| {
                let named = |draft| Named { draft, names: image.names(), tag_digest: None };
                image.drafts.first().map(named)
            });
            let named: Vec<_> = named.collect();
            let none = BTreeSet::new();
            return self
                .fill(async |writer| {
                    docker_archive::write_all(writer, &named, store, client, &none).await
                })
                .await;
        }
        self.tools.report.note(format!(
            "`{}` is an oci-archive, since it holds images for several platforms",
            self.path.display()
        ));
        let indexed = images.iter().map(|image| {
            let printed = image.tags.iter().map(|tag| format!("{}:{tag}", image.name));
            let names = printed.zip(image.names()).collect();
            Indexed { drafts: &image.drafts, sealed: &image.sealed, names }
        });
        let indexed: Vec<_> = indexed.collect();
        self.fill(async |writer| {
            oci_archive::write_all(writer, &indexed, store, client, &BTreeSet::new()).await
        })
        .await
    }

    /// Begins a temporary file beside the archive.
    fn begin(&self) -> Result<NamedTempFile, Error> {
        let folder = self.path.parent().filter(|folder| *folder != Path::new(""));
        NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
            .map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    /// Fills the file, which exists only once it is complete.
    async fn fill<T>(
        &self,
        write: impl AsyncFnOnce(ArchiveWriter) -> Result<T, Error>,
    ) -> Result<(), Error> {
        let failed = |source| Error::Write { path: self.path.clone(), source };
        let mut file = self.begin()?;
        let read = async |mut stream: ArchiveStream| {
            while let Some(bytes) = stream.next().await {
                file.write_all(&bytes?).map_err(failed)?;
            }
            Ok(())
        };
        archive::transfer(Naming::Stable, write, read).await?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::Permissions::from_mode(0o644);
            file.as_file().set_permissions(mode).map_err(failed)?;
        }
        file.persist(&self.path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}
