//! What a compiler that was killed leaves behind. Killed while it writes its incremental cache, rustc
//! may later link from it what is not the source ([rust#81280]).
//!
//! [rust#81280]: https://github.com/rust-lang/rust/issues/81280

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The name of the file that exists while Cargo builds with incremental caches.
const MARKER: &str = ".ko-rs-building";

/// A build that has not ended. If it is dropped before [`Building::ended`], the next one removes the
/// caches that it may have written.
#[derive(Debug)]
pub(crate) struct Building(PathBuf);

impl Building {
    /// Begins a build whose results are in `folder`, that of a profile. Returns how many caches of a
    /// killed build were removed.
    pub(crate) fn begin(folder: &Path) -> io::Result<(Self, usize)> {
        let marker = folder.join(MARKER);
        let removed = match fs::metadata(&marker).and_then(|metadata| metadata.modified()) {
            Ok(since) => remove_newer(&folder.join("incremental"), since)?,
            Err(_) => 0,
        };
        fs::create_dir_all(folder)?;
        File::create(&marker)?;
        Ok((Self(marker), removed))
    }

    /// Cargo has ended by itself, so that its caches are complete.
    pub(crate) fn ended(self) {
        let _ = fs::remove_file(self.0);
    }
}

/// Removes the caches in which anything was written since then.
fn remove_newer(folder: &Path, since: SystemTime) -> io::Result<usize> {
    let Ok(caches) = fs::read_dir(folder) else { return Ok(0) };
    let mut removed = 0;
    for cache in caches {
        let path = cache?.path();
        if is_newer(&path, since) {
            fs::remove_dir_all(&path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn is_newer(path: &Path, since: SystemTime) -> bool {
    let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    let entries = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
    modified.is_ok_and(|time| time >= since)
        || entries.into_iter().any(|e| is_newer(&e.path(), since))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_caches_that_a_killed_build_wrote_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join("incremental").join(path);
        for cache in ["old-1/s/dep", "new-2/s/dep"] {
            fs::create_dir_all(at(cache).parent().unwrap()).unwrap();
            fs::write(at(cache), "").unwrap();
        }
        let (building, removed) = Building::begin(folder.path()).unwrap();
        building.ended();
        assert_eq!(removed, 0);
        let (killed, removed) = Building::begin(folder.path()).unwrap();
        assert_eq!(removed, 0, "the one before has ended");
        drop(killed);
        let started = fs::metadata(folder.path().join(MARKER)).unwrap().modified().unwrap();
        for (path, offset) in
            [("old-1", -9), ("old-1/s", -9), ("old-1/s/dep", -9), ("new-2/s/dep", 9)]
        {
            let file = File::open(at(path)).unwrap();
            let seconds = Duration::from_secs(9);
            file.set_modified(if offset < 0 { started - seconds } else { started + seconds })
                .unwrap();
        }
        assert_eq!(Building::begin(folder.path()).unwrap().1, 1);
        assert!(at("old-1").exists() && !at("new-2").exists());
    }
}
