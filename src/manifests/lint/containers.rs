//! Containers, and what can be said of one alone.

use std::ops::Range;
use std::sync::Arc;

use super::{Finding, Lint};
use crate::manifests::outline::{Found, Node};
use crate::manifests::{Rules, Spot};
use crate::source::Source;

/// The keys of lists of containers: Kubernetes's own, then Tekton's.
pub(super) const LISTS: [&str; 5] =
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
    /// A mapped repository that the image's looks like.
    like: Option<Box<str>>,
    /// How it is run, where its image is a reference.
    pub(super) run: Option<Box<Run>>,
}

/// What a manifest says of how an image is run, with the places.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    /// The first word of `command`.
    pub(super) command: Option<Box<(String, Range<usize>)>>,
    /// The ports: `8080/tcp`.
    pub(super) ports: Box<[(Box<str>, Range<usize>)]>,
    /// `runAsNonRoot: true`, of the container or its pod, without a `runAsUser`.
    pub(super) non_root: Option<Range<usize>>,
}

/// The container that a mapping is if it has an image: that of a pod that is another mapping, or
/// else one whose image is a reference. Places are moved by `offset`.
pub(super) fn read(
    node: Node<'_, '_>,
    pod: Option<Node<'_, '_>>,
    offset: usize,
    is_reference: impl Fn(usize) -> bool,
    rules: &Rules,
) -> Option<Container> {
    let place = |node: Node<'_, '_>| offset + node.span().start..offset + node.span().end;
    let Found { value, written } = node.find("image")?;
    // An image behind an alias is replaced where it is written, or the alias is.
    let replaced = [written, value].into_iter().find(|node| is_reference(place(*node).start));
    let (image, is_reference) = (replaced.unwrap_or(value), replaced.is_some());
    let name = value.text().filter(|_| is_reference || pod.is_some())?;
    let policy = node.get("imagePullPolicy");
    Some(Container {
        image: place(image),
        pin: pin(name),
        always: policy.filter(|policy| policy.text() == Some("Always")).map(place),
        like: if is_reference { None } else { rules.images.like(name).map(String::into_boxed_str) },
        run: is_reference.then(|| Box::new(run(node, pod, place))),
    })
}

fn run(
    node: Node<'_, '_>,
    pod: Option<Node<'_, '_>>,
    place: impl Fn(Node<'_, '_>) -> Range<usize>,
) -> Run {
    let command = node.get("command").and_then(|command| command.items().next());
    let command = command.map(Node::target);
    let port = |port: Node<'_, '_>| {
        let port = port.target();
        let number = port.get("containerPort")?;
        let protocol = port.get_text("protocol").unwrap_or("TCP").to_lowercase();
        Some((format!("{}/{protocol}", number.text()?).into_boxed_str(), place(number)))
    };
    // What the container says goes before what its pod says.
    let contexts = [Some(node), pod].map(|node| node?.get("securityContext"));
    let said = |key: &str| contexts.iter().flatten().find_map(|context| context.get(key));
    let non_root = said("runAsNonRoot").filter(|value| value.text() == Some("true"));
    Run {
        command: command.and_then(|word| Some(Box::new((word.text()?.to_owned(), place(word))))),
        ports: node.get("ports").into_iter().flat_map(Node::items).filter_map(port).collect(),
        non_root: non_root.filter(|_| said("runAsUser").is_none()).map(&place),
    }
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

    pub(super) fn unmapped(&self, source: &Arc<Source>) -> Option<Finding> {
        let like = self.like.as_deref()?;
        Some(Finding {
            lint: Lint::UnmappedRepository,
            message: format!("this image is not replaced, though `images:` has `{like}`"),
            spot: Spot::new(source, self.image.clone()),
            label: "another repository",
            other: None,
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
