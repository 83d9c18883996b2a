//! A file held open, and the stamp by which it is known again without being read.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Search;

/// What the file system says of a file's content without reading it. Equal stamps mean equal
/// content, unless the file was written within the clock's grain of being looked at (Git calls such
/// an entry racy): see [`Stamp::is_older_than`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The device that holds the file; 0 where the system has none.
    pub device: u64,
    /// The file's number on it; 0 where the system has none.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970 of the last change of content.
    pub modified: i128,
    /// Nanoseconds since 1970 of the last change of content or metadata.
    pub changed: i128,
}

impl Stamp {
    /// The stamp in a file's metadata.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        let modified =
            metadata.modified().ok().map_or(0, |time| match time.duration_since(UNIX_EPOCH) {
                Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
                Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
            });
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Self {
                device: metadata.dev(),
                inode: metadata.ino(),
                size: metadata.len(),
                modified,
                changed: i128::from(metadata.ctime()) * 1_000_000_000
                    + i128::from(metadata.ctime_nsec()),
            }
        }
        #[cfg(not(unix))]
        Self { device: 0, inode: 0, size: metadata.len(), modified, changed: modified }
    }

    /// Whether both times lie before `nanoseconds` since 1970. Only a stamp that is older than the
    /// moment it was taken, by more than the clock's grain, says that equal stamps are equal content.
    #[must_use]
    pub fn is_older_than(&self, nanoseconds: i128) -> bool {
        self.modified.max(self.changed) < nanoseconds
    }
}

/// A file held open, so that what is read is what was looked at, whatever the path means by then.
#[derive(Clone, Debug)]
pub struct OpenedFile {
    path: PathBuf,
    file: Arc<File>,
    stamp: Stamp,
    executable: bool,
    racy: bool,
    search: Option<Search>,
}

/// How far apart two changes must be for every file system in use to date them differently: the
/// kernel's clock tick, or FAT's two seconds where a time has no fraction.
const TICK: i128 = 20_000_000;
const COARSE_TICK: i128 = 2_000_000_000;

/// Nanoseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "a stamp can be trusted or not as of the moment of looking; no image depends on it"
)]
fn now() -> i128 {
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(i128::MAX))
}

/// Whether a stamp seen at a moment may outlive a change of content.
fn is_racy(stamp: &Stamp, now: i128) -> bool {
    !stamp.is_older_than(now - if is_coarse(stamp) { COARSE_TICK } else { TICK })
}

/// Whether a stamp may be of a file system that knows whole seconds only.
fn is_coarse(stamp: &Stamp) -> bool {
    stamp.modified % 1_000_000_000 == 0
}

/// Whether anyone may execute a file.
fn is_executable(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    return false;
}

/// A file that was looked at and is opened when it is read, as there may be more files than a
/// process may hold open. It is read only if it still has its stamp.
#[derive(Clone, Debug)]
pub struct SeenFile {
    path: PathBuf,
    stamp: Stamp,
    executable: bool,
    racy: bool,
}

impl SeenFile {
    /// Looks at a regular file.
    pub fn look(path: &Path) -> io::Result<Self> {
        let now = now();
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let (stamp, executable) = (Stamp::of(&metadata), is_executable(&metadata));
        let racy = is_racy(&stamp, now);
        Ok(Self { path: path.to_owned(), stamp, executable, racy })
    }

    /// Opens the file as it was seen; none if the path leads to something else by now.
    pub fn open(&self) -> io::Result<Option<OpenedFile>> {
        let opened = OpenedFile::open(&self.path)?;
        Ok((opened.stamp == self.stamp).then_some(opened))
    }

    /// Where the file was.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The stamp when it was seen.
    #[must_use]
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// Bytes, when it was seen.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.stamp.size
    }

    /// Whether anyone may execute it.
    #[must_use]
    pub fn executable(&self) -> bool {
        self.executable
    }

    /// As [`OpenedFile::is_racy`].
    #[must_use]
    pub fn is_racy(&self) -> bool {
        self.racy
    }
}

impl OpenedFile {
    /// Opens a regular file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let now = now();
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let (stamp, executable) = (Stamp::of(&metadata), is_executable(&metadata));
        let racy = is_racy(&stamp, now);
        let file = Arc::new(file);
        Ok(Self { path: path.to_owned(), file, stamp, executable, racy, search: None })
    }

    /// The file, in which something is looked for when it is packed.
    #[must_use]
    pub fn searched(self, search: Search) -> Self {
        Self { search: Some(search), ..self }
    }

    /// What is looked for in the file.
    #[must_use]
    pub fn search(&self) -> Option<&Search> {
        self.search.as_ref()
    }

    /// Where the file was when it was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file. Its position is shared: read by offset.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The stamp when it was opened.
    #[must_use]
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// Whether the file was written so shortly before it was opened that a later change need not
    /// show in its stamp. What is read from such a file must not be remembered under its stamp.
    #[must_use]
    pub fn is_racy(&self) -> bool {
        self.racy
    }

    /// Waits for a racy stamp to grow old, where that takes no more than a tick: what is read
    /// afterwards can be remembered. A file that was changed meanwhile stays racy.
    pub fn settle(&mut self) -> io::Result<()> {
        // A link made or removed meanwhile moves the stamp once more.
        for _ in 0..3 {
            if !self.racy || is_coarse(&self.stamp) {
                break;
            }
            let age = now() - self.stamp.modified.max(self.stamp.changed);
            let wait = (TICK + 1 - age).clamp(0, TICK + 1);
            std::thread::sleep(Duration::from_nanos(u64::try_from(wait).unwrap_or(0)));
            let now = now();
            if !self.is_unchanged()? {
                break;
            }
            self.stamp = Stamp::of(&self.file.metadata()?);
            self.racy = is_racy(&self.stamp, now);
        }
        Ok(())
    }

    /// Bytes, when it was opened.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.stamp.size
    }

    /// Whether anyone may execute it.
    #[must_use]
    pub fn executable(&self) -> bool {
        self.executable
    }

    /// Whether the file still has the stamp it was opened with.
    pub fn is_unchanged(&self) -> io::Result<bool> {
        let now = Stamp::of(&self.file.metadata()?);
        // A link made or removed elsewhere (Cargo hard-links executables) moves ctime, not content.
        Ok(Stamp { changed: self.stamp.changed, ..now } == self.stamp)
    }

    /// Reads at an offset until the buffer is full or the file ends; returns how many bytes.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let at = offset + filled as u64;
            #[cfg(unix)]
            let read = std::os::unix::fs::FileExt::read_at(&*self.file, &mut buffer[filled..], at);
            #[cfg(windows)]
            let read =
                std::os::windows::fs::FileExt::seek_read(&*self.file, &mut buffer[filled..], at);
            match read {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn an_opened_file_notices_that_it_was_written_to() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"one").unwrap();
        let opened = OpenedFile::open(file.path()).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(opened.read_at(&mut buffer, 1).unwrap(), 2);
        assert_eq!(&buffer[..2], b"ne");
        assert!(opened.is_unchanged().unwrap());
        file.write_all(b"more").unwrap();
        assert!(!opened.is_unchanged().unwrap());
    }

    #[test]
    fn a_stamp_is_trusted_once_it_has_grown_old_and_the_file_is_the_same() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"one").unwrap();
        let mut same = OpenedFile::open(file.path()).unwrap();
        let mut other = same.clone();
        assert!(same.is_racy());
        same.settle().unwrap();
        assert!(!same.is_racy());
        file.write_all(b"two").unwrap();
        other.settle().unwrap();
        assert!(other.is_racy());
        file.as_file().set_modified(UNIX_EPOCH).unwrap();
        let mut coarse = OpenedFile::open(file.path()).unwrap();
        coarse.settle().unwrap();
        assert!(coarse.is_racy());
    }

    #[test]
    fn a_folder_is_not_a_file() {
        assert!(OpenedFile::open(Path::new("/")).is_err());
    }
}
