//! Uploads: opening one, sending into it, ending it; and those that were opened before there was
//! something to send.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use http::StatusCode;
use http::header::LOCATION;
use reqwest::Url;

use super::body::Body;
use super::client::{Client, Reply};
use super::error::Failure;
use super::request::{self, DIGEST_HEADER};
use super::session::Session;
use crate::oci::{Digest, Repository};

/// How long an upload that was opened early is thought to last.
const SESSION: Duration = Duration::from_secs(300);

/// How long a registry may take to forget an upload that nobody wants any more.
const GIVING_UP: Duration = Duration::from_secs(2);

impl Client {
    /// Opens an upload and says where it goes on.
    pub(super) async fn open(&self, repository: &Repository) -> Result<Url, Failure> {
        let request = request::start_upload(repository);
        let reply = self.once(repository, &request, &Body::Empty).await?;
        match reply.response.status() {
            StatusCode::ACCEPTED | StatusCode::CREATED => session(&reply),
            _ => Err(self.refused(repository, reply).await),
        }
    }

    /// Sends the pieces and says where to finish.
    pub(super) async fn stream(
        &self,
        repository: &Repository,
        session: Url,
        body: Body<'_>,
    ) -> Result<Url, Failure> {
        let request = request::send_chunks(repository, &session);
        let reply = self.once(repository, &request, &body).await?;
        match reply.response.status().as_u16() {
            200..=204 => {}
            _ => return Err(self.refused(repository, reply).await),
        }
        match reply.response.headers().get(LOCATION) {
            None => Ok(session),
            some => request::location(&reply.url, some),
        }
    }

    /// Ends an upload with what has not been sent yet.
    pub(super) async fn finish(
        &self,
        repository: &Repository,
        session: &Url,
        digest: &Digest,
        length: u64,
        body: &Body<'_>,
    ) -> Result<(), Failure> {
        let request = request::finish_upload(repository, session, digest, length);
        let reply = self.once(repository, &request, body).await?;
        match reply.response.status().as_u16() {
            200 | 201 | 204 => agrees(&reply, digest),
            _ => Err(self.refused(repository, reply).await),
        }
    }

    /// Gives an upload up. A registry that cannot be told forgets it after a while.
    pub(super) async fn give_up(&self, repository: &Repository, session: &Url) {
        let request = request::cancel_upload(repository, session);
        let _ = self.once(repository, &request, &Body::Empty).await;
    }

    pub(super) fn keep_session(&self, repository: &Repository, url: Url, digest: Option<Digest>) {
        let mut sessions = self.sessions().lock().unwrap_or_else(PoisonError::into_inner);
        let session = Session { url, opened: Instant::now(), digest };
        sessions.entry(repository.clone()).or_default().push(session);
    }

    /// Gives up the uploads that were opened early and nothing was sent into, as after a build that
    /// failed: a registry keeps a place for each.
    pub async fn give_up_unused(&self) {
        let sessions =
            std::mem::take(&mut *self.sessions().lock().unwrap_or_else(PoisonError::into_inner));
        for (repository, sessions) in sessions {
            for session in sessions {
                // A registry that does not answer forgets them by itself.
                let give_up = self.give_up(&repository, &session.url);
                let _ = tokio::time::timeout(GIVING_UP, give_up).await;
            }
        }
    }

    /// An upload that was opened early and takes this blob, or one whose digest is not known yet.
    pub(super) fn kept_session(
        &self,
        repository: &Repository,
        digest: Option<&Digest>,
    ) -> Option<Url> {
        let mut sessions = self.sessions().lock().unwrap_or_else(PoisonError::into_inner);
        let kept = sessions.get_mut(repository)?;
        kept.retain(|session| session.opened.elapsed() < SESSION);
        let own = kept.iter().position(|one| digest.is_some() && one.digest.as_ref() == digest);
        let any = || kept.iter().position(|one| one.digest.is_none());
        let position = own.or_else(any)?;
        Some(kept.swap_remove(position).url)
    }
}

/// Where an upload goes on. Some registries only give its number.
pub(super) fn session(reply: &Reply) -> Result<Url, Failure> {
    let headers = reply.response.headers();
    match (headers.get(LOCATION), headers.get("docker-upload-uuid")) {
        (None, Some(number)) => {
            let number = number.to_str().unwrap_or_default();
            let plain = !number.is_empty()
                && number.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=.".contains(&b));
            let mut url = reply.url.clone();
            url.set_query(None);
            url.join(number)
                .ok()
                .filter(|_| plain)
                .ok_or_else(|| Failure::protocol(&reply.host, "it has no readable `Location`"))
        }
        (location, _) => request::location(&reply.url, location),
    }
}

/// A registry that stored something else under another digest says so.
pub(super) fn agrees(reply: &Reply, digest: &Digest) -> Result<(), Failure> {
    let said = reply.response.headers().get(DIGEST_HEADER).and_then(|value| value.to_str().ok());
    match said.map(str::parse::<Digest>) {
        Some(Ok(other)) if other != *digest => {
            Err(Failure::protocol(&reply.host, format!("it stored {other} for {digest}")))
        }
        _ => Ok(()),
    }
}
