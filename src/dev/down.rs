//! The deletion of what sessions have created.

use super::error::Error;
use super::record::Record;
use super::round::check_context;
use crate::cluster::{Cluster, Created, Outcome};
use crate::pipeline::Session;

/// What sessions created in a namespace and still exists.
#[derive(Debug)]
pub(crate) struct Remains<'a> {
    cluster: &'a Cluster,
    record: Record,
    /// Objects that are always deleted.
    pub(crate) ordinary: Vec<Created>,
    /// Objects that hold more than themselves, such as namespaces and claims of volumes.
    pub(crate) precious: Vec<Created>,
}

impl<'a> Remains<'a> {
    /// Reads what there is to delete.
    ///
    /// # Errors
    /// If the cluster must not be changed or cannot be read.
    pub(crate) async fn find(session: &'a Session) -> Result<Self, Error> {
        let cluster = session.cluster().await?;
        check_context(session, cluster)?;
        let record = Record::read(cluster).await?.unwrap_or_default();
        let existing = cluster.existing(record.created.clone()).await?;
        let (precious, ordinary) = existing.into_iter().partition(Created::holds_more);
        Ok(Self { cluster, record, ordinary, precious })
    }

    /// Deletes the ordinary objects, the last one first, and with `everything` the others too.
    ///
    /// # Errors
    /// If a deletion is refused.
    pub(crate) async fn delete(self, everything: bool) -> Result<Vec<Outcome>, Error> {
        let mut outcomes = self.cluster.delete_created(&self.ordinary).await?;
        if everything {
            // A namespace takes the record with it.
            Record::delete(self.cluster).await?;
            outcomes.extend(self.cluster.delete_created(&self.precious).await?);
        } else if self.precious.is_empty() {
            Record::delete(self.cluster).await?;
        } else {
            Record { created: self.precious, ..self.record }.write(self.cluster).await?;
        }
        Ok(outcomes)
    }
}
