//! The messages of Cargo during a build ([external tools][spec]), as far as ko-rs needs them.
//!
//! [spec]: https://doc.rust-lang.org/cargo/reference/external-tools.html#json-messages

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use super::facts::EXAMPLES;

/// A line of Cargo's standard output.
#[derive(Debug, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact {
        package_id: String,
        target: Target,
        executable: Option<PathBuf>,
    },
    BuildScriptExecuted {
        package_id: String,
        #[serde(default)]
        linked_libs: Vec<String>,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

/// A finished executable.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Executable {
    pub(crate) package_id: String,
    pub(crate) bin: String,
    pub(crate) path: PathBuf,
}

/// A package's name and version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
}

impl Package {
    /// Parses a package ID: `URL#NAME@VERSION`, or `URL/NAME#VERSION`; before Cargo 1.77 `NAME
    /// VERSION (URL)`.
    fn of(package_id: &str) -> Option<Self> {
        let words: Vec<&str> = package_id.split(' ').collect();
        let (name, version) = match (package_id.rsplit_once('#'), words.as_slice()) {
            (_, [name, version, _]) => (*name, *version),
            (Some((url, rest)), _) => match rest.split_once('@') {
                Some(both) => both,
                None => (url.rsplit('/').next()?, rest),
            },
            (None, _) => return None,
        };
        Some(Self { name: name.to_owned(), version: version.to_owned() })
    }

    /// The argument for `-p` and `-i`.
    pub(crate) fn specification(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.name, self.version)
    }
}

/// What the messages of a build have reported so far.
#[derive(Debug, Default)]
pub(crate) struct BuildMessages {
    build_scripts: BTreeSet<String>,
    packages: BTreeSet<String>,
    links: BTreeMap<String, String>,
}

impl BuildMessages {
    /// Reads a line. Lines that are not messages of Cargo are ignored: wrappers may print them.
    pub(crate) fn read(&mut self, line: &str) -> Option<Executable> {
        match serde_json::from_str(line).ok()? {
            Message::CompilerArtifact { package_id, target, executable } => {
                self.packages.insert(package_id.clone());
                if target.kind.iter().any(|kind| kind == "custom-build") {
                    self.build_scripts.insert(package_id);
                    return None;
                }
                let path = executable?;
                let bin = match target.kind.first().map(String::as_str) {
                    Some("bin") => target.name,
                    Some("example") => format!("{EXAMPLES}{}", target.name),
                    _ => return None,
                };
                Some(Executable { package_id, bin, path })
            }
            Message::BuildScriptExecuted { package_id, linked_libs } => {
                self.build_scripts.remove(&package_id);
                self.packages.insert(package_id.clone());
                for library in linked_libs {
                    // With its kind and modifiers: `static:-bundle=z`.
                    let name = library.rsplit('=').next().unwrap_or(&library).to_owned();
                    self.links.insert(name, package_id.clone());
                }
                None
            }
            Message::Other => None,
        }
    }

    /// Packages whose build script was compiled but has not finished successfully.
    pub(crate) fn unfinished_build_scripts(&self) -> &BTreeSet<String> {
        &self.build_scripts
    }

    /// The package whose build script links a library.
    pub(crate) fn links(&self, library: &str) -> Option<Package> {
        Package::of(self.links.get(library)?)
    }

    /// The package with that name, or with that crate name.
    pub(crate) fn package(&self, name: &str) -> Option<Package> {
        let plain = |name: &str| name.replace('-', "_");
        let mut packages = self.packages.iter().filter_map(|id| Package::of(id));
        packages.find(|package| plain(&package.name) == plain(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cargo_s_name_for_a_package_is_read() {
        for (id, shown) in [
            ("registry+https://github.com/rust-lang/crates.io-index#ring@0.17.14", "ring v0.17.14"),
            ("path+file:///a/b/mine#0.1.0", "mine v0.1.0"),
            ("path+file:///a/folder#mine@0.1.0", "mine v0.1.0"),
            ("mine 0.1.0 (path+file:///a)", "mine v0.1.0"),
        ] {
            assert_eq!(Package::of(id).unwrap().to_string(), shown);
        }
        assert_eq!(Package::of("nothing"), None);
    }

    #[test]
    fn executables_and_unfinished_build_scripts_are_heard() {
        let mut messages = BuildMessages::default();
        let artifact = |kind: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"p","target":{{"kind":["{kind}"],"name":"n"}},"executable":{executable}}}"#
            )
        };
        let executable = messages.read(&artifact("bin", r#""/x/n""#)).unwrap();
        assert_eq!(
            executable,
            Executable { package_id: "p".into(), bin: "n".into(), path: "/x/n".into() }
        );
        let example = messages.read(&artifact("example", r#""/x/n""#)).unwrap();
        assert_eq!(example.bin, "examples/n");
        for line in [
            artifact("lib", "null"),
            artifact("test", r#""/x/n""#),
            artifact("custom-build", "null"),
            "{\"reason\":\"build-finished\",\"success\":false}".to_owned(),
            "hello".to_owned(),
            "{".to_owned(),
        ] {
            assert_eq!(messages.read(&line), None);
        }
        assert_eq!(messages.unfinished_build_scripts().len(), 1);
        messages.read(r#"{"reason":"build-script-executed","package_id":"p"}"#);
        assert!(messages.unfinished_build_scripts().is_empty());
    }
}
