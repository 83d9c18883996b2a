//! The client: what all steps share, which is finding out how a registry is spoken to, proving who
//! is asking, following redirects, and the one retry rule.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ::http::header::{AUTHORIZATION, LOCATION};
use ::http::{Method, StatusCode};
use bytes::Bytes;
use reqwest::Url;

use super::auth::Authority;
use super::body::Body;
use super::challenge::{Challenge, challenges};
use super::credentials::CredentialSources;
use super::error::{Error, Failure, Step};
use super::locations::{LocationFiles, Locations};
use super::refusal::Refusal;
use super::request::{self, Request, Target};
use super::session::Session;
use crate::cache::Cache;
use crate::http::{self, Clients, Moved, Pace, Patience, Sender, Silence, authority};
use crate::oci::{Digest, Registry, Repository};
use crate::report::{Event, Reporter, why};

/// How many redirects are followed.
const REDIRECTS: u32 = 10;

/// How a client speaks to registries. Nothing is looked up elsewhere.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether registries beyond this machine may be spoken to by https with any certificate, and
    /// by http where they do not speak https.
    pub insecure: bool,
    /// Where credentials are looked for.
    pub credentials: CredentialSources,
    /// Which files say where pulls go.
    pub locations: LocationFiles,
    /// How connections are made.
    pub connections: http::Settings,
    /// Where pulled blobs lie while the client lives, if there is no cache.
    pub temporary: PathBuf,
}

/// A client of the distribution spec for any number of registries. Cheap to clone; making one
/// starts nothing.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    sender: Sender,
    authority: Authority,
    insecure: bool,
    location_files: LocationFiles,
    /// Read when something is pulled for the first time.
    locations: OnceLock<Locations>,
    /// `http` or `https`, of the registries that have answered.
    schemes: Mutex<HashMap<Registry, &'static str>>,
    patience: Patience,
    temporary: PathBuf,
    /// In place of a cache folder, where there is none.
    scratch: OnceLock<tempfile::TempDir>,
    cache: Cache,
    report: Reporter,
    /// Blobs that are being pulled.
    turns: Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>,
    /// Uploads that were opened and not used yet.
    sessions: Mutex<HashMap<Repository, Vec<Session>>>,
    /// Repositories that are known to take a push.
    writable: Mutex<HashSet<Repository>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("insecure", &self.0.insecure).finish_non_exhaustive()
    }
}

/// An answer, and who gave it.
pub(super) struct Reply {
    pub(super) response: reqwest::Response,
    pub(super) url: Url,
    pub(super) host: String,
    /// What was already read of a refusal's body.
    start: Bytes,
}

impl Reply {
    /// Whether another host than the registry answered.
    pub(super) fn is_elsewhere(&self, repository: &Repository) -> bool {
        !is_own(&self.url, repository.registry())
    }
}

impl Client {
    /// A client. Nothing is read or connected to before the first request.
    #[must_use]
    pub fn new(settings: Settings, cache: Cache, report: Reporter) -> Self {
        let (patience, silence) = (
            Patience::of(settings.connections.patience),
            Silence::of(settings.connections.patience),
        );
        Self::with(settings, cache, report, patience, silence)
    }

    pub(super) fn with(
        settings: Settings,
        cache: Cache,
        report: Reporter,
        patience: Patience,
        silence: Silence,
    ) -> Self {
        let Settings { insecure, credentials, locations, connections, temporary } = settings;
        let clients = Clients::new(connections, insecure);
        Self(Arc::new(Inner {
            sender: Sender { clients, silence, answered: Mutex::default() },
            authority: Authority::new(credentials, report.clone()),
            insecure,
            location_files: locations,
            locations: OnceLock::new(),
            schemes: Mutex::default(),
            patience,
            temporary,
            scratch: OnceLock::new(),
            cache,
            report,
            turns: Mutex::default(),
            sessions: Mutex::default(),
            writable: Mutex::default(),
        }))
    }

    pub(super) fn report(&self) -> &Reporter {
        &self.0.report
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.0.authority
    }

    pub(super) fn sender(&self) -> &Sender {
        &self.0.sender
    }

    pub(super) fn turns(&self) -> &Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>> {
        &self.0.turns
    }

    pub(super) fn sessions(&self) -> &Mutex<HashMap<Repository, Vec<Session>>> {
        &self.0.sessions
    }

    pub(super) fn writable(&self) -> &Mutex<HashSet<Repository>> {
        &self.0.writable
    }

    /// The cache, or a folder that is one as long as the client lives.
    pub(super) fn cache(&self) -> Result<Cache, Failure> {
        if self.0.cache.root().is_some() {
            return Ok(self.0.cache.clone());
        }
        let scratch = match self.0.scratch.get() {
            Some(scratch) => scratch,
            None => {
                let made = tempfile::Builder::new()
                    .prefix("ko-rs-")
                    .tempdir_in(&self.0.temporary)
                    .map_err(|source| Failure::File { path: self.0.temporary.clone(), source })?;
                self.0.scratch.get_or_init(|| made)
            }
        };
        Ok(Cache::at(scratch.path()))
    }

    /// Where pulls go.
    pub(super) fn locations(&self) -> Result<&Locations, Failure> {
        if let Some(read) = self.0.locations.get() {
            return Ok(read);
        }
        let read = self.0.location_files.read();
        let read = read.map_err(|error| Failure::Locations(Box::new(error)))?;
        Ok(self.0.locations.get_or_init(|| read))
    }

    /// Whether a repository may be spoken to by http, or with any certificate.
    fn is_insecure(&self, repository: &Repository) -> bool {
        let named = || self.locations().is_ok_and(|found| found.is_insecure(repository));
        self.0.insecure || named()
    }

    /// Tries until it succeeds, fails for good, or patience ends.
    pub(super) async fn retrying<T>(
        &self,
        step: Step,
        repository: &Repository,
        mut attempt: impl AsyncFnMut() -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let mut tried = 0;
        let mut waited = Duration::ZERO;
        loop {
            let started = Instant::now();
            let failure = match attempt().await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            tried += 1;
            if failure.is_silence() {
                waited += started.elapsed();
            }
            let asked = failure.retry_after();
            let wait = self.0.patience.wait(tried, waited, asked, fastrand::f64());
            let Some(after) = wait.filter(|_| failure.is_passing()) else {
                return Err(Error { step, repository: repository.clone(), failure });
            };
            self.0.report.send(Event::Retrying {
                what: match step {
                    Step::LogIn => format!("{step} `{}`", repository.registry()),
                    _ => format!("{step} `{repository}`"),
                },
                why: why(&failure),
                after,
            });
            tokio::time::sleep(after).await;
            waited += after;
        }
    }

    /// Sends a request that has no body, as often as it takes.
    pub(super) async fn ask<T>(
        &self,
        step: Step,
        repository: &Repository,
        request: &Request,
        read: impl AsyncFn(Reply) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        self.retrying(step, repository, async || {
            read(self.once(repository, request, &Body::Empty).await?).await
        })
        .await
    }

    /// How a registry may be spoken to, best first; one that has answered is known.
    fn schemes(&self, repository: &Repository) -> (&'static str, Option<&'static str>) {
        let registry = repository.registry();
        let known = self.0.schemes.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(registry) {
            Some(scheme) => (scheme, None),
            None if registry.is_loopback() => ("http", Some("https")),
            None if self.is_insecure(repository) => ("https", Some("http")),
            None => ("https", None),
        }
    }

    /// Sends a request once; an answer of whatever status is an answer.
    pub(super) async fn once(
        &self,
        repository: &Repository,
        request: &Request,
        body: &Body<'_>,
    ) -> Result<Reply, Failure> {
        let path = match &request.target {
            Target::Location(url) => {
                return self.follow(repository, request, url.clone(), body).await;
            }
            Target::Api(path) => path,
        };
        let registry = repository.registry();
        let (mut scheme, other) = self.schemes(repository);
        let url = api_url(scheme, registry, path)?;
        let mut reply = self.follow(repository, request, url, body).await;
        if let Some(other) = other
            && self.speaks_otherwise(scheme, &mut reply).await
        {
            let url = api_url(other, registry, path)?;
            match (self.follow(repository, request, url, body).await, reply) {
                // Neither way leads there: the usual one says why.
                (Err(_), Err(failure)) => return Err(failure),
                (second, _) => (reply, scheme) = (second, other),
            }
        }
        let mut known = self.0.schemes.lock().unwrap_or_else(PoisonError::into_inner);
        match reply {
            Ok(reply) => {
                known.insert(registry.clone(), scheme);
                Ok(reply)
            }
            // It did before: something between here and there is broken, and that may pass.
            Err(Failure::Http(http::Failure::NoHttp { host, source }))
                if known.contains_key(registry) =>
            {
                Err(Failure::Http(http::Failure::Interrupted { host, source }))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Whether what came of a request looks as if the host spoke the other of http and https.
    async fn speaks_otherwise(&self, scheme: &str, reply: &mut Result<Reply, Failure>) -> bool {
        match reply {
            Ok(Reply { response, host, start, .. })
                if scheme == "http" && response.status() == StatusCode::BAD_REQUEST =>
            {
                // Go's and nginx's servers say so in words; a registry's own 400 is JSON.
                *start = match self.0.sender.chunk(host, response, &mut Pace::new()).await {
                    Ok(Some(bytes)) => bytes,
                    Ok(None) | Err(_) => Bytes::new(),
                };
                String::from_utf8_lossy(start).contains("HTTPS")
            }
            Ok(_) => false,
            Err(
                Failure::Http(http::Failure::Interrupted { .. })
                | Failure::Http(http::Failure::NoHttp { .. }),
            ) => true,
            Err(
                Failure::Http(http::Failure::Untrusted { .. })
                | Failure::Http(http::Failure::Unreachable { .. }),
            ) => scheme == "https",
            Err(_) => false,
        }
    }

    /// Sends a request to a URL: with proof of who asks where it is the registry's own, again after
    /// a challenge, and on to wherever it is redirected.
    async fn follow(
        &self,
        repository: &Repository,
        request: &Request,
        mut url: Url,
        body: &Body<'_>,
    ) -> Result<Reply, Failure> {
        let Inner { sender, authority: keys, .. } = &*self.0;
        let insecure = self.is_insecure(repository);
        let mut method = request.method.clone();
        let mut more: Vec<String> = Vec::new();
        let (mut redirects, mut challenged) = (0, 0);
        loop {
            let host = authority(&url);
            let own = is_own(&url, repository.registry());
            let ticket = if own {
                keys.ticket(sender, repository, (&url, insecure), &request.access, &more).await?
            } else {
                None
            };
            let client = sender
                .clients
                .for_url(&url, own && insecure)
                .map_err(http::Failure::Connections)?;
            let mut builder =
                client.request(method.clone(), url.clone()).headers(request.headers.clone());
            if let Some(ticket) = &ticket {
                builder = builder.header(AUTHORIZATION, ticket.header.clone());
            }
            let moved = body.length().map(Moved::of);
            if let Some(body) = body.make(moved.as_ref())? {
                builder = builder.body(body);
            }
            let response = sender.exchange(&host, builder, moved.as_ref()).await?;
            let status = response.status();
            let again = challenged < 2 && body.is_lasting() && request.insists;
            if status == StatusCode::UNAUTHORIZED && own && again {
                challenged += 1;
                let challenges = challenges(response.headers());
                if keys.challenged(repository, &challenges, ticket.as_ref()).await? {
                    more = scopes(&challenges);
                    continue;
                }
            }
            let safe = matches!(method, Method::GET | Method::HEAD);
            let onward = match status.as_u16() {
                301..=303 => safe,
                307..=308 => safe || body.is_lasting(),
                _ => false,
            };
            if onward {
                redirects += 1;
                if redirects > REDIRECTS {
                    let what = format!("it redirects more than {REDIRECTS} times");
                    return Err(Failure::protocol(&host, what));
                }
                url = request::location(&url, response.headers().get(LOCATION))?;
                if status == StatusCode::SEE_OTHER && method != Method::HEAD {
                    method = Method::GET;
                }
                continue;
            }
            return Ok(Reply { response, url, host, start: Bytes::new() });
        }
    }

    /// What a refusing answer means.
    pub(super) async fn refused(&self, repository: &Repository, reply: Reply) -> Failure {
        let (anonymous, secrets) = self.0.authority.secrets(repository).await;
        let refusal = Refusal::read(&self.0.sender, reply.start, reply.response, &secrets).await;
        Failure::Refused {
            host: reply.host,
            status: refusal.status,
            answer: refusal.answer,
            retry_after: refusal.retry_after,
            anonymous,
        }
    }
}

/// A place in a registry's API.
fn api_url(scheme: &str, registry: &Registry, path: &str) -> Result<Url, Failure> {
    let text = format!("{scheme}://{}{path}", registry.api_host());
    Url::parse(&text).map_err(|_| Failure::Host(registry.to_string()))
}

/// Whether a URL is the registry's own, so that it may be told who asks. A registry that is spoken
/// to by https is never asked by http ([`request::location`]), so the scheme need not be compared.
fn is_own(url: &Url, registry: &Registry) -> bool {
    api_url(url.scheme(), registry, "/").is_ok_and(|own| {
        own.host() == url.host() && own.port_or_known_default() == url.port_or_known_default()
    })
}

/// The scopes that challenges name.
fn scopes(challenges: &[Challenge]) -> Vec<String> {
    let scope = |challenge: &Challenge| match challenge {
        Challenge::Bearer { scope, .. } => scope.clone(),
        Challenge::Basic => Vec::new(),
    };
    challenges.iter().flat_map(scope).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_s_url_is_made_of_its_name() {
        let url = |name: &str| {
            api_url("https", &name.parse().unwrap(), "/v2/").map(String::from).unwrap_or_default()
        };
        assert_eq!(url("[::1]:5000"), "https://[::1]:5000/v2/");
        assert_eq!(url("my_registry:5000"), "https://my_registry:5000/v2/");
        assert_eq!(url("docker.io"), "https://registry-1.docker.io/v2/");
        assert_eq!(url("1.2.3.999"), "", "a name that looks like an address and is none");
    }

    #[test]
    fn only_the_registry_s_own_host_and_port_are_told_who_asks() {
        let own = |url: &str, name: &str| is_own(&url.parse().unwrap(), &name.parse().unwrap());
        assert!(own("https://r.io/x", "r.io"));
        assert!(own("https://r.io:443/x", "r.io"));
        assert!(own("https://r.io/x", "r.io:443"));
        assert!(own("https://registry-1.docker.io/x", "docker.io"));
        for url in ["https://r.io:444/", "https://a.r.io/", "https://r.io.evil/", "https://io/"] {
            assert!(!own(url, "r.io"), "{url}");
        }
    }
}
