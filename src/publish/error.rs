//! A failure to publish an image.

use super::choose::ChooseError;
use super::keep::KeepTagError;
use super::{archive, codes, engine, layout, nodes, sbom, store};
use crate::oci::Digest;
use crate::report::{Details, Diagnose};

/// Why an image could not be published.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No destination can be chosen.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// The image's name is not valid in a registry.
    #[error("could not name the image of `{import_path}`")]
    Name {
        /// The binary.
        import_path: String,
        /// The cause.
        source: <crate::oci::Repository as std::str::FromStr>::Err,
    },
    /// Two binaries have the same name there.
    #[error("`{first}` and `{second}` would both be pushed to `{name}`")]
    SameName {
        /// One binary.
        first: String,
        /// The other.
        second: String,
        /// The name.
        name: String,
    },
    /// A registry.
    #[error("could not push the image")]
    Registry(#[source] crate::registry::Error),
    /// A tag names another image, and the registry does not allow it to be moved.
    #[error("`{tag}` is {there} and could not be moved to {wanted}")]
    Taken {
        /// The image by its tag.
        tag: String,
        /// What the tag names.
        there: Digest,
        /// What it was to name.
        wanted: Digest,
        /// The registry's answer.
        source: crate::registry::Error,
    },
    /// The tag that keeps an image.
    #[error(transparent)]
    KeepTag(#[from] KeepTagError),
    /// A layer.
    #[error("could not prepare the image")]
    Layer(#[from] store::Error),
    /// A layout.
    #[error("could not write the image into an OCI layout")]
    Layout(#[source] layout::Error),
    /// The Docker Engine.
    #[error("could not load the image into the Docker Engine")]
    Engine(#[source] engine::Error),
    /// The nodes of a local cluster.
    #[error("could not load the image into the nodes of the cluster")]
    Nodes(#[source] nodes::Error),
    /// An archive.
    #[error("could not write the archive of images")]
    Archive(#[source] archive::Error),
    /// An SBOM.
    #[error("could not make the SBOM of the image")]
    Sbom(#[source] sbom::Error),
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::Choose(error) => error.details(),
            Self::Name { .. } => Details::new(&codes::INVALID_IMAGE_NAME)
                .hint("set KO_DOCKER_REPO or --repo to REGISTRY/PATH, as in `ghcr.io/team`"),
            Self::SameName { .. } => Details::new(&codes::SAME_IMAGE_NAME)
                .hint("omit -B or --bare: the default names are unique to each import path"),
            Self::Registry(error) => error.details(),
            Self::Taken { .. } => Details::new(&codes::IMMUTABLE_TAG).hint(
                "if tags cannot be moved there, push under another tag, or without one: --tags=",
            ),
            Self::KeepTag(error) => error.details(),
            Self::Layer(error) => error.details(),
            Self::Layout(error) => error.details(),
            Self::Engine(error) => error.details(),
            Self::Nodes(error) => error.details(),
            Self::Archive(error) => error.details(),
            Self::Sbom(error) => error.details(),
        }
    }
}
