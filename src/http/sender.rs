//! Sends one request and waits for its response, but never forever for a silent host. Classifies the
//! errors of the HTTP layer.

use std::collections::HashSet;
use std::error::Error as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::distrust::Distrust;
use super::error::{Failure, Transport};
use super::transport::{Clients, describe};

/// How long a host may be silent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silence {
    /// Before it responds, and between two parts of its response.
    pub(crate) answering: Duration,
    /// Before it accepts the next part of a body.
    pub(crate) taking: Duration,
    /// After it has received a whole body: registries move large blobs into place before they respond.
    pub(crate) storing: Duration,
}

impl Silence {
    /// Limits relative to the total time for a request.
    pub(crate) fn of(patience: Duration) -> Self {
        Self { answering: patience / 2, taking: patience, storing: patience.saturating_mul(5) }
    }
}

/// The number of bytes of a body that the connection has accepted, and their total.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moved {
    done: Arc<AtomicU64>,
    total: Option<u64>,
    /// Whether all of a body of unknown length has been accepted.
    ended: Arc<AtomicBool>,
}

impl Moved {
    pub(crate) fn of(total: Option<u64>) -> Self {
        Self { total, ..Self::default() }
    }

    pub(crate) fn add(&self, bytes: u64) -> u64 {
        self.done.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    pub(crate) fn get(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether the whole body has been accepted.
    fn is_whole(&self) -> bool {
        match self.total {
            Some(total) => self.get() >= total,
            None => self.ended.load(Ordering::Relaxed),
        }
    }
}

/// The minimum that a host must send in [`Silence::answering`]: a host that sends less delays others
/// on purpose.
const LEAST: u64 = 8 << 10;

/// Measures how fast the body of a response arrives.
pub(crate) struct Pace {
    since: Instant,
    come: u64,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), come: 0 }
    }
}

/// Sends requests and reads responses up to a limit.
pub(crate) struct Sender {
    pub(crate) clients: Clients,
    pub(crate) silence: Silence,
    /// Hosts that have responded over HTTPS.
    pub(crate) answered: Mutex<HashSet<String>>,
}

impl Sender {
    /// Classifies an error. A host that interrupts the connection before its first response may do so
    /// because there is no client certificate.
    fn failure(&self, host: &str, error: &reqwest::Error) -> Failure {
        let answered =
            || self.answered.lock().unwrap_or_else(PoisonError::into_inner).contains(host);
        match failure(host, error) {
            Failure::Interrupted { host, .. }
            | Failure::Unreachable { host, .. }
            | Failure::Untrusted { host, source: Distrust::Tls(rustls::Error::AlertReceived(_)) }
                if self.clients.lacked_identity() && !answered() =>
            {
                Failure::Untrusted { host, source: Distrust::NoIdentity }
            }
            other => other,
        }
    }

    /// Sends a request; `moved` counts its body, if it has a large one.
    pub(crate) async fn exchange(
        &self,
        host: &str,
        request: reqwest::RequestBuilder,
        moved: Option<&Moved>,
    ) -> Result<reqwest::Response, Failure> {
        let sending = request.send();
        tokio::pin!(sending);
        let mut seen = 0;
        let mut since = Instant::now();
        loop {
            let limit = match moved {
                None => self.silence.answering,
                Some(moved) if moved.is_whole() => self.silence.storing,
                Some(_) => self.silence.taking,
            };
            let left = limit.saturating_sub(since.elapsed());
            if left.is_zero() {
                return Err(Failure::Silent { host: host.to_owned(), after: limit });
            }
            match tokio::time::timeout(left, &mut sending).await {
                Ok(Ok(answer)) => {
                    let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
                    if answer.url().scheme() == "https" && !answered.contains(host) {
                        answered.insert(host.to_owned());
                    }
                    return Ok(answer);
                }
                Ok(Err(error)) => return Err(self.failure(host, &error)),
                Err(_) => {
                    let now = moved.map_or(0, Moved::get);
                    if now != seen {
                        (seen, since) = (now, Instant::now());
                    }
                }
            }
        }
    }

    /// The next part of the body of a response.
    pub(crate) async fn chunk(
        &self,
        host: &str,
        response: &mut reqwest::Response,
        pace: &mut Pace,
    ) -> Result<Option<Bytes>, Failure> {
        let after = self.silence.answering;
        let silent = || Failure::Silent { host: host.to_owned(), after };
        let chunk = tokio::time::timeout(after, response.chunk()).await.map_err(|_| silent())?;
        let chunk = chunk.map_err(|error| failure(host, &error))?;
        pace.come += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        if pace.since.elapsed() >= after {
            if chunk.is_some() && pace.come < LEAST {
                return Err(silent());
            }
            *pace = Pace::new();
        }
        Ok(chunk)
    }

    /// The whole body of a response, up to `limit` bytes.
    pub(crate) async fn body(
        &self,
        host: &str,
        mut response: reqwest::Response,
        limit: u64,
    ) -> Result<Bytes, Failure> {
        let mut body = BytesMut::new();
        let mut pace = Pace::new();
        while let Some(chunk) = self.chunk(host, &mut response, &mut pace).await? {
            if body.len() as u64 + chunk.len() as u64 > limit {
                return Err(Failure::TooLarge { host: host.to_owned(), limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

/// The texts of errors about responses that are not HTTP, or that arrive before the request, as with
/// SSH. The HTTP layer has no other name for them.
const NO_HTTP: [&str; 2] = ["invalid HTTP ", "unexpected message from connection"];

/// Distinguishes untrusted certificates, refused connections and interrupted ones.
fn failure(host: &str, error: &reqwest::Error) -> Failure {
    let host = host.to_owned();
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(tls) = tls_error(inner) {
            return Failure::Untrusted { host, source: distrust(tls) };
        }
        cause = inner.source();
    }
    let source = Transport(describe(error));
    if NO_HTTP.iter().any(|words| source.0.contains(words)) {
        Failure::NoHttp { host, source }
    } else if error.is_connect() {
        Failure::Unreachable { host, source }
    } else {
        Failure::Interrupted { host, source }
    }
}

/// The error of our own verifier is inside of rustls's error.
fn distrust(error: &rustls::Error) -> Distrust {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) => other
            .0
            .downcast_ref::<Distrust>()
            .cloned()
            .unwrap_or_else(|| Distrust::Tls(error.clone())),
        _ => Distrust::Tls(error.clone()),
    }
}

/// `io::Error` hides what it wraps from `source()`, and may wrap another one.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    match error.downcast_ref::<std::io::Error>() {
        Some(io) => tls_error(io.get_ref()?),
        None => error.downcast_ref(),
    }
}
