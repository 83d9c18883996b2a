//! Target triples, and which of them produces static executables for a platform.

use std::fmt;
use std::str::FromStr;

use crate::oci::Platform;

/// A target triple of rustc, such as `x86_64-unknown-linux-musl`. One for glibc may be followed by the
/// oldest glibc that executables must run with: `x86_64-unknown-linux-gnu.2.36`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetTriple {
    triple: String,
    glibc: Option<String>,
}

/// A text that is not a target triple.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a target triple (such as `x86_64-unknown-linux-musl` or `x86_64-unknown-linux-gnu.2.36`)"
)]
pub struct InvalidTargetTriple(String);

/// The platforms with static executables: those whose musl target rustup provides.
const STATIC: [(&str, &str); 9] = [
    ("linux/amd64", "x86_64-unknown-linux-musl"),
    ("linux/arm64", "aarch64-unknown-linux-musl"),
    ("linux/arm/v7", "armv7-unknown-linux-musleabihf"),
    ("linux/arm/v6", "arm-unknown-linux-musleabihf"),
    ("linux/arm/v5", "armv5te-unknown-linux-musleabi"),
    ("linux/386", "i686-unknown-linux-musl"),
    ("linux/riscv64", "riscv64gc-unknown-linux-musl"),
    ("linux/ppc64le", "powerpc64le-unknown-linux-musl"),
    ("linux/loong64", "loongarch64-unknown-linux-musl"),
];

/// A platform for which rustup provides only a glibc target.
const DYNAMIC: (&str, &str) = ("linux/s390x", "s390x-unknown-linux-gnu");

impl TargetTriple {
    /// The default triple for a platform: one for static executables, or one with glibc where rustup has
    /// no other. `None` if it has neither.
    #[must_use]
    pub fn for_platform(platform: &Platform) -> Option<Self> {
        // The default variant of an architecture is omitted.
        let name = match (platform.architecture.as_str(), platform.variant.as_deref()) {
            ("arm", None | Some("v8")) => format!("{}/arm/v7", platform.os),
            ("arm64", Some("v8")) => format!("{}/arm64", platform.os),
            _ => platform.to_string(),
        };
        let mut known = STATIC.into_iter().chain([DYNAMIC]);
        let (_, triple) = known.find(|(platform, _)| *platform == name)?;
        Some(Self { triple: triple.to_owned(), glibc: None })
    }

    /// Every platform with static executables, the most used first.
    pub fn static_platforms() -> impl Iterator<Item = Platform> {
        STATIC.iter().filter_map(|(platform, _)| platform.parse().ok())
    }

    /// Whether its executables run on a platform. An unknown architecture fits every platform.
    #[must_use]
    pub fn fits(&self, platform: &Platform) -> bool {
        let architecture = match self.architecture() {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "i386" | "i486" | "i586" | "i686" => "386",
            "riscv64gc" | "riscv64a23" => "riscv64",
            "powerpc64le" => "ppc64le",
            "powerpc64" => "ppc64",
            "s390x" => "s390x",
            "loongarch64" => "loong64",
            arm if arm.starts_with("arm") || arm.starts_with("thumb") => "arm",
            _ => return true,
        };
        self.triple.contains(platform.os.as_str())
            && architecture == platform.architecture
            && (architecture != "arm" || self.arm_version() <= arm_version(platform))
    }

    /// The minimum version of ARM that its code runs on.
    fn arm_version(&self) -> u8 {
        let name = self.architecture().trim_start_matches(|c: char| !c.is_ascii_digit());
        name.bytes().next().map_or(6, |digit| digit.wrapping_sub(b'0'))
    }

    /// The triple as rustc writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.triple
    }

    /// The oldest glibc that executables must run with, if it is set: `2.36`.
    #[must_use]
    pub fn glibc(&self) -> Option<&str> {
        self.glibc.as_deref()
    }

    /// Its last part, the C library with its ABI: `musl`, `gnueabihf`.
    #[must_use]
    pub fn library(&self) -> &str {
        self.triple.rsplit('-').next().unwrap_or(&self.triple)
    }

    /// Whether its C library is musl.
    #[must_use]
    pub fn is_musl(&self) -> bool {
        self.library().starts_with("musl")
    }

    /// Whether its C library is glibc.
    #[must_use]
    pub fn is_gnu(&self) -> bool {
        self.library().starts_with("gnu") && self.triple.contains("-linux-")
    }

    /// Its first part, the name of the processor in rustc.
    #[must_use]
    pub fn architecture(&self) -> &str {
        self.triple.split('-').next().unwrap_or(&self.triple)
    }

    /// The usual name of a compiler for it, without `gcc`: `x86_64-linux-musl-`.
    pub(crate) fn compiler_prefix(&self) -> String {
        let architecture = match self.architecture() {
            "riscv64gc" => "riscv64",
            arm if arm.starts_with("arm") && self.is_gnu() => "arm",
            architecture => architecture,
        };
        format!("{architecture}-linux-{}-", self.library())
    }

    /// Its name in zig: `arm-linux-musleabihf`, `x86_64-linux-gnu.2.36`.
    pub(crate) fn zig(&self) -> String {
        let architecture = match self.architecture() {
            "i386" | "i486" | "i586" | "i686" => "x86",
            "riscv64gc" => "riscv64",
            arm if arm.starts_with("arm") || arm.starts_with("thumb") => "arm",
            other => other,
        };
        let version = self.glibc().map(|version| format!(".{version}")).unwrap_or_default();
        format!("{architecture}-linux-{}{version}", self.library())
    }

    /// In environment variables of Cargo: `X86_64_UNKNOWN_LINUX_MUSL`.
    #[must_use]
    pub(crate) fn upper(&self) -> String {
        self.lower().to_uppercase()
    }

    /// In environment variables of the `cc` crate: `x86_64_unknown_linux_musl`.
    #[must_use]
    pub(crate) fn lower(&self) -> String {
        self.triple.replace(['-', '.'], "_")
    }
}

impl FromStr for TargetTriple {
    type Err = InvalidTargetTriple;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        let invalid = || InvalidTargetTriple(text.chars().take(160).collect());
        if !text.contains('-') || text.starts_with('-') || !text.bytes().all(allowed) {
            return Err(invalid());
        }
        // Some triples of rustc contain a dot in their first part.
        let last = text.rfind('-').unwrap_or_default();
        let Some(dot) = text[last..].find('.') else {
            return Ok(Self { triple: text.to_owned(), glibc: None });
        };
        let (triple, version) = (&text[..last + dot], &text[last + dot + 1..]);
        let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let versioned = Self { triple: triple.to_owned(), glibc: Some(version.to_owned()) };
        let is_version = version.split_once('.').is_some_and(|(a, b)| number(a) && number(b));
        if is_version && versioned.is_gnu() { Ok(versioned) } else { Err(invalid()) }
    }
}

/// The minimum version of ARM of a platform.
fn arm_version(platform: &Platform) -> u8 {
    match platform.variant.as_deref() {
        Some("v5") => 5,
        Some("v6") => 6,
        _ => 7,
    }
}

impl fmt::Display for TargetTriple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.triple)?;
        self.glibc.as_ref().map_or(Ok(()), |version| write!(f, ".{version}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn triple(text: &str) -> TargetTriple {
        text.parse().unwrap()
    }

    #[test]
    fn platforms_use_musl_where_rustup_has_it() {
        for (platform, triple) in [
            ("linux/amd64", Some("x86_64-unknown-linux-musl")),
            ("linux/arm64/v8", Some("aarch64-unknown-linux-musl")),
            ("linux/arm", Some("armv7-unknown-linux-musleabihf")),
            ("linux/arm/v6", Some("arm-unknown-linux-musleabihf")),
            ("linux/s390x", Some("s390x-unknown-linux-gnu")),
            ("linux/mips64le", None),
            ("windows/amd64", None),
        ] {
            let found = TargetTriple::for_platform(&platform.parse().unwrap());
            assert_eq!(found.as_ref().map(TargetTriple::as_str), triple, "{platform}");
        }
        for platform in TargetTriple::static_platforms() {
            let triple = TargetTriple::for_platform(&platform).unwrap();
            assert!(triple.is_musl() && triple.fits(&platform), "{triple}");
        }
    }

    #[test]
    fn a_triple_fits_a_platform_that_runs_its_code() {
        let fits = |text: &str, platform: &str| triple(text).fits(&platform.parse().unwrap());
        for (text, platform, expected) in [
            ("x86_64-unknown-linux-gnu", "linux/amd64", true),
            ("x86_64-unknown-linux-gnu", "linux/arm64", false),
            ("x86_64-pc-windows-gnu", "linux/amd64", false),
            ("arm-unknown-linux-gnueabihf", "linux/arm/v7", true),
            ("armv7-unknown-linux-gnueabihf", "linux/arm/v6", false),
            ("armv5te-unknown-linux-musleabi", "linux/arm/v6", true),
            ("my-own-linux-musl", "linux/amd64", true),
        ] {
            assert_eq!(fits(text, platform), expected, "{text} {platform}");
        }
    }

    #[test]
    fn a_triple_may_set_the_version_of_glibc() {
        let old = triple("x86_64-unknown-linux-gnu.2.17");
        assert_eq!((old.as_str(), old.glibc()), ("x86_64-unknown-linux-gnu", Some("2.17")));
        assert_eq!(old.to_string(), "x86_64-unknown-linux-gnu.2.17");
        assert_eq!(triple("thumbv8m.main-none-eabi").glibc(), None);
        for wrong in ["x86_64-unknown-linux-musl.1.2", "x86_64-unknown-linux-gnu.2", "a-gnu.2.x"] {
            assert!(wrong.parse::<TargetTriple>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn options_and_paths_are_not_triples() {
        let triple = triple("x86_64-unknown-linux-gnu");
        assert!(!triple.is_musl() && triple.is_gnu());
        assert_eq!(triple.upper(), "X86_64_UNKNOWN_LINUX_GNU");
        for wrong in ["", "-Zx", "a/b-c", "linux", "a b-c"] {
            assert!(wrong.parse::<TargetTriple>().is_err(), "{wrong}");
        }
    }
}
