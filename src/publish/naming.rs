//! The names of images at their destinations and the references that are printed, as in ko.

use crate::oci::{Digest, Repository, Tag};
use crate::reference::{ImportPath, NameStyle};

/// How images of one run are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Naming {
    /// `REPO`; may be empty if nothing is pushed.
    pub repo: String,
    /// How the import path follows it.
    pub style: NameStyle,
    /// The tags; without any, images are pushed by digest alone.
    pub tags: Vec<Tag>,
    /// Whether the tag is printed instead of the digest.
    pub tag_only: bool,
}

impl Naming {
    /// The image's repository, as text.
    #[must_use]
    pub(crate) fn name(&self, import_path: &ImportPath) -> String {
        import_path.repository(&self.repo, self.style)
    }

    /// The image's repository at a registry.
    pub(crate) fn repository(
        &self,
        import_path: &ImportPath,
    ) -> Result<Repository, <Repository as std::str::FromStr>::Err> {
        self.name(import_path).parse()
    }

    /// The reference to an image that was pushed, or written to a layout or an archive: by digest, with
    /// the tag if there is a single one other than `latest`.
    #[must_use]
    pub(crate) fn pushed(&self, import_path: &ImportPath, digest: Digest) -> String {
        let name = self.name(import_path);
        match self.tags.as_slice() {
            [tag] if self.tag_only => format!("{name}:{tag}"),
            [tag] if *tag != Tag::latest() => format!("{name}:{tag}@{digest}"),
            _ => format!("{name}@{digest}"),
        }
    }

    /// The reference to an image that was not published: with its first tag, if it has any.
    #[must_use]
    pub(crate) fn unpushed(&self, import_path: &ImportPath, digest: Digest) -> String {
        let name = self.name(import_path);
        match self.tags.first() {
            Some(tag) if self.tag_only => format!("{name}:{tag}"),
            Some(tag) => format!("{name}:{tag}@{digest}"),
            None => format!("{name}@{digest}"),
        }
    }

    /// The reference to an image in a Docker Engine: with the digest of its configuration as a tag,
    /// since images there have no digest until they are pushed.
    #[must_use]
    pub(crate) fn loaded(&self, import_path: &ImportPath, config: Digest) -> String {
        format!("{}:{}", self.name(import_path), config.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(tags: &[&str], tag_only: bool) -> Naming {
        Naming {
            repo: "r.example/t".to_owned(),
            style: NameStyle::Base,
            tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
            tag_only,
        }
    }

    #[test]
    fn what_is_printed_is_what_ko_prints() {
        let path = ImportPath::new("github.com/a/link", None);
        let digest = Digest::of(b"");
        let printed = |tags: &[&str], only| naming(tags, only).pushed(&path, digest);
        assert_eq!(printed(&["latest"], false), format!("r.example/t/link@{digest}"));
        assert_eq!(printed(&["v1"], false), format!("r.example/t/link:v1@{digest}"));
        assert_eq!(printed(&["v1", "latest"], false), format!("r.example/t/link@{digest}"));
        assert_eq!(printed(&[], false), format!("r.example/t/link@{digest}"));
        assert_eq!(printed(&["v1"], true), "r.example/t/link:v1");
        let unpushed = |tags: &[&str], only| naming(tags, only).unpushed(&path, digest);
        assert_eq!(unpushed(&["latest"], false), format!("r.example/t/link:latest@{digest}"));
        assert_eq!(unpushed(&["v1", "v2"], false), format!("r.example/t/link:v1@{digest}"));
        assert_eq!(unpushed(&["v1"], true), "r.example/t/link:v1");
        assert_eq!(unpushed(&[], false), format!("r.example/t/link@{digest}"));
        assert_eq!(
            naming(&[], false).loaded(&path, digest),
            format!("r.example/t/link:{}", digest.hex())
        );
    }

    #[test]
    fn every_name_is_one_that_the_distribution_spec_allows() {
        for element in ["a__b", "a___b", "a._b", "-a-", "_x", "é", "a--b", "a b", "A", "..", "a_"]
        {
            let path = ImportPath::new(element, None);
            assert!(naming(&[], false).repository(&path).is_ok(), "{element}");
        }
    }
}
