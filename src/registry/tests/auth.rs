//! Registries that want to know who asks.

use super::*;

#[tokio::test]
async fn a_password_is_sent_when_asked_for_and_then_at_once() {
    let fake = Fake::start(|seen, _| match seen.header("authorization") {
        PASSWORD => obliging(seen),
        _ => with(401, &[("www-authenticate", "Basic realm=\"x\"")], ""),
    })
    .await;
    let Setup { client, folder: _folder, .. } = logged_in(fake.address);
    let digest = Digest::of(b"");
    assert!(!client.has_blob(&fake.repository("a"), &digest).await.unwrap());
    assert!(!client.has_blob(&fake.repository("b"), &digest).await.unwrap());
    assert_eq!(fake.lines().len(), 3, "one 401 for the whole registry");
}

#[tokio::test]
async fn a_refused_password_and_a_missing_one_are_told_apart() {
    let answer = |_: &Seen, _| {
        let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"hunter2 is wrong for me"}]}"#;
        with(401, &[("www-authenticate", "Basic realm=\"x\"")], body)
    };
    let fake = Fake::start(answer).await;
    let known = logged_in(fake.address);
    let failed = known.client.may_push(&fake.repository("a")).await.unwrap_err();
    assert!(hint_of(&failed).starts_with("the credentials were rejected; log in with"));
    let shown = format!("{} {failed:?} {failed}", why(&failed.failure));
    assert!(shown.contains("[secret] is wrong") && !shown.contains("hunter2"), "{shown}");
    let failed = setup().client.may_push(&fake.repository("a")).await.unwrap_err();
    assert!(hint_of(&failed).starts_with("no credentials were found; log in with"));
}

/// A registry with a token server on the same port: tokens are `scopes#number`, good for what they
/// name; `good` says which numbers still are.
async fn token_registry(
    life: &'static str,
    good: impl Fn(usize, &Seen) -> bool + Send + Sync + 'static,
) -> Fake {
    Fake::start(move |seen, before| {
        if let Some(query) = seen.path.strip_prefix("/token?") {
            assert!(query.starts_with("service=r&scope="), "{query}");
            if seen.header("authorization") != PASSWORD {
                return with(401, &[], r#"{"details":"incorrect username or password"}"#);
            }
            let scopes: Vec<&str> =
                query.split('&').filter_map(|pair| pair.strip_prefix("scope=")).collect();
            let token = scopes.join("+").replace("%3A", ":").replace("%2C", ",");
            let json = format!(r#"{{"token":"{token}#{before}"{life}}}"#);
            return with(200, &[], json);
        }
        let path = seen.path.trim_start_matches("/v2/").split("/blobs").next().unwrap();
        let needed = if seen.method == Method::HEAD { "pull" } else { "pull,push" };
        let needed = if seen.path.starts_with("/up/") {
            "pull,push".to_owned()
        } else {
            format!("repository:{path}:{needed}")
        };
        let token = seen.header("authorization").strip_prefix("Bearer ").unwrap_or_default();
        let (scopes, number) = token.split_once('#').unwrap_or_default();
        if scopes.contains(&needed) && good(number.parse().unwrap(), seen) {
            return obliging(seen);
        }
        let host = seen.header("host");
        let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"r\"");
        with(401, &[("www-authenticate", &challenge)], "")
    })
    .await
}

#[tokio::test]
async fn a_token_is_fetched_once_for_all_that_it_covers() {
    let fake = token_registry("", |_, _| true).await;
    let Setup { client, folder: _folder, .. } = logged_in(fake.address);
    let (a, b) = (fake.repository("a"), fake.repository("b"));
    client.may_push(&a).await.unwrap();
    let blobs: Vec<Vec<u8>> = (0..8).map(|number| vec![number]).collect();
    let pushes = blobs.iter().map(|blob| async {
        let descriptor = layer(blob);
        assert!(!client.has_blob(&a, &descriptor.digest).await?);
        client.push_blob(&a, &descriptor, BlobBody::Bytes(blob.clone().into())).await
    });
    for pushed in futures_util::future::join_all(pushes).await {
        pushed.unwrap();
    }
    let count = |start: &str| fake.lines().iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(count("GET /token"), 1);
    assert_eq!(fake.lines()[..2], ["POST /v2/a/blobs/uploads/", "GET /token"]);
    client.mount_blob(&a, &b, &Digest::of(b"")).await.unwrap();
    let both = fake.seen().iter().rev().nth(1).unwrap().path.clone();
    assert!(both.contains("scope=repository%3Aa%3Apull%2Cpush&scope=repository%3Ab%3Apull"));
    assert!(!client.has_blob(&b, &Digest::of(b"")).await.unwrap());
    assert_eq!(count("GET /token"), 2, "the mount's token covers pulling from its source");
}

#[tokio::test]
async fn a_token_that_is_refused_in_the_middle_of_a_push_is_renewed() {
    let fake = token_registry("", |number, seen| number > 0 || seen.method != Method::PUT).await;
    let setup = logged_in(fake.address);
    let file = BlobBody::File(setup.file(b"blob"));
    setup.client.push_blob(&fake.repository("a"), &layer(b"blob"), file).await.unwrap();
    let puts: Vec<Seen> =
        fake.seen().into_iter().filter(|seen| seen.method == Method::PUT).collect();
    assert_eq!(puts.len(), 2);
    assert_eq!((&puts[1].body[..], setup.retries()), (&b"blob"[..], 0));
}

#[tokio::test]
async fn an_expired_token_is_not_sent() {
    let fake = token_registry(r#","expires_in":0.02"#, |_, _| true).await;
    let Setup { client, folder: _folder, .. } = logged_in(fake.address);
    for _ in 0..2 {
        client.has_blob(&fake.repository("a"), &Digest::of(b"")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let lines = fake.lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("HEAD")).count(), 3, "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("GET")).count(), 2, "{lines:?}");
}

#[tokio::test]
async fn a_token_that_never_helps_is_asked_for_no_more_than_twice() {
    let fake = token_registry("", |_, _| false).await;
    let Setup { client, folder: _folder, .. } = logged_in(fake.address);
    let failed = client.may_push(&fake.repository("a")).await.unwrap_err();
    assert_eq!(failed.status(), Some(StatusCode::UNAUTHORIZED));
    assert_eq!(fake.lines().len(), 3, "{:?}", fake.lines());
    let failed = setup().client.may_push(&fake.repository("a")).await.unwrap_err();
    let Failure::Token { anonymous: true, .. } = failed.failure else { panic!("{failed:?}") };
    assert!(why(&failed.failure).ends_with(": incorrect username or password"));
}

#[tokio::test]
async fn neither_password_nor_token_goes_to_another_host() {
    let other = Fake::start(|seen, _| match seen.method {
        Method::GET => with(200, &[], "x"),
        _ => status(201),
    })
    .await;
    let elsewhere = format!("http://{}/store?sig=1", other.address);
    let fake = Fake::start(move |seen, _| match (&seen.method, seen.header("authorization")) {
        (_, "") => with(401, &[("www-authenticate", "Basic realm=\"x\"")], ""),
        (&Method::GET, _) => with(307, &[("location", &elsewhere)], ""),
        _ => with(202, &[("location", &elsewhere)], ""),
    })
    .await;
    let Setup { client, folder: _folder, .. } = logged_in(fake.address);
    client.blob(&fake.repository("a"), &layer(b"x")).await.unwrap();
    let body = BlobBody::Bytes(Bytes::from_static(b"x"));
    client.push_blob(&fake.repository("a"), &layer(b"x"), body).await.unwrap();
    let seen = other.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|seen| !seen.headers.contains_key("authorization")), "{seen:?}");
    assert_eq!(seen[1].path, format!("/store?sig=1&digest={}", Digest::of(b"x")));
}
