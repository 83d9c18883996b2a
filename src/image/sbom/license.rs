//! The licences of packages, as [SPDX expressions][spec] if they are valid.
//!
//! [spec]: https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/

use spdx::{Expression, ParseMode};

use crate::oci::Digest;

/// The licence of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum License {
    /// A valid SPDX expression.
    Expression(String),
    /// Any other text.
    Other(String),
}

/// The maximum length of a licence.
const LONGEST: usize = 1000;

impl License {
    /// Parses the `license` of a `Cargo.toml` (including old ones such as `MIT/Apache-2.0`) or of
    /// an apk. `None` if it is empty.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let text: String = text.chars().take(LONGEST).collect();
        Some(expression(&text).map_or(Self::Other(text), Self::Expression))
    }

    /// The ID in the document of a licence that SPDX does not list.
    pub(super) fn reference(text: &str) -> String {
        format!("LicenseRef-{}", &Digest::of(text.as_bytes()).hex()[..16])
    }
}

fn expression(text: &str) -> Option<String> {
    // A reference to the text of another licence would need that text.
    if text.contains("Ref-") {
        return None;
    }
    let canonical = match Expression::canonicalize(text).ok()? {
        Some(canonical) => canonical,
        None => text.to_owned(),
    };
    let mode = ParseMode { allow_deprecated: true, ..ParseMode::STRICT };
    Expression::parse_mode(&canonical, mode).ok()?;
    Some(canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_expression_is_kept_as_words() {
        for (text, expected) in [
            ("MIT", "MIT"),
            ("MIT/Apache-2.0", "MIT OR Apache-2.0"),
            ("Apache-2.0 WITH LLVM-exception OR MIT", "Apache-2.0 WITH LLVM-exception OR MIT"),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", "(MIT OR Apache-2.0) AND Unicode-3.0"),
            ("GPL-2.0+", "GPL-2.0-or-later"),
        ] {
            assert_eq!(License::read(text), Some(License::Expression(expected.to_owned())));
        }
        for text in ["Proprietary", "MIT Apache-2.0", "MIT OR", "LicenseRef-mine", "©", "((MIT)"] {
            assert_eq!(License::read(text), Some(License::Other(text.to_owned())), "{text}");
        }
        assert_eq!(License::read(" "), None);
    }
}
