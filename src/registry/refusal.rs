//! Reads why a registry refused a request.

use std::time::Duration;

use ::http::StatusCode;
use bytes::Bytes;

use super::answer::{self, Answer};
use super::secret::Secret;
use crate::http::{Sender, retry_after};

/// A response that is an error.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) answer: Answer,
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    /// Reads the response; `start` was read before. A body that cannot be read gives no reason: the
    /// status is known.
    pub(super) async fn read(
        sender: &Sender,
        start: Bytes,
        response: reqwest::Response,
        secrets: &[Secret],
    ) -> Self {
        let status = response.status();
        let retry_after = retry_after(response.headers(), jiff::Timestamp::now());
        let rest = sender.body("", response, answer::LARGEST).await.unwrap_or_default();
        let body = [start, rest].concat();
        let secrets: Vec<&str> = secrets.iter().map(Secret::reveal).collect();
        Self { status, answer: Answer::read(&body, &secrets), retry_after }
    }
}
