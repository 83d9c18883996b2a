//! The reading end of an archive, and how both ends are driven.

use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::{Either, select};
use tokio::sync::mpsc;

use super::{ArchiveWriter, Naming, channel};

/// The writer was dropped before the archive was finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the archive was not finished")]
pub struct Unfinished;

#[derive(Debug)]
pub(super) enum Piece {
    Bytes(Bytes),
    End,
}

/// The archive's bytes. Ends well only if the writer finished; a writer that was dropped before is
/// an error, lest half an archive be taken for a whole one.
#[derive(Debug)]
pub(crate) struct ArchiveStream {
    pub(super) receiver: mpsc::Receiver<Piece>,
    pub(super) ended: bool,
}

/// Writes an archive and has it read at the same time. Of two failures the one that caused the
/// other is returned.
pub(crate) async fn transfer<T, U, E>(
    naming: Naming,
    write: impl AsyncFnOnce(ArchiveWriter) -> Result<T, E>,
    read: impl AsyncFnOnce(ArchiveStream) -> Result<U, E>,
) -> Result<(T, U), E> {
    let (writer, stream) = channel(naming);
    let abandoned = writer.abandoned.clone();
    match select(pin!(write(writer)), pin!(read(stream))).await {
        Either::Left((Ok(written), read)) => Ok((written, read.await?)),
        Either::Left((Err(error), read)) if abandoned.load(Ordering::Relaxed) => {
            read.await.and(Err(error))
        }
        Either::Right((Ok(taken), write)) => Ok((write.await?, taken)),
        Either::Left((Err(error), _)) | Either::Right((Err(error), _)) => Err(error),
    }
}

impl Stream for ArchiveStream {
    type Item = Result<Bytes, Unfinished>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.receiver.poll_recv(cx).map(|piece| match piece {
            Some(Piece::Bytes(bytes)) => Some(Ok(bytes)),
            Some(Piece::End) => {
                self.ended = true;
                None
            }
            None => {
                self.ended = true;
                Some(Err(Unfinished))
            }
        })
    }
}
