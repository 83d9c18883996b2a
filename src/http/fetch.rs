//! Fetches a file by HTTP or HTTPS, with the same TLS, proxies and time limits as registries, but without
//! their credentials. A user and password in the URL are sent only to the URL's own host.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, LOCATION};
use reqwest::Url;

use super::codes;
use super::error::Failure;
use super::retry::{self, Patience};
use super::sender::{Sender, Silence};
use super::settings::Settings;
use super::transport::Clients;
use super::url::authority;
use crate::report::{Details, Diagnose, Event, Reporter, public_url, why};

/// How many redirects are followed.
const REDIRECTS: u32 = 10;

/// Why a URL gave no file.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It is no URL.
    #[error("`{0}` is not a URL of HTTP or HTTPS")]
    Url(String),
    /// Its host could not be reached, or broke off.
    #[error("could not fetch `{url}`")]
    Failed {
        /// The URL, without secrets.
        url: String,
        /// Why.
        source: Box<Failure>,
    },
    /// Its host does not give it.
    #[error("could not fetch `{url}`: `{host}` responded with {status}")]
    Status {
        /// The URL, without secrets.
        url: String,
        /// Who answered.
        host: String,
        /// The answer.
        status: StatusCode,
    },
    /// It leads on to something else for ever, to nowhere, or from https to http.
    #[error("could not fetch `{url}`: {what}")]
    Redirect {
        /// The URL, without secrets.
        url: String,
        /// What is wrong.
        what: String,
    },
    /// It is a page for people.
    #[error("`{url}` is a web page, not a file")]
    Page {
        /// The URL, without secrets.
        url: String,
    },
}

impl Diagnose for FetchError {
    fn details(&self) -> Details {
        let code = Details::new(&codes::URL_NOT_FETCHED);
        match self {
            Self::Failed { source, .. } => match &**source {
                Failure::Untrusted { .. } => Details::new(&codes::UNTRUSTED_CERTIFICATE).hint(
                    "if it is signed by your own CA, set SSL_CERT_FILE to a PEM file with its certificate",
                ),
                source => source.details(),
            },
            Self::Page { .. } => code.hint("use the URL of the raw file"),
            Self::Status { status, .. } if matches!(status.as_u16(), 401 | 403) => code.hint(
                "credentials of registries are not sent there; the URL may contain a user and password",
            ),
            Self::Url(_) | Self::Status { .. } | Self::Redirect { .. } => code,
        }
    }
}

/// Fetches what a URL names, of which not more than `limit` bytes are taken.
pub async fn fetch(
    settings: &Settings,
    report: &Reporter,
    url: &str,
    limit: u64,
) -> Result<Bytes, FetchError> {
    let shown = public_url(url);
    let parsed = Url::parse(url).map_err(|_| FetchError::Url(shown.clone()))?;
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
        return Err(FetchError::Url(shown));
    }
    // A registry may be known to have a certificate that cannot be verified; other hosts may not.
    let clients = Clients::new(settings.clone(), false);
    let sender =
        Sender { clients, silence: Silence::of(settings.patience), answered: Mutex::default() };
    let fetching = Fetching { sender, shown, first: parsed, limit };
    let patience = Patience::of(settings.patience);
    let (mut tried, mut waited) = (0, Duration::ZERO);
    loop {
        let started = Instant::now();
        let (error, asked) = match fetching.once().await {
            Ok(bytes) => return Ok(bytes),
            Err(refused) => refused,
        };
        tried += 1;
        waited += started.elapsed();
        let (passing, why) = match &error {
            FetchError::Failed { source, .. } => (source.is_passing(), why(&**source)),
            FetchError::Status { status, .. } => {
                (retry::is_passing(*status), format!("it responded with {status}"))
            }
            _ => return Err(error),
        };
        let Some(after) = patience.wait(tried, waited, asked, fastrand::f64()).filter(|_| passing)
        else {
            return Err(error);
        };
        let what = format!("fetching `{}`", fetching.shown);
        report.send(Event::Retrying { what, why, after });
        tokio::time::sleep(after).await;
        waited += after;
    }
}

struct Fetching {
    sender: Sender,
    shown: String,
    first: Url,
    limit: u64,
}

impl Fetching {
    async fn once(&self) -> Result<Bytes, (FetchError, Option<Duration>)> {
        let mut url = self.first.clone();
        let shown = || self.shown.clone();
        let failed = |source| (FetchError::Failed { url: shown(), source: Box::new(source) }, None);
        for _ in 0..=REDIRECTS {
            let host = authority(&url);
            let client = self.sender.clients.for_url(&url, false);
            let client = client.map_err(|source| failed(Failure::Connections(source)))?;
            let request = client.get(url.clone());
            let response = self.sender.exchange(&host, request, None).await.map_err(failed)?;
            let status = response.status();
            if matches!(status.as_u16(), 301..=303 | 307 | 308) {
                let location = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
                url = onward(&self.first, &url, location)
                    .map_err(|what| (FetchError::Redirect { url: shown(), what }, None))?;
                continue;
            }
            if status != StatusCode::OK {
                let asked = retry::retry_after(response.headers(), jiff::Timestamp::now());
                return Err((FetchError::Status { url: shown(), host, status }, asked));
            }
            let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            if kind.is_some_and(|kind| kind.starts_with("text/html")) {
                return Err((FetchError::Page { url: shown() }, None));
            }
            let limit = self.limit;
            if response.content_length().is_some_and(|length| length > limit) {
                return Err(failed(Failure::TooLarge { host, limit }));
            }
            return self.sender.body(&host, response, self.limit).await.map_err(failed);
        }
        let what = format!("it redirects more than {REDIRECTS} times");
        Err((FetchError::Redirect { url: shown(), what }, None))
    }
}

/// Where a redirect leads: never from https to http, and with the first URL's user and password to
/// its own host only.
fn onward(first: &Url, from: &Url, location: Option<&str>) -> Result<Url, String> {
    let nowhere = || "it redirects to nowhere".to_owned();
    let mut to = from.join(location.ok_or_else(nowhere)?).map_err(|_| nowhere())?;
    match (from.scheme(), to.scheme()) {
        ("https", "https") | ("http", "http" | "https") => {}
        ("https", "http") => return Err("it redirects from HTTPS to HTTP".to_owned()),
        _ => return Err(nowhere()),
    }
    let (user, password) = if to.origin() == first.origin() {
        (first.username(), first.password())
    } else {
        ("", None)
    };
    let set = to.set_username(user).and_then(|()| to.set_password(password));
    set.map_err(|()| nowhere())?;
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_on_to_its_own_host_alone_and_never_in_the_clear() {
        let first: Url = "https://me:secret@h.example/a".parse().unwrap();
        let onward = |from: &Url, to| onward(&first, from, to).map(String::from);
        for (to, expected) in [
            ("/b", "https://me:secret@h.example/b"),
            ("https://h.example:443/b", "https://me:secret@h.example/b"),
            ("https://h.example:444/b", "https://h.example:444/b"),
            ("//other.example/b", "https://other.example/b"),
            ("https://you:x@other.example/b", "https://other.example/b"),
        ] {
            assert_eq!(onward(&first, Some(to)).as_deref(), Ok(expected));
        }
        let other: Url = "https://other.example/b".parse().unwrap();
        assert_eq!(
            onward(&other, Some("https://h.example/c")).as_deref(),
            Ok("https://me:secret@h.example/c")
        );
        for to in [None, Some("http://h.example/b"), Some("file:///etc/passwd"), Some("https://")] {
            assert!(onward(&first, to).is_err(), "{to:?}");
        }
    }
}
