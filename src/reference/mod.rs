//! References in manifests (`ko://WHERE#BIN`), and the canonical name of a binary.
//!
//! References are only parsed here; finding the crate is left to Cargo's metadata.

pub(crate) mod codes;
mod import_path;
mod nearest;

use std::fmt;
use std::sync::Arc;

use crate::report::{Details, Diagnose, Diagnostic};
use crate::source::{is_invisible, visible};

pub use import_path::{ImportPath, NameStyle, normalise_repository};
pub use nearest::{did_you_mean, nearest};

/// The prefix of ko, which ko-rs shares.
pub const PREFIX: &str = "ko://";

/// The prefix that only ko-rs reads, for repositories where Go's ko reads the same files.
pub const OWN_PREFIX: &str = "ko-rs://";

/// A reference to a binary of a Cargo workspace: a prefix, WHERE, and an optional `#BIN`.
///
/// Equality ignores the prefix. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CrateReference(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    prefix: String,
    place: String,
    bin: Option<String>,
}

/// The maximum length without the prefix, in bytes. No system has longer paths.
const LONGEST: usize = 4096;

/// A text that starts like a reference but is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    /// Nothing follows the prefix.
    #[error("`{}` does not name a crate", visible(.0))]
    Empty(String),
    /// Nothing follows `#`, or a second `#` does.
    #[error("`{}` does not name a binary after `#`", visible(.0))]
    Binary(String),
    /// A character that no package, path or binary can have.
    #[error(
        "`{}` contains {character:?}, which cannot be in the name or path of a crate",
        visible(text)
    )]
    Character {
        /// The reference.
        text: String,
        /// The character.
        character: char,
    },
    /// Longer than the path of any crate.
    #[error("`{}…` is longer than {LONGEST} bytes", visible(.0))]
    Long(String),
    /// A tag or digest at the end of the reference.
    #[error(
        "`{}` ends with `{}`, but a reference must not have a tag or digest",
        visible(text),
        visible(suffix)
    )]
    Suffix {
        /// The reference.
        text: String,
        /// The tag or digest with its `:` or `@`.
        suffix: String,
    },
}

impl InvalidReference {
    /// The hints as one text.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hints = Diagnostic::of(self).hints;
        (!hints.is_empty()).then(|| hints.join("\n"))
    }
}

impl Diagnose for InvalidReference {
    fn details(&self) -> Details {
        match self {
            Self::Suffix { suffix, text } => {
                let hint = text.strip_suffix(suffix.as_str()).map(|reference| {
                    let bin = suffix.find('#').map(|at| &suffix[at..]);
                    let is_one = |bin: &&str| bin.len() > 1 && !bin.contains([':', '@']);
                    let reference = [reference, bin.filter(is_one).unwrap_or_default()].concat();
                    format!("write `{}`; ko-rs adds the digest of the image", visible(&reference))
                });
                Details::new(&codes::REFERENCE_WITH_TAG).hints(hint)
            }
            Self::Empty(_) | Self::Binary(_) | Self::Character { .. } | Self::Long(_) => {
                Details::new(&codes::INVALID_REFERENCE).hint(
                    "a reference is the prefix, then a package name, its path or its import path, \
                     then optionally `#BIN` to select a binary",
                )
            }
        }
    }
}

impl CrateReference {
    /// Parses a text that starts with one of `prefixes`. `None` if it does not, and so is not a
    /// reference.
    pub fn parse(text: &str, prefixes: &[String]) -> Option<Result<Self, InvalidReference>> {
        let prefix = prefixes.iter().find(|prefix| text.starts_with(prefix.as_str()))?;
        Some(Self::parse_rest(text, prefix, &text[prefix.len()..]))
    }

    /// Like [`CrateReference::parse`], but ignores a tag or digest that a template has added.
    pub fn parse_without_tag(
        text: &str,
        prefixes: &[String],
    ) -> Option<Result<Self, InvalidReference>> {
        let prefix = prefixes.iter().find(|prefix| text.starts_with(prefix.as_str()))?;
        let rest = &text[prefix.len()..];
        let tag = glued(rest).filter(|suffix| is_tag_or_digest(suffix)).unwrap_or_default();
        let text = &text[..text.len() - tag.len()];
        Some(Self::parse_rest(text, prefix, &text[prefix.len()..]))
    }

    /// Parses a reference with or without a prefix, as in the settings and on the command line. It
    /// is displayed as it was written.
    pub fn bare(text: &str) -> Result<Self, InvalidReference> {
        let prefix = [OWN_PREFIX, PREFIX].into_iter().find(|prefix| text.starts_with(prefix));
        let prefix = prefix.unwrap_or_default();
        Self::parse_rest(text, prefix, &text[prefix.len()..])
    }

    fn parse_rest(text: &str, prefix: &str, rest: &str) -> Result<Self, InvalidReference> {
        let shown = || text.chars().take(300).collect::<String>();
        if rest.len() > LONGEST {
            return Err(InvalidReference::Long(shown()));
        }
        let (place, bin) = match rest.split_once('#') {
            Some((place, bin)) => (place, Some(bin)),
            None => (rest, None),
        };
        let place = place.trim_end_matches('/');
        if let Some(suffix) = glued(rest) {
            let suffix = suffix.chars().take(160).collect();
            return Err(InvalidReference::Suffix { text: shown(), suffix });
        }
        if let Some(character) = rest.chars().find(|&c| is_invisible(c) || c.is_whitespace()) {
            return Err(InvalidReference::Character { text: shown(), character });
        }
        if place.trim_matches('/').is_empty() {
            return Err(InvalidReference::Empty(shown()));
        }
        if bin.is_some_and(|bin| bin.is_empty() || bin.contains('#')) {
            return Err(InvalidReference::Binary(shown()));
        }
        Ok(Self(Arc::new(Parts {
            prefix: prefix.to_owned(),
            place: place.to_owned(),
            bin: bin.map(str::to_owned),
        })))
    }

    /// The prefix, which may be empty.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// WHERE: a package's name, its folder, or an import path.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.0.place
    }

    /// BIN, if it is given.
    #[must_use]
    pub fn bin(&self) -> Option<&str> {
        self.0.bin.as_deref()
    }

    fn key(&self) -> (&str, Option<&str>) {
        (&self.0.place, self.0.bin.as_deref())
    }
}

/// The tag or digest at the end of a reference. A host may have a port, but the part after the last
/// slash must not contain a colon.
fn glued(rest: &str) -> Option<&str> {
    let place = rest.split_once('#').map_or(rest, |(place, _)| place).trim_end_matches('/');
    let last = place.rfind('/').map_or(0, |slash| slash + 1);
    rest[last..].find([':', '@']).map(|at| &rest[last + at..])
}

/// Whether a text is `:TAG`, `@ALGORITHM:DIGEST` or both, as a template adds them; the tag may be
/// empty.
fn is_tag_or_digest(text: &str) -> bool {
    let (tag, digest) = match text.split_once('@') {
        Some((tag, digest)) => (tag, Some(digest)),
        None => (text, None),
    };
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let tag_is_right =
        tag.is_empty() || tag.strip_prefix(':').is_some_and(|tag| tag.chars().all(word));
    let digest_is_right = digest.is_none_or(|digest| match digest.split_once(':') {
        Some((algorithm, hex)) => {
            !algorithm.is_empty()
                && algorithm.chars().all(word)
                && !hex.is_empty()
                && hex.chars().all(|c| c.is_ascii_hexdigit())
        }
        None => false,
    });
    tag_is_right && digest_is_right
}

impl PartialEq for CrateReference {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for CrateReference {}

impl PartialOrd for CrateReference {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CrateReference {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl fmt::Display for CrateReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.prefix, self.0.place)?;
        self.0.bin.as_ref().map_or(Ok(()), |bin| write!(f, "#{bin}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Result<CrateReference, InvalidReference>> {
        CrateReference::parse(text, &[OWN_PREFIX.to_owned(), PREFIX.to_owned()])
    }

    #[test]
    fn a_reference_reads_what_it_writes() {
        for text in ["ko://link-service", "ko-rs://svc/link", "ko://github.com/a/b/c#bin"] {
            assert_eq!(parse(text).unwrap().unwrap().to_string(), text);
        }
        assert!(parse("nginx:1").is_none());
        assert!(parse(" ko://a").is_none());
    }

    #[test]
    fn the_prefix_does_not_count_when_two_point_alike() {
        assert_eq!(parse("ko://a#b").unwrap(), parse("ko-rs://a#b").unwrap());
        assert_ne!(parse("ko://a#b").unwrap(), parse("ko://a").unwrap());
    }

    #[test]
    fn what_only_starts_like_a_reference_is_an_error() {
        let error = |text: &str| parse(text).unwrap().unwrap_err();
        assert_eq!(error("ko://"), InvalidReference::Empty("ko://".into()));
        assert_eq!(error("ko:///"), InvalidReference::Empty("ko:///".into()));
        assert_eq!(error("ko://a#"), InvalidReference::Binary("ko://a#".into()));
        assert!(matches!(error("ko://a b"), InvalidReference::Character { character: ' ', .. }));
        let glued = error("ko://svc/link:0.3");
        assert!(matches!(&glued, InvalidReference::Suffix { suffix, .. } if suffix == ":0.3"));
        assert!(glued.hint().unwrap().contains("`ko://svc/link`"));
        for hidden in ["ko://svc/link:0.3/", "ko://svc/link:0.3#bin", "ko://svc/link/#bin@x"] {
            assert!(matches!(error(hidden), InvalidReference::Suffix { .. }), "{hidden}");
        }
        assert!(error("ko://a:1#bin").hint().unwrap().contains("`ko://a#bin`"));
        let long = format!("ko://a:{}", "x".repeat(4000));
        assert!(error(&long).hint().is_none() && error(&long).to_string().len() < 600);
        let longest = "x".repeat(4096);
        assert!(
            ["ko://", "ko-rs://"].iter().all(|p| parse(&format!("{p}{longest}")).unwrap().is_ok())
        );
        let endless = error(&format!("ko://{}", "x".repeat(5000)));
        assert!(matches!(&endless, InvalidReference::Long(shown) if shown.len() < 400));
    }

    #[test]
    fn what_is_wrong_with_a_reference_is_said_on_one_line_that_can_be_seen() {
        let error = |text: &str| parse(text).unwrap().unwrap_err();
        for (text, expected) in [
            (
                "ko://a\nb",
                r"`ko://a\nb` contains '\n', which cannot be in the name or path of a crate",
            ),
            (
                "ko://a\u{202e}b",
                r"`ko://a\u{202e}b` contains '\u{202e}', which cannot be in the name or path of a crate",
            ),
            (
                "ko://a\r\n:1\u{1b}",
                r"`ko://a\r\n:1\u{1b}` ends with `:1\u{1b}`, but a reference must not have a tag or digest",
            ),
            (
                "ko://a#\n#",
                r"`ko://a#\n#` contains '\n', which cannot be in the name or path of a crate",
            ),
        ] {
            assert_eq!(error(text).to_string(), expected);
        }
        assert!(!error("ko://a\nb:1").hint().unwrap().contains('\n'));
    }

    #[test]
    fn a_glued_tag_or_digest_goes_where_it_is_to_be_ignored() {
        let read = |text: &str| {
            CrateReference::parse_without_tag(text, &[PREFIX.to_owned(), "rust:".to_owned()])
                .unwrap()
                .map(|reference| reference.to_string())
        };
        let digest = format!("@sha256:{}", "0f".repeat(32));
        for tag in ["", ":0.3", ":", ":v1_a-b.c", &digest, &format!(":0.3{digest}")] {
            assert_eq!(read(&format!("ko://svc/link{tag}")).unwrap(), "ko://svc/link", "{tag}");
            assert_eq!(read(&format!("ko://link#bin{tag}")).unwrap(), "ko://link#bin", "{tag}");
            assert_eq!(read(&format!("rust:link{tag}")).unwrap(), "rust:link", "{tag}");
        }
        // Other text is not ignored: it may be the name of the binary.
        for other in ["ko://link:0.3#bin", "ko://link:0.3/", "ko://link:$TAG", "ko://link@sha256"] {
            assert!(matches!(read(other), Err(InvalidReference::Suffix { .. })), "{other}");
        }
    }
}
