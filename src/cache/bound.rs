//! Limits the size of the cache: removes least recently used files, but never those that a running
//! process uses.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Cache, Error, held};

/// The disk space of a small file.
const BLOCK: u64 = 4096;

/// The time after which an unfinished file that no one writes to counts as abandoned.
const GIVEN_UP: Duration = Duration::from_secs(60);

/// The contents of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Layers, manifests and configurations.
    pub blobs: Count,
    /// Records about blobs and workspaces.
    pub records: Count,
    /// Unfinished files, including those of processes that were killed.
    pub unfinished: Count,
}

/// Some files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// The number of files.
    pub files: u64,
    /// Their disk space in bytes.
    pub bytes: u64,
}

/// The result of cleaning the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// The removed files.
    pub removed: Count,
    /// The files that running processes use.
    pub kept: Count,
}

impl Count {
    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

/// A file of the cache.
struct Found {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// The folders of the cache. Other files beside them are not touched.
const PARTS: [&str; 3] = ["blobs", "records", "tmp"];

impl Cache {
    /// The size of the cache.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        let counts = [&mut usage.blobs, &mut usage.records, &mut usage.unfinished];
        for (part, count) in PARTS.iter().zip(counts) {
            self.files(part).iter().for_each(|file| count.add(file.bytes));
        }
        usage
    }

    /// The maximum size in bytes, if there is one.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.0.limit
    }

    /// Removes all files that no running process uses.
    pub fn clean(&self) -> Result<Cleaned, Error> {
        let mut cleaned = Cleaned::default();
        for file in PARTS.iter().flat_map(|part| self.files(part)) {
            match remove(&file.path) {
                Ok(true) => cleaned.removed.add(file.bytes),
                Ok(false) => cleaned.kept.add(file.bytes),
                Err(source) => return Err(Error::Remove { path: file.path, source }),
            }
        }
        Ok(cleaned)
    }

    /// Removes abandoned files, and least recently used ones until the limit is met. A file that
    /// cannot be removed is left to the next run.
    pub(super) fn keep_to(&self, limit: u64) {
        for file in self.files("tmp") {
            if held::is_stale(&file.path, GIVEN_UP) {
                let _ = remove(&file.path);
            }
        }
        let mut files: Vec<Found> =
            ["blobs", "records"].map(|part| self.files(part)).into_iter().flatten().collect();
        let mut total: u64 = files.iter().map(|file| file.bytes).sum();
        if total <= limit {
            return;
        }
        files.sort_by(|one, other| (one.used, &one.path).cmp(&(other.used, &other.path)));
        for file in files {
            if total <= limit {
                return;
            }
            if remove(&file.path).is_ok_and(|removed| removed) {
                total -= file.bytes;
            }
        }
    }

    fn files(&self, part: &str) -> Vec<Found> {
        let mut found = Vec::new();
        let mut folders: Vec<PathBuf> =
            self.root().map(|root| root.join(part)).into_iter().collect();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
                // The metadata of the entry itself: the cache contains no links, and none is
                // followed.
                let Ok(metadata) = entry.metadata() else { continue };
                let path = entry.path();
                if metadata.is_dir() {
                    folders.push(path);
                    continue;
                }
                let used = metadata.accessed().or_else(|_| metadata.modified());
                let used = used.unwrap_or(SystemTime::UNIX_EPOCH);
                let bytes = metadata.len().next_multiple_of(BLOCK).max(BLOCK);
                found.push(Found { path, bytes, used });
            }
        }
        found
    }
}

/// Removes a file that no process uses. Returns whether it did.
fn remove(path: &Path) -> io::Result<bool> {
    // A link, or a file that cannot be read, has no lock.
    let file = if path.is_symlink() { None } else { File::open(path).ok() };
    if file.as_ref().is_some_and(|file| !held::is_unused(file)) {
        return Ok(false);
    }
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;
    use std::io::Write as _;

    use super::*;
    use crate::oci::Digest;

    fn put(cache: &Cache, byte: u8) -> Digest {
        let bytes = vec![byte; BLOCK as usize];
        let mut writer = cache.write_blob().unwrap();
        writer.write_all(&bytes).unwrap();
        writer.commit(None).unwrap().0
    }

    fn used(cache: &Cache, digest: &Digest, seconds: u64) {
        let path = cache.root().unwrap().join("blobs/sha256").join(digest.hex());
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        File::open(path).unwrap().set_times(FileTimes::new().set_accessed(time)).unwrap();
    }

    #[test]
    fn what_was_used_least_lately_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::bounded(folder.path(), 2 * BLOCK, folder.path());
        let blobs: Vec<Digest> = (0..4).map(|byte| put(&cache, byte)).collect();
        for (at, digest) in blobs.iter().enumerate() {
            used(&cache, digest, 1000 + at as u64);
        }
        // More recently used than all others.
        assert!(cache.unread_blob(&blobs[0], BLOCK).is_some());
        cache.close();
        let left = blobs.iter().map(|digest| cache.blob(digest, BLOCK).is_some());
        assert_eq!(left.collect::<Vec<_>>(), [true, false, false, true]);
        let Usage { blobs, records, .. } = cache.usage();
        assert_eq!((blobs.files + records.files, blobs.bytes + records.bytes), (2, 2 * BLOCK));
    }

    #[test]
    fn what_another_process_uses_stays_however_much_that_is() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::bounded(folder.path(), 0, folder.path());
        let other = Cache::at(folder.path());
        let (kept, gone) = (put(&other, 1), put(&cache, 2));
        let unfinished = other.write_blob().unwrap();
        cache.close();
        assert_eq!(cache.blob(&gone, BLOCK), None);
        assert_eq!(cache.usage().blobs.files, 1);
        let cleaned = cache.clean().unwrap();
        assert_eq!((cleaned.removed.files, cleaned.kept.files), (0, 2));
        drop(unfinished);
        drop(other);
        assert!(Cache::at(folder.path()).blob(&kept, BLOCK).is_some());
        assert_eq!(cache.clean().unwrap().removed, Count { files: 1, bytes: BLOCK });
        assert_eq!(cache.usage(), Usage::default());
    }

    #[test]
    fn what_a_killed_writer_left_goes_once_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::bounded(folder.path(), 1 << 20, folder.path());
        put(&cache, 1);
        let (young, old) = (folder.path().join("tmp/young"), folder.path().join("tmp/old"));
        std::fs::write(&young, "half").unwrap();
        std::fs::write(&old, "half").unwrap();
        let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
        File::options().write(true).open(&old).unwrap().set_times(times).unwrap();
        cache.close();
        assert!(young.exists() && !old.exists());
    }

    #[test]
    fn nothing_beside_the_cache_s_own_parts_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::bounded(folder.path(), 0, folder.path());
        let strange = folder.path().join("tools/blob");
        std::fs::create_dir(folder.path().join("tools")).unwrap();
        std::fs::write(&strange, "x").unwrap();
        put(&cache, 1);
        cache.clean().unwrap();
        assert!(strange.exists());
    }
}
