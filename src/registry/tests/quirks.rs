//! What registries do that is odd and has to be borne.

use super::*;

const HIDDEN: &str = "repository:a:pull,push";

/// A registry that wants a token or a password, and says so in `challenges`; `REALM` stands for its
/// token server.
async fn challenging(challenges: &'static [&'static str]) -> Fake {
    Fake::start(move |seen, _| {
        let authorization = seen.header("authorization");
        if seen.path.starts_with("/token") {
            return match authorization {
                PASSWORD => with(200, &[], r#"{"access_token":"opaque"}"#),
                _ => status(401),
            };
        }
        if ["Bearer opaque", PASSWORD].contains(&authorization) {
            return obliging(seen);
        }
        let realm = format!("http://{}/token", seen.header("host"));
        let mut refusal = status(401);
        for challenge in challenges {
            let value = challenge.replace("REALM", &realm).parse().unwrap();
            refusal.headers_mut().append("www-authenticate", value);
        }
        refusal
    })
    .await
}

#[tokio::test]
async fn challenges_are_understood_however_they_are_written() {
    let cases: [(&[&str], &str); 7] = [
        (&[r#"Bearer realm="REALM",service="r",scope="""#], "Bearer opaque"),
        (&[r#"Bearer realm="REALM",service="r""#], "Bearer opaque"),
        (&[r#"bEaReR  Realm = "REALM" , SERVICE=r"#], "Bearer opaque"),
        (&[r#"Basic realm="x""#, r#"Bearer realm="REALM",service="r""#], "Bearer opaque"),
        (&[r#"Basic realm="x", Bearer realm="REALM",service="r""#], "Bearer opaque"),
        (&["Negotiate", r#"Digest nonce="a,b", realm="c""#, "BASIC realm=x"], PASSWORD),
        (&[r#"Bearer scope="no realm""#, "basic"], PASSWORD),
    ];
    for (challenges, sent) in cases {
        let fake = challenging(challenges).await;
        let Setup { client, folder: _folder, .. } = logged_in(fake.address);
        client.may_push(&fake.repository("a")).await.unwrap();
        let seen = fake.seen();
        assert_eq!(seen.last().unwrap().header("authorization"), sent, "{challenges:?}");
        if let Some(token) = seen.iter().find(|seen| seen.path.starts_with("/token")) {
            let scope = HIDDEN.replace(':', "%3A").replace(',', "%2C");
            assert!(token.path.contains(&format!("scope={scope}")), "{}", token.path);
        }
    }
}

#[tokio::test]
async fn a_scope_that_the_registry_wants_beside_ours_is_asked_for_too() {
    let challenges: &[&str] =
        &[r#"Bearer realm="REALM",service="r",scope="repository:a:pull,push registry:x:*""#];
    let fake = challenging(challenges).await;
    let Setup { client, folder: _folder, .. } = logged_in(fake.address);
    client.may_push(&fake.repository("a")).await.unwrap();
    let asked = fake.seen().into_iter().find(|seen| seen.path.starts_with("/token")).unwrap();
    assert_eq!(asked.path.matches("scope=").count(), 2, "{}", asked.path);
    assert!(asked.path.contains("registry%3Ax%3A*"), "{}", asked.path);
}

#[tokio::test]
async fn a_registry_that_serves_no_head_of_blobs_is_sent_them() {
    for code in [405, 501, 404] {
        let fake = Fake::start(move |_, _| status(code)).await;
        let found = setup().client.has_blob(&fake.repository("a"), &Digest::of(b"")).await;
        assert!(!found.unwrap(), "{code}");
    }
}

#[tokio::test]
async fn what_is_sent_without_a_body_says_that_its_length_is_zero() {
    let fake = Fake::start(|seen, _| match (&seen.method, seen.header("content-length")) {
        (&Method::POST | &Method::PUT, "") => status(411),
        _ => obliging(seen),
    })
    .await;
    let Setup { client, folder: _folder, .. } = setup();
    let (a, b) = (fake.repository("a"), fake.repository("b"));
    assert_eq!(client.mount_blob(&a, &b, &Digest::of(b"x")).await.unwrap(), Mounted::No);
    let (sender, pieces) = tokio::sync::mpsc::channel(1);
    sender.send(Bytes::from_static(b"ab")).await.unwrap();
    drop(sender);
    let digest = Digest::of(b"ab");
    let streamed = client.push_stream(&a, None, pieces, async { Some(digest) }).await.unwrap();
    assert_eq!(streamed, Streamed::Done(digest));
    let empty = BlobBody::Bytes(Bytes::new());
    client.push_blob(&a, &layer(b""), empty).await.unwrap();
    let manifest = Bytes::from_static(MANIFEST);
    let put = client.push_manifest(&a, None, &MediaType::ImageManifest, manifest).await;
    put.unwrap();
}

#[tokio::test]
async fn a_manifest_that_is_taken_without_being_created_is_looked_for() {
    for there in [true, false] {
        let fake = Fake::start(move |seen, _| match seen.method {
            Method::PUT => status(200),
            _ if there => with(200, &[("content-type", OCI)], MANIFEST),
            _ => status(404),
        })
        .await;
        let Setup { client, folder: _folder, .. } = setup();
        let manifest = Bytes::from_static(MANIFEST);
        let tag = Tag::latest();
        let (a, kind) = (fake.repository("a"), MediaType::ImageManifest);
        let put = client.push_manifest(&a, Some(&tag), &kind, manifest).await;
        match put {
            Ok(digest) => assert!(there && digest == Digest::of(MANIFEST)),
            Err(error) => {
                assert!(!there);
                assert!(why(&error.failure).contains("does not have the manifest"), "{error:?}");
            }
        }
        assert_eq!(fake.lines(), ["PUT /v2/a/manifests/latest", "GET /v2/a/manifests/latest"]);
    }
}

#[tokio::test]
async fn what_speaks_no_http_is_given_up_at_once() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"SSH-2.0-x\r\n\r\n").await;
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 4096]).await;
        }
    });
    let setup = setup();
    let repository: Repository = format!("{address}/a").parse().unwrap();
    let failed = setup.client.may_push(&repository).await.unwrap_err();
    assert!(
        matches!(failed.failure, Failure::Http(crate::http::Failure::NoHttp { .. })),
        "{failed:?}"
    );
    assert_eq!(setup.retries(), 0);
    server.abort();
}

#[tokio::test]
async fn a_list_of_referrers_is_read_page_by_page_and_not_for_ever() {
    let entry = |name: &'static [u8]| {
        serde_json::to_string(&Descriptor::of(MediaType::ImageManifest, name)).unwrap()
    };
    let (one, two) = (entry(b"1"), entry(b"2"));
    let fake = Fake::start(move |seen, _| {
        let (list, next) = match seen.path.split_once('?') {
            None => (&one, r#"</v2/a/x>; rel=prev, <?page=2>; title="a"; Rel="next""#),
            Some((_, "page=2")) => (&two, ""),
            Some(_) => return status(400),
        };
        with(200, &[("link", next)], format!(r#"{{"manifests":[{list}]}}"#))
    })
    .await;
    let subject = Digest::of(MANIFEST);
    let found = setup().client.referrers(&fake.repository("a"), &subject).await.unwrap();
    assert_eq!(found.len(), 2);
    let round = Fake::start(|_, _| {
        with(200, &[("link", r#"<?again=1>; rel="next""#)], r#"{"manifests":[]}"#)
    })
    .await;
    setup().client.referrers(&round.repository("a"), &subject).await.unwrap();
    assert!(round.lines().len() < 100);
}
