//! Chooses where images go, from what the user asked for and what is known about the cluster.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;

use super::codes;
use crate::oci::{Compression, Platform, Registry};
use crate::report::{Details, Diagnose};

/// The name that stands for the Docker Engine in place of a registry's repository.
const ENGINE: &str = "ko.local";

/// What the user asked for. Nothing of it has been looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `REPO`: a registry's repository, or a name such as `ko.local`.
    pub repo: Option<String>,
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
    /// ko has such a destination, ko-rs does not.
    #[error("`{repo}` is not supported as a destination")]
    Unsupported {
        /// The name.
        repo: String,
        /// What to use instead.
        instead: &'static str,
    },
}

impl Diagnose for ChooseError {
    fn details(&self) -> Details {
        match self {
            Self::NoDestination => Details::new(&codes::NO_DESTINATION).hint(
                "set KO_DOCKER_REPO or --repo to one of\n\
                 \x20 registry.example/team   a registry's repository\n\
                 \x20 localhost:5000          a registry on this machine\n\
                 \x20 ko.local                the Docker Engine (minikube: eval $(minikube docker-env))\n\
                 or keep the images here with\n\
                 \x20 --oci-layout-path=FOLDER --push=false\n\
                 \x20 --tarball=FILE --push=false\n\
                 or compute their names alone with --push=false",
            ),
            Self::Unsupported { instead, .. } => {
                Details::new(&codes::UNSUPPORTED_DESTINATION).hint(*instead)
            }
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
    let repo = asked.repo.as_deref();
    if let Some((repo, instead)) = repo.and_then(|repo| Some((repo, instead_of(repo)?))) {
        return Err(ChooseError::Unsupported { repo: repo.to_owned(), instead });
    }
    let layout = asked.layout.clone().map(Destination::Layout);
    let archive = asked.archive.clone().map(Destination::Archive);
    let mut destinations: Vec<Destination> = layout.into_iter().chain(archive).collect();
    let is_local = asked.local || repo.is_some_and(|repo| is_within(repo, ENGINE));
    let mut reason = match destinations.as_slice() {
        [] => "--push=false: only names are computed".to_owned(),
        _ => "written to files".to_owned(),
    };
    match repo {
        _ if !asked.push => {}
        _ if is_local => {
            destinations.push(Destination::Engine);
            reason = match asked.local {
                true => "--local: loaded into the Docker Engine".to_owned(),
                false => format!("`{ENGINE}` is the Docker Engine"),
            };
        }
        Some(repo) => {
            destinations.push(Destination::Registry);
            reason = format!("`{repo}` is a registry's repository");
        }
        None if destinations.is_empty() => return Err(ChooseError::NoDestination),
        None => {}
    }
    let default = if asked.push && is_local { ENGINE } else { "" };
    let repo = repo.unwrap_or(default).to_owned();
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

/// Whether layers stay on this machine, where compressing costs more time than it saves, or go to
/// an engine, which unpacks them. An archive for several platforms does neither: it is copied to
/// registries as it is.
fn stays_here(destinations: &[Destination], repo: &str, several_platforms: bool) -> bool {
    let host = repo.split('/').next().unwrap_or(repo);
    let loopback = host.parse::<Registry>().is_ok_and(|registry| registry.is_loopback());
    let pushes = destinations.contains(&Destination::Registry);
    let stays = |to: &Destination| match to {
        Destination::Registry => loopback,
        Destination::Engine => true,
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

/// What to use in place of one of ko's destinations that is not supported.
fn instead_of(repo: &str) -> Option<&'static str> {
    let known = [
        (
            "kind.local",
            "with kind, use a registry on this machine, `localhost:5000`, that its nodes can reach\n\
             (kind.sigs.k8s.io/docs/user/local-registry), or `ko.local`, then\n\
             `kind load docker-image IMAGE` for each image",
        ),
        (
            "k3d.local",
            "with k3d, use the registry of `k3d cluster create --registry-create NAME:0.0.0.0:5000`,\n\
             or `ko.local`, then `k3d image import IMAGE` for each image",
        ),
        (
            "minikube.local",
            "with minikube, run `eval $(minikube docker-env)` and use `ko.local`, which is then \
             minikube's engine",
        ),
    ];
    if repo == "auto" {
        return Some("set it to a registry's repository, `localhost:5000` or `ko.local`");
    }
    known.into_iter().find(|(name, _)| is_within(repo, name)).map(|(_, instead)| instead)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTRY: &str = "ghcr.io/team";

    fn asked(repo: &str) -> Asked {
        Asked {
            repo: (!repo.is_empty()).then(|| repo.to_owned()),
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
        let facts = Facts { node_platforms: platforms.into() };
        assert_eq!(choose(&asked, &facts).unwrap().compression, Compression::Gzip { level: 2 });
    }

    #[test]
    fn each_destination_of_ko_that_is_not_supported_has_its_own_replacement() {
        for (name, instead) in [
            ("kind.local", "kind load docker-image"),
            ("k3d.local", "k3d image import"),
            ("minikube.local", "minikube docker-env"),
            ("auto", "localhost:5000"),
        ] {
            let Err(ChooseError::Unsupported { instead: found, .. }) =
                choose(&asked(name), &Facts::default())
            else {
                panic!("{name}")
            };
            assert!(found.contains(instead), "{name}: {found}");
        }
        assert_eq!(instead_of("kind.local/team"), instead_of("kind.local"));
        assert_eq!(instead_of("kind.localhost:5000"), None);
    }
}
