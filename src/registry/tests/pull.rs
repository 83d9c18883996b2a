//! Pulling from registries that misbehave.

use super::*;

#[tokio::test]
async fn a_tag_that_has_not_changed_costs_one_head_and_one_that_is_missing_too() {
    let digest = Digest::of(MANIFEST).to_string();
    let fake = Fake::start(move |seen, _| match seen.path.as_str() {
        "/v2/a/manifests/v1" => {
            with(200, &[("docker-content-digest", &digest), ("content-type", OCI)], MANIFEST)
        }
        _ => status(404),
    })
    .await;
    let Setup { client, .. } = setup();
    let found = client.find_manifest(&fake.repository("a").tagged("v1".parse().unwrap())).await;
    assert_eq!(found.unwrap(), Some(Descriptor::of(MediaType::ImageManifest, MANIFEST)));
    let missing = client.find_manifest(&fake.repository("a").tagged(Tag::latest())).await;
    assert_eq!(missing.unwrap(), None);
    assert_eq!(fake.lines(), ["HEAD /v2/a/manifests/v1", "HEAD /v2/a/manifests/latest"]);
    assert_eq!(fake.seen()[0].header("user-agent"), "ko-rs/test");
}

#[tokio::test]
async fn a_registry_that_serves_no_head_or_names_no_digest_is_asked_for_the_manifest() {
    for code in [405, 200] {
        let fake = Fake::start(move |seen, _| match seen.method {
            Method::HEAD => status(code),
            _ => with(200, &[("content-type", OCI)], MANIFEST),
        })
        .await;
        let image = fake.repository("a").tagged(Tag::latest());
        let found = setup().client.find_manifest(&image).await.unwrap();
        assert_eq!(found, Some(Descriptor::of(MediaType::ImageManifest, MANIFEST)), "{code}");
    }
}

#[tokio::test]
async fn a_manifest_by_digest_is_fetched_once_and_kept() {
    let fake = Fake::start(|_, _| with(200, &[("content-type", OCI)], MANIFEST)).await;
    let Setup { client, cache, folder: _folder, .. } = setup();
    let image = fake.repository("a").at(Digest::of(MANIFEST));
    for _ in 0..2 {
        assert_eq!(client.manifest(&image).await.unwrap().bytes, MANIFEST);
    }
    assert_eq!(fake.lines().len(), 1);
    std::fs::write(cache.blob(&Digest::of(MANIFEST), MANIFEST.len() as u64).unwrap(), [b'x'; 31])
        .unwrap();
    assert_eq!(client.manifest(&image).await.unwrap().bytes, MANIFEST, "noise in the cache");
}

#[tokio::test]
async fn a_manifest_that_is_another_or_none_or_too_large_is_refused() {
    let digest = Digest::of(b"other").to_string();
    let headers: [&[(&str, &str)]; 2] = [&[("content-type", OCI)], &[]];
    for (body, headers, expected) in [
        (MANIFEST.to_vec(), &[("docker-content-digest", digest.as_str())][..], "with the digest"),
        (b"<html>".to_vec(), headers[0], "no manifest"),
        (b"{}".to_vec(), headers[1], "no manifest"),
        (vec![b' '; (4 << 20) + 1], headers[0], "limit of 4194304 bytes"),
    ] {
        let headers: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let fake = Fake::start(move |_, _| {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            with(200, &headers, body.clone())
        })
        .await;
        let image = fake.repository("a").tagged(Tag::latest());
        let failed = setup().client.manifest(&image).await.unwrap_err();
        assert!(why(&failed.failure).contains(expected), "{expected}: {}", why(&failed.failure));
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_cannot_is_not() {
    for (code, tries, retries) in
        [(500, 5, 4), (503, 5, 4), (408, 5, 4), (400, 1, 0), (403, 1, 0), (501, 1, 0)]
    {
        let fake = Fake::start(move |_, _| error(code, "SOME")).await;
        let setup = setup();
        let repository = fake.repository("a");
        let failed = setup.client.manifest(&repository.tagged(Tag::latest())).await.unwrap_err();
        assert_eq!((fake.lines().len(), setup.retries()), (tries, retries), "{code}");
        assert_eq!(failed.status().unwrap().as_u16(), code);
        assert_eq!(failed.to_string(), format!("could not pull a manifest from `{repository}`"));
        assert!(why(&failed.failure).ends_with(": SOME: because"), "{}", why(&failed.failure));
    }
    let fake = Fake::start(|_, before| match before {
        0 => status(502),
        1 => with(429, &[("retry-after", "0")], ""),
        _ => with(200, &[("content-type", OCI)], MANIFEST),
    })
    .await;
    let setup = setup();
    setup.client.manifest(&fake.repository("a").tagged(Tag::latest())).await.unwrap();
    assert_eq!(setup.retries(), 2);
}

#[tokio::test]
async fn a_registry_that_asks_for_too_long_a_wait_is_given_up_at_once() {
    let fake = Fake::start(|_, _| with(429, &[("retry-after", "3600")], "")).await;
    let Setup { client, .. } = setup();
    let failed = client.has_blob(&fake.repository("a"), &Digest::of(b"")).await.unwrap_err();
    assert_eq!((fake.lines().len(), failed.status()), (1, Some(StatusCode::TOO_MANY_REQUESTS)));
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_named_with_its_port() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let setup = setup();
    let repository: Repository = format!("{address}/a").parse().unwrap();
    let failed = setup.client.may_push(&repository).await.unwrap_err();
    assert!(
        matches!(failed.failure, Failure::Http(crate::http::Failure::Unreachable { .. })),
        "{failed:?}"
    );
    let hint = hint_of(&failed);
    assert_eq!(hint, format!("check that a registry is running at `{address}`"));
    assert_eq!(setup.retries(), 4);
}

#[tokio::test]
async fn a_silent_registry_is_not_waited_for_for_ever() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let repository: Repository = format!("{}/a", listener.local_addr().unwrap()).parse().unwrap();
    let failed = impatient().client.has_blob(&repository, &Digest::of(b"")).await.unwrap_err();
    assert!(
        matches!(failed.failure, Failure::Http(crate::http::Failure::Silent { .. })),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_blob_that_breaks_off_goes_on_where_it_broke() {
    let fake = Fake::start(|seen, before| match (before, seen.header("range")) {
        (0, "") => with(200, &[("content-length", "10")], cut(b"0123")),
        (1, "bytes=4-") => {
            with(206, &[("content-range", "bytes 4-9/10"), ("content-length", "6")], cut(b"45"))
        }
        (2, "bytes=6-") => with(206, &[("content-range", "bytes 6-9/10")], "6789"),
        _ => status(418),
    })
    .await;
    let setup = setup();
    let path = setup.client.blob(&fake.repository("a"), &layer(b"0123456789")).await.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), b"0123456789");
    assert_eq!(setup.retries(), 2);
    setup.client.blob(&fake.repository("a"), &layer(b"0123456789")).await.unwrap();
    assert_eq!(fake.lines().len(), 3, "a blob in the cache costs no request");
}

#[tokio::test]
async fn a_registry_without_ranges_sends_the_blob_again() {
    let fake = Fake::start(|_, before| match before {
        0 => with(200, &[("content-length", "10")], cut(b"0123")),
        1 => with(206, &[("content-range", "bytes 0-9/10")], "0123456789"),
        _ => with(200, &[], "0123456789"),
    })
    .await;
    let Setup { client, folder: _folder, .. } = setup();
    let path = client.blob(&fake.repository("a"), &layer(b"0123456789")).await.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), b"0123456789");
}

#[tokio::test]
async fn wrong_or_too_many_bytes_never_reach_the_cache() {
    for (body, expected) in [
        ("9876543210", "sent 10 bytes with the digest sha256"),
        ("0123456789+", "limit of 10 bytes"),
    ] {
        let fake = Fake::start(move |_, _| with(200, &[], body)).await;
        let Setup { client, cache, folder: _folder, .. } = setup();
        let wanted = layer(b"0123456789");
        let failed = client.blob(&fake.repository("a"), &wanted).await.unwrap_err();
        assert!(why(&failed.failure).contains(expected), "{}", why(&failed.failure));
        assert_eq!(cache.blob(&wanted.digest, wanted.size), None);
    }
}

#[tokio::test]
async fn who_wants_the_same_blob_at_once_waits_for_the_first() {
    let fake = Fake::start(|_, _| with(200, &[], "0123456789")).await;
    let Setup { client, folder: _folder, .. } = setup();
    let (repository, wanted) = (fake.repository("a"), layer(b"0123456789"));
    let pulls = (0..8).map(|_| client.blob(&repository, &wanted));
    for pulled in futures_util::future::join_all(pulls).await {
        pulled.unwrap();
    }
    assert_eq!(fake.lines().len(), 1);
}

#[tokio::test]
async fn a_pulled_blob_without_a_cache_lies_there_as_long_as_the_client_lives() {
    let fake = Fake::start(|_, _| with(200, &[], "x")).await;
    let folder = tempfile::tempdir().unwrap();
    let mut settings = None;
    let _ = setup_with(|given, _| settings = Some(given.clone()));
    let settings = Settings { temporary: folder.path().to_owned(), ..settings.unwrap() };
    let client = Client::new(settings, Cache::none(), Reporter::new());
    let path = client.blob(&fake.repository("a"), &layer(b"x")).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"x");
    drop(client);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_registry_without_https_is_reached_through_the_proxy_and_loopback_never_is() {
    let proxy = Fake::start(|_, _| status(200)).await;
    let fake = Fake::start(|_, _| status(200)).await;
    let Setup { client, .. } = setup_with(|settings, _| {
        settings.insecure = true;
        settings.connections.proxies.http = Some(format!("http://{}", proxy.address));
    });
    let far: Repository = "registry.invalid/a".parse().unwrap();
    assert!(client.has_blob(&far, &Digest::of(b"")).await.unwrap());
    assert!(client.has_blob(&fake.repository("a"), &Digest::of(b"")).await.unwrap());
    assert_eq!((proxy.seen().len(), fake.seen().len()), (1, 1));
    assert_eq!(proxy.seen()[0].header("host"), "registry.invalid");
}

#[tokio::test]
async fn parts_that_do_not_make_the_whole_are_fetched_as_one() {
    let fake = Fake::start(|_, before| match before {
        0 => with(200, &[("content-length", "10")], cut(b"9999")),
        1 => with(206, &[("content-range", "bytes 4-9/10")], "456789"),
        _ => with(200, &[], "0123456789"),
    })
    .await;
    let Setup { client, folder: _folder, .. } = setup();
    let path = client.blob(&fake.repository("a"), &layer(b"0123456789")).await.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), b"0123456789");
    assert_eq!(fake.seen()[2].header("range"), "");
}

#[tokio::test]
async fn an_answer_that_drips_is_not_waited_for_for_ever() {
    let fake = Fake::start(|_, _| {
        let drops = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"{")), ()))
        });
        with(200, &[("content-type", OCI)], Body::from_stream(drops))
    })
    .await;
    let image = fake.repository("a").tagged(Tag::latest());
    let failed = impatient().client.manifest(&image).await.unwrap_err();
    assert!(
        matches!(failed.failure, Failure::Http(crate::http::Failure::Silent { .. })),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_store_that_serves_no_head_does_not_stop_a_push() {
    let store = Fake::start(|_, _| status(403)).await;
    let elsewhere = format!("http://{}/blob", store.address);
    let fake = Fake::start(move |_, _| with(307, &[("location", &elsewhere)], "")).await;
    let has = setup().client.has_blob(&fake.repository("a"), &Digest::of(b"")).await;
    assert!(!has.unwrap());
}
