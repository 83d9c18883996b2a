//! Sends one request and waits for its answer; knows how errors of the HTTP layer are told apart,
//! and that a silent host is not waited for for ever.

use std::collections::HashSet;
use std::error::Error as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use super::answer::{self, Answer};
use super::credentials::Secret;
use super::distrust::Distrust;
use super::error::{Failure, Transport};
use super::retry;
use super::transport::Clients;

/// How long a host may be silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    /// While it is to answer, or to go on with its answer.
    pub(super) answering: Duration,
    /// While it is to take the next piece of a body.
    pub(super) taking: Duration,
    /// When it has got a whole body: registries move large blobs into place before they answer.
    pub(super) storing: Duration,
}

impl Silence {
    /// A host may be silent for some part of the time that a request is given in all.
    pub(super) fn of(patience: Duration) -> Self {
        Self { answering: patience / 2, taking: patience, storing: patience.saturating_mul(5) }
    }
}

/// How many bytes of a body have been taken by the connection, of how many.
#[derive(Clone, Debug, Default)]
pub(super) struct Moved {
    done: Arc<AtomicU64>,
    total: Option<u64>,
    /// Whether a body of unknown length has been taken to its end.
    ended: Arc<AtomicBool>,
}

impl Moved {
    pub(super) fn of(total: Option<u64>) -> Self {
        Self { total, ..Self::default() }
    }

    pub(super) fn add(&self, bytes: u64) -> u64 {
        self.done.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    pub(super) fn get(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether the whole body has been taken.
    fn is_whole(&self) -> bool {
        match self.total {
            Some(total) => self.get() >= total,
            None => self.ended.load(Ordering::Relaxed),
        }
    }
}

/// The least that a host may send while [`Silence::answering`] passes; who sends less keeps others
/// waiting on purpose.
const LEAST: u64 = 8 << 10;

/// Watches how fast an answer's body comes.
pub(super) struct Pace {
    since: Instant,
    come: u64,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), come: 0 }
    }
}

/// What a refusing answer said.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) answer: Answer,
    pub(super) retry_after: Option<Duration>,
}

/// Sends requests, and reads answers within bounds.
pub(super) struct Sender {
    pub(super) clients: Clients,
    pub(super) silence: Silence,
    /// Hosts that have ever answered by https.
    pub(super) answered: Mutex<HashSet<String>>,
}

impl Sender {
    /// What an error means; a host that breaks off before it ever answers may do so for want of a
    /// client certificate.
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
    pub(super) async fn exchange(
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

    /// The next piece of an answer's body.
    pub(super) async fn chunk(
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

    /// A whole body, which must not be larger than `limit`.
    pub(super) async fn body(
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

    /// Reads why a request was refused; `start` was read before. What cannot be read is no reason:
    /// the status is there.
    pub(super) async fn refusal(
        &self,
        start: Bytes,
        response: reqwest::Response,
        secrets: &[Secret],
    ) -> Result<Refusal, Failure> {
        let status = response.status();
        let retry_after = retry::retry_after(response.headers(), jiff::Timestamp::now());
        let rest = self.body("", response, answer::LARGEST).await.unwrap_or_default();
        let body = [start, rest].concat();
        let secrets: Vec<&str> = secrets.iter().map(Secret::reveal).collect();
        Ok(Refusal { status, answer: Answer::read(&body, &secrets), retry_after })
    }
}

/// What the HTTP layer says of something that is no HTTP, or speaks before it was asked, as SSH
/// does. It has no other name for it.
const NO_HTTP: [&str; 2] = ["invalid HTTP ", "unexpected message from connection"];

/// Tells an untrusted certificate from a refused connection from one that broke.
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

/// What our own verifier said of a certificate comes back inside of rustls's error.
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

/// The innermost reason of an error of the HTTP layer: the outer ones repeat the URL, which may be
/// signed, or say no more than "error sending request".
pub(super) fn describe(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = match error.source() {
        Some(source) => source,
        None if error.is_timeout() => return "it took too long".to_owned(),
        None => return "the request could not be made".to_owned(),
    };
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
