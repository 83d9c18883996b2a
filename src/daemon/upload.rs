//! The body of an upload, with its signs of life: an engine may take as long as it likes as long as
//! it moves; one that takes nothing although there is something to take is given up.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;

use super::archive::BoxError;
use crate::report::{Event, Reporter};

/// How often in its patience a watcher looks.
const LOOKS: u32 = 16;
/// How many bytes lie between two reports of progress.
const REPORT_BYTES: u64 = 1 << 20;

/// What an upload has done so far, for those who wait for it.
#[derive(Debug, Default)]
pub(super) struct Progress {
    moved: AtomicU64,
    starved: AtomicBool,
    failure: Mutex<Option<BoxError>>,
}

/// A stream that is watched while an HTTP client takes it. Its failure is kept aside, because the
/// client would wrap it past recognition.
pub(super) struct Upload<S> {
    inner: Pin<Box<S>>,
    progress: Arc<Progress>,
    what: String,
    reporter: Reporter,
    reported: u64,
}

/// The source failed; [`Progress::failure`] knows why.
#[derive(Debug, thiserror::Error)]
#[error("the source of the upload failed")]
pub(super) struct SourceFailed;

impl Progress {
    /// Why the source failed, if it did.
    pub(super) fn failure(&self) -> Option<BoxError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns once nothing has been taken for as long as `patience`, while the source had more or
    /// was at its end. Waiting for the source does not count.
    pub(super) async fn stalled(&self, patience: Duration) {
        let (mut seen, mut quiet) = (0, 0);
        while quiet < LOOKS {
            tokio::time::sleep(patience / LOOKS).await;
            let moved = self.moved.load(Ordering::Relaxed);
            let alive = moved != seen || self.starved.load(Ordering::Relaxed);
            quiet = if alive { 0 } else { quiet + 1 };
            seen = moved;
        }
    }
}

impl<S> Upload<S> {
    /// Watches a stream; `what` names it in reports.
    pub(super) fn new(inner: S, what: String, reporter: Reporter) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress::default());
        let inner = Box::pin(inner);
        (Self { inner, progress: progress.clone(), what, reporter, reported: 0 }, progress)
    }

    fn report(&mut self, done: u64, total: Option<u64>) {
        self.reported = done;
        self.reporter.send(Event::Transfer { what: self.what.clone(), done, total });
    }
}

impl<S, E> Stream for Upload<S>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Into<BoxError>,
{
    type Item = Result<Bytes, SourceFailed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.inner.as_mut().poll_next(cx);
        self.progress.starved.store(polled.is_pending(), Ordering::Relaxed);
        polled.map(|item| match item {
            Some(Ok(bytes)) => {
                let length = bytes.len() as u64;
                let done = self.progress.moved.fetch_add(length, Ordering::Relaxed) + length;
                if done - self.reported >= REPORT_BYTES {
                    self.report(done, None);
                }
                Some(Ok(bytes))
            }
            Some(Err(error)) => {
                let failure = Some(error.into());
                *self.progress.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
                Some(Err(SourceFailed))
            }
            None => {
                let done = self.progress.moved.load(Ordering::Relaxed);
                self.report(done, Some(done));
                None
            }
        })
    }
}
