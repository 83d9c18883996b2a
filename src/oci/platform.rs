//! OCI platforms: `os/architecture[/variant]`, such as `linux/arm64/v8`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The platform of an image ([image-index.md, "platform"][spec]). Written
/// `os/architecture[/variant]` with the names of Go: `linux/amd64`, `linux/arm/v7`.
///
/// [spec]: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// The architecture in Go: `amd64`, `arm64`, `arm`, `riscv64`.
    pub architecture: String,
    /// The operating system in Go; ko-rs builds for `linux`.
    pub os: String,
    /// The version of the operating system; only Windows images have one.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// The variant of the architecture: `v7`, `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// A text that is not `os/architecture[/variant]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a platform (`os/architecture` or `os/architecture/variant`, as in `linux/arm64`)"
)]
pub struct InvalidPlatform(String);

impl Platform {
    /// `linux/ARCHITECTURE`.
    #[must_use]
    pub fn linux(architecture: &str) -> Self {
        Self {
            architecture: architecture.to_owned(),
            os: "linux".to_owned(),
            os_version: None,
            variant: None,
        }
    }

    /// Linux on the architecture that ko-rs itself was compiled for. Containers on this machine run
    /// on it, on macOS and Windows too.
    #[must_use]
    pub fn host() -> Self {
        match std::env::consts::ARCH {
            "x86_64" => Self::linux("amd64"),
            "aarch64" => Self::linux("arm64"),
            "x86" => Self::linux("386"),
            "powerpc64" => Self::linux("ppc64le"),
            "arm" => Self { variant: Some("v7".to_owned()), ..Self::linux("arm") },
            other => Self::linux(other),
        }
    }

    /// Whether an image for `other` runs on `self`. `arm64` without a variant is `arm64/v8`;
    /// otherwise a missing variant matches any.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.os == other.os
            && self.architecture == other.architecture
            && match (&self.variant, &other.variant) {
                (Some(wanted), Some(found)) => wanted == found,
                (Some(variant), None) | (None, Some(variant)) if self.architecture == "arm64" => {
                    variant == "v8"
                }
                _ => true,
            }
    }
}

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = |part: &&str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            parts if !parts.iter().all(word) => Err(InvalidPlatform(text.to_owned())),
            [os, architecture] => Ok(Self { os: (*os).to_owned(), ..Self::linux(architecture) }),
            [os, architecture, variant] => Ok(Self {
                os: (*os).to_owned(),
                variant: Some((*variant).to_owned()),
                ..Self::linux(architecture)
            }),
            _ => Err(InvalidPlatform(text.to_owned())),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_reads_what_it_writes() {
        for text in ["linux/amd64", "linux/arm/v7", "windows/amd64"] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
        for wrong in ["linux", "", "linux/", "/amd64", "a/b/c/d", "linux/arm 64", "linux/\u{e9}"] {
            assert!(wrong.parse::<Platform>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn arm64_is_arm64_v8_and_an_unstated_variant_matches() {
        let platform = |text: &str| text.parse::<Platform>().unwrap();
        assert!(platform("linux/arm64").matches(&platform("linux/arm64/v8")));
        assert!(platform("linux/arm64/v8").matches(&platform("linux/arm64")));
        assert!(!platform("linux/arm64").matches(&platform("linux/arm64/v9")));
        assert!(platform("linux/arm").matches(&platform("linux/arm/v7")));
        assert!(!platform("linux/arm/v6").matches(&platform("linux/arm/v7")));
        assert!(!platform("linux/amd64").matches(&platform("linux/arm64")));
    }
}
