//! Pushes blobs and manifests. A blob is sent in one PUT where its digest is known, and streamed
//! while it is being made where it is not.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::mpsc;

use super::body::{Body, Progress};
use super::client::Client;
use super::error::{Error, Failure, Step};
use super::request;
use super::upload::{agrees, session};
use crate::http::Moved;
use crate::oci::file::OpenedFile;
use crate::oci::{Descriptor, Digest, Digester, ImageReference, MediaType, Repository, Tag};

/// A blob's bytes, whole.
#[derive(Clone, Debug)]
pub enum BlobBody {
    /// In memory.
    Bytes(Bytes),
    /// In a file.
    File(PathBuf),
    /// In a file that is open.
    OpenedFile(OpenedFile),
}

/// What came of taking over a blob of another repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mounted {
    /// It is there.
    Yes,
    /// It has to be sent. If the registry opened an upload instead, sending the blob uses that one.
    No,
}

/// What came of sending a blob while it was being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Streamed {
    /// It is there.
    Done(Digest),
    /// The registry does not take it that way, or the connection broke, or the blob was never
    /// finished; why. Nothing of it is there, and it can be sent by [`Client::push_blob`].
    Refused(String),
}

/// What a registry said when it took a manifest.
pub(super) struct Put {
    /// That it lists the manifest as a referrer of its subject.
    pub(super) lists_referrers: bool,
}

/// The codes by which registries refuse a manifest that names what they do not have.
const MISSING: [&str; 3] = ["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"];

impl Client {
    /// Asks whether a push to a repository is allowed, by opening an upload, which the next blob that
    /// is sent there uses. Asked again, it says the same without a request.
    pub async fn may_push(&self, repository: &Repository) -> Result<(), Error> {
        if self.writable().lock().unwrap_or_else(PoisonError::into_inner).contains(repository) {
            return Ok(());
        }
        let session = self
            .retrying(Step::AskToPush, repository, async || self.open(repository).await)
            .await?;
        self.writable().lock().unwrap_or_else(PoisonError::into_inner).insert(repository.clone());
        self.keep_session(repository, session, None);
        Ok(())
    }

    /// Takes over a blob that another repository of the same registry has. That it is not allowed
    /// to, or that the registry answers something odd, is no error: the blob has to be sent.
    pub async fn mount_blob(
        &self,
        to: &Repository,
        from: &Repository,
        digest: &Digest,
    ) -> Result<Mounted, Error> {
        let request = request::mount(to, from, digest);
        let mounted = self
            .ask(Step::MountBlob, to, &request, async |reply| match reply.response.status() {
                StatusCode::CREATED => Ok(Mounted::Yes),
                StatusCode::ACCEPTED => {
                    if let Ok(session) = session(&reply) {
                        self.keep_session(to, session, Some(*digest));
                    }
                    Ok(Mounted::No)
                }
                _ => match self.refused(to, reply).await {
                    failure if failure.is_passing() => Err(failure),
                    _ => Ok(Mounted::No),
                },
            })
            .await;
        match mounted {
            // One token for both repositories is not to be had.
            Err(Error { failure: Failure::Token { status, .. }, .. })
                if status.is_client_error() =>
            {
                Ok(Mounted::No)
            }
            other => other,
        }
    }

    /// Sends a blob whose digest is known: POST, and one PUT with all of it.
    pub async fn push_blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        body: BlobBody,
    ) -> Result<(), Error> {
        let step = Step::PushBlob;
        let (digest, size) = (&descriptor.digest, descriptor.size);
        let what = format!("pushing {}", digest.short());
        let progress = Progress {
            report: self.report().clone(),
            what,
            total: Some(size),
            done: Moved::default(),
        };
        let fail = |failure| Error { step, repository: repository.clone(), failure };
        let file = match &body {
            BlobBody::Bytes(_) => None,
            BlobBody::OpenedFile(file) => Some(file.clone()),
            BlobBody::File(path) => Some(
                OpenedFile::open(path)
                    .map_err(|source| fail(Failure::File { path: path.clone(), source }))?,
            ),
        };
        let (body, length) = match (&body, &file) {
            (BlobBody::Bytes(bytes), _) => (Body::Bytes(bytes), bytes.len() as u64),
            (_, Some(file)) => (Body::File(file, progress), file.size()),
            (_, None) => (Body::Empty, 0),
        };
        let changed = |file: &OpenedFile| fail(Failure::FileChanged(file.path().to_owned()));
        if length != size {
            return Err(match &file {
                Some(file) => changed(file),
                None => fail(Failure::WrongLength { expected: size, found: length }),
            });
        }
        let sent = self
            .retrying(step, repository, async || {
                let (kept, session) = match self.kept_session(repository, Some(digest)) {
                    Some(session) => (true, session),
                    None => (false, self.open(repository).await?),
                };
                let sent = self.finish(repository, &session, digest, size, &body).await;
                match sent {
                    // The upload that was opened early has been forgotten meanwhile.
                    Err(Failure::Refused { status: StatusCode::NOT_FOUND, .. }) if kept => {
                        let session = self.open(repository).await?;
                        self.finish(repository, &session, digest, size, &body).await
                    }
                    other => other,
                }
            })
            .await;
        // A registry checks digests: what it refused may not be what was announced.
        match (&sent, &file) {
            (Err(_), Some(file)) if !file.is_unchanged().unwrap_or(false) => Err(changed(file)),
            (Err(error), Some(file)) if error.status() == Some(StatusCode::BAD_REQUEST) => {
                match digest_of(file) {
                    Ok(found) if found != *digest => Err(fail(Failure::WrongFile {
                        path: file.path().to_owned(),
                        expected: *digest,
                        found,
                    })),
                    _ => sent,
                }
            }
            _ => sent,
        }
    }

    /// Sends a blob while it is being made, or fetched from elsewhere (then it is `known` what it
    /// will be): POST, one PATCH with `pieces` as they come, and a PUT with the digest that
    /// `finished` gives (none if it did not get ready). `finished` is driven to its
    /// end whatever the registry does, so that whoever makes the blob can keep it; when the registry
    /// does not want it, the receiver is dropped and sending pieces fails.
    pub async fn push_stream(
        &self,
        repository: &Repository,
        known: Option<&Descriptor>,
        pieces: mpsc::Receiver<Bytes>,
        finished: impl Future<Output = Option<Digest>>,
    ) -> Result<Streamed, Error> {
        let registry = repository.registry();
        if registry.host().ends_with(".pkg.dev") {
            drop(pieces);
            finished.await;
            return Ok(Streamed::Refused(format!("`{registry}` takes no streamed uploads")));
        }
        let what = match known {
            Some(known) => format!("pushing {}", known.digest.short()),
            None => format!("pushing to {}", repository.path()),
        };
        let (report, total) = (self.report().clone(), known.map(|known| known.size));
        let progress = Progress { report, what, total, done: Moved::default() };
        let sending = async {
            let body = Body::Pieces(Mutex::new(Some(pieces)), progress.clone());
            let session = match self.kept_session(repository, known.map(|known| &known.digest)) {
                Some(session) => session,
                None => {
                    let step = Step::PushBlob;
                    self.retrying(step, repository, async || self.open(repository).await).await?
                }
            };
            Ok(self.stream(repository, session, body).await)
        };
        let (sent, finished) = futures_util::future::join(sending, finished).await;
        let session = match sent? {
            Ok(session) => session,
            Err(failure) => return Ok(Streamed::Refused(crate::report::why(&failure))),
        };
        let Some(digest) = finished else {
            self.give_up(repository, &session).await;
            return Ok(Streamed::Refused("it was not finished".to_owned()));
        };
        match self.finish(repository, &session, &digest, 0, &Body::Empty).await {
            Ok(()) => {}
            // The answer may have been lost after the blob had been stored.
            Err(_) if self.has_blob(repository, &digest).await.unwrap_or(false) => {}
            Err(failure) => return Ok(Streamed::Refused(crate::report::why(&failure))),
        }
        if total.is_none() {
            progress.end();
        }
        Ok(Streamed::Done(digest))
    }

    /// Sends a manifest or index, under a tag or, without one, under its digest only.
    pub async fn push_manifest(
        &self,
        repository: &Repository,
        tag: Option<&Tag>,
        media_type: &MediaType,
        bytes: Bytes,
    ) -> Result<Digest, Error> {
        let digest = Digest::of(&bytes);
        let image = match tag {
            Some(tag) => repository.tagged(tag.clone()),
            None => repository.at(digest),
        };
        self.put_manifest(&image, media_type, &bytes).await?;
        Ok(digest)
    }

    /// Sends a manifest under the name that an image reference gives it.
    pub(super) async fn put_manifest(
        &self,
        image: &ImageReference,
        media_type: &MediaType,
        bytes: &Bytes,
    ) -> Result<Put, Error> {
        let repository = &image.repository;
        let request = request::put_manifest(image, media_type);
        self.retrying(Step::PushManifest, repository, async || {
            let reply = self.once(repository, &request, &Body::Bytes(bytes)).await?;
            let (status, host) = (reply.response.status(), reply.host.clone());
            if matches!(status.as_u16(), 200..=204) {
                let digest = Digest::of(bytes);
                agrees(&reply, &digest)?;
                let lists_referrers = reply.response.headers().contains_key("oci-subject");
                drop(reply);
                // Whatever stands before a registry may say that all is well.
                if status != StatusCode::CREATED && !self.leads_to(image, &digest).await? {
                    let what = format!("it answered {status} and does not have the manifest");
                    return Err(Failure::protocol(&host, what));
                }
                return Ok(Put { lists_referrers });
            }
            match self.refused(repository, reply).await {
                Failure::Refused { host, answer, status, .. }
                    if answer.names(&MISSING) && status.is_client_error() =>
                {
                    Err(Failure::MissingBlob { host, answer })
                }
                other => Err(other),
            }
        })
        .await
    }
}

/// The digest of a file, by reading it.
fn digest_of(file: &OpenedFile) -> io::Result<Digest> {
    let mut digester = Digester::default();
    let mut piece = vec![0; 256 << 10];
    loop {
        match file.read_at(&mut piece, digester.length())? {
            0 => return Ok(digester.finish()),
            count => digester.update(&piece[..count]),
        }
    }
}
