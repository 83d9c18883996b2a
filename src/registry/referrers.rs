//! What refers to an image: SBOMs, signatures ([spec, "Listing Referrers"][spec]). A registry that
//! does not know of referrers gets them listed under a tag that is made of the image's digest.
//!
//! [spec]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::client::{Client, Reply};
use super::error::{Error, Failure, Step};
use super::request::{self, Request};
use crate::oci::{Descriptor, Digest, ImageReference, MediaType, Repository, Tag};

/// The largest list that is taken: it is a manifest.
const LARGEST: u64 = 4 << 20;

/// How many pages of a list are read.
const PAGES: usize = 64;

/// How often an entry is added to a list out of which others take it.
const TRIES: u32 = 12;

/// How long others may take between reading a list and writing it: longer with each try.
const MEANWHILE: Duration = Duration::from_millis(150);

#[derive(Deserialize)]
struct List {
    manifests: Vec<Descriptor>,
}

impl Client {
    /// Sends a manifest whose `subject` is `subject`, and sees to it that it is found from there.
    /// `manifest` describes it, with artifact type and annotations, as the list is to show it.
    pub async fn push_referrer(
        &self,
        repository: &Repository,
        subject: &Digest,
        manifest: &Descriptor,
        bytes: Bytes,
    ) -> Result<(), Error> {
        let image = repository.at(manifest.digest);
        if self.put_manifest(&image, &manifest.media_type, &bytes).await?.lists_referrers {
            return Ok(());
        }
        // Whoever adds to a list without having read what another one adds would take that away.
        let turn = self.turn(*subject);
        let _turn = turn.lock().await;
        let (step, tag) = (Step::ListReferrer, fallback(subject));
        let fail = |failure| Error { step, repository: repository.clone(), failure };
        let host = repository.registry().as_str();
        for tried in 0..TRIES {
            let old = self.list(&repository.tagged(tag.clone())).await?;
            let list = listing(old.as_deref(), manifest).ok_or_else(|| {
                fail(Failure::protocol(host, "its list of referrers is no index"))
            })?;
            let Some(list) = list else { return Ok(()) };
            self.push_manifest(repository, Some(&tag), &MediaType::ImageIndex, list).await?;
            // An image that nothing refers to yet is new, and only those who push the same image
            // know of it: they list the same. Else another process may have read the same list,
            // and added to that; there is nothing that says so but the list, a little later.
            if old.is_none() && tried == 0 {
                return Ok(());
            }
            tokio::time::sleep(MEANWHILE.mul_f64(f64::from(tried + 1) * fastrand::f64())).await;
        }
        let what = "others keep taking what was added out of its list of referrers";
        Err(fail(Failure::protocol(host, what)))
    }

    /// The list under a tag, where there is one.
    async fn list(&self, tag: &ImageReference) -> Result<Option<Bytes>, Error> {
        let (step, repository) = (Step::ListReferrer, &tag.repository);
        let request = request::manifest(Method::GET, tag);
        self.ask(step, repository, &request, async |reply| match reply.response.status() {
            StatusCode::OK => {
                let (host, sender) = (reply.host, self.sender());
                Ok(Some(sender.body(&host, reply.response, LARGEST).await?))
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refused(repository, reply).await),
        })
        .await
    }

    /// What refers to an image.
    pub async fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, Error> {
        let step = Step::FindReferrers;
        let tag = repository.tagged(fallback(subject));
        let places =
            [request::referrers(repository, subject), request::manifest(Method::GET, &tag)];
        for first in places {
            let mut found = Vec::new();
            let mut next = Some(first);
            let mut pages = 0;
            while let Some(request) = next.take().filter(|_| pages < PAGES) {
                let page = self
                    .ask(step, repository, &request, async |reply| {
                        self.page(repository, reply).await
                    })
                    .await?;
                let Some((list, after)) = page else { break };
                found.extend(list.manifests);
                (next, pages) = (after, pages + 1);
            }
            if pages > 0 {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// A page of a list, and where the next one is; none if there is no list.
    async fn page(
        &self,
        repository: &Repository,
        reply: Reply,
    ) -> Result<Option<(List, Option<Request>)>, Failure> {
        match reply.response.status() {
            StatusCode::OK => {
                let next = request::next_page(repository, &reply.url, reply.response.headers())?;
                let body = self.sender().body(&reply.host, reply.response, LARGEST).await?;
                // A web page in place of an unknown endpoint is no list.
                Ok(serde_json::from_slice::<List>(&body).ok().map(|list| (list, next)))
            }
            StatusCode::NOT_FOUND
            | StatusCode::BAD_REQUEST
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_IMPLEMENTED => Ok(None),
            _ => Err(self.refused(repository, reply).await),
        }
    }
}

/// The tag of the list of referrers, where the registry keeps none.
fn fallback(subject: &Digest) -> Tag {
    let text = format!("sha256-{}", subject.hex());
    text.parse().unwrap_or_else(|_| Tag::latest())
}

/// The list with one more entry; none in the inner place if it is in there already, none in the
/// outer one if the old list is no index. What others wrote into it stays.
fn listing(old: Option<&[u8]>, manifest: &Descriptor) -> Option<Option<Bytes>> {
    let mut list: Map<String, Value> = match old {
        Some(old) => serde_json::from_slice(old).ok()?,
        None => {
            let empty = json!({
                "schemaVersion": 2,
                "mediaType": MediaType::ImageIndex,
                "manifests": [],
            });
            serde_json::from_value(empty).ok()?
        }
    };
    let entries = list.get_mut("manifests")?.as_array_mut()?;
    let digest = manifest.digest.to_string();
    if entries.iter().any(|entry| entry.get("digest").is_some_and(|other| *other == digest)) {
        return Some(None);
    }
    entries.push(serde_json::to_value(manifest).ok()?);
    Some(Some(serde_json::to_vec(&list).ok()?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_what_is_in_it_and_holds_nothing_twice() {
        let one = Descriptor::of(MediaType::ImageManifest, b"one");
        let two = Descriptor::of(MediaType::ImageManifest, b"two");
        let first = listing(None, &one).unwrap().unwrap();
        let text = String::from_utf8(first.to_vec()).unwrap();
        let odd = text.replace("\"size\":3", "\"size\":3,\"data\":\"b25l\"");
        let second = listing(Some(odd.as_bytes()), &two).unwrap().unwrap();
        let list: List = serde_json::from_slice(&second).unwrap();
        assert_eq!(list.manifests, [one, two.clone()]);
        assert!(String::from_utf8(second.to_vec()).unwrap().contains("b25l"));
        assert_eq!(listing(Some(&second), &two), Some(None));
        assert_eq!(listing(Some(b"<html>"), &two), None);
        assert_eq!(listing(Some(b"{}"), &two), None);
    }

    #[test]
    fn the_list_is_under_a_tag_that_names_the_image() {
        assert!(fallback(&Digest::of(b"")).as_str().starts_with("sha256-e3b0c442"));
        assert_eq!(fallback(&Digest::of(b"")).as_str().len(), 71);
    }
}
