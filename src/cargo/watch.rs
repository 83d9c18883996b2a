//! What a cached fact was read from, and whether it is still as it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::oci::file::Stamp;

/// Two looks closer together than this may fall into one tick of a file system's clock.
const GRAIN: i128 = 20_000_000;

/// Files and folders with what they were when a fact was read from them. A folder's stamp changes
/// when an entry comes or goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Watched(BTreeMap<PathBuf, State>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Missing,
    /// There, and whatever it holds does not matter.
    There,
    Stamp(Stamp),
}

impl State {
    fn of(path: &Path) -> Self {
        std::fs::metadata(path).map_or(Self::Missing, |metadata| Self::Stamp(Stamp::of(&metadata)))
    }
}

impl Watched {
    /// Watches what a path holds, or that it is not there.
    pub(crate) fn content(&mut self, path: impl Into<PathBuf>) {
        let path = path.into();
        let state = State::of(&path);
        self.0.insert(path, state);
    }

    /// Watches only whether something is there.
    pub(crate) fn presence(&mut self, path: impl Into<PathBuf>) {
        let path = path.into();
        let state = if path.exists() { State::There } else { State::Missing };
        self.0.entry(path).or_insert(state);
    }

    /// Whether everything is as it was.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.0.iter().all(|(path, state)| match state {
            State::There => path.exists(),
            state => State::of(path) == *state,
        })
    }

    /// Whether nothing was written so shortly before `now` that a later write could leave the same
    /// stamp. What is not settled is not worth keeping.
    pub(crate) fn is_settled(&self, now: i128) -> bool {
        self.0.values().all(|state| match state {
            State::Stamp(stamp) => stamp.is_older_than(now - GRAIN),
            State::Missing | State::There => true,
        })
    }

    /// The paths and stamps as text, to name what was made from them.
    pub(crate) fn fingerprint(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// The file system's idea of now, in nanoseconds since 1970: the stamp of a file that was just
/// written into `folder`.
pub(crate) fn now(folder: &Path) -> Option<i128> {
    std::fs::create_dir_all(folder).ok()?;
    let file = tempfile::NamedTempFile::new_in(folder).ok()?;
    Some(Stamp::of(&file.as_file().metadata().ok()?).modified)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_that_matters_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("file"), "1").unwrap();
        std::fs::write(path("there"), "1").unwrap();
        let watch = || {
            let mut watched = Watched::default();
            watched.content(path("file"));
            watched.content(path("missing"));
            watched.presence(path("there"));
            watched.presence(path("absent"));
            watched
        };
        let watched = watch();
        assert!(watched.is_unchanged());
        std::fs::write(path("there"), "22").unwrap();
        assert!(watched.is_unchanged());
        std::fs::write(path("file"), "22").unwrap();
        assert!(!watched.is_unchanged());
        for name in ["missing", "absent"] {
            let watched = watch();
            std::fs::write(path(name), "").unwrap();
            assert!(!watched.is_unchanged(), "{name}");
        }
    }

    #[test]
    fn what_was_just_written_is_not_settled() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "1").unwrap();
        let mut watched = Watched::default();
        watched.content(&file);
        let now = now(folder.path()).unwrap();
        assert!(!watched.is_settled(now));
        assert!(watched.is_settled(now + 10 * GRAIN));
    }
}
