//! Which strings of a manifest are references, by themselves or by the image that they name.

use crate::manifests::image_map::{ImageMap, Mapped};
use crate::reference::{CrateReference, InvalidReference, OWN_PREFIX, PREFIX};

/// What makes a string a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What a reference starts with; every other string is left alone.
    pub prefixes: Vec<String>,
    /// Whether a tag or digest behind a reference goes with it, rather than being an error.
    pub ignore_tags: bool,
    /// Images that stand for crates.
    pub images: ImageMap,
}

/// What a string means.
pub(crate) struct Meaning {
    pub(crate) reference: CrateReference,
    /// The image that makes it a reference, where it is none by itself.
    pub(crate) image: Option<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            prefixes: vec![OWN_PREFIX.to_owned(), PREFIX.to_owned()],
            ignore_tags: false,
            images: ImageMap::default(),
        }
    }
}

impl Rules {
    /// Whether a document may hold a reference. An escape may spell one, so only a document without
    /// any of these is sure to have none.
    pub(crate) fn may_apply(&self, document: &str) -> bool {
        has_escape(document)
            || self.prefixes.iter().any(|prefix| document.contains(prefix.as_str()))
            || self.images.may_apply(document)
    }

    /// The reference that a string is, by itself or as an image of the map.
    pub(crate) fn meaning(
        &self,
        value: &str,
        image: Option<Mapped>,
    ) -> Option<Result<Meaning, InvalidReference>> {
        let mapped = |Mapped { reference, image }| Ok(Meaning { reference, image: Some(image) });
        let own = self.reference(value);
        own.map(|own| own.map(|reference| Meaning { reference, image: None }))
            .or_else(|| image.map(mapped))
    }

    /// The reference that a string is. Blanks at its end do not count, nor do the newlines that a
    /// block scalar ends in.
    pub(crate) fn reference(
        &self,
        value: &str,
    ) -> Option<Result<CrateReference, InvalidReference>> {
        let text = value.trim_end_matches('\n').trim_end_matches([' ', '\t']);
        if self.ignore_tags {
            CrateReference::parse_without_tag(text, &self.prefixes)
        } else {
            CrateReference::parse(text, &self.prefixes)
        }
    }
}

/// Whether there may be an escape that stands for a part of a reference: any but those for quotes,
/// backslashes, tabs and newlines. One that breaks a line stands for nothing, and so may be amid one.
fn has_escape(document: &str) -> bool {
    let bytes = document.as_bytes();
    document.match_indices('\\').any(|(at, _)| {
        !bytes.get(at + 1).is_some_and(|next| matches!(next, b'"' | b'\\' | b'n' | b'r' | b't'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blanks_and_newlines_may_follow_a_reference() {
        let rules = Rules::default();
        let right = |value| rules.reference(value).map(|reference| reference.is_ok());
        for value in ["ko://a", "ko://a \t", "ko://a\n\n", "ko://a \n"] {
            assert_eq!(right(value), Some(true), "{value:?}");
        }
        assert_eq!(right("ko://a\nb\n"), Some(false));
        assert_eq!(right("ko://a\n \n"), Some(false));
        assert_eq!(right(" ko://a"), None);
        assert_eq!(right("KO://a"), None);
    }

    #[test]
    fn a_document_with_neither_prefix_nor_escape_needs_no_look() {
        let rules = Rules::default();
        assert!(rules.may_apply("a: ko://b"));
        assert!(rules.may_apply(r#"{"a": "\u006bo:\/\/b"}"#));
        assert!(rules.may_apply("a: \"ko:\\\n  //b\""));
        assert!(rules.may_apply(r#"{a: '\\', b: "\x6bo://b"}"#));
        assert!(!rules.may_apply("a: ko:/b"));
        assert!(!rules.may_apply(r#"{"a": "\"b\"\\n\tc\\"}"#));
    }
}
