//! Open files, and stamps by which a file is recognised without being read.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Search;

/// The metadata that identifies the content of a file. Equal stamps mean equal content, unless the
/// file was written within the resolution of the clock before the stamp was taken (Git calls this
/// racy): see [`Stamp::is_older_than`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The device of the file; 0 where the system has none.
    pub device: u64,
    /// The number of the file on it; 0 where the system has none.
    pub inode: u64,
    /// The length in bytes.
    pub size: u64,
    /// The time of the last change of the content, in nanoseconds since 1970.
    pub modified: i128,
    /// The time of the last change of content or metadata, in nanoseconds since 1970.
    pub changed: i128,
}

impl Stamp {
    /// The stamp in the metadata of a file.
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

    /// Whether both times are before `nanoseconds` since 1970. Equal stamps mean equal content only
    /// if the stamp is older than the time at which it was taken, by more than the resolution of
    /// the clock.
    #[must_use]
    pub fn is_older_than(&self, nanoseconds: i128) -> bool {
        self.modified.max(self.changed) < nanoseconds
    }
}

/// An open file. It stays the same file, even if its path refers to another one later.
#[derive(Clone, Debug)]
pub struct OpenedFile {
    path: PathBuf,
    file: Arc<File>,
    stamp: Stamp,
    racy: bool,
    search: Option<Search>,
}

/// The resolution of the clocks of file systems: the tick of the kernel, or the two seconds of FAT
/// if a time has no fraction.
const TICK: i128 = 20_000_000;
const COARSE_TICK: i128 = 2_000_000_000;

/// The current time in nanoseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "a stamp can be trusted or not as of the moment of looking; no image depends on it"
)]
fn now() -> i128 {
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(i128::MAX))
}

/// Whether the content could change without changing a stamp that was taken at a given time.
fn is_racy(stamp: &Stamp, now: i128) -> bool {
    !stamp.is_older_than(now - if is_coarse(stamp) { COARSE_TICK } else { TICK })
}

/// Whether a stamp may be from a file system with a resolution of seconds.
fn is_coarse(stamp: &Stamp) -> bool {
    stamp.modified % 1_000_000_000 == 0
}

/// Whether anyone may execute a file.
#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    false
}

/// A file that is opened only when it is read, since a process cannot open any number of files. It
/// is read only if its stamp has not changed.
#[derive(Clone, Debug)]
pub struct SeenFile {
    path: PathBuf,
    stamp: Stamp,
    executable: bool,
    racy: bool,
}

impl SeenFile {
    /// Takes the stamp of a regular file.
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

    /// Opens the file, or returns `None` if the path refers to another one now.
    pub fn open(&self) -> io::Result<Option<OpenedFile>> {
        let opened = OpenedFile::open(&self.path)?;
        Ok((opened.stamp == self.stamp).then_some(opened))
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The stamp.
    #[must_use]
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// The length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.stamp.size
    }

    /// Whether anyone may execute it.
    #[must_use]
    pub fn executable(&self) -> bool {
        self.executable
    }

    /// See [`OpenedFile::is_racy`].
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
        let stamp = Stamp::of(&metadata);
        let racy = is_racy(&stamp, now);
        let file = Arc::new(file);
        Ok(Self { path: path.to_owned(), file, stamp, racy, search: None })
    }

    /// The same file, which is searched when it is packed.
    #[must_use]
    pub fn searched(self, search: Search) -> Self {
        Self { search: Some(search), ..self }
    }

    /// The search, if any.
    #[must_use]
    pub fn search(&self) -> Option<&Search> {
        self.search.as_ref()
    }

    /// The path that was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The stamp when it was opened.
    #[must_use]
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// Whether the file was written so shortly before it was opened that a later change may not
    /// change its stamp. Results from such a file must not be cached under its stamp.
    #[must_use]
    pub fn is_racy(&self) -> bool {
        self.racy
    }

    /// Waits for a racy stamp to settle, if that takes at most one tick: results from later reads
    /// can be cached. A file that was changed in the meantime stays racy.
    pub fn settle(&mut self) -> io::Result<()> {
        // A new or removed link in the meantime changes the stamp again.
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

    /// The length in bytes when it was opened.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.stamp.size
    }

    /// Whether the stamp is the same as when the file was opened.
    pub fn is_unchanged(&self) -> io::Result<bool> {
        let now = Stamp::of(&self.file.metadata()?);
        // A new or removed link (Cargo hard-links executables) changes ctime, but not the content.
        Ok(Stamp { changed: self.stamp.changed, ..now } == self.stamp)
    }

    /// Reads at an offset until the buffer is full or the file ends. Returns the number of bytes.
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
