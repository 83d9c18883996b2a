//! Chooses where images go, from what the user asked for and what is known about the cluster.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;

use super::codes;
use super::local_cluster::{ClusterFacts, LocalCluster, LocalNames, Place};
use crate::oci::{Compression, Platform, Registry};
use crate::report::{Details, Diagnose};

/// The name that stands for the Docker Engine in place of a registry's repository.
const ENGINE: &str = "ko.local";
/// The name that leaves the choice to the cluster.
const AUTO: &str = "auto";

/// What the user asked for. Nothing of it has been looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `REPO`: a registry's repository, a name such as `ko.local` or `kind.local`, or `auto`.
    pub repo: Option<String>,
    /// Which clusters `kind.local` and the like stand for.
    pub clusters: LocalNames,
    /// The profile of minikube whose engine `ko.local` is, if it runs containerd: then
    /// `minikube docker-env` sets `DOCKER_HOST=ssh://…`, which is not a Docker Engine.
    pub minikube: Option<String>,
    /// Whether images are pushed or loaded at all.
    pub push: bool,
    /// Whether they are loaded into the Docker Engine, whatever `repo` is.
    pub local: bool,
    /// The folder of an OCI image layout.
    pub layout: Option<PathBuf>,
    /// The file of an archive.
    pub archive: Option<PathBuf>,
    /// How new layers are compressed.
    pub compression: AskedCompression,
    /// Whether any image may be built for several platforms.
    pub several_platforms: bool,
}

impl Asked {
    /// Whether the choice depends on what the cluster is, if there is one.
    #[must_use]
    pub fn depends_on_cluster(&self) -> bool {
        let is_local = |repo: &str| {
            is_within(repo, ENGINE) || LocalCluster::of_repo(repo, &self.clusters).is_some()
        };
        let repo = self.repo.as_deref();
        self.push && (self.local || self.leaves_choice() || repo.is_some_and(is_local))
    }

    /// Whether the cluster chooses.
    #[must_use]
    pub fn leaves_choice(&self) -> bool {
        !self.local && self.repo.as_deref().is_none_or(|repo| repo == AUTO)
    }

    /// Whether the cluster has to be looked at even if nothing is done in it.
    #[must_use]
    pub fn asks_cluster(&self) -> bool {
        self.push && !self.local && self.repo.as_deref() == Some(AUTO)
    }
}

/// How new layers are to be compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedCompression {
    /// Not at all where layers stay on this machine, else by gzip with this level.
    Auto {
        /// The level.
        level: u8,
    },
    /// This way everywhere.
    Always(Compression),
}

/// What is known about the cluster that the images are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The platforms of its nodes; empty if there is no cluster or they are unknown.
    pub node_platforms: BTreeSet<Platform>,
    /// What it is; none if images are not for a cluster.
    pub cluster: Option<ClusterFacts>,
}

/// One place where images go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Destination {
    /// The registry of [`Choice::repo`].
    Registry,
    /// The Docker Engine.
    Engine,
    /// The nodes of a local cluster.
    Nodes(LocalCluster),
    /// An OCI image layout in a folder.
    Layout(PathBuf),
    /// An archive with all images of the run: for `docker load`, or an oci-archive if any of them
    /// is for several platforms.
    Archive(PathBuf),
}

/// Where the images of a run go, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Choice {
    /// The destinations; none if only names are computed.
    pub destinations: Vec<Destination>,
    /// What the names of all images start with; may be empty if nothing is pushed.
    pub repo: String,
    /// How new layers are compressed.
    #[serde(serialize_with = "compression")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub compression: Compression,
    /// Why, in one line.
    pub reason: String,
}

/// A failure to choose a destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChooseError {
    /// No destination is set.
    #[error("no destination for the images is set")]
    NoDestination,
    /// The images would not be where the cluster can see them.
    #[error("pods of the context `{context}` cannot run images of `{repo}`: {reason}")]
    OtherCluster {
        /// The destination.
        repo: String,
        /// The context of the cluster.
        context: String,
        /// What the cluster is.
        reason: String,
        /// The destination to use instead.
        instead: String,
    },
}

impl Diagnose for ChooseError {
    fn details(&self) -> Details {
        match self {
            Self::NoDestination => Details::new(&codes::NO_DESTINATION).hint(
                "set KO_DOCKER_REPO or --repo to one of\n\
                 \x20 registry.example/team   a registry's repository\n\
                 \x20 localhost:5000          a registry on this machine\n\
                 \x20 ko.local                the Docker Engine\n\
                 \x20 kind.local, k3d.local or minikube.local\n\
                 \x20                         the nodes of a cluster on this machine\n\
                 \x20 auto                    what the current context needs\n\
                 or keep the images here with\n\
                 \x20 --oci-layout-path=FOLDER --push=false\n\
                 \x20 --tarball=FILE --push=false\n\
                 or compute their names alone with --push=false",
            ),
            Self::OtherCluster { instead, .. } => Details::new(&codes::OTHER_CLUSTER)
                .hint(format!("set KO_DOCKER_REPO or --repo to {instead}")),
        }
    }
}

fn compression<S: serde::Serializer>(
    compression: &Compression,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match compression {
        Compression::None => serializer.serialize_str("none"),
        Compression::Gzip { level } => serializer.collect_str(&format_args!("gzip:{level}")),
        Compression::Zstd { level } => serializer.collect_str(&format_args!("zstd:{level}")),
    }
}

/// Chooses the destinations, the names' host and the compression.
pub(crate) fn choose(asked: &Asked, facts: &Facts) -> Result<Choice, ChooseError> {
    let layout = asked.layout.clone().map(Destination::Layout);
    let archive = asked.archive.clone().map(Destination::Archive);
    let mut destinations: Vec<Destination> = layout.into_iter().chain(archive).collect();
    let mut reason = match destinations.as_slice() {
        [] => "--push=false: only names are computed".to_owned(),
        _ => "written to files".to_owned(),
    };
    let mut repo = asked.repo.clone().filter(|repo| repo != AUTO);
    if asked.push {
        match target(asked, facts, destinations.is_empty())? {
            Some(Target { destination, repo: named, reason: why }) => {
                destinations.push(destination);
                repo = Some(named);
                reason = why;
            }
            None if destinations.is_empty() => return Err(ChooseError::NoDestination),
            None => {}
        }
    }
    let repo = repo.unwrap_or_default();
    let several = asked.several_platforms || facts.node_platforms.len() > 1;
    let compression = match asked.compression {
        AskedCompression::Always(compression) => compression,
        AskedCompression::Auto { .. } if stays_here(&destinations, &repo, several) => {
            reason.push_str("; layers stay on this machine, so they are not compressed");
            Compression::None
        }
        AskedCompression::Auto { level } => Compression::Gzip { level },
    };
    Ok(Choice { destinations, repo, compression, reason })
}

/// Where images are pushed or loaded, and what their names start with.
struct Target {
    destination: Destination,
    repo: String,
    reason: String,
}

/// Where images are pushed or loaded; none if nothing says so. The cluster decides if it is asked to,
/// or if nothing else is set and `is_only` says that there is no other destination.
fn target(asked: &Asked, facts: &Facts, is_only: bool) -> Result<Option<Target>, ChooseError> {
    let repo = asked.repo.as_deref().filter(|repo| *repo != AUTO);
    if asked.local || repo.is_some_and(|repo| is_within(repo, ENGINE)) {
        return engine(asked, facts, repo).map(Some);
    }
    let Some(repo) = repo else {
        let is_asked = asked.repo.is_some() || is_only;
        let cluster = facts.cluster.as_ref().filter(|_| is_asked);
        return Ok(cluster.and_then(ClusterFacts::place).map(|(place, reason)| match place {
            Place::Engine => {
                Target { destination: Destination::Engine, repo: ENGINE.to_owned(), reason }
            }
            Place::Nodes(cluster) => {
                let repo = cluster.repo().to_owned();
                Target { destination: Destination::Nodes(cluster), repo, reason }
            }
            Place::Registry(repo) => Target { destination: Destination::Registry, repo, reason },
        }));
    };
    let repo = repo.to_owned();
    let Some(named) = LocalCluster::of_repo(&repo, &asked.clusters) else {
        let reason = format!("`{repo}` is a registry's repository");
        return Ok(Some(Target { destination: Destination::Registry, repo, reason }));
    };
    let cluster = match &facts.cluster {
        None => named,
        Some(facts) => match facts.place() {
            Some((Place::Nodes(cluster), _))
                if cluster == named || cluster.is_default_of(&named, &asked.clusters) =>
            {
                cluster
            }
            // Its nodes may not be listed, and its name says nothing.
            None if facts.nodes.is_none() => named,
            place => {
                let (reason, instead) = described(place);
                let context = facts.context.clone();
                return Err(ChooseError::OtherCluster { repo, context, reason, instead });
            }
        },
    };
    let reason = format!("`{}` is {cluster}", cluster.repo());
    Ok(Some(Target { destination: Destination::Nodes(cluster), repo, reason }))
}

/// The Docker Engine as a target, unless the cluster is known not to run its images.
fn engine(asked: &Asked, facts: &Facts, repo: Option<&str>) -> Result<Target, ChooseError> {
    let repo = repo.unwrap_or(ENGINE).to_owned();
    if let Some(profile) = &asked.minikube {
        let cluster = LocalCluster::Minikube(profile.clone());
        let reason = format!("`minikube docker-env` is set, and {cluster} runs containerd");
        return Ok(Target { destination: Destination::Nodes(cluster), repo, reason });
    }
    if let Some(facts) = &facts.cluster {
        let place = facts.place();
        let has_other_images = match &place {
            Some((Place::Nodes(LocalCluster::Minikube(_)) | Place::Engine, _)) => false,
            Some((Place::Nodes(_), _)) => true,
            Some((Place::Registry(_), _)) | None => facts.is_remote(),
        };
        if has_other_images {
            let (reason, instead) = described(place);
            let context = facts.context.clone();
            return Err(ChooseError::OtherCluster { repo, context, reason, instead });
        }
    }
    let reason = match asked.local {
        true => "--local: loaded into the Docker Engine".to_owned(),
        false => format!("`{ENGINE}` is the Docker Engine"),
    };
    Ok(Target { destination: Destination::Engine, repo, reason })
}

/// What a cluster is, and which destination it needs.
fn described(place: Option<(Place, String)>) -> (String, String) {
    match place {
        Some((Place::Nodes(cluster), reason)) => (reason, format!("`{}`", cluster.repo())),
        Some((Place::Engine, reason)) => (reason, format!("`{ENGINE}`")),
        Some((Place::Registry(host), reason)) => (reason, format!("`{host}`")),
        None => {
            ("its nodes are not on this machine".to_owned(), "a registry's repository".to_owned())
        }
    }
}

/// Whether layers stay on this machine, where compressing costs more time than it saves, or go to
/// an engine, which unpacks them. An archive for several platforms does neither: it is copied to
/// registries as it is.
fn stays_here(destinations: &[Destination], repo: &str, several_platforms: bool) -> bool {
    let host = repo.split('/').next().unwrap_or(repo);
    let loopback = host.parse::<Registry>().is_ok_and(|registry| registry.is_loopback());
    let pushes = destinations.contains(&Destination::Registry);
    let stays = |to: &Destination| match to {
        Destination::Registry => loopback,
        Destination::Engine | Destination::Nodes(_) => true,
        Destination::Archive(_) => !several_platforms,
        Destination::Layout(_) => pushes && loopback,
    };
    match destinations {
        [] => loopback,
        all => all.iter().all(stays),
    }
}

/// Whether `repo` is a name with a meaning, or below it. `ko.localhost:5000` is a registry.
fn is_within(repo: &str, name: &str) -> bool {
    repo.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::super::local_cluster::NodeFacts;
    use super::*;

    const REGISTRY: &str = "ghcr.io/team";

    fn asked(repo: &str) -> Asked {
        Asked {
            repo: (!repo.is_empty()).then(|| repo.to_owned()),
            clusters: LocalNames::default(),
            minikube: None,
            push: true,
            local: false,
            layout: None,
            archive: None,
            compression: AskedCompression::Auto { level: 2 },
            several_platforms: false,
        }
    }

    #[test]
    fn destinations_names_and_compression_follow_from_what_was_asked_for() {
        use Destination::{Archive, Engine, Layout, Registry};
        let (gzip, none) = (Compression::Gzip { level: 2 }, Compression::None);
        let layout = || Some(PathBuf::from("l"));
        let archive = || Some(PathBuf::from("a"));
        let table = [
            (asked(REGISTRY), vec![Registry], REGISTRY, gzip),
            (asked("localhost:5000"), vec![Registry], "localhost:5000", none),
            (asked("ko.localhost:5000/x"), vec![Registry], "ko.localhost:5000/x", none),
            (asked("ko.local"), vec![Engine], "ko.local", none),
            (asked("ko.local/team"), vec![Engine], "ko.local/team", none),
            (Asked { local: true, ..asked(REGISTRY) }, vec![Engine], REGISTRY, none),
            (Asked { local: true, ..asked("") }, vec![Engine], "ko.local", none),
            (Asked { push: false, ..asked("") }, vec![], "", gzip),
            (Asked { push: false, ..asked(REGISTRY) }, vec![], REGISTRY, gzip),
            (Asked { push: false, ..asked("localhost:5000") }, vec![], "localhost:5000", none),
            (Asked { push: false, local: true, ..asked("") }, vec![], "", gzip),
            (Asked { layout: layout(), ..asked("") }, vec![Layout("l".into())], "", gzip),
            (Asked { archive: archive(), ..asked("") }, vec![Archive("a".into())], "", none),
            (
                Asked { archive: archive(), several_platforms: true, ..asked("") },
                vec![Archive("a".into())],
                "",
                gzip,
            ),
            (
                Asked { layout: layout(), ..asked("localhost:5000") },
                vec![Layout("l".into()), Registry],
                "localhost:5000",
                none,
            ),
            (
                Asked { layout: layout(), ..asked("ko.local") },
                vec![Layout("l".into()), Engine],
                "ko.local",
                gzip,
            ),
            (
                Asked { compression: AskedCompression::Always(gzip), ..asked("localhost:5000") },
                vec![Registry],
                "localhost:5000",
                gzip,
            ),
        ];
        for (asked, destinations, repo, compression) in table {
            let choice = choose(&asked, &Facts::default()).unwrap();
            let found = (choice.destinations, choice.repo.as_str(), choice.compression);
            assert_eq!(found, (destinations, repo, compression), "{asked:?}");
            assert!(!choice.reason.is_empty() && !choice.reason.contains('\n'));
        }
        assert_eq!(choose(&asked(""), &Facts::default()), Err(ChooseError::NoDestination));
    }

    #[test]
    fn an_archive_for_nodes_of_several_platforms_is_compressed() {
        let asked = Asked { archive: Some("a".into()), ..asked("") };
        let platforms = ["linux/amd64", "linux/arm64"].map(|platform| platform.parse().unwrap());
        let facts = Facts { node_platforms: platforms.into(), cluster: None };
        assert_eq!(choose(&asked, &facts).unwrap().compression, Compression::Gzip { level: 2 });
    }

    fn cluster(context: &str, provider: &str, runtime: &str) -> Facts {
        let node = NodeFacts {
            name: "n".to_owned(),
            provider: provider.to_owned(),
            runtime: runtime.to_owned(),
            profile: None,
        };
        let nodes = Some(vec![node]);
        let cluster = ClusterFacts { context: context.to_owned(), nodes, registry: None };
        Facts { node_platforms: BTreeSet::new(), cluster: Some(cluster) }
    }

    #[test]
    fn the_cluster_decides_where_nothing_is_set_or_where_it_is_asked() {
        let kind = cluster("x", "kind://docker/dev/n", "containerd://2");
        let nodes = vec![Destination::Nodes(LocalCluster::Kind("dev".to_owned()))];
        for repo in ["", "auto", "kind.local"] {
            let choice = choose(&asked(repo), &kind).unwrap();
            assert_eq!(choice.destinations, nodes, "{repo}");
            assert_eq!(
                (choice.repo.as_str(), choice.compression),
                ("kind.local", Compression::None)
            );
        }
        // Files are destinations too.
        let layout = Asked { layout: Some("l".into()), ..asked("") };
        let choice = choose(&layout, &kind).unwrap();
        assert_eq!(choice.destinations, vec![Destination::Layout("l".into())]);
        let remote = cluster("prod", "aws:///eu/i-1", "containerd://2");
        assert_eq!(choose(&asked(""), &remote), Err(ChooseError::NoDestination));
        assert_eq!(choose(&asked("auto"), &remote), Err(ChooseError::NoDestination));
        assert_eq!(choose(&asked("auto"), &Facts::default()), Err(ChooseError::NoDestination));
    }

    #[test]
    fn images_that_the_cluster_cannot_see_are_an_error() {
        let kind = cluster("kind-dev", "kind://docker/dev/n", "containerd://2");
        let remote = cluster("prod", "aws:///eu/i-1", "containerd://2");
        let named = |name: &str| Asked {
            clusters: LocalNames { kind: Some(name.to_owned()), ..LocalNames::default() },
            ..asked("kind.local")
        };
        let fails = |asked: &Asked, facts: &Facts| {
            matches!(choose(asked, facts), Err(ChooseError::OtherCluster { .. }))
        };
        assert!(!fails(&named("dev"), &kind));
        assert!(fails(&named("other"), &kind));
        assert!(fails(&asked("k3d.local"), &kind));
        assert!(fails(&asked("ko.local"), &kind));
        assert!(fails(&asked("kind.local"), &remote));
        assert!(fails(&asked("ko.local"), &remote));
        assert!(!fails(&asked("ko.local"), &cluster("minikube", "", "docker://28")));
        assert!(!fails(&asked("ghcr.io/team"), &kind));
    }

    #[test]
    fn the_engine_of_minikube_with_containerd_is_its_nodes() {
        let asked = Asked { minikube: Some("m".to_owned()), ..asked("ko.local") };
        let choice = choose(&asked, &Facts::default()).unwrap();
        let nodes = Destination::Nodes(LocalCluster::Minikube("m".to_owned()));
        assert_eq!((choice.destinations, choice.repo.as_str()), (vec![nodes], "ko.local"));
    }
}
