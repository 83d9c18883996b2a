//! The tag that keeps an image: a tag that is set once and never moved, so that a registry's clean-up
//! does not delete what Git and rollbacks refer to.

use std::str::FromStr;

use super::codes;
use crate::oci::{Digest, Tag};
use crate::report::{Details, Diagnose};
use crate::template::{self, Values};

/// How the tag of each image is made.
#[derive(Clone, Debug)]
pub struct KeepTag {
    template: String,
    values: Values,
}

/// A failure to make the tag.
#[derive(Debug, thiserror::Error)]
pub enum KeepTagError {
    /// The template cannot be filled in.
    #[error("could not fill in the template `{template}` of `keepTag`")]
    Template {
        /// The template.
        template: String,
        /// The cause.
        source: template::Error,
    },
    /// The result is not a valid tag.
    #[error("the template `{template}` of `keepTag` does not make a valid tag")]
    Tag {
        /// The template.
        template: String,
        /// The cause.
        source: <Tag as FromStr>::Err,
    },
}

impl Diagnose for KeepTagError {
    fn details(&self) -> Details {
        let details = Details::new(&codes::INVALID_KEEP_TAG);
        match self {
            Self::Template { source, .. } => details.hints(source.hint()),
            Self::Tag { .. } => {
                details.hint("use a different tag for each image: `d-{{ Digest }}`")
            }
        }
    }
}

impl KeepTag {
    /// The variable for the digest of the image, in hexadecimal digits.
    pub const DIGEST: &'static str = "Digest";

    /// Makes tags from a template and the values of its other variables.
    #[must_use]
    pub fn new(template: String, values: Values) -> Self {
        Self { template, values }
    }

    /// The tag of an image.
    pub fn of(&self, digest: Digest) -> Result<Tag, KeepTagError> {
        let template = || self.template.clone();
        let values = self.values.with(Self::DIGEST, digest.hex());
        let text = template::render(&self.template, &values)
            .map_err(|source| KeepTagError::Template { template: template(), source })?;
        text.parse().map_err(|source| KeepTagError::Tag { template: template(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(template: &str) -> Result<String, KeepTagError> {
        let keep = KeepTag::new(template.to_owned(), Values::sample());
        keep.of(Digest::of(b"")).map(|tag| tag.to_string())
    }

    #[test]
    fn a_tag_is_made_of_the_digest_or_of_other_variables() {
        let hex = Digest::of(b"").hex();
        assert_eq!(tag("d-{{ Digest }}").unwrap(), format!("d-{hex}"));
        assert_eq!(tag("d-{{ Digest[:12] }}").unwrap(), format!("d-{}", &hex[..12]));
        assert_eq!(tag("fixed").unwrap(), "fixed");
        assert!(matches!(tag("d-{{ Digets }}"), Err(KeepTagError::Template { .. })));
        let error = tag("d/{{ Digest }}").unwrap_err();
        assert!(matches!(error, KeepTagError::Tag { .. }));
    }
}
