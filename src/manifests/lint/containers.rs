//! Containers, and what can be said of one alone.

use std::ops::Range;
use std::sync::Arc;

use super::{Finding, Lint};
use crate::manifests::Spot;
use crate::manifests::outline::Node;
use crate::source::Source;

/// The keys of lists of containers: Kubernetes's own, then Tekton's.
const LISTS: [&str; 5] =
    ["containers", "initContainers", "ephemeralContainers", "steps", "sidecars"];

/// How an image is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pin {
    /// By digest.
    Digest,
    /// By a tag other than `latest`.
    Tag,
    /// By `latest`, or by no tag, which is the same.
    Latest,
}

/// A container, by the places of what matters.
#[derive(Clone, Debug)]
pub(super) struct Container {
    /// The value of `image`.
    pub(super) image: Range<usize>,
    pin: Pin,
    /// The value of `imagePullPolicy`, where it is `Always`.
    always: Option<Range<usize>>,
}

/// Whether a key's value is a list of containers.
pub(super) fn is_list(key: &str) -> bool {
    LISTS.contains(&key)
}

/// The container that a mapping with an image is. Places are moved by `offset`.
pub(super) fn read(node: Node<'_, '_>, offset: usize) -> Option<Container> {
    let mut container = None;
    let mut always = None;
    for (key, value) in node.pairs() {
        let span = offset + value.span().start..offset + value.span().end;
        match (key.text(), value.text()) {
            (Some("image"), Some(image)) => container = Some((span, pin(image))),
            (Some("imagePullPolicy"), Some("Always")) => always = Some(span),
            _ => {}
        }
    }
    container.map(|(image, pin)| Container { image, pin, always })
}

/// How an image's name pins it: a port is no tag.
pub(super) fn pin(image: &str) -> Pin {
    if image.contains('@') {
        return Pin::Digest;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    match last.split_once(':') {
        None | Some((_, "latest")) => Pin::Latest,
        Some(_) => Pin::Tag,
    }
}

impl Container {
    pub(super) fn is_pinned(&self) -> bool {
        self.pin == Pin::Digest
    }

    pub(super) fn always_pulled(&self, source: &Arc<Source>, is_loaded: bool) -> Option<Finding> {
        let policy = self.always.clone().filter(|_| is_loaded)?;
        Some(Finding {
            lint: Lint::AlwaysPulled,
            message: "this container pulls an image that is only loaded, and cannot".to_owned(),
            spot: Spot::new(source, policy),
            label: "looks into a registry at every start",
            other: Some((Spot::new(source, self.image.clone()), "is in none")),
        })
    }

    pub(super) fn latest(&self, source: &Arc<Source>, others_are_pinned: bool) -> Option<Finding> {
        let image = source.text().get(self.image.clone()).unwrap_or_default();
        let is_found = others_are_pinned && self.pin == Pin::Latest && !image.is_empty();
        is_found.then(|| Finding {
            lint: Lint::LatestTag,
            message: format!(
                "`{}` is whatever was pushed last, beside images that are pinned",
                image.trim_matches(['\'', '"'])
            ),
            spot: Spot::new(source, self.image.clone()),
            label: "not pinned",
            other: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        for (image, expected) in [
            ("nginx", Pin::Latest),
            ("nginx:latest", Pin::Latest),
            ("host:5000/nginx", Pin::Latest),
            ("host:5000/nginx:1", Pin::Tag),
            ("nginx:1.27", Pin::Tag),
            ("nginx:latest@sha256:0", Pin::Digest),
        ] {
            assert_eq!(pin(image), expected, "{image}");
        }
    }
}
