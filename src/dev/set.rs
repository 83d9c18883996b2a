//! The objects of a round, and what differs from those of the round before.

use std::collections::BTreeMap;

use crate::cluster::Created;
use crate::manifests::Object;

/// What an object is known by, whatever its contents: group, kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    group: String,
    kind: String,
    namespace: Option<String>,
    name: String,
}

impl Key {
    pub(super) fn of(object: &Object) -> Self {
        let version = object.api_version().unwrap_or_default();
        let group = version.split_once('/').map_or("", |(group, _)| group);
        Self {
            group: group.to_owned(),
            kind: object.kind().unwrap_or_default().to_owned(),
            namespace: object.namespace().map(str::to_owned),
            name: object.name().unwrap_or_default().to_owned(),
        }
    }
}

impl Key {
    /// Whether this is an object that was created; `namespace` is that of objects which name none.
    pub(super) fn is(&self, created: &Created, namespace: &str) -> bool {
        let own = self.namespace.as_deref().unwrap_or(namespace);
        created.is(&self.group, &self.kind, &self.name)
            && created.namespace().is_none_or(|of| of == own)
    }
}

/// The objects that a loop has applied, as they were applied.
#[derive(Clone, Debug, Default)]
pub(super) struct Set(BTreeMap<Key, Object>);

impl Set {
    /// The objects of a round that are new or differ, in their order. Where an object was written is
    /// not a difference.
    pub(super) fn changed(&self, objects: &[Object]) -> Vec<Object> {
        let is_new = |object: &&Object| {
            let known = self.0.get(&Key::of(object));
            known.is_none_or(|known| known.value != object.value)
        };
        objects.iter().filter(is_new).cloned().collect()
    }

    /// The objects that are no longer among those of a round.
    pub(super) fn left(&self, objects: &[Object]) -> Vec<Object> {
        let now: Vec<Key> = objects.iter().map(Key::of).collect();
        let left = self.0.iter().filter(|(key, _)| !now.contains(key));
        left.map(|(_, object)| object.clone()).collect()
    }

    /// These are the objects now.
    pub(super) fn replace(&mut self, objects: Vec<Object>) {
        self.0 = objects.into_iter().map(|object| (Key::of(&object), object)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(name: &str, data: &str, place: &str) -> Object {
        let value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data});
        Object { value, place: place.to_owned() }
    }

    #[test]
    fn what_is_new_what_differs_and_what_has_left_is_found() {
        let mut set = Set::default();
        let first = vec![object("a", "1", "x:1:1"), object("b", "1", "x:5:1")];
        assert_eq!(set.changed(&first), first);
        set.replace(first);
        let moved = object("a", "1", "x:9:1");
        let (other, new) = (object("b", "2", "x:5:1"), object("c", "1", "x:7:1"));
        let second = [moved.clone(), other.clone(), new.clone()];
        assert_eq!(set.changed(&second), [other, new]);
        assert!(set.left(&second).is_empty());
        assert_eq!(set.left(&[moved]), [object("b", "1", "x:5:1")]);
    }
}
