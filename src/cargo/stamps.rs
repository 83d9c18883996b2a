//! The files that a cached fact was read from, and whether they are unchanged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::oci::file::Stamp;

/// The resolution of the clock of a file system: two changes within it may have the same time.
const GRAIN: i128 = 20_000_000;

/// Files and folders with their stamps at the time when a fact was read from them. The stamp of a
/// folder changes when an entry is added or removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamps(BTreeMap<PathBuf, State>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Missing,
    /// It exists; its contents do not matter.
    Exists,
    Stamp(Stamp),
}

impl State {
    fn of(path: &Path) -> Self {
        std::fs::metadata(path).map_or(Self::Missing, |metadata| Self::Stamp(Stamp::of(&metadata)))
    }
}

impl Stamps {
    /// Records the contents of a path, or that it does not exist.
    pub(crate) fn content(&mut self, path: impl Into<PathBuf>) {
        let path = path.into();
        let state = State::of(&path);
        self.0.insert(path, state);
    }

    /// Records only whether a path exists.
    pub(crate) fn presence(&mut self, path: impl Into<PathBuf>) {
        let path = path.into();
        let state = if path.exists() { State::Exists } else { State::Missing };
        self.0.entry(path).or_insert(state);
    }

    /// Whether nothing has changed.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.0.iter().all(|(path, state)| match state {
            State::Exists => path.exists(),
            state => State::of(path) == *state,
        })
    }

    /// Whether every file was written long enough before `now` that a later write changes its stamp.
    /// Otherwise the fact must not be cached.
    pub(crate) fn is_settled(&self, now: i128) -> bool {
        self.0.values().all(|state| match state {
            State::Stamp(stamp) => stamp.is_older_than(now - GRAIN),
            State::Missing | State::Exists => true,
        })
    }

    /// The paths and stamps as text, as a key for what was computed from them.
    pub(crate) fn fingerprint(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// The current time of the file system in nanoseconds since 1970: that of a file which is written into
/// `folder`.
pub(crate) fn now(folder: &Path) -> Option<i128> {
    std::fs::create_dir_all(folder).ok()?;
    let file = tempfile::NamedTempFile::new_in(folder).ok()?;
    Some(Stamp::of(&file.as_file().metadata().ok()?).modified)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_relevant_change_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("file"), "1").unwrap();
        std::fs::write(path("there"), "1").unwrap();
        let record = || {
            let mut stamps = Stamps::default();
            stamps.content(path("file"));
            stamps.content(path("missing"));
            stamps.presence(path("there"));
            stamps.presence(path("absent"));
            stamps
        };
        let stamps = record();
        assert!(stamps.is_unchanged());
        std::fs::write(path("there"), "22").unwrap();
        assert!(stamps.is_unchanged());
        std::fs::write(path("file"), "22").unwrap();
        assert!(!stamps.is_unchanged());
        for name in ["missing", "absent"] {
            let stamps = record();
            std::fs::write(path(name), "").unwrap();
            assert!(!stamps.is_unchanged(), "{name}");
        }
    }

    #[test]
    fn a_file_that_was_just_written_is_not_settled() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "1").unwrap();
        let mut stamps = Stamps::default();
        stamps.content(&file);
        let now = now(folder.path()).unwrap();
        assert!(!stamps.is_settled(now));
        assert!(stamps.is_settled(now + 10 * GRAIN));
    }
}
