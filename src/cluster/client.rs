//! Sends requests to one API server: retries, limits, warnings, streams and upgraded connections.
//!
//! The meaning of requests is not known here; `request.rs` makes them.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::client::Body;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::report::{Details, Diagnose, Diagnostic, Event, Reporter};

use super::access::Access;
use super::codes;
use super::failure;
use super::refusal::Refusal;
use super::request::Request;

/// A client of the selected API server.
#[derive(Debug)]
pub(super) struct Client {
    access: Access,
    timeout: Duration,
    reporter: Reporter,
    /// Created by the first request: a credential plugin may ask its user for a password.
    connection: OnceCell<Connection>,
    /// The messages that were reported; concurrent requests have the same warnings.
    reported: Mutex<BTreeSet<String>>,
}

/// kube's client, which has no `Debug`.
struct Connection(kube::Client);

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

/// An error of a request. It contains no credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The server refused the request.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The connection could not be made, or broke.
    #[error("could not connect to {server}: {reason}")]
    Unreachable {
        /// The server's URL and context.
        server: String,
        /// The innermost reason.
        reason: String,
    },
    /// The server did not respond in time.
    #[error("{server} did not respond within {} s", .after.as_secs_f32())]
    TimedOut {
        /// The server's URL and context.
        server: String,
        /// The time limit.
        after: Duration,
    },
    /// There are no credentials that could be sent.
    #[error("could not authenticate to {server}: {reason}")]
    Login {
        /// The server's URL and context.
        server: String,
        /// The reason, without the credentials.
        reason: String,
    },
    /// The answer is not the one of an API server.
    #[error("{server} did not respond like a Kubernetes API server: {reason}")]
    Malformed {
        /// The server's URL and context.
        server: String,
        /// What is wrong with the answer.
        reason: String,
    },
}

impl RequestError {
    /// The server's refusal, if the request was refused.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Whether a later request may succeed, as when the server restarts.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Refused(refusal) => refusal.is_transient(),
            Self::Login { .. } | Self::Malformed { .. } => false,
        }
    }
}

impl Diagnose for RequestError {
    fn details(&self) -> Details {
        match self {
            Self::Refused(refusal) => refusal.details(),
            Self::Unreachable { reason, .. } if reason.contains("peer certificate") => {
                Details::new(&codes::CLUSTER_UNREACHABLE).hint(
                    "the kubeconfig does not trust the server's certificate; is this the right \
                     cluster?",
                )
            }
            Self::Unreachable { .. } | Self::TimedOut { .. } => {
                Details::new(&codes::CLUSTER_UNREACHABLE)
                    .hint("is the cluster running, and is this the right context (--context)?")
            }
            Self::Login { .. } => Details::new(&codes::CLUSTER_UNAUTHORIZED),
            Self::Malformed { .. } => Details::new(&codes::NOT_AN_API_SERVER),
        }
    }
}

/// The size limit of an answer: a page of 500 objects of some 100 KiB.
const ANSWER: usize = 64 << 20;
/// The size limit of one line of a watch, which is an object.
const LINE: usize = 16 << 20;
/// The pauses before a request is sent again.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];
/// The longest pause in seconds that a server may ask for.
const PAUSE: u64 = 10;

/// The limit for the number of different warnings.
const REPORTED: usize = 1000;

impl Client {
    pub(super) fn new(access: Access, timeout: Duration, reporter: Reporter) -> Self {
        Self {
            access,
            timeout,
            reporter,
            connection: OnceCell::new(),
            reported: Mutex::new(BTreeSet::new()),
        }
    }

    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    pub(super) fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    /// Sends a request and reads the whole answer. Dropping the future drops its connection.
    pub(super) async fn send(&self, request: &Request) -> Result<Value, RequestError> {
        let answer = || async {
            let body = self.exchange(request).await?;
            let body = self.collect(request, body).await?;
            serde_json::from_slice(&body)
                .map_err(|_| Failure::permanent(self.malformed("the answer is not JSON")))
        };
        self.retry(answer).await
    }

    /// Sends a request and returns its answer as a stream, as soon as it begins. The time limit
    /// applies to the beginning only.
    pub(super) async fn stream(&self, request: &Request) -> Result<ByteStream<'_>, RequestError> {
        let body = self.retry(|| self.exchange(request)).await?;
        Ok(ByteStream { client: self, body })
    }

    /// A kube client with the same connection, for the protocols that kube implements: exec, attach
    /// and port-forward.
    pub(super) async fn kube(&self) -> Result<&kube::Client, RequestError> {
        let connection = self.connection.get_or_try_init(|| self.connect()).await;
        connection.map(|connection| &connection.0).map_err(|failure| failure.error)
    }

    /// Waits for the upgrade of a connection that kube makes.
    pub(super) async fn upgraded<T>(
        &self,
        upgrade: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, RequestError> {
        match tokio::time::timeout(self.timeout, upgrade).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(kube::Error::Api(status))) => {
                let body = serde_json::to_vec(&status).unwrap_or_default();
                Err(RequestError::Refused(Box::new(Refusal::parse(status.code, &body))))
            }
            Ok(Err(kube::Error::UpgradeConnection(error))) => {
                Err(self.malformed(&failure::innermost(&error).0))
            }
            Ok(Err(error)) => Err(self.failure(&error).error),
            Err(_) => Err(self.timed_out()),
        }
    }

    /// Tries again a few times if a failure may be temporary.
    async fn retry<T, F>(&self, exchange: impl Fn() -> F) -> Result<T, RequestError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut pauses = PAUSES.into_iter();
        loop {
            let failure = match tokio::time::timeout(self.timeout, exchange()).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failure)) => failure,
                Err(_) => return Err(self.timed_out()),
            };
            let (true, Some(pause)) = (failure.is_temporary, pauses.next()) else {
                return Err(failure.error);
            };
            let after = failure.pause.unwrap_or(pause);
            let why = failure.error.to_string();
            // Concurrent requests fail for the same reason.
            if self.is_new(&why) {
                let what = format!("a request to {}", self.access.server);
                self.reporter.send(Event::Retrying { what, why, after });
            }
            tokio::time::sleep(after).await;
        }
    }

    /// Sends a request once and returns the body of a successful answer.
    async fn exchange(&self, request: &Request) -> Result<Body, Failure> {
        let connection = self.connection.get_or_try_init(|| self.connect()).await?;
        let sent = connection.0.send(self.http(request)?).await;
        let response = sent.map_err(|error| self.failure(&error).unless_repeated(request))?;
        self.report_warnings(response.headers());
        let code = response.status().as_u16();
        let body = response.into_body();
        if matches!(code, 200..=299) {
            return Ok(body);
        }
        let body = self.collect(request, body).await?;
        Err(Failure::refused(request, Refusal::parse(code, &body)))
    }

    async fn collect(&self, request: &Request, body: Body) -> Result<Bytes, Failure> {
        match Limited::new(body, ANSWER).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(Failure::permanent(self.malformed("the answer is longer than 64 MiB")))
            }
            Err(error) => Err(self.failure(error.as_ref()).unless_repeated(request)),
        }
    }

    /// Creates kube's client. A credential plugin runs here, on a thread that it may block.
    async fn connect(&self) -> Result<Connection, Failure> {
        let config = self.access.config.clone();
        match tokio::task::spawn_blocking(move || kube::Client::try_from(config)).await {
            Ok(Ok(client)) => Ok(Connection(client)),
            Ok(Err(error)) => {
                Err(Failure::permanent(self.login(failure::login(&error, self.plugin()))))
            }
            Err(_) => Err(Failure::permanent(self.login("its set-up was stopped".to_owned()))),
        }
    }

    fn http(&self, request: &Request) -> Result<http::Request<Body>, Failure> {
        let mut built = http::Request::builder()
            .method(request.method.clone())
            .uri(&request.path)
            .header("accept", "application/json, */*")
            .header("user-agent", concat!("ko-rs/", env!("CARGO_PKG_VERSION")));
        if let Some(body) = &request.body {
            built = built.header("content-type", body.content_type);
        }
        let bytes = request.body.as_ref().map(|body| body.bytes.clone()).unwrap_or_default();
        built
            .body(bytes.into())
            .map_err(|error| Failure::permanent(self.malformed(&error.to_string())))
    }

    /// Reports the [warnings] of an answer, each text once.
    ///
    /// [warnings]: https://kubernetes.io/blog/2020/09/03/warnings/
    fn report_warnings(&self, headers: &http::HeaderMap) {
        for value in headers.get_all(http::header::WARNING) {
            let Some(text) = value.to_str().ok().and_then(warning) else { continue };
            if self.is_new(&text) {
                self.reporter.diagnostic(Diagnostic::warning(&codes::API_WARNING, text));
            }
        }
    }

    /// Whether a text has not been reported yet.
    fn is_new(&self, text: &str) -> bool {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        reported.len() < REPORTED && reported.insert(text.to_owned())
    }

    /// The server as it is called in errors.
    fn server(&self) -> String {
        format!("{} (context `{}`)", self.access.server, self.access.context)
    }

    /// The name of the credential plugin.
    fn plugin(&self) -> &str {
        let exec = self.access.config.auth_info.exec.as_ref();
        exec.and_then(|exec| exec.command.as_deref()).unwrap_or("its credential plugin")
    }

    pub(super) fn malformed(&self, reason: &str) -> RequestError {
        RequestError::Malformed { server: self.server(), reason: reason.to_owned() }
    }

    fn timed_out(&self) -> RequestError {
        RequestError::TimedOut { server: self.server(), after: self.timeout }
    }

    fn login(&self, reason: String) -> RequestError {
        RequestError::Login { server: self.server(), reason }
    }

    /// A failed exchange: credentials that could not be renewed, or a broken connection.
    fn failure(&self, error: &(dyn StdError + 'static)) -> Failure {
        let mut chain = failure::chain(error);
        let auth = chain.find_map(|error| match error.downcast_ref::<kube::Error>() {
            Some(kube::Error::Auth(auth)) => Some(auth),
            _ => error.downcast_ref::<kube::client::AuthError>(),
        });
        if let Some(auth) = auth {
            return Failure::permanent(self.login(failure::plugin(auth, self.plugin())));
        }
        let (reason, is_temporary) = failure::innermost(error);
        let error = RequestError::Unreachable { server: self.server(), reason };
        Failure { error, is_temporary, pause: None }
    }
}

/// A failed exchange, and whether another try may succeed.
struct Failure {
    error: RequestError,
    is_temporary: bool,
    /// The pause that the server asks for.
    pause: Option<Duration>,
}

impl Failure {
    fn permanent(error: RequestError) -> Self {
        Self { error, is_temporary: false, pause: None }
    }

    /// The failure of a request that must not be repeated is permanent.
    fn unless_repeated(self, request: &Request) -> Self {
        Self { is_temporary: self.is_temporary && request.is_repeatable(), ..self }
    }

    /// A refusal is temporary if the server is overloaded or starting. An object that the server
    /// calls invalid stays invalid, whatever the status.
    fn refused(request: &Request, refusal: Refusal) -> Self {
        let is_busy = refusal.code == 429
            || (request.is_repeatable() && matches!(refusal.code, 502..=504))
            || (request.is_repeatable() && refusal.code == 500 && refusal.retry_after.is_some());
        let pause = refusal.retry_after.map(|seconds| Duration::from_secs(seconds.min(PAUSE)));
        let is_temporary = is_busy && !refusal.is_invalid();
        Self { error: RequestError::Refused(Box::new(refusal)), is_temporary, pause }
    }
}

/// The body of an answer that has begun.
pub(super) struct ByteStream<'a> {
    client: &'a Client,
    body: Body,
}

impl<'a> ByteStream<'a> {
    /// The next bytes; nothing at the end. Dropping the future loses no bytes.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, RequestError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| self.client.failure(&error).error)?;
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The stream line by line.
    pub(super) fn lines(self) -> Lines<'a> {
        Lines { stream: self, buffer: BytesMut::new(), searched: 0 }
    }
}

/// The lines of a stream, of limited length.
pub(super) struct Lines<'a> {
    stream: ByteStream<'a>,
    buffer: BytesMut,
    /// The length of the part of the buffer that has no line break.
    searched: usize,
}

impl Lines<'_> {
    /// The next line; nothing at the end. An incomplete last line is dropped. Dropping the future
    /// loses no bytes.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, RequestError> {
        loop {
            if let Some(length) = self.buffer[self.searched..].iter().position(|&b| b == b'\n') {
                let mut line = self.buffer.split_to(self.searched + length + 1);
                line.truncate(line.len() - 1);
                self.searched = 0;
                return Ok(Some(line.freeze()));
            }
            self.searched = self.buffer.len();
            if self.searched > LINE {
                return Err(self.stream.client.malformed("a line is longer than 16 MiB"));
            }
            match self.stream.next().await? {
                Some(bytes) => self.buffer.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }
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
