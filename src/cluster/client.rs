//! Sends requests to one API server: few retries, bounded answers, warnings passed on.
//!
//! Knows nothing of what is asked; that is `request.rs`.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::report::{Event, Reporter};

use super::access::Access;
use super::failure;
use super::refusal::Refusal;
use super::request::Request;

/// A client of the API server that the settings chose.
#[derive(Debug)]
pub(super) struct Client {
    access: Access,
    timeout: Duration,
    reporter: Reporter,
    /// Made at the first request: a credential plugin may ask its user for a password.
    connection: OnceCell<Connection>,
    /// What was shown; an object is sent twice, what the server warns of is shown once.
    said: Mutex<BTreeSet<String>>,
}

/// kube's client, which has no `Debug`.
struct Connection(kube::Client);

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

/// Why there is no answer, or not the one that was asked for. Holds no credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The server does not do as asked.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// No connection, or one that broke.
    #[error("no connection to {server}: {reason}")]
    Unreachable {
        /// The server's URL and the context that names it.
        server: String,
        /// The innermost reason.
        reason: String,
    },
    /// No answer in time.
    #[error("no answer from {server} within {} s", .after.as_secs_f32())]
    TimedOut {
        /// The server's URL and the context that names it.
        server: String,
        /// How long was waited.
        after: Duration,
    },
    /// No credentials, or no connection that could use them.
    #[error("no way to log in to {server}: {reason}")]
    Login {
        /// The server's URL and the context that names it.
        server: String,
        /// Why, without the credentials.
        reason: String,
    },
    /// An answer that is not what an API server gives.
    #[error("{server} does not answer as an API server does: {reason}")]
    Malformed {
        /// The server's URL and the context that names it.
        server: String,
        /// What is wrong with the answer.
        reason: String,
    },
}

impl RequestError {
    /// The server's refusal, if that is what this is.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The way out, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { reason, .. } if reason.contains("peer certificate") => Some(
                "the server's certificate is not one that the kubeconfig trusts; is it the cluster \
                 that is meant?"
                    .into(),
            ),
            Self::Unreachable { .. } | Self::TimedOut { .. } => Some(
                "is the cluster running, and is this the context that is meant (--context)?".into(),
            ),
            Self::Refused(refusal) => refusal.hint(),
            Self::Login { .. } | Self::Malformed { .. } => None,
        }
    }
}

/// The largest answer: a page of 500 objects of some 100 KiB.
const ANSWER: usize = 64 << 20;
/// How often a request is sent at most, and what is waited before the next time.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];
/// The longest pause that a server may ask for.
const PAUSE: u64 = 10;

/// How many different warnings are shown.
const SAID: usize = 1000;

/// What came of sending a request once.
enum Once {
    Answered(Value),
    Failed(RequestError),
    /// It may do better a second time, after this pause.
    Again(RequestError, Option<Duration>),
}

impl Client {
    pub(super) fn new(access: Access, timeout: Duration, reporter: Reporter) -> Self {
        Self {
            access,
            timeout,
            reporter,
            connection: OnceCell::new(),
            said: Mutex::new(BTreeSet::new()),
        }
    }

    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    pub(super) fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    /// Sends a request and reads its answer. Dropping this drops the connection it uses.
    pub(super) async fn send(&self, request: &Request) -> Result<Value, RequestError> {
        let mut pauses = PAUSES.into_iter();
        loop {
            match self.send_once(request).await {
                Once::Answered(answer) => return Ok(answer),
                Once::Failed(error) => return Err(error),
                Once::Again(error, wanted) => {
                    let Some(pause) = pauses.next() else { return Err(error) };
                    let after = wanted.unwrap_or(pause);
                    let why = error.to_string();
                    // Requests fail side by side, and all for one reason.
                    if self.is_new(&why) {
                        let what = format!("a request to {}", self.access.server);
                        self.reporter.send(Event::Retrying { what, why, after });
                    }
                    tokio::time::sleep(after).await;
                }
            }
        }
    }

    async fn send_once(&self, request: &Request) -> Once {
        match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Ok(Ok((200..=299, body))) => match serde_json::from_slice(&body) {
                Ok(answer) => Once::Answered(answer),
                Err(_) => Once::Failed(self.malformed("the answer is not JSON")),
            },
            Ok(Ok((code, body))) => refused(request, Refusal::parse(code, &body)),
            Ok(Err(failure)) if failure.may_pass && request.is_repeatable() => {
                Once::Again(failure.error, None)
            }
            Ok(Err(failure)) => Once::Failed(failure.error),
            Err(_) => {
                Once::Failed(RequestError::TimedOut { server: self.server(), after: self.timeout })
            }
        }
    }

    /// Sends the request once and collects what comes back.
    async fn exchange(&self, request: &Request) -> Result<(u16, bytes::Bytes), Failure> {
        let connection = self.connection.get_or_try_init(|| self.connect()).await?;
        let request = self.http(request)?;
        let sent = connection.0.send(request).await;
        let response = sent.map_err(|error| self.failure(&error))?;
        self.pass_on_warnings(response.headers());
        let code = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Failure::for_good(self.malformed("the answer is longer than 64 MiB"))
            } else {
                self.failure(error.as_ref())
            }
        })?;
        Ok((code, body.to_bytes()))
    }

    /// Makes kube's client. A credential plugin runs here, on a thread that it may block.
    async fn connect(&self) -> Result<Connection, Failure> {
        let config = self.access.config.clone();
        match tokio::task::spawn_blocking(move || kube::Client::try_from(config)).await {
            Ok(Ok(client)) => Ok(Connection(client)),
            Ok(Err(error)) => {
                Err(Failure::for_good(self.login(failure::login(&error, self.plugin()))))
            }
            Err(_) => Err(Failure::for_good(self.login("its set-up stopped".to_owned()))),
        }
    }

    fn http(&self, request: &Request) -> Result<http::Request<kube::client::Body>, Failure> {
        let mut built = http::Request::builder()
            .method(request.method.clone())
            .uri(&request.path)
            .header("accept", "application/json")
            .header("user-agent", concat!("ko-rs/", env!("CARGO_PKG_VERSION")));
        if let Some(body) = &request.body {
            built = built.header("content-type", body.content_type);
        }
        let bytes = request.body.as_ref().map(|body| body.bytes.clone()).unwrap_or_default();
        built
            .body(bytes.into())
            .map_err(|error| Failure::for_good(self.malformed(&error.to_string())))
    }

    /// Shows what the server warns of ([RFC 9111, section 5.5][warning]), each text once.
    ///
    /// [warning]: https://kubernetes.io/blog/2020/09/03/warnings/
    fn pass_on_warnings(&self, headers: &http::HeaderMap) {
        for value in headers.get_all(http::header::WARNING) {
            let Some(text) = value.to_str().ok().and_then(warning) else { continue };
            if self.is_new(&text) {
                self.reporter.warn(text, None);
            }
        }
    }

    /// Whether a text has not been shown yet.
    fn is_new(&self, text: &str) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.len() < SAID && said.insert(text.to_owned())
    }

    /// The server as errors name it.
    fn server(&self) -> String {
        format!("{} (context `{}`)", self.access.server, self.access.context)
    }

    /// The program that brings the credentials.
    fn plugin(&self) -> &str {
        let exec = self.access.config.auth_info.exec.as_ref();
        exec.and_then(|exec| exec.command.as_deref()).unwrap_or("its credential plugin")
    }

    fn malformed(&self, reason: &str) -> RequestError {
        RequestError::Malformed { server: self.server(), reason: reason.to_owned() }
    }

    fn login(&self, reason: String) -> RequestError {
        RequestError::Login { server: self.server(), reason }
    }

    /// What a failed exchange was: credentials that could not be renewed, or the connection.
    fn failure(&self, error: &(dyn StdError + 'static)) -> Failure {
        let mut chain = failure::chain(error);
        let auth = chain.find_map(|error| match error.downcast_ref::<kube::Error>() {
            Some(kube::Error::Auth(auth)) => Some(auth),
            _ => error.downcast_ref::<kube::client::AuthError>(),
        });
        if let Some(auth) = auth {
            return Failure::for_good(self.login(failure::plugin(auth, self.plugin())));
        }
        let (reason, may_pass) = failure::innermost(error);
        let error = RequestError::Unreachable { server: self.server(), reason };
        Failure { error, may_pass }
    }
}

/// A failure, and whether a second try may do better.
struct Failure {
    error: RequestError,
    may_pass: bool,
}

impl Failure {
    fn for_good(error: RequestError) -> Self {
        Self { error, may_pass: false }
    }
}

/// Whether what a server refuses now it may do a moment later: it is overloaded or about to come
/// up. An object that it calls invalid stays so, whatever the status.
fn refused(request: &Request, refusal: Refusal) -> Once {
    let busy = refusal.code == 429
        || (request.is_repeatable() && matches!(refusal.code, 502..=504))
        || (request.is_repeatable() && refusal.code == 500 && refusal.retry_after.is_some());
    if !busy || refusal.is_invalid() {
        return Once::Failed(RequestError::Refused(Box::new(refusal)));
    }
    let pause = refusal.retry_after.map(|seconds| Duration::from_secs(seconds.min(PAUSE)));
    Once::Again(RequestError::Refused(Box::new(refusal)), pause)
}

/// The text of a warning: `299 - "text"`, quotes in it escaped.
fn warning(header: &str) -> Option<String> {
    let quoted = header.split_once('"')?.1;
    let mut text = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
        if text.len() > 1000 {
            break;
        }
    }
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
