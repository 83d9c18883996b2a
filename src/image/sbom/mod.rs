//! SBOMs: what the executable of an image was built from, and what its base image contains.
//!
//! [`Materials`] are converted to the same bytes everywhere, as [SPDX 2.3][spdx] or [CycloneDX
//! 1.6][cyclonedx], without clocks, paths of this machine or credentials. This module does not
//! resolve dependencies and does not publish documents.
//!
//! [spdx]: https://spdx.github.io/spdx-spec/v2.3/
//! [cyclonedx]: https://cyclonedx.org/docs/1.6/json/

mod bill;
mod component;
mod crates;
mod cyclonedx;
mod license;
mod location;
mod packages;
mod spdx;
mod upstream;

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use super::packages::Package;
use crate::cargo::Dependencies;
use crate::oci::{Digest, ImageReference, MediaType, Platform};

use bill::Bill;

/// The format of an SBOM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SbomFormat {
    /// SPDX 2.3, as JSON.
    #[default]
    Spdx,
    /// CycloneDX 1.6, as JSON.
    CycloneDx,
}

/// A text that is not the name of a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no format of a bill of materials: it is `spdx` or `cyclonedx`")]
pub struct InvalidFormat(String);

impl SbomFormat {
    /// Both formats.
    pub const ALL: [Self; 2] = [Self::Spdx, Self::CycloneDx];

    /// The media type of a document, which is also the artifact type of a referrer.
    #[must_use]
    pub fn media_type(self) -> MediaType {
        let name = match self {
            Self::Spdx => "application/spdx+json",
            Self::CycloneDx => "application/vnd.cyclonedx+json",
        };
        MediaType::Other(name.to_owned())
    }

    /// The extension of its file names.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Spdx => "spdx.json",
            Self::CycloneDx => "cdx.json",
        }
    }
}

impl FromStr for SbomFormat {
    type Err = InvalidFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "spdx" => Ok(Self::Spdx),
            "cyclonedx" => Ok(Self::CycloneDx),
            _ => Err(InvalidFormat(text.chars().take(80).collect())),
        }
    }
}

impl fmt::Display for SbomFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spdx => "spdx",
            Self::CycloneDx => "cyclonedx",
        })
    }
}

/// What an image for one platform consists of.
#[derive(Clone, Debug)]
pub struct Materials {
    /// The name of the image: the last part of its repository.
    pub image: String,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Its platform.
    pub platform: Platform,
    /// Its creation time, as in its configuration.
    pub created: String,
    /// The dependencies of its executable.
    pub dependencies: Dependencies,
    /// The name of the base image, if it can be pulled.
    pub base_name: Option<ImageReference>,
    /// The digest of the manifest of the base image.
    pub base_digest: Option<Digest>,
    /// The packages that are installed in the base image.
    pub packages: Vec<Package>,
    /// The distribution of the base image: `debian`.
    pub distribution: Option<String>,
    /// Its version: `13`.
    pub distribution_version: Option<String>,
}

impl Materials {
    /// The document about an image.
    #[must_use]
    pub fn document(&self, format: SbomFormat) -> Bytes {
        let bill = Bill::of(self);
        let document = match format {
            SbomFormat::Spdx => spdx::document(&bill),
            SbomFormat::CycloneDx => cyclonedx::document(&bill),
        };
        let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
        text.push('\n');
        text.into()
    }
}

#[cfg(test)]
mod tests;
