//! The installed zig, and whether it works on this system.

use std::path::Path;

use crate::process::{self, Environment};

/// An installation of zig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Zig {
    pub(crate) version: String,
}

/// Versions that fail, the system where they do, and a version that works.
const BROKEN: [(&str, &str, &str); 1] = [
    // `zig ar` cannot create an archive there: https://github.com/rust-cross/cargo-zigbuild/issues/433
    ("0.16.0", "macos", "0.15.2"),
];

impl Zig {
    /// Looks where the scripts look: on the PATH, then for the Python package.
    pub(crate) fn find(environment: &Environment, folder: &Path) -> Option<Self> {
        let ask = |program: &str, arguments: &[&str]| {
            let mut command = process::command(program, environment, folder);
            command.args(arguments);
            let version = process::capture(command).ok()?.trim().to_owned();
            (!version.is_empty()).then_some(Self { version })
        };
        ask("zig", &["version"]).or_else(|| ask("python3", &["-m", "ziglang", "version"]))
    }

    /// A version that works where this one is known to fail.
    pub(crate) fn better(&self) -> Option<&'static str> {
        self.better_on(std::env::consts::OS)
    }

    fn better_on(&self, system: &str) -> Option<&'static str> {
        let known =
            |(version, on, _): &&(&str, &str, &str)| self.version == *version && system == *on;
        BROKEN.iter().find(known).map(|(_, _, works)| *works)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zig_that_is_known_to_fail_has_a_better_one() {
        let better =
            |version: &str, system: &str| Zig { version: version.to_owned() }.better_on(system);
        assert_eq!(better("0.16.0", "macos"), Some("0.15.2"));
        assert_eq!(better("0.16.0", "linux"), None);
        assert_eq!(better("0.15.2", "macos"), None);
    }
}
