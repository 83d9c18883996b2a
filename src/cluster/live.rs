//! Reads objects as they are in the cluster now.

use std::collections::BTreeMap;

use serde_json::Value;

use super::connection::{Cluster, concurrently};
use super::error::Error;
use super::kind::{Kind, ObjectId};
use super::request::{self, Collection};

/// The current state of an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Live {
    /// It does not exist.
    Absent,
    /// It was not read, or the user is not allowed to read it.
    Unknown,
    /// It exists.
    Present(Value),
}

impl Live {
    pub(super) fn object(&self) -> Option<&Value> {
        match self {
            Self::Present(object) => Some(object),
            Self::Absent | Self::Unknown => None,
        }
    }
}

/// The number of objects of one kind and namespace from which on they are listed instead of read
/// one by one.
const LIST_FROM: usize = 20;

impl Cluster {
    /// Reads one object.
    pub(super) async fn read(&self, id: &ObjectId) -> Result<Live, Error> {
        let request = request::get(&id.kind, id.namespace.as_deref(), &id.name);
        match self.client.send(&request).await {
            Ok(object) => Ok(Live::Present(object)),
            Err(error) => match error.refusal() {
                Some(refusal) if refusal.is_not_found() => Ok(Live::Absent),
                Some(refusal) if refusal.is_forbidden() => Ok(Live::Unknown),
                _ => Err(Error::object("read", id, error)),
            },
        }
    }

    /// Reads objects; the results are in their order. Many objects of one kind and namespace are
    /// read by listing the namespace.
    pub(super) async fn read_all(&self, ids: &[&ObjectId]) -> Result<Vec<Live>, Error> {
        let mut groups: BTreeMap<(&Kind, Option<&str>), Vec<usize>> = BTreeMap::new();
        for (index, id) in ids.iter().enumerate() {
            groups.entry((&id.kind, id.namespace.as_deref())).or_default().push(index);
        }
        let mut found: BTreeMap<usize, Live> = BTreeMap::new();
        for ((kind, namespace), indices) in groups {
            if indices.len() < LIST_FROM {
                continue;
            }
            let names = indices.iter().map(|&index| (ids[index].name.as_str(), index)).collect();
            if let Some(listed) = self.read_listed(kind, namespace, names).await {
                found.extend(listed);
            }
        }
        let single: Vec<usize> =
            (0..ids.len()).filter(|index| !found.contains_key(index)).collect();
        let read = concurrently(single.iter().map(|&index| self.read(ids[index]))).await;
        for (index, live) in single.into_iter().zip(read) {
            found.insert(index, live?);
        }
        Ok(found.into_values().collect())
    }

    /// The objects of a kind and namespace with these names; nothing if they cannot be listed, so
    /// that each must be read alone.
    async fn read_listed(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        names: BTreeMap<&str, usize>,
    ) -> Option<BTreeMap<usize, Live>> {
        let mut found: BTreeMap<usize, Live> =
            names.values().map(|&index| (index, Live::Absent)).collect();
        let namespace = namespace.map(str::to_owned);
        let collection = Collection { kind: kind.clone(), namespace, name: None };
        let mut from: Option<String> = None;
        loop {
            let request = request::list(&collection, from.as_deref());
            let mut page = self.client.send(&request).await.ok()?;
            let api_version = page.get("apiVersion").cloned()?;
            let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) else {
                return None;
            };
            for mut item in items {
                let name = item.pointer("/metadata/name").and_then(Value::as_str);
                let Some(&index) = name.and_then(|name| names.get(name)) else { continue };
                // The items of a list have neither.
                if let Some(item) = item.as_object_mut() {
                    item.insert("apiVersion".to_owned(), api_version.clone());
                    item.insert("kind".to_owned(), Value::from(kind.kind.as_str()));
                }
                found.insert(index, Live::Present(item));
            }
            match page.pointer("/metadata/continue").and_then(Value::as_str) {
                Some(next) if !next.is_empty() => from = Some(next.to_owned()),
                _ => return Some(found),
            }
        }
    }
}
