//! Writes files: each is complete before it gets its name, so nobody reads half of one, and none is
//! written before every text is ready. A file that would not change is not touched.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use super::{codes, print};
use crate::manifests::Text;
use crate::report::{Details, Diagnose};

/// How much is compared at once.
const BLOCK: usize = 4 << 10;

/// The most symbolic links that are followed, the limit of most systems.
const LINKS: usize = 40;

/// A file to write.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) text: Text,
    /// The file whose permissions a new one gets.
    pub(super) like: Option<PathBuf>,
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("could not write `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("`{}` is a folder, not a file", .0.display())]
    Folder(PathBuf),
    #[error("two different texts would be written to `{}`", .0.display())]
    Twice(PathBuf),
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::Write { .. } => Details::new(&codes::OUTPUT_NOT_WRITTEN),
            Self::Folder(_) => Details::new(&codes::OUTPUT_IS_FOLDER),
            Self::Twice(_) => Details::new(&codes::OUTPUT_CONFLICT),
        }
    }
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sink {
    /// Standard output, by one of the names that systems have for it.
    Stdout,
    /// A pipe, a device or a file that this process has open: written to, never replaced.
    Stream(PathBuf),
    /// A file, after following symbolic links, that may not exist yet; or a folder.
    File(PathBuf),
}

impl Sink {
    pub(super) fn of(path: &Path) -> Self {
        match descriptor(path) {
            Some("1") => Self::Stdout,
            Some(_) => Self::Stream(path.to_owned()),
            None => match fs::metadata(path) {
                Ok(found) if !found.is_file() && !found.is_dir() => Self::Stream(path.to_owned()),
                _ => Self::File(target(path)),
            },
        }
    }
}

/// The number of the open file that a path names. If the file behind it were replaced, other
/// processes that have it open would not see that.
fn descriptor(path: &Path) -> Option<&str> {
    match path.to_str()? {
        "/dev/stdout" => Some("1"),
        "/dev/stderr" => Some("2"),
        path => path.strip_prefix("/dev/fd/").or_else(|| path.strip_prefix("/proc/self/fd/")),
    }
}

/// The file that a path names after following symbolic links, even if it does not exist yet.
fn target(path: &Path) -> PathBuf {
    let mut path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for _ in 0..LINKS {
        let Ok(link) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(link);
    }
    let existing = path.ancestors().find_map(|folder| {
        let rest = path.strip_prefix(folder).ok()?;
        let folder = fs::canonicalize(folder).ok()?;
        Some(if rest == Path::new("") { folder } else { folder.join(rest) })
    });
    existing.unwrap_or(path)
}

/// Writes files.
pub(super) fn write(files: Vec<File>) -> Result<(), Error> {
    let mut streams = Vec::new();
    let mut targets: BTreeMap<PathBuf, File> = BTreeMap::new();
    for file in files {
        match Sink::of(&file.path) {
            Sink::File(target) if target.is_dir() => return Err(Error::Folder(file.path)),
            Sink::File(target) => match targets.get(&target) {
                Some(other) if other.text != file.text => return Err(Error::Twice(file.path)),
                _ => drop(targets.insert(target, file)),
            },
            Sink::Stream(path) => streams.push((Some(path), file)),
            Sink::Stdout => streams.push((None, file)),
        }
    }
    let mut staged = Vec::new();
    for (target, file) in targets {
        let failed = |source| Error::Write { path: file.path.clone(), source };
        if let Some(temporary) = stage(&target, &file).map_err(failed)? {
            staged.push((file.path, target, temporary));
        }
    }
    for (path, target, temporary) in staged {
        temporary.persist(target).map_err(|error| Error::Write { path, source: error.error })?;
    }
    for (path, file) in streams {
        let written = match path {
            None => print::result(|to| file.text.write_to(to)),
            // Whatever has the file open too continues after what is appended.
            Some(path) => fs::OpenOptions::new()
                .append(true)
                .open(path)
                .and_then(|stream| file.text.write_to(stream)),
        };
        written.map_err(|source| Error::Write { path: file.path, source })?;
    }
    Ok(())
}

/// Writes a temporary file next to the one that it will replace; none if that holds the text already.
fn stage(target: &Path, file: &File) -> io::Result<Option<NamedTempFile>> {
    let before = match fs::metadata(target) {
        Ok(before) if holds(target, before.len(), &file.text)? => return Ok(None),
        Ok(before) => Some(before),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let like = file.like.as_ref().and_then(|like| fs::metadata(like).ok());
    let mut builder = Builder::new();
    builder.prefix(".ko-rs-");
    if let Some(permissions) = like.map(|like| like.permissions()).or_else(readable) {
        builder.permissions(permissions);
    }
    let mut temporary = builder.tempfile_in(folder)?;
    file.text.write_to(&mut temporary)?;
    if let Some(before) = before {
        keep_access(temporary.path(), &before)?;
    }
    Ok(Some(temporary))
}

fn holds(path: &Path, length: u64, text: &Text) -> io::Result<bool> {
    if length != text.len() as u64 {
        return Ok(false);
    }
    let mut file = BufReader::new(fs::File::open(path)?);
    let mut block = [0; BLOCK];
    for piece in text.pieces() {
        for part in piece.as_bytes().chunks(BLOCK) {
            let read = &mut block[..part.len()];
            match file.read_exact(read) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                done => done?,
            }
            if read != part {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Gives a file the permissions of the one that it replaces, and its owner where that may be done.
fn keep_access(path: &Path, metadata: &fs::Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, chown};
        let own = fs::metadata(path)?;
        if (own.uid(), own.gid()) != (metadata.uid(), metadata.gid()) {
            // Only root may give a file away; the text matters more.
            let _ = chown(path, Some(metadata.uid()), Some(metadata.gid()));
        }
    }
    fs::set_permissions(path, metadata.permissions())
}

/// The permissions of any new file, which the umask narrows.
fn readable() -> Option<Permissions> {
    #[cfg(unix)]
    return Some(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    #[cfg(not(unix))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: PathBuf, text: &str) -> File {
        File { path, text: text.to_owned().into(), like: None }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_is_written_if_one_of_the_files_is_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "before").unwrap();
        fs::create_dir(at("folder")).unwrap();
        let files = vec![file(at("a"), "after"), file(at("new/b"), "b"), file(at("folder"), "c")];
        assert!(matches!(write(files).unwrap_err(), Error::Folder(_)));
        assert_eq!(fs::read_to_string(at("a")).unwrap(), "before");
        assert_eq!(names(folder.path()), ["a", "folder"]);
        write(vec![file(at("a"), "after"), file(at("new/b"), "b")]).unwrap();
        assert_eq!(fs::read_to_string(at("a")).unwrap(), "after");
        assert_eq!(fs::read_to_string(at("new/b")).unwrap(), "b");
        assert_eq!(names(folder.path()), ["a", "folder", "new"]);
    }

    #[cfg(unix)]
    #[test]
    fn open_files_and_devices_are_written_to_and_not_replaced() {
        use std::io::Write as _;
        use std::os::fd::AsRawFd as _;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert_eq!(Sink::of(Path::new("/dev/null")), Sink::Stream("/dev/null".into()));
        assert_eq!(Sink::of(Path::new("/dev/stdout")), Sink::Stdout);
        let missing = folder.path().canonicalize().unwrap().join("missing");
        assert_eq!(Sink::of(&at("missing")), Sink::File(missing));

        let mut open = fs::OpenOptions::new().create(true).append(true).open(at("a")).unwrap();
        open.write_all(b"before ").unwrap();
        let descriptor = PathBuf::from(format!("/dev/fd/{}", open.as_raw_fd()));
        write(vec![file(descriptor, "told "), file("/dev/null".into(), "x")]).unwrap();
        open.write_all(b"after").unwrap();
        assert_eq!(fs::read_to_string(at("a")).unwrap(), "before told after");

        let (mut reader, pipe) = io::pipe().unwrap();
        write(vec![file(format!("/dev/fd/{}", pipe.as_raw_fd()).into(), "piped")]).unwrap();
        drop(pipe);
        assert_eq!(io::read_to_string(&mut reader).unwrap(), "piped");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_file_that_is_named_twice_is_written_once_unless_the_texts_differ() {
        let folder = tempfile::tempdir().unwrap();
        let (a, again) = (folder.path().join("a"), folder.path().join("./a"));
        write(vec![file(a.clone(), "x"), file(again.clone(), "x")]).unwrap();
        let twice = write(vec![file(a, "x"), file(again, "y")]).unwrap_err();
        assert!(matches!(twice, Error::Twice(_)));
        let (b, again) = (folder.path().join("new/b"), folder.path().join("./new/b"));
        assert_eq!(Sink::of(&b), Sink::of(&again));
        assert_eq!(Sink::of(Path::new("not-there/x")), Sink::of(&PathBuf::from("./not-there/./x")));
    }

    #[cfg(unix)]
    #[test]
    fn links_modes_and_unchanged_files_are_kept() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("real")).unwrap();
        fs::write(at("real/a"), "before").unwrap();
        fs::set_permissions(at("real/a"), Permissions::from_mode(0o640)).unwrap();
        symlink("real/a", at("link")).unwrap();
        symlink("real/new", at("dangling")).unwrap();
        let inode = fs::metadata(at("real/a")).unwrap().ino();
        write(vec![file(at("link"), "before")]).unwrap();
        assert_eq!(fs::metadata(at("real/a")).unwrap().ino(), inode, "it was not touched");
        let mut like = file(at("executable"), "x");
        fs::write(at("original"), "").unwrap();
        fs::set_permissions(at("original"), Permissions::from_mode(0o700)).unwrap();
        like.like = Some(at("original"));
        write(vec![file(at("link"), "after"), file(at("dangling"), "new"), like]).unwrap();
        assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
        assert!(fs::symlink_metadata(at("dangling")).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(at("real/a")).unwrap(), "after");
        assert_eq!(fs::read_to_string(at("real/new")).unwrap(), "new");
        let mode = |name: &str| fs::metadata(at(name)).unwrap().mode() & 0o777;
        assert_eq!((mode("real/a"), mode("executable")), (0o640, 0o700));
    }
}
