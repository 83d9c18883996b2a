//! Discovery: which kinds the cluster serves. One request for each group and version, sent once.

use std::collections::BTreeSet;

use serde_json::Value;

use super::connection::{Cluster, concurrently};
use super::error::Error;
use super::kind::{GroupVersion, Kind, kinds};
use super::object::Manifest;
use super::request;

impl Cluster {
    /// Looks up the kinds of these manifests that are not known yet. A group and version that is
    /// not served is looked up again the next time, because its definition may be created meanwhile.
    pub(super) async fn discover(&self, manifests: &[&Manifest]) -> Result<(), Error> {
        let missing: BTreeSet<_> = manifests
            .iter()
            .filter(|manifest| self.kind_of(manifest).is_none())
            .map(|manifest| manifest.group_version.clone())
            .collect();
        let found = missing.into_iter().map(|version| self.discover_version(version));
        concurrently(found).await.into_iter().collect()
    }

    async fn discover_version(&self, version: GroupVersion) -> Result<(), Error> {
        match self.client.send(&request::kinds(&version)).await {
            Ok(list) => {
                let found = kinds(&version, &list);
                self.kinds.insert(version, found);
                Ok(())
            }
            // Every API server serves `v1`, so its absence means that this is not an API server.
            Err(error)
                if error.refusal().is_some_and(|refusal| refusal.is_not_found())
                    && !version.group.is_empty() =>
            {
                Ok(())
            }
            Err(source) => {
                Err(Error::Request { doing: format!("discover the kinds of `{version}`"), source })
            }
        }
    }

    /// The kind of a manifest, if it was looked up and the cluster serves it.
    pub(super) fn kind_of(&self, manifest: &Manifest) -> Option<Kind> {
        let kinds = self.kinds.get(&manifest.group_version)?;
        kinds.iter().find(|kind| kind.kind == manifest.kind).cloned()
    }

    /// The error for a kind that the cluster does not serve, with a suggestion.
    pub(super) async fn unknown_kind(&self, manifest: &Manifest) -> Error {
        let suggestion = match self.kinds.get(&manifest.group_version) {
            Some(kinds) => {
                let near = kinds.iter().map(|kind| {
                    (strsim::damerau_levenshtein(&kind.kind, &manifest.kind), &kind.kind)
                });
                near.filter(|(distance, _)| *distance <= 2).min().map(|(_, kind)| kind.clone())
            }
            None => self.preferred_version(&manifest.group_version.group).await,
        };
        Error::UnknownKind {
            kind: manifest.kind.clone(),
            api_version: manifest.group_version.to_string(),
            place: manifest.place.clone(),
            suggestion,
        }
    }

    /// The `apiVersion` that the cluster prefers for a group.
    async fn preferred_version(&self, group: &str) -> Option<String> {
        let request = match group {
            "" => return Some("apiVersion: v1".to_owned()),
            // Old manifests still use this group, whose kinds moved to `apps`.
            "extensions" => request::group("apps"),
            group => request::group(group),
        };
        let group = self.client.send(&request).await.ok()?;
        let version = group.pointer("/preferredVersion/groupVersion").and_then(Value::as_str);
        version.map(|version| format!("apiVersion: {version}"))
    }
}
