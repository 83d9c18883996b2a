//! The names of images as nodes read them: what a manifest may say in `image:`, for algorithms of
//! digests that no image here has too.

use crate::oci::{ImageReference, Repository};

/// The algorithms of digests and how many hexadecimal digits theirs have.
const ALGORITHMS: [(&str, usize); 3] = [("sha256", 64), ("sha384", 96), ("sha512", 128)];

/// An image as a manifest names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageName {
    pub(crate) repository: Repository,
    /// Whether it has a tag other than `latest`.
    pub(crate) is_tagged: bool,
    pub(crate) has_digest: bool,
}

impl ImageName {
    /// Reads a name; a text that is none has none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return None;
        }
        let ImageReference { repository, tag, .. } = name.parse().ok()?;
        let is_tagged = tag.is_some_and(|tag| tag.as_str() != "latest");
        Some(Self { repository, is_tagged, has_digest: digest.is_some() })
    }
}

fn is_digest(text: &str) -> bool {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.split_once(':').is_some_and(|(algorithm, digits)| {
        ALGORITHMS.contains(&(algorithm, digits.len())) && digits.bytes().all(is_hex)
    })
}

/// The repository that a text seems to name which names no image, or would not if it were not for a
/// slip: letters in upper case, a variable for the tag, half a digest.
pub(crate) fn seeming(text: &str) -> Option<Repository> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "._-/:[]".contains(c);
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let (stem, rest) = text.split_at(end);
    let last = stem.rfind('/').map_or(0, |slash| slash + 1);
    let name = match stem[last..].find(':') {
        Some(colon) => &stem[..last + colon],
        None if rest.is_empty() || rest.starts_with('@') => stem,
        // What follows may be the rest of the name.
        None => return None,
    };
    name.to_ascii_lowercase().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_with_every_digest_that_nodes_know() {
        for (text, expected) in [
            ("nginx", Some((false, false))),
            ("nginx:latest", Some((false, false))),
            ("host:5000/nginx", Some((false, false))),
            ("host:5000/nginx:1", Some((true, false))),
            ("nginx:1.27", Some((true, false))),
            ("nginx@sha256:0", None),
            ("nginx:", None),
            ("ko://nginx", None),
            ("nginx:$TAG", None),
            ("{{ nginx }}", None),
            ("", None),
        ] {
            let read = ImageName::read(text).map(|name| (name.is_tagged, name.has_digest));
            assert_eq!(read, expected, "{text}");
        }
        for (algorithm, digits) in ALGORITHMS {
            let name = |digits: usize| format!("a/b:latest@{algorithm}:{}", "0".repeat(digits));
            let read = ImageName::read(&name(digits)).unwrap();
            assert_eq!((read.is_tagged, read.has_digest), (false, true));
            assert_eq!(ImageName::read(&name(digits - 1)), None);
        }
    }

    #[test]
    fn what_seems_to_name_a_repository_is_not_what_goes_on() {
        for (text, expected) in [
            ("A/Link", Some("a/link")),
            ("a/link:", Some("a/link")),
            ("a/link:$TAG", Some("a/link")),
            ("a/link:${TAG:-x/y}", Some("a/link")),
            ("localhost:5000/a:{{ tag }}", Some("localhost:5000/a")),
            ("a/link@sha256:0", Some("a/link")),
            ("a/link-$NAME", None),
            ("a/link$NAME:1", None),
            ("$REGISTRY/link", None),
            ("ko://a/link", None),
        ] {
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(seeming(text), expected, "{text}");
        }
    }
}
