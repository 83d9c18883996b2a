//! Skips files that are not manifests but were found where manifests are, such as `values.yaml`.

use crate::manifests::{Error, Manifests};
use std::collections::BTreeSet;

impl Manifests {
    /// Drops the errors of files that were found (not named by the user) and are not manifests: they are
    /// valid YAML without any object or reference. Also returns the names of these files.
    #[must_use]
    pub fn skip_other_files(mut self, is_found: impl Fn(&str) -> bool) -> (Self, Vec<String>) {
        fn is_about_kind(error: &Error) -> bool {
            matches!(error, Error::NotAnObject { .. })
        }
        fn name(error: &Error) -> Option<&str> {
            error.location().map(|location| location.source().name())
        }
        let wrong: BTreeSet<&str> = self.errors.kept().filter_map(name).collect();
        let others = self.errors.kept().filter(|error| !is_about_kind(error));
        let broken: BTreeSet<&str> = others.filter_map(name).collect();
        let manifests =
            self.files.iter().filter(|file| file.has_objects || !file.occurrences.is_empty());
        let manifests: BTreeSet<&str> = manifests.map(|file| file.source.name()).collect();
        let skipped: Vec<String> = wrong
            .into_iter()
            .filter(|name| is_found(name) && !broken.contains(name) && !manifests.contains(name))
            .map(str::to_owned)
            .collect();
        let is_skipped = |name: &str| {
            skipped.binary_search_by(|name_of_skipped| name_of_skipped.as_str().cmp(name)).is_ok()
        };
        self.errors = self.errors.retain(|error| !name(error).is_some_and(is_skipped));
        (self, skipped)
    }
}

#[cfg(test)]
mod tests {
    use crate::manifests::{Parse, Rules, parse};
    use crate::source::Source;

    #[test]
    fn files_that_were_found_and_are_not_manifests_are_skipped() {
        let object = "apiVersion: v1\nkind: A\n";
        for (text, is_skipped) in [
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
            let (set, skipped) = set.skip_other_files(|name| name == "found.yaml");
            let expected: &[&str] = if is_skipped { &["found.yaml"] } else { &[] };
            assert_eq!(skipped, expected, "{text}");
            let left = if is_skipped { before / 2 } else { before };
            assert_eq!(set.errors().iter().count(), left, "{text}");
        }
    }
}
