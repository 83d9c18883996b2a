//! Which files a base holds, as far as that can be told without fetching its layers.

use std::collections::BTreeSet;
use std::io::Read;

use super::BaseImage;
use crate::oci::BlobSource;

/// More than the tar of a base that is held in memory has; what is larger stays unknown.
const LARGEST_TAR: u64 = 64 << 20;

/// What a base holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// These paths, without leading or trailing slash, the folders among them apart.
    Known {
        /// Files and links.
        files: BTreeSet<String>,
        /// Folders.
        folders: BTreeSet<String>,
    },
    /// Nobody has looked.
    Unknown,
}

/// Folders that systems of every kind have, some of them as links or with a mode of their own.
const USUAL: [&str; 22] = [
    "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "media", "mnt", "opt",
    "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var", "etc/ssl",
];

impl Contents {
    /// What lies in a base all of whose layers are in memory.
    pub(super) fn of(base: &BaseImage) -> Self {
        let mut files = BTreeSet::new();
        let mut folders = BTreeSet::new();
        for (_, source) in &base.layers {
            let BlobSource::Bytes(blob) = source else { return Self::Unknown };
            if read(blob, &mut files, &mut folders).is_none() {
                return Self::Unknown;
            }
        }
        Self::Known { files, folders }
    }

    /// Whether a folder is there, or may well be.
    pub(super) fn has_folder(&self, path: &str) -> bool {
        match self {
            Self::Known { folders, .. } => folders.contains(path),
            Self::Unknown => {
                let (parent, _) = path.rsplit_once('/').unwrap_or(("", path));
                USUAL.contains(&path) || matches!(parent, "home" | "usr" | "usr/local" | "var")
            }
        }
    }

    /// Whether a file is there; none where that is not known.
    pub(super) fn has_file(&self, path: &str) -> Option<bool> {
        match self {
            Self::Known { files, .. } => Some(files.contains(path.trim_start_matches('/'))),
            Self::Unknown => None,
        }
    }

    /// Whether a file of that name is anywhere; none where that is not known.
    pub(super) fn has_name(&self, name: &str) -> Option<bool> {
        match self {
            Self::Known { files, .. } => {
                Some(files.iter().any(|path| path.rsplit('/').next() == Some(name)))
            }
            Self::Unknown => None,
        }
    }
}

/// Reads the paths of a gzip-compressed layer; none if it cannot be read or removes something.
fn read(blob: &[u8], files: &mut BTreeSet<String>, folders: &mut BTreeSet<String>) -> Option<()> {
    let tar = flate2::read::GzDecoder::new(blob).take(LARGEST_TAR);
    for entry in tar::Archive::new(tar).entries().ok()? {
        let entry = entry.ok()?;
        let path = String::from_utf8(entry.path_bytes().into_owned()).ok()?;
        let path = path.trim_start_matches("./").trim_matches('/');
        if path.rsplit('/').next().is_some_and(|name| name.starts_with(".wh.")) {
            return None;
        }
        let paths = if entry.header().entry_type().is_dir() { &mut *folders } else { &mut *files };
        paths.insert(path.to_owned());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::{embedded, scratch};
    use super::*;
    use crate::oci::Platform;

    #[test]
    fn the_embedded_bases_are_known_and_one_in_a_registry_is_not() {
        let platform = Platform::linux("amd64");
        let known = Contents::of(&embedded(&platform));
        assert!(known.has_folder("home/nonroot") && !known.has_folder("opt"));
        assert_eq!(known.has_file("/etc/ssl/certs/ca-certificates.crt"), Some(true));
        assert_eq!(known.has_name("libc.so.6"), Some(false));
        assert!(!Contents::of(&scratch(&platform)).has_folder("etc"));

        let mut remote = embedded(&platform);
        remote.layers[0].1 = BlobSource::Registry("example.com/a".parse().unwrap());
        let unknown = Contents::of(&remote);
        assert!(unknown.has_folder("tmp") && unknown.has_folder("home/app"));
        assert!(!unknown.has_folder("srv/app"));
        assert_eq!(unknown.has_file("etc/passwd"), None);
    }
}
