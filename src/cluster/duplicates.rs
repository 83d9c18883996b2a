//! Objects that a set contains more than once: several files often bring the same Namespace.

use std::collections::BTreeMap;

use super::error::Error;
use super::object::Manifest;

/// Where a document of the set is found among the distinct manifests.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) index: usize,
    /// The place of the document, if it repeats an earlier one.
    pub(super) repeated_at: Option<String>,
}

/// The distinct manifests, and the position of each document among them. `namespace` is the one of
/// manifests without a namespace.
pub(super) fn distinct(
    manifests: Vec<Manifest>,
    namespace: &str,
) -> Result<(Vec<Manifest>, Vec<Position>), Error> {
    let mut seen: BTreeMap<_, usize> = BTreeMap::new();
    let mut distinct: Vec<Manifest> = Vec::new();
    let mut positions = Vec::new();
    for manifest in manifests {
        let identity = (
            manifest.group_version.group.clone(),
            manifest.kind.clone(),
            manifest.namespace.clone().unwrap_or_else(|| namespace.to_owned()),
            manifest.name.clone(),
        );
        match seen.get(&identity) {
            // Every generated name is another object.
            Some(&index) if !manifest.name.is_empty() => {
                let first = &distinct[index];
                if first.value != manifest.value {
                    return Err(Error::Duplicate {
                        object: format!("{} `{}`", manifest.kind, manifest.name),
                        first: first.place.clone(),
                        second: manifest.place,
                    });
                }
                positions.push(Position { index, repeated_at: Some(manifest.place) });
            }
            _ => {
                seen.insert(identity, distinct.len());
                positions.push(Position { index: distinct.len(), repeated_at: None });
                distinct.push(manifest);
            }
        }
    }
    Ok((distinct, positions))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests::Object;
    use serde_json::{Value, json};

    fn manifest(value: Value, place: &str) -> Manifest {
        Manifest::new(Object { value, place: place.to_owned() }, true).unwrap()
    }

    fn config(data: &str, namespace: Option<&str>) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": data},
            "metadata": {"name": "a", "namespace": namespace}})
    }

    #[test]
    fn an_object_that_is_repeated_counts_once_and_two_that_differ_are_an_error() {
        let twice = || vec![manifest(config("1", None), "a:1"), manifest(config("1", None), "b:1")];
        let (once, positions) = distinct(twice(), "default").unwrap();
        assert_eq!(once.len(), 1);
        assert_eq!(positions[1], Position { index: 0, repeated_at: Some("b:1".to_owned()) });
        let elsewhere =
            vec![manifest(config("1", None), "a:1"), manifest(config("2", Some("x")), "b:1")];
        assert_eq!(distinct(elsewhere, "default").unwrap().0.len(), 2);
        let differ =
            vec![manifest(config("1", None), "a:1"), manifest(config("2", Some("x")), "b:1")];
        assert_eq!(
            distinct(differ, "x").unwrap_err().to_string(),
            "ConfigMap `a` is defined twice with different contents: at a:1 and at b:1"
        );
    }

    #[test]
    fn generated_names_are_distinct() {
        let value = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "a-"}});
        let pods = vec![manifest(value.clone(), "a:1"), manifest(value, "a:9")];
        assert_eq!(distinct(pods, "default").unwrap().0.len(), 2);
    }
}
