//! Files that are no manifests, and lie where manifests were looked for: `values.yaml`, `Chart.yaml`.

use std::collections::BTreeSet;

use super::{Error, Manifests};

impl Manifests {
    /// Takes no offence at files that were merely found and are no manifests: they can be parsed, nothing in
    /// them says what object it is, and they hold no reference. Their names come with the rest.
    #[must_use]
    pub fn without_strangers(mut self, is_found: impl Fn(&str) -> bool) -> (Self, Vec<String>) {
        fn is_about_kind(error: &Error) -> bool {
            matches!(error, Error::NoObject { .. })
        }
        fn name(error: &Error) -> Option<&str> {
            error.spot().map(|spot| spot.source().name())
        }
        let wrong: BTreeSet<&str> = self.errors.kept().filter_map(name).collect();
        let others = self.errors.kept().filter(|error| !is_about_kind(error));
        let broken: BTreeSet<&str> = others.filter_map(name).collect();
        let manifests =
            self.files.iter().filter(|file| file.has_objects || !file.occurrences.is_empty());
        let manifests: BTreeSet<&str> = manifests.map(|file| file.source.name()).collect();
        let strangers: Vec<String> = wrong
            .into_iter()
            .filter(|name| is_found(name) && !broken.contains(name) && !manifests.contains(name))
            .map(str::to_owned)
            .collect();
        let is_stranger =
            |name: &str| strangers.binary_search_by(|stranger| stranger.as_str().cmp(name)).is_ok();
        self.errors = self.errors.retain(|error| !name(error).is_some_and(is_stranger));
        (self, strangers)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Parse, Rules, parse};
    use crate::source::Source;

    #[test]
    fn what_is_found_and_is_no_manifest_is_no_error() {
        let object = "apiVersion: v1\nkind: A\n";
        for (text, is_stranger) in [
            ("a: 1\n", true),
            ("apiVersion: v2\nname: chart\n---\n- 1\n", true),
            ("a: ko://a\n", false),
            ("a: [\n", false),
            ("a: {b:, c: 1}\n", false),
            (&format!("a: 1\n---\n{object}"), false),
            ("apiVersion: v1\nkind: List\nitems: [{a: 1}]\n", false),
        ] {
            let sources = ["named.yaml", "found.yaml"].map(|name| Source::new(name, text));
            let set = parse(sources.into(), &Rules::default(), Parse::Everything);
            let before = set.errors().iter().count();
            assert!(before > 0, "{text}");
            let (set, strangers) = set.without_strangers(|name| name == "found.yaml");
            let expected: &[&str] = if is_stranger { &["found.yaml"] } else { &[] };
            assert_eq!(strangers, expected, "{text}");
            let left = if is_stranger { before / 2 } else { before };
            assert_eq!(set.errors().iter().count(), left, "{text}");
        }
    }
}
