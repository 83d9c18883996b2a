//! Copying between registries of which one misbehaves.

use super::*;

const BLOB: &[u8] = b"0123456789";

/// A registry that has the blob.
async fn source() -> Fake {
    Fake::start(|_, _| with(200, &[], BLOB)).await
}

/// What of an upload arrived: all bodies, and the digests that it was ended with.
fn arrived(fake: &Fake) -> (Vec<Bytes>, Vec<String>) {
    let seen = fake.seen();
    let bodies = seen.iter().filter(|seen| !seen.body.is_empty()).map(|seen| seen.body.clone());
    let ends = seen.iter().filter(|seen| seen.method == Method::PUT);
    (bodies.collect(), ends.map(|put| put.path.clone()).collect())
}

async fn copy(setup: &Setup, from: &Fake, to: &Fake) -> Result<(), Error> {
    let (from, to) = (from.repository("from"), to.repository("to"));
    setup.client.copy_blob(&from, &to, &layer(BLOB), None).await
}

#[tokio::test]
async fn a_blob_that_is_pulled_goes_on_and_stays_in_the_cache() {
    let (from, to) = (source().await, Fake::start(|seen, _| obliging(seen)).await);
    let setup = setup();
    copy(&setup, &from, &to).await.unwrap();
    assert_eq!(to.lines(), ["POST /v2/to/blobs/uploads/", "PATCH /up/1", "PUT /up/1"]);
    assert_eq!(arrived(&to).0, [BLOB]);
    assert!(setup.cache.blob(&Digest::of(BLOB), 10).is_some());
    copy(&setup, &from, &to).await.unwrap();
    assert_eq!(from.lines().len(), 1, "the cache has it");
    assert_eq!(to.lines()[3..], ["POST /v2/to/blobs/uploads/", "PUT /up/1"]);
}

#[tokio::test]
async fn wrong_bytes_are_never_ended_with_the_right_digest() {
    let from = Fake::start(|_, _| with(200, &[], "9876543210")).await;
    let to = Fake::start(|seen, _| obliging(seen)).await;
    let setup = setup();
    let failed = copy(&setup, &from, &to).await.unwrap_err();
    assert_eq!(failed.step, Step::PullBlob);
    assert!(matches!(failed.failure, Failure::WrongBytes { .. }), "{failed:?}");
    assert_eq!(to.lines(), ["POST /v2/to/blobs/uploads/", "PATCH /up/1", "DELETE /up/1"]);
    assert_eq!(setup.cache.blob(&Digest::of(BLOB), 10), None);
}

#[tokio::test]
async fn a_pull_that_goes_on_after_a_cut_is_still_followed() {
    let from = Fake::start(|_, before| match before {
        0 => with(200, &[("content-length", "10")], cut(b"0123")),
        _ => with(206, &[("content-range", "bytes 4-9/10")], "456789"),
    })
    .await;
    let to = Fake::start(|seen, _| obliging(seen)).await;
    let setup = setup();
    copy(&setup, &from, &to).await.unwrap();
    assert_eq!(to.lines(), ["POST /v2/to/blobs/uploads/", "PATCH /up/1", "PUT /up/1"]);
    assert_eq!((arrived(&to).0, setup.retries()), (vec![Bytes::from_static(BLOB)], 1));
}

#[tokio::test]
async fn a_pull_that_begins_anew_is_followed_by_a_push_of_the_whole() {
    let from = Fake::start(|_, before| match before {
        0 => with(200, &[("content-length", "10")], cut(b"9876")),
        _ => with(200, &[], BLOB),
    })
    .await;
    let to = Fake::start(|seen, _| obliging(seen)).await;
    let setup = setup();
    copy(&setup, &from, &to).await.unwrap();
    let post = "POST /v2/to/blobs/uploads/";
    assert_eq!(to.lines(), [post, "PATCH /up/1", "DELETE /up/1", post, "PUT /up/1"]);
    assert_eq!(arrived(&to).0.last().unwrap(), BLOB);
}

#[tokio::test]
async fn a_registry_that_takes_no_stream_gets_the_blob_from_the_cache() {
    for code in [401, 405, 416, 500] {
        let from = source().await;
        let to = Fake::start(move |seen, _| match seen.method {
            Method::PATCH => status(code),
            _ => obliging(seen),
        })
        .await;
        copy(&setup(), &from, &to).await.unwrap();
        assert_eq!(to.lines().last().unwrap(), "PUT /up/1", "{code}");
        assert_eq!(arrived(&to).0.last().unwrap(), BLOB);
        assert_eq!(from.lines().len(), 1, "pulled once");
    }
}

#[tokio::test]
async fn a_push_that_is_refused_keeps_what_was_pulled() {
    let to = Fake::start(|_, _| error(403, "DENIED")).await;
    let (setup, from) = (setup(), source().await);
    let failed = copy(&setup, &from, &to).await.unwrap_err();
    assert_eq!((failed.step, failed.status()), (Step::PushBlob, Some(StatusCode::FORBIDDEN)));
    assert!(setup.cache.blob(&Digest::of(BLOB), 10).is_some());
}

#[tokio::test]
async fn the_upload_of_a_failed_mount_takes_the_copy() {
    let to = Fake::start(|seen, _| obliging(seen)).await;
    let (setup, from) = (setup(), source().await);
    let (repository, other) = (to.repository("to"), to.repository("other"));
    setup.client.mount_blob(&repository, &other, &Digest::of(BLOB)).await.unwrap();
    copy(&setup, &from, &to).await.unwrap();
    assert_eq!(to.lines(), ["POST /v2/to/blobs/uploads/", "PATCH /up/1", "PUT /up/1"]);
}

#[tokio::test]
async fn who_wants_to_read_what_is_pulled_gets_it_whatever_comes_of_the_push() {
    for code in [202, 405] {
        let to = Fake::start(move |seen, _| match seen.method {
            Method::PATCH => status(code),
            _ => obliging(seen),
        })
        .await;
        let (setup, from) = (setup(), source().await);
        let (read, mut pieces) = tokio::sync::mpsc::channel(1);
        let (from, to) = (from.repository("from"), to.repository("to"));
        let descriptor = layer(BLOB);
        let copying = setup.client.copy_blob(&from, &to, &descriptor, Some(read));
        let reading = async {
            let mut all = Vec::new();
            while let Some(piece) = pieces.recv().await {
                all.extend_from_slice(&piece);
            }
            all
        };
        let (copied, all) = futures_util::future::join(copying, reading).await;
        copied.unwrap();
        assert_eq!(all, BLOB, "{code}");
    }
}
