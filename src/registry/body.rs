//! The bodies of requests, and what of them can be sent twice.

use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;

use super::error::Failure;
use crate::http::Moved;
use crate::oci::file::OpenedFile;
use crate::report::{Event, Reporter};

/// How much of a file is read at once.
const PIECE: usize = 256 << 10;

/// How much moves between two reports of progress.
const REPORT: u64 = 4 << 20;

/// What a request carries.
pub(super) enum Body<'a> {
    /// Nothing.
    Empty,
    /// Bytes in memory.
    Bytes(&'a Bytes),
    /// A file, whole.
    File(&'a OpenedFile, Progress),
    /// Pieces that are being made; they can be sent once.
    Pieces(Mutex<Option<mpsc::Receiver<Bytes>>>, Progress),
}

/// Says how far a transfer is.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) report: Reporter,
    pub(super) what: String,
    pub(super) total: Option<u64>,
    pub(super) done: Moved,
}

impl Progress {
    /// Takes note of `done` bytes, `new` of them just now.
    pub(super) fn note(&self, done: u64, new: u64) {
        let whole = self.total == Some(done);
        if whole || done / REPORT != done.saturating_sub(new) / REPORT {
            let (what, total) = (self.what.clone(), self.total);
            self.report.send(Event::Transfer { what, done, total });
        }
    }

    /// Says that all is done, where how much that is was not known before.
    pub(super) fn end(&self) {
        let (what, done) = (self.what.clone(), self.done.get());
        self.report.send(Event::Transfer { what, done, total: Some(done) });
    }
}

impl Body<'_> {
    /// Whether it can be sent again.
    pub(super) fn is_lasting(&self) -> bool {
        !matches!(self, Self::Pieces(..))
    }

    /// How long it is, if it is one whose pieces are counted; `Some(None)` if that is not known.
    pub(super) fn length(&self) -> Option<Option<u64>> {
        match self {
            Self::Empty | Self::Bytes(_) => None,
            Self::File(file, _) => Some(Some(file.size())),
            Self::Pieces(..) => Some(None),
        }
    }

    /// The body for one request, counted as it is taken; an error when pieces are asked for twice.
    pub(super) fn make(&self, moved: Option<&Moved>) -> Result<Option<reqwest::Body>, Failure> {
        let moved = moved.cloned().unwrap_or_default();
        match self {
            Self::Empty => Ok(None),
            Self::Bytes(bytes) => Ok(Some(reqwest::Body::from((*bytes).clone()))),
            Self::File(file, progress) => {
                Ok(Some(read(OpenedFile::clone(file), moved, progress.clone())))
            }
            Self::Pieces(pieces, progress) => {
                let taken = pieces.lock().unwrap_or_else(PoisonError::into_inner).take();
                let pieces =
                    taken.ok_or_else(|| Failure::protocol("", "a stream cannot be sent twice"))?;
                Ok(Some(receive(pieces, moved, progress.clone())))
            }
        }
    }
}

/// A file in pieces, read by offset away from the threads that serve connections.
fn read(file: OpenedFile, moved: Moved, progress: Progress) -> reqwest::Body {
    let pieces = stream::try_unfold((file, 0_u64), move |(file, offset)| {
        let (moved, progress) = (moved.clone(), progress.clone());
        async move {
            let left = file.size().saturating_sub(offset);
            if left == 0 {
                return Ok(None);
            }
            let length = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let reading = tokio::task::spawn_blocking(move || {
                let mut piece = vec![0; length];
                let count = file.read_at(&mut piece, offset)?;
                piece.truncate(count);
                if piece.is_empty() {
                    return Err(std::io::Error::other("the file has become shorter"));
                }
                Ok((file, piece))
            });
            let (file, piece) = reading.await.map_err(std::io::Error::other)??;
            let offset = offset + piece.len() as u64;
            moved.add(piece.len() as u64);
            progress.note(offset, piece.len() as u64);
            Ok::<_, std::io::Error>(Some((Bytes::from(piece), (file, offset))))
        }
    });
    reqwest::Body::wrap_stream(pieces)
}

fn receive(pieces: mpsc::Receiver<Bytes>, moved: Moved, progress: Progress) -> reqwest::Body {
    let pieces = stream::unfold(pieces, move |mut pieces| {
        let (moved, progress) = (moved.clone(), progress.clone());
        async move {
            let Some(piece) = pieces.recv().await else {
                moved.end();
                return None;
            };
            let new = piece.len() as u64;
            moved.add(new);
            progress.note(progress.done.add(new), new);
            Some((Ok::<_, std::io::Error>(piece), pieces))
        }
    });
    reqwest::Body::wrap_stream(pieces)
}
