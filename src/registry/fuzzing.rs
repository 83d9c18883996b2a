//! Doors for `fuzz/` to what reads bytes from outside and is nobody else's business.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use http::header::{LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};

use super::locations::LocationFiles;
use super::{Account, answer, challenge, credential_file, request};
use crate::oci::{Digest, ImageReference, Platform, Registry, Repository, Tag};

fn round_trip<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        assert_eq!(read.to_string().parse::<T>().expect("what is written can be read"), read);
    }
}

/// An image's name or a part of one, a platform, a digest, what is logged in to: what is read is
/// written as something that reads the same.
pub fn names(text: &str) {
    round_trip::<ImageReference>(text);
    round_trip::<Registry>(text);
    round_trip::<Repository>(text);
    round_trip::<Tag>(text);
    if let Ok(account) = text.parse::<Account>() {
        assert_eq!(account.to_string().parse(), Ok(account));
    }
    round_trip::<Platform>(text);
    round_trip::<Digest>(text);
}

/// Headers with which a registry answers: challenges, where to go on, when to come back.
pub fn headers(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let mut headers = HeaderMap::new();
    headers.append(WWW_AUTHENTICATE, value.clone());
    headers.append(http::header::RETRY_AFTER, value.clone());
    for challenge in challenge::challenges(&headers) {
        assert!(challenge::challenges(&headers).contains(&challenge), "read twice, it is the same");
    }
    let _ = crate::http::retry_after(&headers, jiff::Timestamp::UNIX_EPOCH);
    headers.append(LOCATION, value);
    if let Ok(said_at) = "https://registry.example/v2/a/blobs/uploads/".parse()
        && let Ok(url) = request::location(&said_at, headers.get(LOCATION))
    {
        assert_eq!(url.scheme(), "https", "nothing leaves https");
        assert!(url.username().is_empty() && url.password().is_none());
    }
}

/// Documents with which a registry refuses, and certificates.
pub fn bodies(bytes: &[u8]) {
    let shown = answer::Answer::read(bytes, &["hunter2"]).to_string();
    assert!(!shown.contains("hunter2") && !shown.contains('\n'), "{shown}");
    crate::http::fuzzing::certificate(bytes);
}

/// Files that others write: of credentials, and of where pulls go. What is put into one of
/// credentials is found there again.
pub fn files(text: &str, folder: &std::path::Path) {
    let image: &ImageReference = &"quay.io/team/app:1".parse().expect("it is a name");
    let path = folder.join("file");
    let repository: &Repository = &image.repository;
    if std::fs::write(&path, text).is_err() {
        return;
    }
    if let Ok(Some(file)) = credential_file::read(&path) {
        let _ = file.of_path(repository);
        let _ = file.of(repository.registry().as_str());
        if let Ok(mut edit) = credential_file::Edit::open(&path) {
            let password = super::Secret::new("p");
            if edit.set("r.example", Some(("u", &password))).is_ok() {
                edit.write().expect("it can be written");
                let again = credential_file::read(&path).ok().flatten();
                let again = again.expect("what was written can be read");
                assert!(again.of("r.example").is_some(), "and holds what was put there");
            }
        }
    }
    let files = LocationFiles { main: vec![path], ..LocationFiles::default() };
    if let Ok(found) = files.read() {
        let _ = found.places(image);
        let _ = found.is_insecure(repository);
        let _ = found.short(image, repository.path());
    }
}
