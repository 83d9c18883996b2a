//! Lists that the API server merges by a key: of two entries with the same key it takes neither.
//!
//! See [merge strategy](https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy).

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::{Finding, KEPT, Lint, containers};
use crate::manifests::Spot;
use crate::manifests::outline::Node;
use crate::source::Source;

/// A list with its keys, and the values of those that are left out.
struct List {
    name: &'static str,
    keys: &'static [(&'static str, &'static str)],
    /// What an entry is called.
    entry: &'static str,
}

const IN_CONTAINERS: &[List] = &[
    List { name: "env", keys: &[("name", "")], entry: "environment variable" },
    List { name: "ports", keys: &[("containerPort", ""), ("protocol", "TCP")], entry: "port" },
    List { name: "volumeMounts", keys: &[("mountPath", "")], entry: "mount" },
    List { name: "volumeDevices", keys: &[("devicePath", "")], entry: "device" },
];

const BESIDE_CONTAINERS: &[List] = &[
    List { name: "containers", keys: &[("name", "")], entry: "container" },
    List { name: "initContainers", keys: &[("name", "")], entry: "container" },
    List { name: "volumes", keys: &[("name", "")], entry: "volume" },
    List { name: "imagePullSecrets", keys: &[("name", "")], entry: "secret" },
    List { name: "hostAliases", keys: &[("ip", "")], entry: "alias" },
];

const IN_SERVICES: &[List] =
    &[List { name: "ports", keys: &[("port", ""), ("protocol", "TCP")], entry: "port" }];

/// Two entries of a list with the same key, by the places of the later and the earlier.
#[derive(Clone, Debug)]
pub(super) struct Clash {
    what: String,
    again: Range<usize>,
    first: Range<usize>,
}

impl Clash {
    pub(super) fn start(&self) -> usize {
        self.again.start
    }

    pub(super) fn finding(&self, source: &Arc<Source>) -> Finding {
        Finding {
            lint: Lint::DuplicateEntry,
            message: format!("the {} is there twice, which the API server refuses", self.what),
            spot: Spot::new(source, self.again.clone()),
            label: "again",
            other: Some((Spot::new(source, self.first.clone()), "first")),
        }
    }
}

/// The clashes in the lists of a mapping. Places are moved by `offset`.
pub(super) fn read(node: Node<'_, '_>, offset: usize, clashes: &mut Vec<Clash>) {
    let mut has_containers = false;
    for (key, value) in node.pairs() {
        match key.text() {
            Some("containers") => has_containers = true,
            Some("initContainers" | "ephemeralContainers") => {}
            Some("spec") if is_service(node) => in_lists(value, IN_SERVICES, offset, clashes),
            _ => continue,
        }
        if key.text().is_some_and(containers::is_list) {
            value.items().for_each(|item| in_lists(item, IN_CONTAINERS, offset, clashes));
        }
    }
    if has_containers {
        in_lists(node, BESIDE_CONTAINERS, offset, clashes);
    }
}

fn is_service(node: Node<'_, '_>) -> bool {
    node.get_text("kind") == Some("Service") && node.get_text("apiVersion") == Some("v1")
}

fn in_lists(node: Node<'_, '_>, lists: &[List], offset: usize, clashes: &mut Vec<Clash>) {
    for (key, value) in node.pairs() {
        if let Some(list) = lists.iter().find(|list| key.text() == Some(list.name)) {
            in_list(value, list, offset, clashes);
        }
    }
}

fn in_list(node: Node<'_, '_>, list: &List, offset: usize, clashes: &mut Vec<Clash>) {
    let mut seen: HashMap<Vec<&str>, Range<usize>> = HashMap::new();
    for item in node.items() {
        let Some(named) = list.keys.first().and_then(|(key, _)| item.get(key)) else { continue };
        let key = |(key, default): &(&str, &'static str)| match item.get(key) {
            Some(value) => value.text(),
            None => Some(*default),
        };
        let Some(values) = list.keys.iter().map(key).collect::<Option<Vec<&str>>>() else {
            continue;
        };
        let span = offset + named.span().start..offset + named.span().end;
        let what = format!("{} `{}`", list.entry, values.join("/"));
        match seen.get(&values) {
            Some(_) if clashes.len() >= KEPT => return,
            Some(first) => clashes.push(Clash { what, again: span, first: first.clone() }),
            None => drop(seen.insert(values, span)),
        }
    }
}
