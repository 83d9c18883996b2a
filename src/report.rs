//! Progress and warnings as values, and the sender that lower modules are given.
//!
//! A stage says what happens; whether that becomes a line, a bar or nothing at all is decided where
//! things are printed. No event carries a credential.

use std::sync::mpsc;
use std::time::Duration;

/// Something that a stage wants its user to know, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A choice that was made for the user: a platform, a destination, a base image.
    Note(String),
    /// Something that works but will surprise; `hint` is the way out.
    Warning {
        /// What is surprising, and on what.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Cargo is started for these binaries.
    Compiling {
        /// What is compiled, each as `package` or `package#bin`.
        binaries: Vec<String>,
        /// The target triple.
        target: String,
    },
    /// An image is about to leave for its destination.
    Publishing {
        /// Where it goes: `repository`, a folder or a file.
        destination: String,
    },
    /// An image has arrived.
    Published {
        /// Its name there, as it is printed.
        reference: String,
    },
    /// A request failed and will be made again.
    Retrying {
        /// What is tried again, with its host.
        what: String,
        /// Why the last try failed.
        why: String,
        /// How long until the next one.
        after: Duration,
    },
    /// What a long transfer has moved so far; the last event of a transfer has `done == total`.
    Transfer {
        /// What moves: a short name for the blob and its direction.
        what: String,
        /// Bytes moved.
        done: u64,
        /// Bytes in all, where that is known.
        total: Option<u64>,
    },
    /// A detail that only a verbose run shows.
    Detail(String),
}

/// Where a stage sends its events. Cheap to clone; a send never blocks and never fails.
#[derive(Clone, Debug)]
pub struct Reporter(Option<mpsc::Sender<Event>>);

impl Reporter {
    /// A reporter and the end at which its events arrive; that end sees the channel close when the
    /// last clone is dropped.
    #[must_use]
    pub fn channel() -> (Self, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel();
        (Self(Some(sender)), receiver)
    }

    /// A reporter whose events nobody reads.
    #[must_use]
    pub fn silent() -> Self {
        Self(None)
    }

    /// Sends one event. A reader that is gone is no reason to stop the work.
    pub fn send(&self, event: Event) {
        if let Some(sender) = &self.0 {
            let _ = sender.send(event);
        }
    }

    /// Sends a [`Event::Note`].
    pub fn note(&self, text: impl Into<String>) {
        self.send(Event::Note(text.into()));
    }

    /// Sends a [`Event::Detail`].
    pub fn detail(&self, text: impl Into<String>) {
        self.send(Event::Detail(text.into()));
    }

    /// Sends a [`Event::Warning`].
    pub fn warn(&self, message: impl Into<String>, hint: Option<String>) {
        self.send(Event::Warning { message: message.into(), hint });
    }
}
