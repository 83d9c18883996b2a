//! rustc's name of what it compiles for, and which one makes a platform's static executables.

use std::fmt;
use std::str::FromStr;

use crate::oci::Platform;

/// A target triple of rustc, as in `x86_64-unknown-linux-musl`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetTriple(String);

/// A text that is not a target triple.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a target triple (as in `x86_64-unknown-linux-musl`)")]
pub struct InvalidTargetTriple(String);

impl TargetTriple {
    /// The triple whose executables need nothing of the image but the kernel; none where rustc has
    /// no musl for the platform.
    #[must_use]
    pub fn for_platform(platform: &Platform) -> Option<Self> {
        let variant = platform.variant.as_deref();
        let triple = match (platform.os.as_str(), platform.architecture.as_str()) {
            ("linux", "amd64") => "x86_64-unknown-linux-musl",
            ("linux", "arm64") => "aarch64-unknown-linux-musl",
            ("linux", "arm") => match variant {
                None | Some("v7" | "v8") => "armv7-unknown-linux-musleabihf",
                Some("v6") => "arm-unknown-linux-musleabihf",
                Some("v5") => "armv5te-unknown-linux-musleabi",
                Some(_) => return None,
            },
            ("linux", "386") => "i686-unknown-linux-musl",
            ("linux", "riscv64") => "riscv64gc-unknown-linux-musl",
            ("linux", "ppc64le") => "powerpc64le-unknown-linux-musl",
            ("linux", "loong64") => "loongarch64-unknown-linux-musl",
            _ => return None,
        };
        Some(Self(triple.to_owned()))
    }

    /// The triple as rustc writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its C library is musl.
    #[must_use]
    pub fn is_musl(&self) -> bool {
        self.0.rsplit('-').next().is_some_and(|environment| environment.starts_with("musl"))
    }

    /// Its first part, rustc's name of the processor.
    #[must_use]
    pub fn architecture(&self) -> &str {
        self.0.split('-').next().unwrap_or(&self.0)
    }

    /// As environment variables of Cargo have it: `X86_64_UNKNOWN_LINUX_MUSL`.
    #[must_use]
    pub(crate) fn upper(&self) -> String {
        self.lower().to_uppercase()
    }

    /// As environment variables of the `cc` crate have it: `x86_64_unknown_linux_musl`.
    #[must_use]
    pub(crate) fn lower(&self) -> String {
        self.0.replace(['-', '.'], "_")
    }
}

impl FromStr for TargetTriple {
    type Err = InvalidTargetTriple;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        if text.contains('-') && !text.starts_with('-') && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidTargetTriple(text.chars().take(160).collect()))
        }
    }
}

impl fmt::Display for TargetTriple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_compiled_for_musl() {
        for (platform, triple) in [
            ("linux/amd64", Some("x86_64-unknown-linux-musl")),
            ("linux/arm64/v8", Some("aarch64-unknown-linux-musl")),
            ("linux/arm/v7", Some("armv7-unknown-linux-musleabihf")),
            ("linux/arm/v6", Some("arm-unknown-linux-musleabihf")),
            ("linux/s390x", None),
            ("windows/amd64", None),
        ] {
            let found = TargetTriple::for_platform(&platform.parse().unwrap());
            assert_eq!(found.as_ref().map(TargetTriple::as_str), triple, "{platform}");
            assert!(found.is_none_or(|triple| triple.is_musl()));
        }
    }

    #[test]
    fn a_triple_is_no_option_and_no_path() {
        let triple: TargetTriple = "x86_64-unknown-linux-gnu".parse().unwrap();
        assert!(!triple.is_musl());
        assert_eq!(triple.upper(), "X86_64_UNKNOWN_LINUX_GNU");
        for wrong in ["", "-Zx", "a/b-c", "linux", "a b-c"] {
            assert!(wrong.parse::<TargetTriple>().is_err(), "{wrong}");
        }
    }
}
