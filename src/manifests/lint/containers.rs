//! Containers, and the lints that look at one container alone.

use std::ops::Range;
use std::sync::Arc;

use super::{Finding, Lint};
use crate::manifests::Location;
use crate::manifests::image_map::name::ImageName;
use crate::manifests::yaml::outline::{Found, Node};
use crate::source::Source;

/// The keys of lists of containers: Kubernetes's own, then Tekton's.
pub(super) const LISTS: [&str; 5] =
    ["containers", "initContainers", "ephemeralContainers", "steps", "sidecars"];

/// The most mounts that are kept of a container: aliases may lead to it from everywhere.
const MOUNTS: usize = 100;

/// How an image is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pin {
    /// By digest.
    Digest,
    /// By a tag other than `latest`.
    Tag,
    /// By `latest`, or by no tag, which is the same.
    Latest,
    /// It is a reference, or what stands there is no image's name.
    Unknown,
}

/// A container, by the places of what matters.
#[derive(Clone, Debug)]
pub(super) struct Container {
    /// The value of `image`.
    pub(super) image: Range<usize>,
    pin: Pin,
    /// The value of `imagePullPolicy`, where it is `Always`.
    always: Option<Range<usize>>,
    /// How it is run, where its image is a reference.
    pub(super) run: Option<Box<Run>>,
}

/// What a manifest says of how an image is run, with the places.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    pub(super) command: Option<Box<Command>>,
    /// The ports: `8080/tcp`.
    pub(super) ports: Box<[(Box<str>, Range<usize>)]>,
    /// `runAsNonRoot: true`, of the container or its pod.
    pub(super) non_root: Option<Range<usize>>,
    /// `runAsUser`, of the container or its pod.
    pub(super) user: Option<Box<(Box<str>, Range<usize>)>>,
}

/// A `command` that can be known, and what decides which program it is.
#[derive(Clone, Debug)]
pub(super) struct Command {
    /// Its first word.
    pub(super) word: Box<str>,
    pub(super) span: Range<usize>,
    /// The container's `workingDir`.
    pub(super) folder: Option<Box<str>>,
    /// Where volumes are mounted.
    pub(super) mounts: Box<[Box<str>]>,
}

/// The container that a mapping is if it has an image: that of a pod that is another mapping, or
/// else one whose image is a reference. Places are moved by `offset`.
pub(super) fn read(
    node: Node<'_, '_>,
    pod: Option<Node<'_, '_>>,
    offset: usize,
    is_reference: impl Fn(usize) -> bool,
) -> Option<Container> {
    let place = |node: Node<'_, '_>| offset + node.span().start..offset + node.span().end;
    let Found { value, written } = node.find("image")?;
    // An image behind an alias is replaced where it is written, or the alias is.
    let replaced = [written, value].into_iter().find(|node| is_reference(place(*node).start));
    let (image, is_reference) = (replaced.unwrap_or(value), replaced.is_some());
    let name = value.meaning().filter(|_| is_reference || pod.is_some())?;
    let policy = node.get("imagePullPolicy");
    Some(Container {
        image: place(image),
        pin: if is_reference { Pin::Unknown } else { pin(&name) },
        always: policy.filter(|policy| policy.text() == Some("Always")).map(place),
        run: is_reference.then(|| Box::new(run(node, pod, place))),
    })
}

fn run(
    node: Node<'_, '_>,
    pod: Option<Node<'_, '_>>,
    place: impl Fn(Node<'_, '_>) -> Range<usize>,
) -> Run {
    let port = |port: Node<'_, '_>| {
        let port = port.target();
        let number = port.get("containerPort")?;
        let protocol = port.get("protocol").and_then(Node::meaning);
        let protocol = protocol.as_deref().unwrap_or("TCP").to_lowercase();
        Some((format!("{}/{protocol}", number.meaning()?).into_boxed_str(), place(number)))
    };
    // What the container says goes before what its pod says, and Tekton's template between them.
    let template = pod.and_then(|pod| pod.get("stepTemplate"));
    let contexts = [Some(node), template, pod].map(|node| node?.get("securityContext"));
    let said = |key: &str| {
        let said = contexts.iter().flatten().filter_map(|context| context.get(key));
        said.filter_map(|value| Some((value.meaning()?, place(value)))).next()
    };
    let user = said("runAsUser").map(|(user, span)| Box::new((user.into(), span)));
    Run {
        // What lies in the workspaces of a step only its task knows.
        command: command(node, &place)
            .filter(|_| pod.is_none_or(|pod| pod.get("steps").is_none()))
            .map(Box::new),
        ports: node.get("ports").into_iter().flat_map(Node::items).filter_map(port).collect(),
        non_root: said("runAsNonRoot").filter(|(value, _)| value == "true").map(|(_, span)| span),
        user,
    }
}

/// The command of a container, unless which program it is depends on what is not known here.
fn command(node: Node<'_, '_>, place: impl Fn(Node<'_, '_>) -> Range<usize>) -> Option<Command> {
    let word = node.get("command")?.items().next()?.target();
    let text = word.text()?;
    let items = |key: &str| node.get(key).into_iter().flat_map(Node::items).map(Node::target);
    let sets_path = || items("env").any(|variable| variable.get_text("name") == Some("PATH"));
    if text.contains("$(") || (!text.contains('/') && sets_path()) {
        return None;
    }
    let mounts = items("volumeMounts").filter_map(|mount| mount.get_text("mountPath"));
    let mounts: Vec<&str> = mounts.take(MOUNTS + 1).collect();
    if mounts.len() > MOUNTS {
        return None;
    }
    Some(Command {
        word: text.into(),
        span: place(word),
        folder: node.get("workingDir").and_then(Node::meaning).map(Into::into),
        mounts: mounts.into_iter().map(Into::into).collect(),
    })
}

/// How an image's name pins it.
fn pin(image: &str) -> Pin {
    match ImageName::read(image) {
        None => Pin::Unknown,
        Some(name) if name.has_digest => Pin::Digest,
        Some(name) if name.is_tagged => Pin::Tag,
        Some(_) => Pin::Latest,
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
            message:
                "this container always pulls its image, which is only loaded and cannot be pulled"
                    .to_owned(),
            location: Location::new(source, policy),
            label: "pulls at every start",
            other: Some((Location::new(source, self.image.clone()), "not in a registry")),
        })
    }

    /// A pod that says of itself what no node takes, whatever its image is.
    pub(super) fn root(&self, source: &Arc<Source>) -> Option<Finding> {
        let run = self.run.as_deref()?;
        let (_, user) = run.user.as_deref().filter(|(user, _)| &**user == "0")?;
        Some(Finding {
            lint: Lint::ImageUser,
            message: "this container must not run as root, but runs as root".to_owned(),
            location: Location::new(source, run.non_root.clone()?),
            label: "refused by the node",
            other: Some((Location::new(source, user.clone()), "root")),
        })
    }

    pub(super) fn latest(&self, source: &Arc<Source>, others_are_pinned: bool) -> Option<Finding> {
        let image = source.text().get(self.image.clone()).unwrap_or_default();
        let is_found = others_are_pinned && self.pin == Pin::Latest;
        is_found.then(|| Finding {
            lint: Lint::LatestTag,
            message: format!(
                "`{}` has a tag that moves, while other images have digests",
                image.trim_matches(['\'', '"'])
            ),
            location: Location::new(source, self.image.clone()),
            label: "no fixed tag or digest",
            other: None,
        })
    }
}
