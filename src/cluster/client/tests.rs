use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};

use super::super::access::{Access, Settings};
use super::super::request::get_path;
use super::*;
use crate::report::Severity;

/// A client of a server that does what `answer` says, with the number of the request.
async fn client_of<F>(answer: F) -> (Client, Arc<AtomicUsize>, std::sync::mpsc::Receiver<Event>)
where
    F: Fn(usize) -> (StatusCode, HeaderMap, String) + Clone + Send + Sync + 'static,
{
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let app = Router::new().fallback(move || {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        let answer = answer(number);
        async move { answer }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let (client, events) = client_at(&server, "{token: s3cret}").await;
    (client, count, events)
}

async fn client_at(server: &str, user: &str) -> (Client, std::sync::mpsc::Receiver<Event>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    let text = format!(
        "current-context: test\nclusters: [{{name: c, cluster: {{server: '{server}'}}}}]\n\
         users: [{{name: u, user: {user}}}]\n\
         contexts: [{{name: test, context: {{cluster: c, user: u}}}}]\n"
    );
    std::fs::write(&path, text).unwrap();
    let timeout = Duration::from_secs(1);
    let settings = Settings { kubeconfig: vec![path], timeout, ..Settings::default() };
    let reporter = Reporter::new();
    let events = reporter.reader();
    let access = Access::new(&settings).await.unwrap();
    (Client::new(access, timeout, reporter), events)
}

fn plain(code: u16, body: &str) -> (StatusCode, HeaderMap, String) {
    (StatusCode::from_u16(code).unwrap(), HeaderMap::new(), body.to_owned())
}

fn post() -> Request {
    Request { method: http::Method::POST, ..get_path("/x") }
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again_a_few_times() {
    let busy_once = |number| if number == 0 { plain(503, "{}") } else { plain(200, "{\"a\":1}") };
    let (client, count, events) = client_of(busy_once).await;
    assert_eq!(client.send(&get_path("/x")).await.unwrap()["a"], 1);
    assert_eq!(count.load(Ordering::Relaxed), 2);
    assert!(matches!(events.try_recv().unwrap(), Event::Retrying { .. }));

    let (client, count, _events) = client_of(|_| plain(503, "{}")).await;
    let error = client.send(&get_path("/x")).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().code, 503);
    assert_eq!(count.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn what_must_not_happen_twice_is_sent_once() {
    let (client, count, _events) = client_of(|_| plain(503, "{}")).await;
    assert!(client.send(&post()).await.is_err());
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_object_that_does_not_fit_its_schema_is_sent_once() {
    let body = r#"{"message":"failed to create typed patch object (a): x","details":{"retryAfterSeconds":1}}"#;
    let (client, count, _events) = client_of(move |_| plain(500, body)).await;
    assert!(client.send(&get_path("/x")).await.unwrap_err().refusal().unwrap().is_invalid());
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_server_that_is_gone_is_named_within_seconds() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (client, _events) = client_at(&server, "{token: s3cret}").await;
    let started = Instant::now();
    let error = client.send(&get_path("/x")).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(
        error.to_string(),
        format!("no connection to {server} (context `test`): Connection refused (os error 111)")
    );
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let (client, _events) = client_at(&server, "{}").await;
    let error = client.send(&get_path("/x")).await.unwrap_err();
    assert_eq!(error.to_string(), format!("no answer from {server} (context `test`) within 1 s"));
}

#[tokio::test]
async fn something_else_than_an_api_server_is_said_to_be_that() {
    let (client, _count, _events) = client_of(|_| plain(200, "<html>")).await;
    let error = client.send(&get_path("/x")).await.unwrap_err();
    assert!(error.to_string().ends_with("the answer is not JSON"), "{error}");
}

#[tokio::test]
async fn a_warning_is_shown_once_however_often_it_comes() {
    let (client, _count, events) = client_of(|_| {
        let mut headers = HeaderMap::new();
        let warning = r#"299 - "unknown field \"spec.a\"""#;
        headers.append("warning", warning.parse().unwrap());
        (StatusCode::OK, headers, "{}".to_owned())
    })
    .await;
    for _ in 0..2 {
        client.send(&get_path("/x")).await.unwrap();
    }
    let warnings: Vec<Event> = events.try_iter().collect();
    let [Event::Diagnostic(warning)] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert_eq!(warning.severity, Severity::Warning);
    assert_eq!(warning.message, "unknown field \"spec.a\"");
}

#[cfg(unix)]
#[tokio::test]
async fn a_credential_plugin_that_fails_is_named_and_never_quoted() {
    let user = |script: &str| {
        format!(
            "{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: sh, \
             interactiveMode: Never, env: [{{name: KEY, value: s3cret}}], \
             args: ['-c', '{script}']}}}}"
        )
    };
    let fails = "echo s3cret; echo expired >&2; exit 7";
    let (client, _events) = client_at("http://127.0.0.1:1", &user(fails)).await;
    let error = client.send(&get_path("/x")).await.unwrap_err();
    assert!(error.to_string().ends_with("`sh` failed (exit status: 7): expired"), "{error}");
    assert!(!format!("{error} {error:?} {client:?}").contains("s3cret"));

    let (client, _events) = client_at("http://127.0.0.1:1", &user("echo {s3cret")).await;
    let error = client.send(&get_path("/x")).await.unwrap_err();
    assert!(error.to_string().contains("printed something else than credentials"), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}

#[test]
fn a_warnings_text_is_what_is_quoted() {
    assert_eq!(warning(r#"299 - "a \"b\" c" "date""#).unwrap(), "a \"b\" c");
    assert_eq!(warning("299 - a"), None);
    assert_eq!(warning(r#"299 - """#), None);
}
