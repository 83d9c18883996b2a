//! Pulls manifests and blobs, by digest or tag; nothing is believed that its digest does not prove.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use ::http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use ::http::{HeaderMap, Method, StatusCode};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::body::{Body, Progress};
use super::client::{Client, Reply};
use super::error::{Error, Failure, Step};
use super::follower::Follower;
use super::locations::Places;
use super::request::{self, DIGEST_HEADER};
use crate::cache::{self, BlobWriter, Cache};
use crate::http::{self, Moved, Pace, Transport};
use crate::oci::{Descriptor, Digest, ImageReference, MediaType, Repository};
use crate::report::why;

/// The largest manifest that is taken; registries take none that are larger.
const LARGEST_MANIFEST: u64 = 4 << 20;

/// How much of a blob is worth another round of tries.
const PROGRESS: u64 = 8 << 20;

/// A manifest or index as a registry gave it, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawManifest {
    /// What it is, its digest and size.
    pub descriptor: Descriptor,
    /// Its bytes.
    pub bytes: Bytes,
}

/// What is kept of a manifest beside its bytes, which lie with the blobs.
#[derive(Serialize, Deserialize)]
struct Kept {
    media_type: MediaType,
    size: u64,
}

const KEPT: &str = "manifest";

impl Client {
    /// Fetches a manifest. One that is asked for by digest is kept, and costs no request again.
    pub async fn manifest(&self, image: &ImageReference) -> Result<RawManifest, Error> {
        let (step, repository) = (Step::PullManifest, &image.repository);
        let fail = |failure| Error { step, repository: repository.clone(), failure };
        let cache = self.cache().map_err(fail)?;
        if let Some(kept) = image.digest.as_ref().and_then(|digest| kept(&cache, digest)) {
            return Ok(kept);
        }
        let places = self.locations().and_then(|found| {
            found.places(image).map_err(|error| Failure::Locations(Box::new(error)))
        });
        let Places { mirrors, last } = places.map_err(fail)?;
        let from = async |place: &Repository| {
            let moved = ImageReference { repository: place.clone(), ..image.clone() };
            let request = request::manifest(Method::GET, &moved);
            let reply = self.once(place, &request, &Body::Empty).await?;
            if reply.response.status() != StatusCode::OK {
                return Err(self.refused(place, reply).await);
            }
            self.read_manifest(image, reply).await
        };
        for mirror in &mirrors {
            match from(mirror).await {
                Ok(manifest) => {
                    self.report().detail(format!("`{image}` comes from the mirror `{mirror}`"));
                    self.keep(&cache, &manifest);
                    return Ok(manifest);
                }
                Err(failure) => self.passed_over(mirror, &failure),
            }
        }
        let manifest = self.retrying(step, &last, async || from(&last).await).await?;
        self.keep(&cache, &manifest);
        Ok(manifest)
    }

    /// Asks what a tag points to, or whether a manifest is there; none if it is not.
    pub async fn find_manifest(&self, image: &ImageReference) -> Result<Option<Descriptor>, Error> {
        let (step, repository) = (Step::FindManifest, &image.repository);
        let request = request::manifest(Method::HEAD, image);
        let (there, told) = self
            .ask(step, repository, &request, async |reply| match reply.response.status() {
                StatusCode::OK => Ok((true, described(image, reply.response.headers()))),
                StatusCode::NOT_FOUND => Ok((false, None)),
                StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Ok((true, None)),
                _ => Err(self.refused(repository, reply).await),
            })
            .await?;
        if !there || told.is_some() {
            return Ok(told);
        }
        // HEAD is not served, or its headers say too little: the manifest itself says it.
        let request = request::manifest(Method::GET, image);
        self.ask(step, repository, &request, async |reply| match reply.response.status() {
            StatusCode::OK => Ok(Some(self.read_manifest(image, reply).await?.descriptor)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refused(repository, reply).await),
        })
        .await
    }

    /// Whether a name leads to a manifest of this digest, asked once.
    pub(super) async fn leads_to(
        &self,
        image: &ImageReference,
        digest: &Digest,
    ) -> Result<bool, Failure> {
        let request = request::manifest(Method::GET, image);
        let reply = self.once(&image.repository, &request, &Body::Empty).await?;
        match reply.response.status() {
            StatusCode::OK => {
                let body = self.sender().body(&reply.host, reply.response, LARGEST_MANIFEST);
                Ok(Digest::of(&body.await?) == *digest)
            }
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(self.refused(&image.repository, reply).await),
        }
    }

    /// Whether a repository has a blob.
    pub async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool, Error> {
        let request = request::blob(Method::HEAD, repository, digest, 0);
        self.ask(Step::FindBlob, repository, &request, async |reply| {
            match reply.response.status() {
                status if status.is_success() => Ok(true),
                // A store that the registry redirects to may serve GET alone.
                status if status.is_client_error() && reply.is_elsewhere(repository) => Ok(false),
                // Where HEAD is not served, sending the blob is always right.
                StatusCode::NOT_FOUND
                | StatusCode::METHOD_NOT_ALLOWED
                | StatusCode::NOT_IMPLEMENTED => Ok(false),
                _ => Err(self.refused(repository, reply).await),
            }
        })
        .await
    }

    /// Fetches a blob into the cache and says where it lies. Without a cache it lies there as long
    /// as the client lives. What came before a cut is not fetched again.
    pub async fn blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
    ) -> Result<PathBuf, Error> {
        let fail =
            |failure| Error { step: Step::PullBlob, repository: repository.clone(), failure };
        let cache = self.cache().map_err(fail)?;
        let turn = self.turn(descriptor.digest);
        let _turn = turn.lock().await;
        if let Some(path) = cache.blob(&descriptor.digest, descriptor.size) {
            return Ok(path);
        }
        self.pull_blob(&cache, repository, descriptor, None).await
    }

    /// Fetches a blob that is not in the cache into it, from the first place that has it.
    pub(super) async fn pull_blob(
        &self,
        cache: &Cache,
        repository: &Repository,
        descriptor: &Descriptor,
        mut follower: Option<&mut Follower>,
    ) -> Result<PathBuf, Error> {
        let step = Step::PullBlob;
        let fail = |failure| Error { step, repository: repository.clone(), failure };
        let places = self.locations().and_then(|found| {
            let image = repository.at(descriptor.digest);
            found.places(&image).map_err(|error| Failure::Locations(Box::new(error)))
        });
        let Places { mirrors, last: repository } = &places.map_err(fail)?;
        let mut half: Option<BlobWriter> = None;
        for mirror in mirrors {
            let pulled = self.pull(cache, mirror, descriptor, &mut half, follower.as_deref_mut());
            match pulled.await {
                Ok(path) => return Ok(path),
                Err(failure) => self.passed_over(mirror, &failure),
            }
        }
        let mut had = half.as_ref().map_or(0, BlobWriter::length);
        loop {
            let pulled = self
                .retrying(step, repository, async || {
                    let follower = follower.as_deref_mut();
                    self.pull(cache, repository, descriptor, &mut half, follower).await
                })
                .await;
            let has = half.as_ref().map_or(0, BlobWriter::length);
            // Patience begins anew when the tries have brought something.
            match pulled {
                Err(error) if error.failure.is_passing() && has >= had + PROGRESS => had = has,
                other => return other,
            }
        }
    }

    /// A mirror that does not have something, or cannot be asked, is no failure.
    fn passed_over(&self, mirror: &Repository, failure: &Failure) {
        let missing = matches!(failure, Failure::Refused { status: StatusCode::NOT_FOUND, .. });
        let text = format!("the mirror `{mirror}` is passed over: {}", why(failure));
        if missing { self.report().detail(text) } else { self.report().note(text) }
    }

    /// Who wants the same blob, or adds to the same list, at the same time waits for the first.
    pub(super) fn turn(&self, digest: Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns().lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(digest).or_default())
    }

    /// Fetches a blob, or the rest of one of which `half` is there.
    async fn pull(
        &self,
        cache: &Cache,
        repository: &Repository,
        descriptor: &Descriptor,
        half: &mut Option<BlobWriter>,
        mut follower: Option<&mut Follower>,
    ) -> Result<PathBuf, Failure> {
        let (digest, size) = (&descriptor.digest, descriptor.size);
        let mut writer = match half.take() {
            Some(writer) => writer,
            None => cache.write_blob().map_err(Failure::Cache)?,
        };
        let request = request::blob(Method::GET, repository, digest, writer.length());
        let mut reply = match self.once(repository, &request, &Body::Empty).await {
            Ok(reply) => reply,
            Err(failure) => {
                *half = Some(writer);
                return Err(failure);
            }
        };
        match reply.response.status() {
            StatusCode::OK if writer.length() == 0 => {}
            // The whole blob, although the rest was asked for.
            StatusCode::OK => writer = cache.write_blob().map_err(Failure::Cache)?,
            StatusCode::PARTIAL_CONTENT
                if starts_at(reply.response.headers()) == Some(writer.length()) => {}
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                let source = Transport("another part came than was asked for".to_owned());
                return Err(Failure::Http(http::Failure::Interrupted { host: reply.host, source }));
            }
            _ => {
                let failure = self.refused(repository, reply).await;
                *half = Some(writer);
                return Err(failure);
            }
        }
        let resumed = writer.length() > 0;
        let report = self.report().clone();
        let what = format!("pulling {}", digest.short());
        let progress = Progress { report, what, total: Some(size), done: Moved::default() };
        let mut pace = Pace::new();
        loop {
            let next = self.sender().chunk(&reply.host, &mut reply.response, &mut pace).await;
            let chunk = match next {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(failure) => {
                    *half = Some(writer);
                    return Err(failure.into());
                }
            };
            if writer.length() + chunk.len() as u64 > size {
                return Err(Failure::Http(http::Failure::TooLarge {
                    host: reply.host,
                    limit: size,
                }));
            }
            writer.write_all(&chunk).map_err(|source| {
                let path = cache.root().unwrap_or(std::path::Path::new("")).to_owned();
                Failure::Cache(cache::Error::Write { path, source })
            })?;
            progress.note(writer.length(), chunk.len() as u64);
            if let Some(follower) = &mut follower {
                follower.take(writer.length() - chunk.len() as u64, &chunk).await;
            }
        }
        if writer.length() < size {
            let what = format!("it ended after {} of {size} bytes", writer.length());
            *half = Some(writer);
            return Err(Failure::Http(http::Failure::Interrupted {
                host: reply.host,
                source: Transport(what),
            }));
        }
        match writer.commit(Some(digest)) {
            Ok((_, Some(path))) => Ok(path),
            // There is always a folder here: `cache()` makes one.
            Ok((_, None)) => Err(Failure::protocol(&reply.host, "there is no place to keep it")),
            // Parts of different answers: all of one may be right.
            Err(cache::Error::Digest { .. }) if resumed => {
                let source = Transport("its parts do not make the whole".to_owned());
                Err(Failure::Http(http::Failure::Interrupted { host: reply.host, source }))
            }
            Err(cache::Error::Digest { expected, found }) => {
                Err(Failure::WrongBytes { host: reply.host, expected, found, size })
            }
            Err(error) => Err(Failure::Cache(error)),
        }
    }

    async fn read_manifest(
        &self,
        image: &ImageReference,
        reply: Reply,
    ) -> Result<RawManifest, Failure> {
        let Reply { response, host, .. } = reply;
        let headers = response.headers().clone();
        let bytes = self.sender().body(&host, response, LARGEST_MANIFEST).await?;
        let found = Digest::of(&bytes);
        let expected = image.digest.or_else(|| header_digest(&headers)).unwrap_or(found);
        if expected != found {
            let size = bytes.len() as u64;
            return Err(Failure::WrongBytes { host, expected, found, size });
        }
        let media_type = media_type(&headers, &bytes)
            .ok_or_else(|| Failure::protocol(&host, "it is no manifest with a media type"))?;
        Ok(RawManifest { descriptor: Descriptor::of(media_type, &bytes), bytes })
    }

    /// Keeps a manifest. If that fails, it is fetched again next time.
    fn keep(&self, cache: &Cache, manifest: &RawManifest) {
        let Descriptor { media_type, size, digest, .. } = &manifest.descriptor;
        let kept = Kept { media_type: media_type.clone(), size: *size };
        let result = cache.write_blob().and_then(|mut writer| {
            let path = PathBuf::from("manifest");
            writer
                .write_all(&manifest.bytes)
                .map_err(|source| cache::Error::Write { path, source })?;
            writer.commit(Some(digest))?;
            cache.put_record(KEPT, digest, &kept)
        });
        if let Err(error) = result {
            self.report().detail(format!("a manifest was not kept: {error}"));
        }
    }
}

fn kept(cache: &Cache, digest: &Digest) -> Option<RawManifest> {
    let Kept { media_type, size } = cache.record(KEPT, digest)?;
    let bytes = Bytes::from(std::fs::read(cache.blob(digest, size)?).ok()?);
    let descriptor = Descriptor::of(media_type, &bytes);
    (descriptor.digest == *digest).then_some(RawManifest { descriptor, bytes })
}

fn header_digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get(DIGEST_HEADER)?.to_str().ok()?.trim().parse().ok()
}

/// A media type without its parameters.
fn content_type(headers: &HeaderMap) -> Option<MediaType> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let text = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    (text.starts_with("application/vnd.")).then(|| MediaType::from(text.as_str()))
}

/// What the headers of a HEAD say of a manifest, if that is all there is to know.
fn described(image: &ImageReference, headers: &HeaderMap) -> Option<Descriptor> {
    let digest = header_digest(headers)?;
    let size = headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
    image
        .digest
        .is_none_or(|asked| asked == digest)
        .then(|| Some(Descriptor::new(content_type(headers)?, digest, size)))?
}

/// The media type that the header or the document itself gives; an old OCI manifest names none.
fn media_type(headers: &HeaderMap, bytes: &[u8]) -> Option<MediaType> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shape {
        media_type: Option<MediaType>,
        layers: Option<serde::de::IgnoredAny>,
        manifests: Option<serde::de::IgnoredAny>,
    }
    let shape: Shape = serde_json::from_slice(bytes).ok()?;
    content_type(headers).or(shape.media_type).or(match (shape.layers, shape.manifests) {
        (Some(_), None) => Some(MediaType::ImageManifest),
        (None, Some(_)) => Some(MediaType::ImageIndex),
        _ => None,
    })
}

/// Where `Content-Range: bytes 5-9/10` starts.
fn starts_at(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.trim();
    text.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn headers_describe_a_manifest_only_if_they_say_all() {
        let digest = Digest::of(b"x").to_string();
        let all = [
            (DIGEST_HEADER, digest.as_str()),
            ("content-length", "7"),
            ("content-type", "application/vnd.oci.image.manifest.v1+json; charset=utf-8"),
        ];
        let tag = "r.io/a:b".parse().unwrap();
        let found = described(&tag, &headers(&all)).unwrap();
        assert_eq!((found.size, found.media_type), (7, MediaType::ImageManifest));
        for missing in 0..3 {
            let mut some = all.to_vec();
            some.remove(missing);
            assert_eq!(described(&tag, &headers(&some)), None);
        }
        let other = format!("r.io/a@{}", Digest::of(b"y")).parse().unwrap();
        assert_eq!(described(&other, &headers(&all)), None);
    }

    #[test]
    fn a_manifest_s_type_is_in_the_header_or_in_itself_or_in_its_shape() {
        let typed = headers(&[("content-type", "application/vnd.oci.image.index.v1+json")]);
        let plain = headers(&[("content-type", "application/json")]);
        assert_eq!(media_type(&typed, b"{}"), Some(MediaType::ImageIndex));
        assert_eq!(media_type(&typed, b"<html>"), None);
        let own = br#"{"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#;
        assert_eq!(media_type(&plain, own), Some(MediaType::ImageManifest));
        assert_eq!(media_type(&plain, br#"{"layers":[]}"#), Some(MediaType::ImageManifest));
        assert_eq!(media_type(&plain, br#"{"manifests":[]}"#), Some(MediaType::ImageIndex));
        assert_eq!(media_type(&plain, b"{}"), None);
    }

    #[test]
    fn a_range_says_where_it_starts() {
        assert_eq!(starts_at(&headers(&[("content-range", "bytes 5-9/10")])), Some(5));
        assert_eq!(starts_at(&headers(&[("content-range", "bytes */10")])), None);
        assert_eq!(starts_at(&headers(&[])), None);
    }
}
