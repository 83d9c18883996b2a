//! Objects that a set states more than once: several files often bring the same Namespace.

use std::collections::BTreeMap;

use super::target::Stated;
use super::{Error, Outcome, Verb};

/// As which object one of the set goes, and where it stands if that is stated again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    index: usize,
    again: Option<String>,
}

/// The objects without those that are stated again, and for each as which of those it goes.
/// `namespace` is that of objects which state none.
pub(super) fn each(
    objects: Vec<Stated>,
    namespace: &str,
) -> Result<(Vec<Stated>, Vec<Place>), Error> {
    let mut seen: BTreeMap<_, usize> = BTreeMap::new();
    let mut once: Vec<Stated> = Vec::new();
    let mut places = Vec::new();
    for object in objects {
        let identity = (
            object.group_version.group.clone(),
            object.kind.clone(),
            object.namespace.clone().unwrap_or_else(|| namespace.to_owned()),
            object.name.clone(),
        );
        match seen.get(&identity) {
            // Every object whose name the server is to find is another one.
            Some(&index) if !object.name.is_empty() => {
                let first = &once[index];
                if first.value != object.value {
                    return Err(Error::Twice {
                        object: format!("{} `{}`", object.kind, object.name),
                        first: first.place.clone(),
                        second: object.place,
                    });
                }
                places.push(Place { index, again: Some(object.place) });
            }
            _ => {
                seen.insert(identity, once.len());
                places.push(Place { index: once.len(), again: None });
                once.push(object);
            }
        }
    }
    Ok((once, places))
}

/// The outcomes in the order of the set; an object that is stated again is unchanged by then.
pub(super) fn in_their_places(outcomes: &[Outcome], places: Vec<Place>) -> Vec<Outcome> {
    let outcome = |place: Place| {
        let outcome = outcomes.get(place.index)?.clone();
        Some(match place.again {
            Some(place) => Outcome { place, verb: Verb::Unchanged, ..outcome },
            None => outcome,
        })
    };
    places.into_iter().filter_map(outcome).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests::Object;
    use serde_json::{Value, json};

    fn stated(value: Value, place: &str) -> Stated {
        Stated::new(Object { value, place: place.to_owned() }, true).unwrap()
    }

    fn config(data: &str, namespace: Option<&str>) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": data},
            "metadata": {"name": "a", "namespace": namespace}})
    }

    #[test]
    fn the_same_object_twice_goes_once_and_two_that_differ_are_an_error() {
        let twice = || vec![stated(config("1", None), "a:1"), stated(config("1", None), "b:1")];
        let (once, places) = each(twice(), "default").unwrap();
        assert_eq!(once.len(), 1);
        assert_eq!(places[1], Place { index: 0, again: Some("b:1".to_owned()) });
        let elsewhere =
            vec![stated(config("1", None), "a:1"), stated(config("2", Some("x")), "b:1")];
        assert_eq!(each(elsewhere, "default").unwrap().0.len(), 2);
        let differ = vec![stated(config("1", None), "a:1"), stated(config("2", Some("x")), "b:1")];
        assert_eq!(
            each(differ, "x").unwrap_err().to_string(),
            "ConfigMap `a` is stated twice and differently: at a:1 and at b:1"
        );
    }

    #[test]
    fn names_that_the_server_is_to_find_are_all_different() {
        let value = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "a-"}});
        let pods = vec![stated(value.clone(), "a:1"), stated(value, "a:9")];
        assert_eq!(each(pods, "default").unwrap().0.len(), 2);
    }
}
