//! Lists that the API server merges by a key: it refuses two entries with the same key.
//!
//! See [merge strategy](https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy).

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::{Finding, KEPT, Lint};
use crate::manifests::Location;
use crate::manifests::yaml::outline::Node;
use crate::source::Source;

/// A list, its merge keys, and the default values of the keys.
struct List {
    name: &'static str,
    keys: &'static [(&'static str, &'static str)],
    /// What an entry is called in messages.
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
    List {
        name: "topologySpreadConstraints",
        keys: &[("topologyKey", ""), ("whenUnsatisfiable", "")],
        entry: "spread constraint",
    },
    List { name: "resourceClaims", keys: &[("name", "")], entry: "claim" },
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
            message: format!("the {} is defined twice, which the API server refuses", self.what),
            location: Location::new(source, self.again.clone()),
            label: "second definition",
            other: Some((Location::new(source, self.first.clone()), "first definition")),
        }
    }
}

/// The lists of containers in a pod.
const OF_CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Whether the value of a key is searched for clashes.
pub(super) fn is_asked_for(key: &str) -> bool {
    OF_CONTAINERS.contains(&key) || key == "spec"
}

/// The clashes in the lists of a mapping. Places are moved by `offset`.
pub(super) fn read(node: Node<'_, '_>, offset: usize, clashes: &mut Vec<Clash>) {
    for list in OF_CONTAINERS.into_iter().filter_map(|name| node.get(name)) {
        list.items().for_each(|item| in_lists(item.target(), IN_CONTAINERS, offset, clashes));
    }
    if node.get("containers").is_some() {
        in_lists(node, BESIDE_CONTAINERS, offset, clashes);
    }
    if let Some(spec) = node.get("spec").filter(|_| is_service(node)) {
        in_lists(spec, IN_SERVICES, offset, clashes);
    }
}

fn is_service(node: Node<'_, '_>) -> bool {
    node.get_text("kind") == Some("Service") && node.get_text("apiVersion") == Some("v1")
}

fn in_lists(node: Node<'_, '_>, lists: &[List], offset: usize, clashes: &mut Vec<Clash>) {
    for list in lists {
        if let Some(value) = node.get(list.name) {
            in_list(value, list, offset, clashes);
        }
    }
}

fn in_list(node: Node<'_, '_>, list: &List, offset: usize, clashes: &mut Vec<Clash>) {
    let mut seen: HashMap<Vec<Cow<'_, str>>, Range<usize>> = HashMap::new();
    for written in node.items() {
        let item = written.target();
        let Some(named) = list.keys.first().and_then(|(key, _)| item.find(key)) else { continue };
        // If an entry is an alias or merges one, the mistake is in the alias, not in the value.
        let named = named.seen_from(written).written;
        let key = |(key, default): &(&str, &'static str)| match item.get(key) {
            Some(value) => value.meaning(),
            None => Some((*default).into()),
        };
        let Some(values) = list.keys.iter().map(key).collect::<Option<Vec<Cow<'_, str>>>>() else {
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
