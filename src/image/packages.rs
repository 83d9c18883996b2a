//! Reads the packages that are installed according to the package manager of a distribution.

use serde::{Deserialize, Serialize};

/// The package manager of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageKind {
    /// dpkg, of Debian and its descendants.
    Deb,
    /// apk, of Alpine and Wolfi.
    Apk,
}

/// A package of a distribution.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Its package manager.
    pub kind: PackageKind,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture in the distribution: `amd64`, `x86_64`, `all`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// The name of its source package, if it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The version of its source package, if it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_version: Option<String>,
    /// Its licence, if the database has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

/// The kind of the database at a path, if it is one.
pub(super) fn database(path: &str) -> Option<PackageKind> {
    match path {
        "var/lib/dpkg/status" => Some(PackageKind::Deb),
        "lib/apk/db/installed" | "usr/lib/apk/db/installed" => Some(PackageKind::Apk),
        // Distroless images have one file for each package there, and another one with checksums.
        _ => path
            .strip_prefix("var/lib/dpkg/status.d/")
            .filter(|name| !name.contains('/') && !name.ends_with(".md5sums"))
            .map(|_| PackageKind::Deb),
    }
}

/// Parses a database.
pub(super) fn read(kind: PackageKind, text: &str) -> Vec<Package> {
    let normal = text.replace("\r\n", "\n");
    normal.split("\n\n").filter_map(|stanza| package(kind, stanza)).collect()
}

fn package(kind: PackageKind, stanza: &str) -> Option<Package> {
    let separator = match kind {
        PackageKind::Deb => ": ",
        PackageKind::Apk => ":",
    };
    let field = |key: &str| {
        let mut lines = stanza.lines();
        let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(separator))?;
        Some(value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    match kind {
        PackageKind::Deb => {
            // A removed package may still have a stanza for its configuration.
            let status = field("Status");
            if status.is_some_and(|status| !status.ends_with(" installed")) {
                return None;
            }
            let source = field("Source");
            let (source, source_version) = match source.as_deref().map(|s| s.split_once(" (")) {
                Some(Some((name, version))) => {
                    (Some(name.to_owned()), Some(version.trim_end_matches(')').to_owned()))
                }
                _ => (source, None),
            };
            Some(Package {
                kind,
                name: field("Package")?,
                version: field("Version")?,
                architecture: field("Architecture").unwrap_or_default(),
                source,
                source_version,
                license: None,
            })
        }
        PackageKind::Apk => {
            let name = field("P")?;
            Some(Package {
                kind,
                version: field("V")?,
                architecture: field("A").unwrap_or_default(),
                source: field("o").filter(|origin| *origin != name),
                source_version: None,
                license: field("L"),
                name,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dpkg_s_and_apk_s_databases_are_read() {
        let status = "Package: libc6\nStatus: install ok installed\nSource: glibc (2.36-9)\nVersion: 2.36-9+deb12u1\nArchitecture: amd64\nDescription: x\n Package: no\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n";
        let found = read(database("var/lib/dpkg/status").unwrap(), status);
        let [libc] = &*found else { panic!("{found:?}") };
        assert_eq!((&*libc.name, &*libc.version), ("libc6", "2.36-9+deb12u1"));
        assert_eq!(libc.source.as_deref(), Some("glibc"));
        assert_eq!(libc.source_version.as_deref(), Some("2.36-9"));

        let installed = "C:Q1x\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\nF:lib\nR:x\n\nP:ssl_client\nV:1\no:busybox\n";
        let found = read(database("lib/apk/db/installed").unwrap(), installed);
        assert_eq!(found[0].license.as_deref(), Some("MIT"));
        assert_eq!(found[0].source, None);
        assert_eq!((&*found[1].name, found[1].source.as_deref()), ("ssl_client", Some("busybox")));

        assert_eq!(database("var/lib/dpkg/status.d/tzdata"), Some(PackageKind::Deb));
        assert_eq!(database("var/lib/dpkg/status.d/tzdata.md5sums"), None);
        assert_eq!(database("var/lib/dpkg/status-old"), None);
        assert_eq!(read(PackageKind::Deb, "\0\u{fffd}nonsense\n\n:::\n"), []);
    }
}
