use std::time::Instant;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;

use super::super::mock::{client_at, client_of, text};
use super::super::request::get_path;
use super::*;
use crate::report::Severity;

fn post() -> Request {
    Request { method: http::Method::POST, ..get_path("/x") }
}

#[tokio::test]
async fn a_request_to_a_busy_server_is_repeated_a_few_times() {
    let (client, seen, events) = client_of(|_, _, before| match before {
        0 => text(503, "{}"),
        _ => text(200, "{\"a\":1}"),
    })
    .await;
    assert_eq!(client.send(&get_path("/x")).await.unwrap()["a"], 1);
    assert_eq!(seen.lock().unwrap().len(), 2);
    assert!(matches!(events.try_recv().unwrap(), Event::Retrying { .. }));

    let (client, seen, _events) = client_of(|_, _, _| text(503, "{}")).await;
    let error = client.send(&get_path("/x")).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().code, 503);
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_request_that_is_not_idempotent_is_sent_once() {
    let (client, seen, _events) = client_of(|_, _, _| text(503, "{}")).await;
    assert!(client.send(&post()).await.is_err());
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_object_that_does_not_match_its_schema_is_sent_once() {
    let body = r#"{"message":"failed to create typed patch object (a): x","details":{"retryAfterSeconds":1}}"#;
    let (client, seen, _events) = client_of(move |_, _, _| text(500, body)).await;
    assert!(client.send(&get_path("/x")).await.unwrap_err().refusal().unwrap().is_invalid());
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_unreachable_server_is_an_error_within_seconds() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (client, _events) = client_at(&server, "{token: s3cret}").await;
    let started = Instant::now();
    let error = client.send(&get_path("/x")).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(
        error.to_string(),
        format!(
            "could not connect to {server} (context `test`): Connection refused (os error 111)"
        )
    );
    assert_eq!(*error.details().code(), codes::CLUSTER_UNREACHABLE);
}

#[tokio::test]
async fn a_silent_server_is_an_error_after_the_time_limit() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let (client, _events) = client_at(&server, "{}").await;
    let error = client.send(&get_path("/x")).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{server} (context `test`) did not respond within 1 s"));
}

#[tokio::test]
async fn an_answer_that_is_not_json_is_an_error() {
    let (client, _seen, _events) = client_of(|_, _, _| text(200, "<html>")).await;
    let error = client.send(&get_path("/x")).await.unwrap_err();
    assert!(error.to_string().ends_with("the answer is not JSON"), "{error}");
}

#[tokio::test]
async fn a_warning_is_reported_once() {
    let (client, _seen, events) = client_of(|_, _, _| {
        let warning = r#"299 - "unknown field \"spec.a\"""#;
        (StatusCode::OK, [("warning", warning)], "{}").into_response()
    })
    .await;
    for _ in 0..2 {
        client.send(&get_path("/x")).await.unwrap();
    }
    let warnings: Vec<Event> = events.try_iter().collect();
    let [Event::Diagnostic(warning)] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert_eq!(warning.severity, Severity::Warning);
    assert_eq!(warning.code, Some(&codes::API_WARNING));
    assert_eq!(warning.message, "unknown field \"spec.a\"");
}

#[tokio::test]
async fn a_stream_is_read_line_by_line_without_an_incomplete_last_line() {
    let long = "x".repeat(100_000);
    let sent = format!("a\n\n{long}\nincomplete");
    let (client, _seen, _events) = client_of(move |_, _, _| text(200, sent.clone())).await;
    let mut lines = client.stream(&get_path("/x")).await.unwrap().lines();
    for expected in ["a", "", "x".repeat(100_000).as_str()] {
        assert_eq!(lines.next().await.unwrap().unwrap(), expected);
    }
    assert_eq!(lines.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_line_that_is_too_long_is_an_error() {
    let sent = "x".repeat(LINE + 2);
    let (client, _seen, _events) = client_of(move |_, _, _| text(200, sent.clone())).await;
    let mut lines = client.stream(&get_path("/x")).await.unwrap().lines();
    assert!(matches!(lines.next().await, Err(RequestError::Malformed { .. })));
}

#[tokio::test]
async fn a_stream_that_is_refused_has_the_reason_of_the_server() {
    let body = r#"{"reason": "Expired", "message": "too old resource version"}"#;
    let (client, _seen, _events) = client_of(move |_, _, _| text(410, body)).await;
    let error = client.stream(&get_path("/x")).await.err().unwrap();
    assert!(error.refusal().unwrap().is_expired());
}

#[cfg(unix)]
#[tokio::test]
async fn the_output_of_a_failed_credential_plugin_is_never_quoted() {
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
    assert!(error.to_string().contains("did not print credentials"), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}

#[test]
fn the_text_of_a_warning_is_between_the_quotes() {
    assert_eq!(warning(r#"299 - "a \"b\" c" "date""#).unwrap(), "a \"b\" c");
    assert_eq!(warning("299 - a"), None);
    assert_eq!(warning(r#"299 - """#), None);
}
