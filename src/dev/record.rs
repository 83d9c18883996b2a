//! What a session has created, kept in the namespace so that it can be deleted later.

use serde::{Deserialize, Serialize};

use super::error::Error;
use crate::cluster::{Cluster, Created, Outcome};

/// The name of the ConfigMap.
const NAME: &str = "ko-rs-dev";
/// Its key.
const KEY: &str = "session";

/// The record of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Record {
    /// Who began it.
    pub(crate) user: String,
    /// When, in seconds since 1970.
    pub(crate) since: i64,
    /// What it created, in this order.
    pub(crate) created: Vec<Created>,
}

impl Record {
    /// The record in the namespace of a cluster, if there is one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) async fn read(cluster: &Cluster) -> Result<Option<Self>, Error> {
        let Some(text) = cluster.read_text(NAME, KEY).await? else { return Ok(None) };
        let record = serde_json::from_str(&text);
        record.map(Some).map_err(|source| Error::Record {
            name: NAME,
            namespace: cluster.namespace().to_owned(),
            source,
        })
    }

    /// Adds what was created, and writes the record if that is anything.
    pub(super) async fn add(
        &mut self,
        cluster: &Cluster,
        outcomes: &[Outcome],
    ) -> Result<(), Error> {
        let created: Vec<Created> = outcomes.iter().filter_map(Outcome::created).collect();
        if !created.is_empty() {
            // An object that was deleted in between is a new one.
            self.created.retain(|known| {
                !created.iter().any(|new| {
                    new.object() == known.object() && new.namespace() == known.namespace()
                })
            });
            self.created.extend(created);
            self.write(cluster).await?;
        }
        Ok(())
    }

    pub(super) async fn write(&self, cluster: &Cluster) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        Ok(cluster.write_text(NAME, KEY, &text).await?)
    }

    pub(super) async fn delete(cluster: &Cluster) -> Result<(), Error> {
        Ok(cluster.delete_text(NAME).await?)
    }
}
