//! Events, diagnostics and results as values, and the sender that lower modules are given.
//!
//! A stage reports what happens; whether that becomes a line, a bar, JSON or nothing at all is
//! decided where things are printed. Nothing here holds a credential.

mod code;
mod diagnostic;
mod event;
mod redact;

use std::sync::{Arc, Mutex, PoisonError, mpsc};

pub use crate::source::Spot;
pub(crate) use code::codes;
pub use code::{Code, Exit};
pub(crate) use diagnostic::why;
pub use diagnostic::{Details, Diagnose, Diagnostic, Severity};
pub use event::{Event, Part, Stage, Way};
pub use redact::{public_url, without_credentials};

/// The version of everything that is printed as JSON.
pub const API_VERSION: &str = "ko-rs/v1";

/// Where a stage sends its events. Cheap to clone; a send never waits and never fails.
#[derive(Clone, Debug, Default)]
pub struct Reporter(Arc<Mutex<Vec<mpsc::Sender<Event>>>>);

impl Reporter {
    /// A reporter without readers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more reader of all events from now on. It sees the channel close when the last clone of
    /// the reporter is dropped.
    #[must_use]
    pub fn reader(&self) -> mpsc::Receiver<Event> {
        let (sender, receiver) = mpsc::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    /// Sends one event to every reader. A reader that is gone does not stop the work.
    pub fn send(&self, event: Event) {
        let mut readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readers.retain(|reader| reader.send(event.clone()).is_ok());
    }

    /// Ends all readers, even if clones of the reporter live on in work that was abandoned.
    pub fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Sends an [`Event::Diagnostic`].
    pub fn diagnostic(&self, diagnostic: Diagnostic) {
        self.send(Event::Diagnostic(diagnostic));
    }

    /// Sends a note.
    pub fn note(&self, message: impl Into<String>) {
        self.diagnostic(Diagnostic::note(message));
    }

    /// Sends an [`Event::Detail`].
    pub fn detail(&self, message: impl Into<String>) {
        self.send(Event::Detail { message: message.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reader_gets_every_event_and_sees_the_end() {
        let reporter = Reporter::new();
        let (first, second) = (reporter.reader(), reporter.reader());
        drop(reporter.reader());
        reporter.clone().note("a");
        reporter.detail("b");
        drop(reporter);
        let first: Vec<Event> = first.into_iter().collect();
        assert_eq!(first.len(), 2);
        assert_eq!(first, second.into_iter().collect::<Vec<_>>());
    }
}
