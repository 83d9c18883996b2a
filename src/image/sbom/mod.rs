//! The bill of materials of an image: what its executable was made from, and what its base holds.
//!
//! A [`Materials`] is what is known; it becomes the same bytes everywhere, as [SPDX 2.3][spdx] or
//! [CycloneDX 1.6][cyclonedx]. No clock, no folder of this machine and no credential gets in. Knows
//! nothing of how Cargo resolves or of where a document goes.
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

/// A format that bills of materials are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SbomFormat {
    /// SPDX 2.3, as JSON.
    #[default]
    Spdx,
    /// CycloneDX 1.6, as JSON.
    CycloneDx,
}

/// A text that names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no format of a bill of materials: it is `spdx` or `cyclonedx`")]
pub struct InvalidFormat(String);

impl SbomFormat {
    /// Both of them.
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

    /// How the names of files in it end.
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

/// What an image for one platform is made of.
#[derive(Clone, Debug)]
pub struct Materials {
    /// The image's name: the last part of its repository's.
    pub image: String,
    /// The digest of its manifest.
    pub digest: Digest,
    /// What it runs on.
    pub platform: Platform,
    /// When it says that it was created, as its configuration has it.
    pub created: String,
    /// What its executable was compiled from.
    pub dependencies: Dependencies,
    /// The base's name, if others can pull it.
    pub base_name: Option<ImageReference>,
    /// The digest of the base's manifest.
    pub base_digest: Option<Digest>,
    /// What package managers say is in the base.
    pub packages: Vec<Package>,
    /// The base's distribution: `debian`.
    pub distribution: Option<String>,
    /// Which one of those: `13`.
    pub distribution_version: Option<String>,
}

impl Materials {
    /// The document about them.
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
