//! Objects as they are in the cluster now.

use std::collections::BTreeMap;

use serde_json::Value;

use super::kind::Kind;
use super::target::Target;
use super::{Cluster, Error, request, side_by_side};

/// An object before it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Live {
    /// It is not there.
    Absent,
    /// The user may write it, but not read it.
    Hidden,
    /// It is there.
    Present(Value),
}

impl Live {
    pub(super) fn object(&self) -> Option<&Value> {
        match self {
            Self::Present(object) => Some(object),
            Self::Absent | Self::Hidden => None,
        }
    }
}

/// From how many objects of one kind and namespace on they are listed, not read one by one.
const LISTED: usize = 20;

impl Cluster {
    /// Reads one object.
    pub(super) async fn read(&self, target: &Target) -> Result<Live, Error> {
        let request = request::get(&target.kind, target.namespace.as_deref(), &target.name);
        match self.client.send(&request).await {
            Ok(object) => Ok(Live::Present(object)),
            Err(error) => match error.refusal() {
                Some(refusal) if refusal.is_not_found() => Ok(Live::Absent),
                Some(refusal) if refusal.is_forbidden() => Ok(Live::Hidden),
                _ => Err(target.failed("read", error)),
            },
        }
    }

    /// Reads objects, in their order. Where there are many of one kind in one namespace, what is
    /// in that namespace is listed.
    pub(super) async fn read_all(&self, targets: &[&Target]) -> Result<Vec<Live>, Error> {
        let mut together: BTreeMap<(&Kind, Option<&str>), Vec<usize>> = BTreeMap::new();
        for (index, target) in targets.iter().enumerate() {
            let together = together.entry((&target.kind, target.namespace.as_deref())).or_default();
            together.push(index);
        }
        let mut found: BTreeMap<usize, Live> = BTreeMap::new();
        for ((kind, namespace), indices) in together {
            if indices.len() < LISTED {
                continue;
            }
            let names =
                indices.iter().map(|&index| (targets[index].name.as_str(), index)).collect();
            if let Some(listed) = self.read_listed(kind, namespace, names).await {
                found.extend(listed);
            }
        }
        let single: Vec<usize> =
            (0..targets.len()).filter(|index| !found.contains_key(index)).collect();
        let read = side_by_side(single.iter().map(|&index| self.read(targets[index]))).await;
        for (index, live) in single.into_iter().zip(read) {
            found.insert(index, live?);
        }
        Ok(found.into_values().collect())
    }

    /// Those of a kind and namespace that are asked for; nothing where they cannot be listed, so
    /// that each is asked for alone.
    async fn read_listed(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        names: BTreeMap<&str, usize>,
    ) -> Option<BTreeMap<usize, Live>> {
        let mut found: BTreeMap<usize, Live> =
            names.values().map(|&index| (index, Live::Absent)).collect();
        let mut from: Option<String> = None;
        loop {
            let request = request::list(kind, namespace, from.as_deref());
            let mut page = self.client.send(&request).await.ok()?;
            let api_version = page.get("apiVersion").cloned()?;
            let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) else {
                return None;
            };
            for mut item in items {
                let name = item.pointer("/metadata/name").and_then(Value::as_str);
                let Some(&index) = name.and_then(|name| names.get(name)) else { continue };
                // An item leaves out what the list says for all.
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
