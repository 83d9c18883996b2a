//! The contents of watched files, by which a change is told from a save without one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::oci::file::Stamp;

/// The size from which a file is judged by size and times alone: hashing it would delay every change.
const LARGE: u64 = 64 << 20;

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    stamp: Stamp,
    mode: u32,
    digest: Option<[u8; 32]>,
}

/// The contents of files as they were last seen. A file that does not exist has none.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents(BTreeMap<PathBuf, Known>);

impl Contents {
    /// Looks at these files, which become all that are known. Returns those whose contents differ.
    pub(super) fn compare_all(&mut self, files: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let gone: Vec<PathBuf> =
            self.0.keys().filter(|path| !files.contains(*path)).cloned().collect();
        let mut changed: BTreeSet<PathBuf> =
            files.iter().filter(|path| self.compare(path)).cloned().collect();
        for path in gone {
            self.0.remove(&path);
            changed.insert(path);
        }
        changed
    }

    /// Looks at these files, which become all that are known; what differs is not a change, because
    /// it is watched only from now on. Files that were known before are left as they are.
    pub(super) fn adopt(&mut self, files: &BTreeSet<PathBuf>) {
        self.0.retain(|path, _| files.contains(path));
        for path in files {
            if !self.0.contains_key(path) {
                self.compare(path);
            }
        }
    }

    /// Whether a file differs from what was known; what is there now is known from now on.
    fn compare(&mut self, path: &Path) -> bool {
        let Some(metadata) = fs::metadata(path).ok().filter(Metadata::is_file) else {
            return self.0.remove(path).is_some();
        };
        let (stamp, mode) = (Stamp::of(&metadata), mode(&metadata));
        let known = self.0.get(path);
        if known.is_some_and(|known| known.stamp == stamp && known.mode == mode) {
            return false;
        }
        let digest = if metadata.len() < LARGE { digest(path) } else { None };
        let is_same = known.is_some_and(|known| {
            known.digest.is_some() && known.digest == digest && known.mode == mode
        });
        self.0.insert(path.to_owned(), Known { stamp, mode, digest });
        !is_same
    }
}

fn digest(path: &Path) -> Option<[u8; 32]> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LARGE).read_to_end(&mut bytes).ok()?;
    Some(Sha256::digest(&bytes).into())
}

/// The permission bits, which an image keeps of an executable file.
fn mode(metadata: &Metadata) -> u32 {
    #[cfg(unix)]
    return std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
    #[cfg(not(unix))]
    u32::from(metadata.permissions().readonly())
}
