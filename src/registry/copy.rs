//! Copies a blob from one registry to another: what is pulled into the cache goes on at once, piece
//! by piece, and the end of the upload is sent only when all of it has been seen to be the blob.

use bytes::Bytes;
use futures_util::future::join;
use tokio::sync::{mpsc, oneshot};

use super::client::Client;
use super::error::{Error, Failure, Step};
use super::follower::Follower;
use super::push::{BlobBody, Streamed};
use crate::oci::{Descriptor, Repository};

/// How many pieces may wait to be taken.
const WAITING: usize = 1;

impl Client {
    /// Sends a blob that another registry has, or another repository. One that is in the cache comes
    /// from there. Else it is pulled into the cache, and sent while it comes; where the receiving
    /// registry takes no streams, or a connection breaks, it is sent from the cache afterwards.
    /// Whoever wants to `read` what is pulled gets it too, not verified and perhaps not to its end.
    pub async fn copy_blob(
        &self,
        from: &Repository,
        to: &Repository,
        descriptor: &Descriptor,
        read: Option<mpsc::Sender<Bytes>>,
    ) -> Result<(), Error> {
        let Descriptor { digest, size, .. } = descriptor;
        let turn = self.turn(*digest);
        let held = turn.lock().await;
        let fail =
            |failure: Failure| Error { step: Step::PullBlob, repository: from.clone(), failure };
        let cache = self.cache().map_err(fail)?;
        if let Some(path) = cache.blob(digest, *size) {
            drop((held, read));
            return self.push_blob(to, descriptor, BlobBody::File(path)).await;
        }
        let (sender, pieces) = mpsc::channel(WAITING);
        let (tell, told) = oneshot::channel();
        let pull = async {
            let mut follower = Follower { push: Some(sender), read, sent: 0 };
            let path = self.pull_blob(&cache, from, descriptor, Some(&mut follower)).await;
            follower.read = None;
            if path.is_ok() && follower.has_all(*size) {
                let _ = tell.send(*digest);
            }
            // Whoever else waits for the blob need not wait for its way on.
            drop(held);
            path
        };
        let send = self.push_stream(to, Some(descriptor), pieces, async { told.await.ok() });
        let (path, sent) = join(pull, send).await;
        let path = path?;
        match sent? {
            Streamed::Done(_) => Ok(()),
            Streamed::Refused(_) => self.push_blob(to, descriptor, BlobBody::File(path)).await,
        }
    }
}
