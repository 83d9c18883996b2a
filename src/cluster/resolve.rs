//! Which kinds a cluster serves: one request for each group and version, asked once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::kind::{GroupVersion, Kind, kinds};
use super::target::Stated;
use super::{Cluster, Error, request, side_by_side};

/// What the cluster has said of its kinds so far.
#[derive(Debug, Default)]
pub(super) struct Kinds(Mutex<BTreeMap<GroupVersion, Arc<[Kind]>>>);

impl Kinds {
    fn of(&self, version: &GroupVersion) -> Option<Arc<[Kind]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(version).cloned()
    }

    fn learn(&self, version: GroupVersion, kinds: Vec<Kind>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(version, kinds.into());
    }
}

impl Cluster {
    /// Asks for the kinds of all these objects that are not known yet. A group and version that
    /// is not served is asked for again the next time: its definition may be on its way.
    pub(super) async fn discover(&self, objects: &[&Stated]) -> Result<(), Error> {
        let missing: BTreeSet<_> = objects
            .iter()
            .filter(|stated| self.kind_of(stated).is_none())
            .map(|stated| stated.group_version.clone())
            .collect();
        let asked = side_by_side(missing.into_iter().map(|version| self.ask_kinds(version))).await;
        asked.into_iter().collect()
    }

    async fn ask_kinds(&self, version: GroupVersion) -> Result<(), Error> {
        match self.client.send(&request::get_path(version.path())).await {
            Ok(list) => {
                let found = kinds(&version, &list);
                self.kinds.learn(version, found);
                Ok(())
            }
            // Every API server serves `v1`: one that does not is none.
            Err(error)
                if error.refusal().is_some_and(|refusal| refusal.is_not_found())
                    && !version.group.is_empty() =>
            {
                Ok(())
            }
            Err(source) => {
                let doing = format!("ask which kinds `{version}` serves");
                Err(Error::Ask { doing, source })
            }
        }
    }

    /// The kind of an object, if the cluster was asked and serves it.
    pub(super) fn kind_of(&self, stated: &Stated) -> Option<Kind> {
        let kinds = self.kinds.of(&stated.group_version)?;
        kinds.iter().find(|kind| kind.kind == stated.kind).cloned()
    }

    /// The error of a kind that the cluster does not serve, with what was probably meant.
    pub(super) async fn unknown(&self, stated: &Stated) -> Error {
        let served = self.kinds.of(&stated.group_version);
        let meant = match served {
            Some(kinds) => {
                let near = kinds.iter().map(|kind| {
                    (strsim::damerau_levenshtein(&kind.kind, &stated.kind), &kind.kind)
                });
                near.filter(|(distance, _)| *distance <= 2).min().map(|(_, kind)| kind.clone())
            }
            None => self.preferred_version(&stated.group_version.group).await,
        };
        Error::UnknownKind {
            kind: stated.kind.clone(),
            api_version: stated.group_version.to_string(),
            place: stated.place.clone(),
            meant,
        }
    }

    /// The version of a group that the cluster would rather be asked for.
    async fn preferred_version(&self, group: &str) -> Option<String> {
        let path = match group {
            "" => return Some("apiVersion: v1".to_owned()),
            // What moved out of this group moved long ago, and manifests of then are still around.
            "extensions" => "/apis/apps".to_owned(),
            group => format!("/apis/{}", request::encoded(group)),
        };
        let group = self.client.send(&request::get_path(path)).await.ok()?;
        let version = group.pointer("/preferredVersion/groupVersion").and_then(Value::as_str);
        version.map(|version| format!("apiVersion: {version}"))
    }
}
