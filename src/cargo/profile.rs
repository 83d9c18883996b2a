//! Cargo's profiles, two of which ko-rs defines itself.

/// The profile that keeps debug information: another profile, with that change.
const DEBUG: &str = "ko-rs-debug";

/// The profile for a development loop: `dev` with no more than symbols, so that linking is quick.
pub(crate) const DEV: &str = "ko-rs-dev";

/// The profile of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile<'a> {
    /// One of Cargo or of the workspace.
    Named(&'a str),
    /// [`DEBUG`], from this one.
    Debug(&'a str),
    /// [`DEV`].
    Dev,
}

impl<'a> Profile<'a> {
    pub(crate) fn of(name: &'a str, debug: bool) -> Self {
        match (name, debug) {
            (DEV, false) => Self::Dev,
            (DEV, true) => Self::Debug("dev"),
            (name, true) => Self::Debug(name),
            (name, false) => Self::Named(name),
        }
    }

    /// The name for `--profile`.
    pub(crate) fn name(self) -> &'a str {
        match self {
            Self::Named(name) => name,
            Self::Debug(_) => DEBUG,
            Self::Dev => DEV,
        }
    }

    /// Its folder in the target directory.
    pub(crate) fn folder(self) -> &'a str {
        match self.name() {
            "dev" | "test" => "debug",
            "bench" => "release",
            name => name,
        }
    }

    /// The values of `--config` that define it.
    pub(crate) fn definition(self) -> Vec<String> {
        let keys: Vec<(&str, &str)> = match self {
            Self::Named(_) => Vec::new(),
            // Another profile, so that the artifacts of the original one are kept.
            Self::Debug(inherits) => vec![
                ("inherits", inherits),
                ("debug", "full"),
                ("strip", "none"),
                ("split-debuginfo", "off"),
            ],
            Self::Dev => vec![("inherits", "dev"), ("debug", "none"), ("strip", "none")],
        };
        let name = self.name();
        keys.iter().map(|(key, value)| format!("profile.{name}.{key}=\"{value}\"")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_has_a_folder_and_own_ones_a_definition() {
        assert_eq!(Profile::of("release", false).folder(), "release");
        assert_eq!(Profile::of("dev", false).folder(), "debug");
        assert!(Profile::of("dev", false).definition().is_empty());
        let dev = Profile::of(DEV, false);
        assert_eq!((dev.name(), dev.folder()), ("ko-rs-dev", "ko-rs-dev"));
        let definition = dev.definition();
        assert_eq!(definition[0], "profile.ko-rs-dev.inherits=\"dev\"");
        assert_eq!(Profile::of(DEV, true), Profile::Debug("dev"));
    }
}
