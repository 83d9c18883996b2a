//! Pushing to registries that misbehave.

use super::*;

#[tokio::test]
async fn a_known_blob_is_a_post_and_one_put_with_its_length() {
    let fake = Fake::start(|seen, _| obliging(seen)).await;
    let setup = setup();
    let path = setup.file(b"blob");
    let repository = fake.repository("a/b");
    setup.client.push_blob(&repository, &layer(b"blob"), BlobBody::File(path)).await.unwrap();
    assert_eq!(fake.lines(), ["POST /v2/a/b/blobs/uploads/", "PUT /up/1"]);
    let put = &fake.seen()[1];
    assert_eq!(put.path, format!("/up/1?state=a%3D&digest={}", Digest::of(b"blob")));
    assert_eq!((put.header("content-length"), &put.body[..]), ("4", &b"blob"[..]));
    assert_eq!(put.header("transfer-encoding"), "");
}

#[tokio::test]
async fn a_broken_put_is_made_again_in_an_upload_of_its_own() {
    let fake = Fake::start(|seen, before| match (&seen.method, before) {
        (&Method::PUT, 0) => status(500),
        _ => obliging(seen),
    })
    .await;
    let Setup { client, .. } = setup();
    let body = BlobBody::Bytes(Bytes::from_static(b"blob"));
    client.push_blob(&fake.repository("a"), &layer(b"blob"), body).await.unwrap();
    let post = "POST /v2/a/blobs/uploads/";
    assert_eq!(fake.lines(), [post, "PUT /up/1", post, "PUT /up/1"]);
}

#[tokio::test]
async fn an_upload_without_a_place_to_go_on_is_an_error_or_has_a_number() {
    let fake = Fake::start(|_, _| status(202)).await;
    let Setup { client, .. } = setup();
    let failed = client.may_push(&fake.repository("a")).await.unwrap_err();
    assert!(why(&failed.failure).contains("no readable `Location`"), "{failed:?}");
    let fake = Fake::start(|seen, _| match seen.method {
        Method::POST => with(202, &[("docker-upload-uuid", "77")], ""),
        _ => status(201),
    })
    .await;
    client.may_push(&fake.repository("a")).await.unwrap();
    client.may_push(&fake.repository("a")).await.unwrap();
    assert_eq!(fake.lines(), ["POST /v2/a/blobs/uploads/"], "asked once");
    let body = BlobBody::Bytes(Bytes::from_static(b"blob"));
    client.push_blob(&fake.repository("a"), &layer(b"blob"), body).await.unwrap();
    assert_eq!(fake.lines()[1..], ["PUT /v2/a/blobs/uploads/77"]);
}

#[tokio::test]
async fn a_mount_that_fails_leaves_its_upload_to_the_next_blob() {
    let fake = Fake::start(|seen, _| obliging(seen)).await;
    let Setup { client, .. } = setup();
    let (to, from) = (fake.repository("to"), fake.repository("from"));
    let digest = Digest::of(b"blob");
    assert_eq!(client.mount_blob(&to, &from, &digest).await.unwrap(), Mounted::No);
    let body = BlobBody::Bytes(Bytes::from_static(b"blob"));
    client.push_blob(&to, &layer(b"blob"), body).await.unwrap();
    assert_eq!(fake.lines(), ["POST /v2/to/blobs/uploads/", "PUT /up/1"]);
    assert!(fake.seen()[0].path.ends_with(&format!("?mount={digest}&from=from")));
}

#[tokio::test]
async fn a_forgotten_upload_is_opened_again() {
    let fake = Fake::start(|seen, before| match (&seen.method, before) {
        (&Method::PUT, 0) => error(404, "BLOB_UPLOAD_UNKNOWN"),
        _ => obliging(seen),
    })
    .await;
    let setup = setup();
    let (to, from) = (fake.repository("to"), fake.repository("from"));
    setup.client.mount_blob(&to, &from, &Digest::of(b"blob")).await.unwrap();
    let body = BlobBody::Bytes(Bytes::from_static(b"blob"));
    setup.client.push_blob(&to, &layer(b"blob"), body).await.unwrap();
    assert_eq!((fake.lines().len(), setup.retries()), (4, 0));
}

#[tokio::test]
async fn a_mount_that_is_forbidden_is_no_error() {
    for (code, expected) in [(201, Mounted::Yes), (403, Mounted::No), (405, Mounted::No)] {
        let fake = Fake::start(move |_, _| status(code)).await;
        let Setup { client, .. } = setup();
        let (to, from) = (fake.repository("to"), fake.repository("from"));
        let mounted = client.mount_blob(&to, &from, &Digest::of(b"")).await;
        assert_eq!(mounted.unwrap(), expected, "{code}");
    }
}

/// Pushes `pieces` while they are being made; says what came of it and whether all were made.
async fn stream(
    client: &Client,
    repository: &Repository,
    pieces: &[&'static [u8]],
) -> (Result<Streamed, Error>, bool) {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let mut made = 0;
    let making = async {
        let mut digester = Digester::default();
        for piece in pieces {
            digester.update(piece);
            let _ = sender.send(Bytes::from_static(piece)).await;
            made += 1;
        }
        drop(sender);
        Some(digester.finish())
    };
    let streamed = client.push_stream(repository, None, receiver, making).await;
    (streamed, made == pieces.len())
}

#[tokio::test]
async fn an_unknown_blob_is_streamed_and_named_at_the_end() {
    // ECR answers 201 to a PATCH; a registry that names no new place keeps the old one.
    for patch in [202, 201, 204] {
        let fake = Fake::start(move |seen, _| match seen.method {
            Method::PATCH => status(patch),
            _ => obliging(seen),
        })
        .await;
        let Setup { client, .. } = setup();
        let (streamed, made) = stream(&client, &fake.repository("a"), &[b"ab", b"c"]).await;
        let digest = Digest::of(b"abc");
        assert_eq!((streamed.unwrap(), made), (Streamed::Done(digest), true), "{patch}");
        let seen = fake.seen();
        let lines = ["POST /v2/a/blobs/uploads/", "PATCH /up/1", "PUT /up/1"];
        assert_eq!(fake.lines(), lines);
        assert_eq!(&seen[1].body[..], b"abc");
        assert_eq!(seen[1].header("transfer-encoding"), "chunked");
        assert_eq!(seen[1].header("content-range"), "");
        assert_eq!(seen[2].path, format!("/up/1?state=a%3D&digest={digest}"));
        assert_eq!(seen[2].header("content-length"), "0");
    }
}

#[tokio::test]
async fn the_newest_place_is_where_a_stream_ends() {
    let fake = Fake::start(|seen, _| obliging(seen)).await;
    let Setup { client, .. } = setup();
    stream(&client, &fake.repository("a"), &[b"ab"]).await.0.unwrap();
    assert_eq!(fake.seen()[2].path, format!("/up/1?state=b&digest={}", Digest::of(b"ab")));
}

#[tokio::test]
async fn a_registry_that_takes_no_stream_lets_the_blob_be_made_all_the_same() {
    for code in [401, 405, 411, 413, 416, 500] {
        let fake = Fake::start(move |seen, _| match seen.method {
            Method::PATCH => status(code),
            _ => obliging(seen),
        })
        .await;
        let Setup { client, .. } = setup();
        let (streamed, made) = stream(&client, &fake.repository("a"), &[&b"ab"[..]; 50]).await;
        assert!(matches!(streamed.unwrap(), Streamed::Refused(_)) && made, "{code}");
        assert_eq!(fake.lines().iter().filter(|line| line.starts_with("PATCH")).count(), 1);
    }
    let Setup { client, .. } = setup();
    let google: Repository = "europe-docker.pkg.dev/p/r/i".parse().unwrap();
    let (streamed, made) = stream(&client, &google, &[&b"ab"[..]; 50]).await;
    assert!(matches!(streamed.unwrap(), Streamed::Refused(_)) && made, "asked nothing");
}

#[tokio::test]
async fn a_stream_whose_last_answer_is_lost_is_looked_for() {
    let fake = Fake::start(|seen, _| match seen.method {
        Method::PUT => status(502),
        Method::HEAD => status(200),
        _ => obliging(seen),
    })
    .await;
    let Setup { client, .. } = setup();
    let (streamed, _) = stream(&client, &fake.repository("a"), &[b"ab"]).await;
    assert_eq!(streamed.unwrap(), Streamed::Done(Digest::of(b"ab")));
}

#[tokio::test]
async fn a_manifest_is_put_by_tag_or_by_digest_and_what_it_lacks_is_told_apart() {
    let fake = Fake::start(|seen, _| match seen.path.ends_with("/full") {
        true => status(201),
        false if seen.path.contains("sha256:") => with(201, &[], ""),
        false => error(404, "MANIFEST_BLOB_UNKNOWN"),
    })
    .await;
    let Setup { client, .. } = setup();
    let (repository, bytes) = (fake.repository("a"), Bytes::from_static(MANIFEST));
    let push = async |tag: Option<&str>| {
        let tag = tag.map(|tag| tag.parse::<Tag>().unwrap());
        client
            .push_manifest(&repository, tag.as_ref(), &MediaType::ImageManifest, bytes.clone())
            .await
    };
    assert_eq!(push(Some("full")).await.unwrap(), Digest::of(MANIFEST));
    assert_eq!(push(None).await.unwrap(), Digest::of(MANIFEST));
    assert!(push(Some("lacking")).await.unwrap_err().is_missing_blob());
    let seen = fake.seen();
    assert_eq!(seen[1].line(), format!("PUT /v2/a/manifests/{}", Digest::of(MANIFEST)));
    assert_eq!((seen[0].header("content-type"), &seen[0].body[..]), (OCI, MANIFEST));
}

#[tokio::test]
async fn a_registry_that_stored_something_else_is_not_believed() {
    let other = Digest::of(b"other").to_string();
    let fake = Fake::start(move |_, _| with(201, &[("docker-content-digest", &other)], "")).await;
    let Setup { client, .. } = setup();
    let (media_type, bytes) = (MediaType::ImageManifest, Bytes::from_static(MANIFEST));
    let pushed = client.push_manifest(&fake.repository("a"), None, &media_type, bytes).await;
    assert!(matches!(pushed.unwrap_err().failure, Failure::Protocol { .. }));
}

#[tokio::test]
async fn endless_redirects_end_and_a_put_is_sent_on() {
    let fake = Fake::start(|seen, _| with(307, &[("location", &seen.path)], "")).await;
    let Setup { client, .. } = setup();
    let failed = client.has_blob(&fake.repository("a"), &Digest::of(b"")).await.unwrap_err();
    assert!(why(&failed.failure).contains("more than 10 times"), "{failed:?}");
    let fake = Fake::start(|seen, before| match (&seen.method, before) {
        (&Method::PUT, 0) => with(308, &[("location", "/up/1?state=c&digest=d")], ""),
        _ => obliging(seen),
    })
    .await;
    let body = BlobBody::Bytes(Bytes::from_static(b"x"));
    client.push_blob(&fake.repository("a"), &layer(b"x"), body).await.unwrap();
    assert_eq!(&fake.seen()[2].body[..], b"x");
}

#[tokio::test]
async fn a_file_that_is_not_what_was_announced_is_not_sent() {
    let fake = Fake::start(|seen, _| obliging(seen)).await;
    let setup = setup();
    let repository = fake.repository("a");
    let file = BlobBody::File(setup.file(b"longer"));
    let failed = setup.client.push_blob(&repository, &layer(b"blob"), file).await.unwrap_err();
    assert!(matches!(failed.failure, Failure::FileChanged(_)), "{failed:?}");
    let missing = BlobBody::File(setup.folder.path().join("missing"));
    let failed = setup.client.push_blob(&repository, &layer(b"blob"), missing).await.unwrap_err();
    assert!(matches!(failed.failure, Failure::File { .. }), "{failed:?}");
    assert_eq!(fake.lines().len(), 0);
}

#[tokio::test]
async fn a_stream_that_is_never_finished_is_given_up_without_fuss() {
    let fake = Fake::start(|seen, _| match seen.method {
        Method::DELETE => with(401, &[("www-authenticate", "Basic")], ""),
        _ => obliging(seen),
    })
    .await;
    let Setup { client, folder: _folder, .. } = logged_in(fake.address);
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    drop(sender);
    let streamed = client.push_stream(&fake.repository("a"), None, receiver, async { None }).await;
    assert!(matches!(streamed.unwrap(), Streamed::Refused(_)));
    assert_eq!(fake.lines(), ["POST /v2/a/blobs/uploads/", "PATCH /up/1", "DELETE /up/1"]);
}

#[tokio::test]
async fn a_connection_that_breaks_in_a_stream_lets_the_blob_be_made_all_the_same() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let repository: Repository = format!("{}/a", listener.local_addr().unwrap()).parse().unwrap();
    let registry = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        loop {
            if connection.read_buf(&mut heard).await.unwrap() == 0 || heard.starts_with(b"PATCH") {
                return;
            }
            let go_on = b"HTTP/1.1 202 Accepted\r\nlocation: /up\r\ncontent-length: 0\r\n\r\n";
            connection.write_all(go_on).await.unwrap();
            heard.clear();
        }
    });
    let Setup { client, .. } = setup();
    let (streamed, made) = stream(&client, &repository, &[&[7; 100_000][..]; 50]).await;
    assert!(matches!(streamed.unwrap(), Streamed::Refused(_)) && made);
    registry.await.unwrap();
}

#[tokio::test]
async fn a_registry_that_stops_taking_a_body_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let deaf = tokio::spawn(async move {
        let mut connections = Vec::new();
        loop {
            connections.push(listener.accept().await.unwrap());
        }
    });
    let elsewhere = format!("http://{address}/up");
    let fake = Fake::start(move |_, _| with(202, &[("location", &elsewhere)], "")).await;
    let setup = impatient();
    let bytes = vec![1; 16 << 20];
    let file = BlobBody::File(setup.file(&bytes));
    let pushed = setup.client.push_blob(&fake.repository("a"), &layer(&bytes), file).await;
    assert!(matches!(
        pushed.unwrap_err().failure,
        Failure::Http(crate::http::Failure::Silent { .. })
    ));
    deaf.abort();
}

#[tokio::test]
async fn a_referrer_is_listed_by_us_only_where_the_registry_does_not() {
    let subject = Digest::of(b"image");
    let referrer = Descriptor::of(MediaType::ImageManifest, MANIFEST);
    let tag = format!("/v2/a/manifests/sha256-{}", subject.hex());
    for (api, requests) in [(true, 1), (false, 3)] {
        let fake = Fake::start(move |seen, _| match (&seen.method, api) {
            (&Method::PUT, true) => with(201, &[("oci-subject", "sha256:x")], ""),
            (&Method::PUT, false) => status(201),
            _ => status(404),
        })
        .await;
        let Setup { client, .. } = setup();
        let (repository, bytes) = (fake.repository("a"), Bytes::from_static(MANIFEST));
        client.push_referrer(&repository, &subject, &referrer, bytes).await.unwrap();
        let seen = fake.seen();
        assert_eq!(seen.len(), requests);
        if !api {
            assert_eq!(seen[2].path, tag);
            let list: serde_json::Value = serde_json::from_slice(&seen[2].body).unwrap();
            assert_eq!(list["manifests"][0]["digest"], referrer.digest.to_string());
        }
    }
}

#[tokio::test]
async fn referrers_that_are_listed_at_the_same_time_are_all_listed() {
    let subject = Digest::of(b"image");
    let list = Mutex::new(None);
    let fake = Fake::start(move |seen, _| {
        let mut list = list.lock().unwrap();
        match seen.method {
            Method::PUT if seen.path.contains("/sha256-") => *list = Some(seen.body.clone()),
            Method::PUT => {}
            _ => return list.clone().map_or_else(|| status(404), |body| with(200, &[], body)),
        }
        status(201)
    })
    .await;
    let Setup { client, .. } = setup();
    let repository = fake.repository("a");
    let manifests: Vec<Bytes> = (0..5).map(|count| format!("{{\"a\":{count}}}").into()).collect();
    let pushed = futures_util::future::try_join_all(manifests.iter().map(async |bytes| {
        let referrer = Descriptor::of(MediaType::ImageManifest, bytes);
        client.push_referrer(&repository, &subject, &referrer, bytes.clone()).await
    }));
    pushed.await.unwrap();
    let is_list = |seen: &Seen| seen.method == Method::PUT && seen.path.contains("/sha256-");
    let last = fake.seen().into_iter().rfind(is_list).unwrap();
    let list: serde_json::Value = serde_json::from_slice(&last.body).unwrap();
    assert_eq!(list["manifests"].as_array().unwrap().len(), manifests.len());
}

#[tokio::test]
async fn what_others_take_out_of_a_list_of_referrers_is_put_back_in() {
    let others = Descriptor::of(MediaType::ImageManifest, b"others");
    let entry = serde_json::to_string(&others).unwrap();
    let theirs = format!(r#"{{"schemaVersion":2,"manifests":[{entry}]}}"#);
    // Who takes it out does so `times` times, right after it was put in.
    for (times, puts) in [(1, 2), (usize::MAX, 12)] {
        let list = Mutex::new(Bytes::from(theirs.clone()));
        let theirs = theirs.clone();
        let fake = Fake::start(move |seen, before| {
            let mut list = list.lock().unwrap();
            match seen.method {
                Method::PUT if !seen.path.contains("/sha256-") => status(201),
                Method::PUT => {
                    let ours = before >= times;
                    *list = if ours { seen.body.clone() } else { theirs.clone().into() };
                    status(201)
                }
                _ => with(200, &[("content-type", OCI)], list.clone()),
            }
        })
        .await;
        let referrer = Descriptor::of(MediaType::ImageManifest, MANIFEST);
        let (repository, bytes) = (fake.repository("a"), Bytes::from_static(MANIFEST));
        let Setup { client, .. } = setup();
        let subject = Digest::of(b"image");
        let pushed = client.push_referrer(&repository, &subject, &referrer, bytes).await;
        assert_eq!(pushed.is_ok(), times == 1, "{pushed:?}");
        let seen = fake.seen();
        let lists =
            seen.iter().filter(|seen| seen.line().starts_with("PUT /v2/a/manifests/sha256-"));
        let lists: Vec<&Seen> = lists.collect();
        assert_eq!(lists.len(), puts);
        for entry in [&referrer, &others] {
            assert!(String::from_utf8_lossy(&lists[0].body).contains(&entry.digest.to_string()));
        }
    }
}

#[tokio::test]
async fn the_upload_of_a_failed_mount_takes_no_other_blob() {
    let fake = Fake::start(|seen, before| match (&seen.method, before) {
        (&Method::POST, before) => with(202, &[("location", &format!("/up/{before}"))], ""),
        _ => obliging(seen),
    })
    .await;
    let Setup { client, .. } = setup();
    let (to, from) = (fake.repository("to"), fake.repository("from"));
    client.mount_blob(&to, &from, &Digest::of(b"one")).await.unwrap();
    for blob in [b"two", b"one"] {
        let body = BlobBody::Bytes(Bytes::from_static(blob));
        client.push_blob(&to, &layer(blob), body).await.unwrap();
    }
    let post = "POST /v2/to/blobs/uploads/";
    assert_eq!(fake.lines(), [post, post, "PUT /up/1", "PUT /up/0"]);
}

#[tokio::test]
async fn a_spoilt_file_is_told_from_a_registry_that_is_wrong() {
    let fake = Fake::start(|seen, _| match seen.method {
        Method::PUT => error(400, "DIGEST_INVALID"),
        _ => obliging(seen),
    })
    .await;
    let setup = setup();
    let file = BlobBody::File(setup.file(b"blob"));
    let repository = fake.repository("a");
    let push = async |descriptor: Descriptor| {
        let pushed = setup.client.push_blob(&repository, &descriptor, file.clone());
        pushed.await.unwrap_err().failure
    };
    assert!(matches!(push(layer(b"dirt")).await, Failure::WrongFile { .. }));
    assert!(matches!(push(layer(b"blob")).await, Failure::Refused { .. }));
}
