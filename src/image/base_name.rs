//! The names of base images in settings.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::oci::ImageReference;
use crate::oci::name::InvalidName;

/// The name of a base image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BaseName {
    /// The embedded base image: `static`.
    Static,
    /// An empty base image: `scratch`.
    Scratch,
    /// In a registry: `alpine:3.22`, `gcr.io/distroless/cc-debian12`.
    Registry(ImageReference),
    /// In an OCI image layout: `oci:PATH`.
    Layout(PathBuf),
    /// In the Docker Engine, under this name: `ko.local/NAME`.
    Daemon(ImageReference),
}

/// A text that is not the name of a base image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBaseName {
    /// `oci:` without a path.
    #[error("`{0}` does not name a folder (`oci:PATH`, with the path of an OCI image layout)")]
    NoPath(String),
    /// Neither a keyword nor the name of an image.
    #[error("not a base image (`static`, `scratch`, `oci:PATH` or an image name)")]
    Name(#[from] InvalidName),
}

impl FromStr for BaseName {
    type Err = InvalidBaseName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "static" => return Ok(Self::Static),
            "scratch" => return Ok(Self::Scratch),
            _ => {}
        }
        if let Some(path) = text.strip_prefix("oci:") {
            // `oci:5000/x` is not a host with a port: a host contains a dot or is `localhost`.
            return match path {
                "" => Err(InvalidBaseName::NoPath(text.to_owned())),
                path => Ok(Self::Layout(path.into())),
            };
        }
        let name: ImageReference = text.parse()?;
        match name.repository.registry().as_str() {
            "ko.local" => Ok(Self::Daemon(name)),
            _ => Ok(Self::Registry(name)),
        }
    }
}

impl fmt::Display for BaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static => f.write_str("static"),
            Self::Scratch => f.write_str("scratch"),
            Self::Registry(name) | Self::Daemon(name) => name.fmt(f),
            Self::Layout(path) => write!(f, "oci:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_read_as_settings_write_it() {
        for (text, written) in [
            ("static", "static"),
            ("scratch", "scratch"),
            ("oci:bases/glibc", "oci:bases/glibc"),
            ("ko.local/mine:1", "ko.local/mine:1"),
            ("alpine", "docker.io/library/alpine"),
            ("localhost:5000/static", "localhost:5000/static"),
        ] {
            assert_eq!(text.parse::<BaseName>().unwrap().to_string(), written, "{text}");
        }
        assert!(matches!("ko.local/mine".parse(), Ok(BaseName::Daemon(_))));
        assert!(matches!("ko.localhost/mine".parse(), Ok(BaseName::Registry(_))));
        for wrong in ["", "oci:", "Static", "a b"] {
            assert!(wrong.parse::<BaseName>().is_err(), "{wrong}");
        }
    }
}
