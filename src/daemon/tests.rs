//! Failures of engines only; tests/servers runs against real engines.

use std::convert::Infallible;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use futures_util::StreamExt;

use super::*;
use crate::report::{Diagnostic, Event};

/// A server on a socket with the given routes, until it is dropped.
struct Engine {
    folder: tempfile::TempDir,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Engine {
    fn start(router: Router) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = tokio::net::UnixListener::bind(folder.path().join("sock")).unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { folder, server }
    }

    fn daemon(&self) -> Daemon {
        let address = Address::Unix(self.folder.path().join("sock"));
        let daemon = Daemon::new(address, Reporter::new()).unwrap();
        Daemon { patience: Duration::from_millis(200), ..daemon }
    }
}

fn pieces(count: usize) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
    stream::iter((0..count).map(|_| Ok(Bytes::from(vec![0; 1 << 16]))))
}

fn name() -> ImageReference {
    "ko.local/a:1".parse().unwrap()
}

#[tokio::test]
async fn an_unreachable_engine_is_an_error_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::new(Address::Unix(folder.path().join("gone")), Reporter::new()).unwrap();
    let error = daemon.platform().await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    assert!(Diagnostic::of(&error).hints[0].starts_with("is Docker running?"));
}

#[tokio::test]
async fn an_error_contains_the_message_of_the_engine() {
    let refuse = || async { (StatusCode::INTERNAL_SERVER_ERROR, r#"{"message":"no\nspace"}"#) };
    let engine = Engine::start(Router::new().route("/images/{*name}", post(refuse)));
    let error = engine.daemon().tag(&name(), &name().repository, &Tag::latest()).await.unwrap_err();
    let socket = engine.daemon().address().to_string();
    assert_eq!(
        error.to_string(),
        format!(
            "POST /images/ko.local/a:1/tag: the Docker Engine at {socket} responded with 500: no space"
        )
    );
}

#[tokio::test]
async fn only_404_means_that_an_image_does_not_exist() {
    let engine = Engine::start(Router::new());
    assert_eq!(engine.daemon().image(&name()).await.unwrap(), None);
    let wrong = || async { r#"{"Id":"sha256:zz","Os":"linux","Architecture":"amd64"}"# };
    let engine = Engine::start(Router::new().route("/images/{*name}", get(wrong)));
    let error = engine.daemon().image(&name()).await.unwrap_err();
    assert!(matches!(error, Error::Answer { .. }), "{error}");
}

#[tokio::test]
async fn the_size_of_a_response_is_limited() {
    let endless = || async { axum::body::Body::from_stream(pieces(usize::MAX)) };
    let engine = Engine::start(Router::new().route("/version", get(endless)));
    let error = engine.daemon().platform().await.unwrap_err();
    assert!(matches!(error, Error::Answer { .. }), "{error}");
}

#[tokio::test]
async fn an_engine_that_does_not_respond_is_an_error() {
    let silent = || async { std::future::pending::<()>().await };
    let engine = Engine::start(
        Router::new().route("/version", get(silent)).route("/images/load", post(silent)),
    );
    let error = engine.daemon().platform().await.unwrap_err();
    assert!(matches!(error, Error::Stalled { .. }), "{error}");
    let error = engine.daemon().load(pieces(1000)).await.unwrap_err();
    assert!(matches!(error, Error::Stalled { .. }), "{error}");
}

#[tokio::test]
async fn a_slow_source_does_not_count_as_a_stalled_engine() {
    let read = async |body: axum::body::Body| {
        let length = axum::body::to_bytes(body, usize::MAX).await.unwrap().len();
        format!("{{\"stream\":\"Loaded image: {length}\\n\"}}")
    };
    let engine = Engine::start(Router::new().route("/images/load", post(read)));
    let reporter = Reporter::new();
    let events = reporter.reader();
    let daemon = Daemon { reporter, ..engine.daemon() };
    let slow = pieces(3).then(|piece| async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        piece
    });
    assert_eq!(daemon.load(slow).await.unwrap().names, ["196608"]);
    let last = events.try_iter().last().unwrap();
    assert!(
        matches!(last, Event::Transfer { done: 196_608, total: Some(196_608), .. }),
        "{last:?}"
    );
}

#[tokio::test]
async fn a_failure_of_the_source_is_reported_as_the_cause() {
    let read = async |body: axum::body::Body| {
        let _ = axum::body::to_bytes(body, usize::MAX).await;
        "{\"stream\":\"Loaded image: half\"}"
    };
    let engine = Engine::start(Router::new().route("/images/load", post(read)));
    let broken = stream::iter([Ok(Bytes::from_static(b"x")), Err("the file was changed")]);
    let error = engine.daemon().load(broken).await.unwrap_err();
    assert!(matches!(error, Error::Archive { .. }), "{error}");
}

#[tokio::test]
async fn an_image_that_could_not_be_unpacked_is_removed() {
    let broken = "{\"stream\":\"Loaded image: ko.local/a:1\\n\"}\n{\"stream\":\"Error unpacking image ko.local/a:1: no space\\n\"}\n";
    let (gone, mut removed) = tokio::sync::mpsc::unbounded_channel();
    let remove = async move |Path(name): Path<String>| {
        gone.send(name).unwrap();
        "[]"
    };
    let load = async move |_: Bytes| broken;
    let router = Router::new()
        .route("/images/load", post(load))
        .route("/images/{*name}", axum::routing::delete(remove));
    let engine = Engine::start(router);
    let error = engine.daemon().load(pieces(1)).await.unwrap_err();
    assert!(matches!(error, Error::Load { .. }), "{error}");
    assert_eq!(removed.try_recv().unwrap(), "ko.local/a:1");
}

#[tokio::test]
async fn a_truncated_response_is_an_error() {
    let torn = || async {
        let line = Ok(Bytes::from_static(b"{\"stream\":\"Loaded image: a\\n\"}\n"));
        axum::body::Body::from_stream(stream::iter([line, Err(std::io::Error::other("gone"))]))
    };
    let engine = Engine::start(Router::new().route("/images/load", post(torn)));
    let error = engine.daemon().load(pieces(1)).await.unwrap_err();
    assert!(matches!(error, Error::Request { .. }), "{error}");
}
