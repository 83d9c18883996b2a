//! What refers to an image: listed by a registry with the referrers API, and by a tag where there is
//! none. Judged by oras.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use futures_util::future::join_all;
use ko_rs::http;
use ko_rs::oci::{Descriptor, Digest, MediaType, Repository};
use ko_rs::registry::{BlobBody, Client, CredentialSources, LocationFiles, Settings};
use ko_rs::report::Reporter;
use ko_rs::testing::Cache;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::judge;
use crate::servers::{olareg, registry};
use crate::wire::Reader;

const TYPE: &str = "application/vnd.ko-rs.test+json";

fn client(folder: &Path) -> Client {
    let settings = Settings {
        insecure: false,
        credentials: CredentialSources::default(),
        locations: LocationFiles::default(),
        connections: http::Settings {
            certificates: http::Certificates::default(),
            proxies: http::Proxies::default(),
            patience: http::PATIENCE,
            user_agent: "ko-rs/test".to_owned(),
        },
        temporary: folder.to_owned(),
    };
    Client::new(settings, Cache::at(folder.join("cache")), Reporter::new())
}

/// Pushes an artifact without layers of its own; with a subject, as what refers to it.
async fn push(
    client: &Client,
    repository: &Repository,
    subject: Option<&Descriptor>,
    note: &str,
) -> Descriptor {
    let empty = Descriptor::of(MediaType::from("application/vnd.oci.empty.v1+json"), b"{}");
    let body = BlobBody::Bytes(Bytes::from_static(b"{}"));
    client.push_blob(repository, &empty, body).await.unwrap();
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::ImageManifest,
        "artifactType": TYPE,
        "config": empty,
        "layers": [empty],
        "annotations": {"note": note},
    });
    if let Some(subject) = subject {
        manifest["subject"] = json!(subject);
    }
    let bytes = Bytes::from(serde_json::to_vec(&manifest).unwrap());
    let mut descriptor = Descriptor::of(MediaType::ImageManifest, &bytes);
    match subject {
        Some(subject) => {
            descriptor.artifact_type = Some(MediaType::from(TYPE));
            descriptor.annotations = BTreeMap::from([("note".to_owned(), note.to_owned())]);
            client.push_referrer(repository, &subject.digest, &descriptor, bytes).await.unwrap();
        }
        None => {
            client.push_manifest(repository, None, &MediaType::ImageManifest, bytes).await.unwrap();
        }
    }
    descriptor
}

/// What oras discovers.
fn discovered(folder: &Path, repository: &Repository, subject: &Digest) -> Vec<String> {
    let image = format!("{repository}@{subject}");
    let found = judge("oras", folder, &["discover", "--plain-http", "--format", "json", &image]);
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    let list = found["referrers"].as_array().or(found["manifests"].as_array()).unwrap();
    list.iter().map(|one| one["digest"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_refers_to_an_image_is_found_with_the_api_and_without() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(folder.path());
    for host in [&olareg().host, &registry().host] {
        let repository: Repository = format!("{host}/registries/referred").parse().unwrap();
        let subject = push(&client, &repository, None, "the image").await;
        let mut pushed = Vec::new();
        for note in ["one", "two"] {
            pushed.push(push(&client, &repository, Some(&subject), note).await.digest.to_string());
        }
        // Pushed again, it is not there twice.
        push(&client, &repository, Some(&subject), "two").await;
        pushed.sort();
        let mut found: Vec<String> = client
            .referrers(&repository, &subject.digest)
            .await
            .unwrap()
            .iter()
            .map(|one| one.digest.to_string())
            .collect();
        found.sort();
        assert_eq!(found, pushed, "{host}");
        let mut seen = discovered(folder.path(), &repository, &subject.digest);
        seen.sort();
        assert_eq!(seen, pushed, "{host}");
    }
}

#[tokio::test]
async fn what_several_processes_list_at_the_same_time_is_all_listed() {
    let folder = tempfile::tempdir().unwrap();
    // Clients share nothing, as processes do not.
    let clients: Vec<Client> =
        (0..5).map(|number| client(&folder.path().join(number.to_string()))).collect();
    let repository: Repository = format!("{}/registries/crowd", registry().host).parse().unwrap();
    let subject = push(&clients[0], &repository, None, "the image").await;
    let first = push(&clients[0], &repository, Some(&subject), "first").await;
    let pushed = join_all(clients.iter().enumerate().map(async |(number, client)| {
        let mut pushed = Vec::new();
        for round in 0..2 {
            let note = format!("{number}, {round}");
            pushed.push(push(client, &repository, Some(&subject), &note).await.digest);
        }
        pushed
    }));
    let mut pushed: Vec<Digest> = pushed.await.into_iter().flatten().collect();
    pushed.push(first.digest);
    let found = clients[0].referrers(&repository, &subject.digest).await.unwrap();
    let mut found: Vec<Digest> = found.iter().map(|one| one.digest).collect();
    found.sort();
    pushed.sort();
    assert_eq!(found, pushed);
}

#[tokio::test]
async fn a_list_of_referrers_on_several_pages_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(folder.path());
    let repository: Repository = format!("{}/registries/paged", olareg().host).parse().unwrap();
    let subject = push(&client, &repository, None, "the image").await;
    // A page of olareg's holds 4 MiB.
    for number in 0..6 {
        let note = format!("{number}{}", "x".repeat(900_000));
        push(&client, &repository, Some(&subject), &note).await;
    }
    let found = client.referrers(&repository, &subject.digest).await.unwrap();
    assert_eq!(found.len(), 6);
    let path = format!("/v2/registries/paged/referrers/{}", subject.digest);
    assert!(names_a_next_page(&path).await, "all fits on one page");
}

/// Whether olareg's answer leads to another page.
async fn names_a_next_page(path: &str) -> bool {
    let mut stream = tokio::net::TcpStream::connect(&olareg().host).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    Reader::new(stream).head().await.unwrap().header("link").is_some()
}
