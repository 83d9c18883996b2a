//! Registries that misbehave in one way each, played in this process: what a real one cannot be
//! made to do. What real ones do is tested against them.

mod auth;
mod copy;
mod login;
mod pull;
mod push;
mod quirks;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::*;
use crate::cache::Cache;
use crate::http::Silence;
use crate::http::{Certificates, PATIENCE, Patience, Proxies};
use crate::oci::{Descriptor, Digest, Digester, MediaType, Repository, Tag};
use crate::report::why;
use crate::report::{Event, Reporter};

/// A request as it arrived.
#[derive(Clone, Debug)]
struct Seen {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Seen {
    /// `GET /v2/…`, without query.
    fn line(&self) -> String {
        format!("{} {}", self.method, self.path.split('?').next().unwrap_or_default())
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A server that answers as a function of what arrives; ends with the test.
struct Fake {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    /// `answer` is told how many requests of that method and path came before.
    async fn start(answer: impl Fn(&Seen, usize) -> Response + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        let app = axum::Router::new().fallback(move |request: axum::extract::Request| {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 64 << 20).await.unwrap_or_default();
                let path = parts.uri.path_and_query().unwrap().to_string();
                let seen = Seen { method: parts.method, path, headers: parts.headers, body };
                let before = {
                    let mut log = log.lock().unwrap();
                    log.push(seen.clone());
                    log.iter().filter(|other| other.line() == seen.line()).count() - 1
                };
                answer(&seen, before)
            }
        });
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, seen, task }
    }

    fn repository(&self, path: &str) -> Repository {
        format!("{}/{path}", self.address).parse().unwrap()
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }
}

fn status(code: u16) -> Response {
    StatusCode::from_u16(code).unwrap().into_response()
}

fn with(code: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut response = Response::builder().status(code);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

fn error(code: u16, name: &str) -> Response {
    with(code, &[], format!(r#"{{"errors":[{{"code":"{name}","message":"because"}}]}}"#))
}

/// A body that breaks off once its bytes are on their way.
fn cut(bytes: &'static [u8]) -> Body {
    Body::from_stream(futures_util::stream::unfold(0, move |sent| async move {
        if sent == 0 {
            return Some((Ok(Bytes::from_static(bytes)), 1));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        Some((Err(std::io::Error::other("cut")), 2))
    }))
}

struct Setup {
    client: Client,
    events: std::sync::mpsc::Receiver<Event>,
    cache: Cache,
    folder: tempfile::TempDir,
}

/// Settings that lead nowhere.
fn plain(folder: &std::path::Path) -> Settings {
    Settings {
        insecure: false,
        credentials: CredentialSources::default(),
        locations: LocationFiles::default(),
        connections: crate::http::Settings {
            certificates: Certificates::default(),
            proxies: Proxies::default(),
            patience: PATIENCE,
            user_agent: "ko-rs/test".to_owned(),
        },
        temporary: folder.to_owned(),
    }
}

fn setup_with(change: impl FnOnce(&mut Settings, &std::path::Path)) -> Setup {
    setup_waiting(Duration::from_secs(30), change)
}

/// A client that soon loses patience with a host that says nothing.
fn impatient() -> Setup {
    setup_waiting(Duration::from_millis(200), |_, _| {})
}

fn setup_waiting(silence: Duration, change: impl FnOnce(&mut Settings, &std::path::Path)) -> Setup {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = plain(folder.path());
    change(&mut settings, folder.path());
    let report = Reporter::new();
    let events = report.reader();
    let cache = Cache::at(folder.path().join("cache"));
    let patience = Patience { first: Duration::from_millis(1), ..Patience::of(PATIENCE) };
    let silence = Silence { answering: silence, taking: silence, storing: silence };
    let client = Client::with(settings, cache.clone(), report, patience, silence);
    Setup { client, events, cache, folder }
}

fn setup() -> Setup {
    setup_with(|_, _| {})
}

/// With a user and password for a registry, as config.json has them.
fn logged_in(registry: SocketAddr) -> Setup {
    setup_with(|settings, folder| {
        let path = folder.join("config.json");
        let json = format!(r#"{{"auths":{{"{registry}":{{"auth":"bWU6aHVudGVyMg=="}}}}}}"#);
        std::fs::write(&path, json).unwrap();
        settings.credentials.files = vec![path];
    })
}

const PASSWORD: &str = "Basic bWU6aHVudGVyMg==";

impl Setup {
    fn retries(&self) -> usize {
        self.events.try_iter().filter(|event| matches!(event, Event::Retrying { .. })).count()
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("file");
        std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
        path
    }
}

const MANIFEST: &[u8] = br#"{"schemaVersion":2,"layers":[]}"#;
const OCI: &str = "application/vnd.oci.image.manifest.v1+json";

fn layer(bytes: &[u8]) -> Descriptor {
    Descriptor::of(MediaType::ImageLayer, bytes)
}

/// A registry that takes what is pushed in the plainest way.
fn obliging(seen: &Seen) -> Response {
    match seen.method {
        Method::POST => with(202, &[("location", "/up/1?state=a%3D")], ""),
        Method::PATCH => with(202, &[("location", "/up/1?state=b")], ""),
        Method::PUT => status(201),
        Method::DELETE => status(204),
        _ => status(404),
    }
}

/// The first hint about an error.
fn hint_of(error: &(impl crate::report::Diagnose + 'static)) -> String {
    crate::report::Diagnostic::of(error).hints.remove(0)
}
