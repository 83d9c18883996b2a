//! Between ko-rs and a real server: counts requests, and misbehaves on request.
//!
//! What no rule catches is passed on unchanged, with the `Host` that the client named, so that a
//! registry's upload locations lead back here. Knows nothing of what is spoken.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE, TRANSFER_ENCODING, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Response, StatusCode};
use futures_util::StreamExt as _;
use reqwest::{Client, redirect};
use tokio::runtime::Runtime;

/// How long a test waits for a request that it expects. Only a hanging program takes that long.
const PATIENCE: Duration = Duration::from_secs(120);

/// A proxy on a loopback port of its own. Dropping it closes the port and every connection.
pub(crate) struct Proxy {
    /// `localhost:PORT`, as image references have it.
    pub(crate) host: String,
    shared: Arc<Shared>,
    stalled: Receiver<()>,
    runtime: Option<Runtime>,
}

/// What is done with a request.
pub(crate) enum Act {
    /// It is passed on.
    Pass,
    /// It is read to its end and not passed on; this is the answer.
    Answer(u16, &'static str),
    /// The same before its body has come, which nobody reads then.
    AnswerAtOnce(u16, &'static str),
    /// It is passed on after a while.
    Delay(Duration),
    /// So many bytes of its body are passed on, and then nothing more happens.
    Stall(u64),
    /// So many bytes of its body are passed on, and then the connection is closed.
    Cut(u64),
}

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Method and path, without the query: `HEAD /v2/hello/manifests/latest`.
    pub(crate) line: String,
    /// What follows `?`.
    pub(crate) query: String,
    /// How many bytes of its body have come.
    pub(crate) bytes: u64,
}

type Rule = Box<dyn Fn(&str) -> Act + Send + Sync>;

struct Shared {
    client: Client,
    upstream: String,
    rule: Mutex<Rule>,
    seen: Mutex<Vec<(Seen, Arc<AtomicU64>)>>,
    stalled: Mutex<Sender<()>>,
}

impl Proxy {
    /// A proxy for a server at `http://HOST`.
    pub(crate) fn to_host(host: &str) -> Self {
        Self::start(format!("http://{host}"), |builder| builder)
    }

    /// A proxy for a server on a Unix socket.
    pub(crate) fn to_socket(socket: &Path) -> Self {
        Self::start("http://localhost".to_owned(), |builder| builder.unix_socket(socket.to_owned()))
    }

    fn start(
        upstream: String,
        reach: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .http1_only()
            .no_proxy();
        let (sender, stalled) = channel();
        let shared = Arc::new(Shared {
            client: reach(builder).build().unwrap(),
            upstream,
            rule: Mutex::new(Box::new(|_| Act::Pass)),
            seen: Mutex::default(),
            stalled: Mutex::new(sender),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let host = format!("localhost:{}", listener.local_addr().unwrap().port());
        let router = Router::new().fallback(handle).with_state(shared.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { host, shared, stalled, runtime: Some(runtime) }
    }

    /// What is done from now on, by method and path (`PUT /v2/hello/manifests/latest`).
    pub(crate) fn rule(&self, rule: impl Fn(&str) -> Act + Send + Sync + 'static) {
        *self.shared.rule.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(rule);
    }

    /// Waits until a request stalls.
    #[track_caller]
    pub(crate) fn wait_until_stalled(&self) {
        self.stalled.recv_timeout(PATIENCE).expect("a request stalls");
    }

    /// Forgets the requests that stalled, once whoever sent them has ended.
    pub(crate) fn forget_stalls(&self) {
        while self.stalled.try_recv().is_ok() {}
    }

    /// The requests since the last call, in the order in which they began.
    pub(crate) fn take_seen(&self) -> Vec<Seen> {
        let mut seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.drain(..)
            .map(|(seen, bytes)| Seen { bytes: bytes.load(Ordering::Relaxed), ..seen })
            .collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Connections are closed at once, as when a server is killed.
            runtime.shutdown_timeout(PATIENCE);
        }
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let line = format!("{} {}", parts.method, parts.uri.path());
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let counter = Arc::new(AtomicU64::new(0));
    let seen = Seen { line: line.clone(), query, bytes: 0 };
    shared.seen.lock().unwrap_or_else(PoisonError::into_inner).push((seen, counter.clone()));
    let act = (shared.rule.lock().unwrap_or_else(PoisonError::into_inner))(&line);
    let stalled = shared.stalled.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (mut left, cuts) = match act {
        Act::Pass => (u64::MAX, false),
        Act::Answer(status, text) => {
            let mut pieces = body.into_data_stream();
            while let Some(Ok(_)) = pieces.next().await {}
            return answer(status, text);
        }
        Act::AnswerAtOnce(status, text) => return answer(status, text),
        Act::Delay(time) => {
            tokio::time::sleep(time).await;
            (u64::MAX, false)
        }
        Act::Stall(0) => {
            let _ = stalled.send(());
            std::future::pending().await
        }
        Act::Stall(after) => (after, false),
        Act::Cut(after) => (after, true),
    };
    let pieces = body.into_data_stream().then(move |piece| {
        let len = piece.as_ref().map_or(0, Bytes::len) as u64;
        counter.fetch_add(len, Ordering::Relaxed);
        let stalls = len >= left;
        left = left.saturating_sub(len);
        let stalled = stalled.clone();
        async move {
            match (stalls, cuts) {
                (false, _) => piece,
                (true, true) => Err(axum::Error::new(std::io::Error::other("cut"))),
                (true, false) => {
                    let _ = stalled.send(());
                    std::future::pending().await
                }
            }
        }
    });
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = parts.headers;
    let has_body =
        headers.contains_key("content-length") || headers.contains_key(TRANSFER_ENCODING);
    strip(&mut headers);
    let mut onward =
        shared.client.request(parts.method, format!("{}{path}", shared.upstream)).headers(headers);
    if has_body {
        onward = onward.body(reqwest::Body::wrap_stream(pieces));
    }
    match onward.send().await {
        Ok(response) => {
            let mut back = Response::new(Body::empty());
            *back.status_mut() = response.status();
            *back.headers_mut() = response.headers().clone();
            strip(back.headers_mut());
            *back.body_mut() = Body::from_stream(response.bytes_stream());
            back
        }
        // The connection to the server broke, or is to: so does the one to the client, which ends
        // with the task that it is served by.
        Err(_) => std::panic::resume_unwind(Box::new("cut")),
    }
}

/// What concerns one connection only.
fn strip(headers: &mut HeaderMap) {
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
}

fn answer(status: u16, text: &'static str) -> Response<Body> {
    let kind = if text.starts_with('{') { "application/json" } else { "text/html" };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert(CONTENT_TYPE, kind.parse().unwrap());
    if status == 401 {
        let challenge = "Basic realm=\"test\"".parse().unwrap();
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}
