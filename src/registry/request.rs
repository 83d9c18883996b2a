//! Which method, place and headers each endpoint of the [distribution spec][spec] has. Pure: sends
//! nothing, and does not know yet whether the registry speaks http or https.
//!
//! [spec]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints

use std::collections::BTreeMap;

use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, LINK, RANGE};
use http::{HeaderMap, HeaderValue, Method};
use reqwest::Url;

use super::error::Failure;
use crate::http::authority;
use crate::oci::{Digest, Format, ImageReference, MediaType, Repository, Tag};

/// The header in which registries name what they send.
pub(super) const DIGEST_HEADER: &str = "docker-content-digest";

/// What a request needs to be allowed, by repository path; `true` where that includes pushing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Access(pub(super) BTreeMap<String, bool>);

impl Access {
    pub(super) fn pull(repository: &Repository) -> Self {
        Self([(repository.path().to_owned(), false)].into())
    }

    pub(super) fn push(repository: &Repository) -> Self {
        Self([(repository.path().to_owned(), true)].into())
    }

    /// The same, and pulling from another repository of the registry.
    pub(super) fn and_pull(mut self, repository: &Repository) -> Self {
        self.0.entry(repository.path().to_owned()).or_insert(false);
        self
    }

    /// Whether someone with this access may do what needs `other`.
    pub(super) fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(path, push)| self.0.get(path).is_some_and(|mine| *mine || !push))
    }

    /// As a token server's `scope` parameters.
    pub(super) fn scopes(&self) -> Vec<String> {
        let actions = |push: &bool| if *push { "pull,push" } else { "pull" };
        self.0.iter().map(|(path, push)| format!("repository:{path}:{}", actions(push))).collect()
    }
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A path (and query) of the repository's registry.
    Api(String),
    /// Where the registry said to go on.
    Location(Url),
}

/// A request without its body.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) headers: HeaderMap,
    pub(super) access: Access,
    /// Whether a challenge is answered; not worth it for what is a courtesy.
    pub(super) insists: bool,
}

impl Request {
    fn new(method: Method, path: String, access: Access) -> Self {
        let target = Target::Api(path);
        Self { method, target, headers: HeaderMap::new(), access, insists: true }
    }

    fn with(mut self, name: http::HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.insert(name, value.into());
        self
    }
}

/// The image media types that a manifest may have: Docker's and OCI's, single and indexed.
fn accepted() -> HeaderValue {
    let types = [
        Format::Oci.index(),
        Format::Oci.manifest(),
        Format::Docker.index(),
        Format::Docker.manifest(),
    ];
    let joined: Vec<String> = types.iter().map(ToString::to_string).collect();
    header(&joined.join(", "))
}

/// A media type, digest or number is made of visible ASCII; a media type of an odd manifest may
/// not be, and is then sent as what says nothing.
fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text)
        .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"))
}

/// The end of a manifest's path: its digest if it has one, else its tag.
pub(super) fn manifest_name(image: &ImageReference) -> String {
    match (&image.digest, &image.tag) {
        (Some(digest), _) => digest.to_string(),
        (None, Some(tag)) => tag.to_string(),
        (None, None) => Tag::latest().to_string(),
    }
}

/// GET that asks for nothing but an answer.
pub(super) fn nothing() -> Request {
    Request::new(Method::GET, "/v2/".to_owned(), Access::default())
}

/// GET or HEAD of a manifest.
pub(super) fn manifest(method: Method, image: &ImageReference) -> Request {
    let repository = &image.repository;
    let path = format!("/v2/{}/manifests/{}", repository.path(), manifest_name(image));
    Request::new(method, path, Access::pull(repository)).with(ACCEPT, accepted())
}

/// PUT of a manifest, under a tag or its digest.
pub(super) fn put_manifest(image: &ImageReference, media_type: &MediaType) -> Request {
    let repository = &image.repository;
    let path = format!("/v2/{}/manifests/{}", repository.path(), manifest_name(image));
    Request::new(Method::PUT, path, Access::push(repository))
        .with(CONTENT_TYPE, header(media_type.as_ref()))
}

/// GET of what refers to a manifest.
pub(super) fn referrers(repository: &Repository, subject: &Digest) -> Request {
    let path = format!("/v2/{}/referrers/{subject}", repository.path());
    Request::new(Method::GET, path, Access::pull(repository))
        .with(ACCEPT, header(MediaType::ImageIndex.as_ref()))
}

/// GET of the next page of a list, if `Link: <…>; rel="next"` says that there is one.
pub(super) fn next_page(
    repository: &Repository,
    said_at: &Url,
    headers: &HeaderMap,
) -> Result<Option<Request>, Failure> {
    let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    let next = links.flat_map(|text| text.split(',')).find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let mut parameters = parameters.split(';').map(|parameter| parameter.trim().to_lowercase());
        parameters.any(|one| one == "rel=next" || one == "rel=\"next\"").then_some(target)
    });
    let Some(target) = next else { return Ok(None) };
    let url = location(said_at, Some(&header(target)))?;
    let target = Target::Location(url);
    let request = Request::new(Method::GET, String::new(), Access::pull(repository));
    Ok(Some(Request { target, ..request }))
}

/// GET or HEAD of a blob, without the first `from` bytes.
pub(super) fn blob(method: Method, repository: &Repository, digest: &Digest, from: u64) -> Request {
    let path = format!("/v2/{}/blobs/{digest}", repository.path());
    let request = Request::new(method, path, Access::pull(repository));
    if from == 0 { request } else { request.with(RANGE, header(&format!("bytes={from}-"))) }
}

/// POST that opens an upload.
pub(super) fn start_upload(repository: &Repository) -> Request {
    let path = format!("/v2/{}/blobs/uploads/", repository.path());
    Request::new(Method::POST, path, Access::push(repository)).with(CONTENT_LENGTH, 0)
}

/// POST that takes over a blob of another repository, or opens an upload.
pub(super) fn mount(to: &Repository, from: &Repository, digest: &Digest) -> Request {
    let (to_path, from_path) = (to.path(), from.path());
    let path = format!("/v2/{to_path}/blobs/uploads/?mount={digest}&from={from_path}");
    Request::new(Method::POST, path, Access::push(to).and_pull(from)).with(CONTENT_LENGTH, 0)
}

fn in_session(method: Method, repository: &Repository, session: Url) -> Request {
    Request {
        method,
        target: Target::Location(session),
        headers: HeaderMap::new(),
        access: Access::push(repository),
        insists: true,
    }
}

/// PATCH with a body whose length is not known. No `Content-Range`: registries that see one want
/// the length.
pub(super) fn send_chunks(repository: &Repository, session: &Url) -> Request {
    in_session(Method::PATCH, repository, session.clone())
        .with(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
}

/// PUT that ends an upload; its body is what has not been sent yet.
pub(super) fn finish_upload(
    repository: &Repository,
    session: &Url,
    digest: &Digest,
    length: u64,
) -> Request {
    let mut session = session.clone();
    let query = match session.query() {
        None | Some("") => format!("digest={digest}"),
        Some(query) => format!("{query}&digest={digest}"),
    };
    session.set_query(Some(&query));
    in_session(Method::PUT, repository, session)
        .with(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
        .with(CONTENT_LENGTH, length)
}

/// DELETE that gives an upload up. Some registries want more access for that than for a push.
pub(super) fn cancel_upload(repository: &Repository, session: &Url) -> Request {
    Request { insists: false, ..in_session(Method::DELETE, repository, session.clone()) }
}

/// Where the registry says to go on: `Location` is absolute or relative to where it was said.
/// A registry behind a proxy that ends TLS may say `http` of itself; it is still asked by https.
pub(super) fn location(said_at: &Url, value: Option<&HeaderValue>) -> Result<Url, Failure> {
    let host = authority(said_at);
    let text = value
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| Failure::protocol(&host, "it has no readable `Location`"))?;
    let mut url =
        said_at.join(text).map_err(|_| Failure::protocol(&host, "its `Location` is not a URL"))?;
    if said_at.scheme() == "https" && url.scheme() == "http" {
        let own = url.host() == said_at.host() && url.port() == said_at.port();
        if !own || url.set_scheme("https").is_err() {
            return Err(Failure::protocol(&host, "its `Location` leaves https"));
        }
    }
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(Failure::protocol(&host, "its `Location` is neither http nor https"));
    }
    // Userinfo would be sent as a credential.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::protocol(&host, "its `Location` holds a user name"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(text: &str) -> Repository {
        text.parse().unwrap()
    }

    fn path(request: &Request) -> &str {
        match &request.target {
            Target::Api(path) => path,
            Target::Location(url) => url.as_str(),
        }
    }

    #[test]
    fn a_digest_goes_before_a_tag_and_no_tag_is_latest() {
        let digest = Digest::of(b"");
        for (name, end) in [
            ("localhost:5000/a/b".to_owned(), "latest".to_owned()),
            ("localhost:5000/a/b:v1".to_owned(), "v1".to_owned()),
            (format!("localhost:5000/a/b:v1@{digest}"), digest.to_string()),
        ] {
            let request = manifest(Method::HEAD, &name.parse().unwrap());
            assert_eq!(path(&request), format!("/v2/a/b/manifests/{end}"));
            assert_eq!(request.access.scopes(), ["repository:a/b:pull"]);
            let accept = request.headers[ACCEPT].to_str().unwrap();
            assert_eq!(accept.matches("json").count(), 4, "{accept}");
        }
    }

    #[test]
    fn a_mount_asks_for_both_repositories_in_one_token() {
        let digest = Digest::of(b"");
        let request = mount(&repository("r.io/to/it"), &repository("r.io/from"), &digest);
        assert_eq!(path(&request), format!("/v2/to/it/blobs/uploads/?mount={digest}&from=from"));
        assert_eq!(request.access.scopes(), ["repository:from:pull", "repository:to/it:pull,push"]);
        let same = mount(&repository("r.io/to"), &repository("r.io/to"), &digest);
        assert_eq!(same.access.scopes(), ["repository:to:pull,push"]);
    }

    #[test]
    fn push_access_covers_pull_and_not_the_other_way_round() {
        let (a, b) = (repository("r.io/a"), repository("r.io/b"));
        assert!(Access::push(&a).covers(&Access::pull(&a)));
        assert!(!Access::pull(&a).covers(&Access::push(&a)));
        assert!(!Access::push(&a).covers(&Access::push(&a).and_pull(&b)));
        assert!(Access::push(&a).and_pull(&b).covers(&Access::pull(&b)));
    }

    #[test]
    fn a_chunked_body_has_no_range_and_an_ending_put_keeps_the_query() {
        let session: Url = "http://localhost/v2/a/blobs/uploads/1?_state=x%3D".parse().unwrap();
        let a = repository("localhost/a");
        assert!(!send_chunks(&a, &session).headers.contains_key("content-range"));
        let digest = Digest::of(b"");
        let end = finish_upload(&a, &session, &digest, 0);
        assert_eq!(path(&end), format!("{session}&digest={digest}"));
        let bare = finish_upload(&a, &"http://h/u".parse().unwrap(), &digest, 7);
        assert_eq!(path(&bare), format!("http://h/u?digest={digest}"));
        assert_eq!(bare.headers[CONTENT_LENGTH], "7");
    }

    #[test]
    fn only_a_blob_that_is_half_there_is_asked_for_by_range() {
        let a = repository("localhost/a");
        assert!(!blob(Method::GET, &a, &Digest::of(b""), 0).headers.contains_key(RANGE));
        assert_eq!(blob(Method::GET, &a, &Digest::of(b""), 9).headers[RANGE], "bytes=9-");
    }

    #[test]
    fn a_location_is_relative_or_absolute_and_stays_on_https() {
        let said_at: Url = "https://r.io/v2/a/blobs/uploads/".parse().unwrap();
        let go = |text: &str| {
            location(&said_at, Some(&HeaderValue::from_str(text).unwrap())).map(String::from)
        };
        for (text, url) in [
            ("/v2/a/blobs/uploads/1?x=1", "https://r.io/v2/a/blobs/uploads/1?x=1"),
            ("2", "https://r.io/v2/a/blobs/uploads/2"),
            ("http://r.io/u", "https://r.io/u"),
            ("https://storage.example/b?sig=1", "https://storage.example/b?sig=1"),
            ("//cdn.io/u", "https://cdn.io/u"),
        ] {
            assert_eq!(go(text).unwrap(), url);
        }
        for text in ["http://other.io/u", "ftp://r.io/u", "http://", "https://user:word@r.io/u"] {
            assert!(matches!(go(text), Err(Failure::Protocol { .. })), "{text}");
        }
        assert!(location(&said_at, None).is_err());
    }
}
