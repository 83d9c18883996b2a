//! An API server in this process, for tests of what goes over the wire. What a real one does with
//! it is tested in `tests/servers`.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use crate::report::{Event, Reporter};

use super::access::{Access, Settings};
use super::client::Client;
use super::connection::Cluster;

/// The requests that a server received, in their order.
pub(super) type Seen = Arc<Mutex<Vec<String>>>;

/// Starts a server that answers by method, path with query, and the number of earlier requests.
pub(super) async fn serve<F>(answer: F) -> (String, Seen)
where
    F: Fn(&Method, &str, usize) -> Response + Clone + Send + Sync + 'static,
{
    let seen = Seen::default();
    let requests = Arc::clone(&seen);
    let app = Router::new().fallback(move |request: Request| {
        let (method, path) = (request.method().clone(), request.uri().to_string());
        let mut requests = requests.lock().unwrap();
        let response = answer(&method, &path, requests.len());
        requests.push(format!("{method} {path}"));
        async move { response }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (server, seen)
}

/// A response with a JSON body.
pub(super) fn json(code: u16, body: &Value) -> Response {
    text(code, body.to_string())
}

/// A response with any body.
pub(super) fn text(code: u16, body: impl Into<String>) -> Response {
    (StatusCode::from_u16(code).unwrap(), body.into()).into_response()
}

/// The lines of a watch, which then ends.
pub(super) fn watched(events: &[Value]) -> Response {
    text(200, events.iter().map(|event| format!("{event}\n")).collect::<String>())
}

/// Settings for a server, with the `user` of a kubeconfig; valid as long as the folder.
fn settings(server: &str, user: &str) -> (tempfile::TempDir, Settings) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    let text = format!(
        "current-context: test\nclusters: [{{name: c, cluster: {{server: '{server}'}}}}]\n\
         users: [{{name: u, user: {user}}}]\n\
         contexts: [{{name: test, context: {{cluster: c, user: u}}}}]\n"
    );
    std::fs::write(&path, text).unwrap();
    let timeout = Duration::from_secs(1);
    (folder, Settings { kubeconfig: vec![path], timeout, ..Settings::default() })
}

/// A client of a server.
pub(super) async fn client_at(server: &str, user: &str) -> (Client, Receiver<Event>) {
    let (_folder, settings) = settings(server, user);
    let reporter = Reporter::new();
    let events = reporter.reader();
    let access = Access::new(&settings).await.unwrap();
    (Client::new(access, settings.timeout, reporter), events)
}

/// A client of a server that answers so.
pub(super) async fn client_of<F>(answer: F) -> (Client, Seen, Receiver<Event>)
where
    F: Fn(&Method, &str, usize) -> Response + Clone + Send + Sync + 'static,
{
    let (server, seen) = serve(answer).await;
    let (client, events) = client_at(&server, "{token: s3cret}").await;
    (client, seen, events)
}

/// A cluster that answers so, and serves ConfigMaps.
pub(super) async fn cluster_of<F>(answer: F) -> (Cluster, Seen, Receiver<Event>)
where
    F: Fn(&Method, &str, usize) -> Response + Clone + Send + Sync + 'static,
{
    let (server, seen) = serve(move |method, path, before| match path {
        "/api/v1" => {
            let kind = serde_json::json!(
                {"name": "configmaps", "kind": "ConfigMap", "namespaced": true});
            json(200, &serde_json::json!({"resources": [kind]}))
        }
        path => answer(method, path, before),
    })
    .await;
    let (_folder, settings) = settings(&server, "{}");
    let reporter = Reporter::new();
    let events = reporter.reader();
    (Cluster::connect(&settings, reporter).await.unwrap(), seen, events)
}
