//! Files that a run leaves: all of them, or all as they were before. A file that would not change is
//! not touched; one that does is replaced at once, so that nobody reads half of it.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, TempPath};

use super::print;
use crate::manifests::Text;

/// How much is compared at once.
const BLOCK: usize = 4 << 10;

/// The most links that lead from one to the next, as for the system itself.
const LINKS: usize = 40;

/// A file as it shall be.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) text: Text,
    /// The file whose permissions a new one gets.
    pub(super) like: Option<PathBuf>,
}

/// Why no file was written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("could not write `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("`{}` is a folder, not a file", .0.display())]
    Folder(PathBuf),
    #[error("two different texts would be written to `{}`", .0.display())]
    Twice(PathBuf),
    #[error("could not write `{}`, nor put back what stood in `{}` before", path.display(), lost.display())]
    Lost { path: PathBuf, lost: PathBuf, source: io::Error },
}

/// Where what is written to a path arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Standard output, by one of the names that systems have for it.
    Stdout,
    /// What takes what is written, with nothing to replace: a pipe, a device, an open file.
    Stream(PathBuf),
    /// A file, through links, there or yet to be made; or a folder.
    File(PathBuf),
}

impl Way {
    pub(super) fn to(path: &Path) -> Self {
        match descriptor(path) {
            Some(descriptor) if descriptor == Path::new("1") => Self::Stdout,
            Some(_) => Self::Stream(path.to_owned()),
            None => match fs::metadata(path) {
                Ok(found) if !found.is_file() && !found.is_dir() => Self::Stream(path.to_owned()),
                _ => Self::File(target(path)),
            },
        }
    }
}

/// The number of the open file of this process that a path means, as `/dev/stdout` and `/dev/fd/3`
/// do. Were the file behind it replaced, whoever has it open would not see that.
fn descriptor(path: &Path) -> Option<PathBuf> {
    let open = [Path::new("/proc/self/fd"), Path::new("/dev/fd")];
    let open: Vec<PathBuf> = open.iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let folder = path.parent().and_then(|folder| fs::canonicalize(folder).ok());
        if folder.is_some_and(|folder| open.contains(&folder)) {
            return path.file_name().map(PathBuf::from);
        }
        let link = fs::read_link(&path).ok()?;
        path = path.parent().unwrap_or(Path::new("")).join(link);
    }
    None
}

/// Writes files, all or none.
pub(super) fn write(files: Vec<File>) -> Result<(), Error> {
    let mut staged = Staged::default();
    let mut targets: BTreeMap<PathBuf, File> = BTreeMap::new();
    for file in files {
        match Way::to(&file.path) {
            Way::File(target) => match targets.get(&target) {
                Some(other) if other.text != file.text => return Err(Error::Twice(file.path)),
                _ => drop(targets.insert(target, file)),
            },
            Way::Stream(path) => staged.streams.push((Some(path), file)),
            Way::Stdout => staged.streams.push((None, file)),
        }
    }
    for (target, file) in targets {
        let failed = |source| Error::Write { path: file.path.clone(), source };
        match fs::metadata(&target) {
            Ok(metadata) if metadata.is_dir() => return Err(Error::Folder(file.path)),
            Ok(metadata) => {
                if !holds(&target, metadata.len(), &file.text).map_err(failed)? {
                    let temporary = staged.write(&target, &file, None).map_err(failed)?;
                    keep_access(temporary.path(), &metadata).map_err(failed)?;
                    staged.push(file.path, target, temporary);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let like = file.like.as_ref().and_then(|like| fs::metadata(like).ok());
                let like = like.map(|like| like.permissions());
                let temporary = staged.write(&target, &file, like).map_err(failed)?;
                staged.push(file.path, target, temporary);
            }
            Err(source) => return Err(failed(source)),
        }
    }
    staged.commit()
}

/// The file that a path means, through links, also one that leads to a file yet to be made.
fn target(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        if let Ok(found) = fs::canonicalize(&path) {
            return found;
        }
        let Ok(link) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(link);
    }
    // Two ways to name a file that is not there yet are one as far as its folders are there.
    let path = std::path::absolute(&path).unwrap_or(path);
    let there = path.ancestors().find_map(|folder| {
        let rest = path.strip_prefix(folder).ok()?;
        Some(fs::canonicalize(folder).ok()?.join(rest))
    });
    there.unwrap_or(path)
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
            // Who may not give a file away keeps it: the text is what counts.
            let _ = chown(path, Some(metadata.uid()), Some(metadata.gid()));
        }
    }
    fs::set_permissions(path, metadata.permissions())
}

/// Files that lie beside those that they are to become.
#[derive(Default)]
struct Staged {
    files: Vec<(PathBuf, PathBuf, NamedTempFile)>,
    /// What goes into open files by their paths, or to standard output.
    streams: Vec<(Option<PathBuf>, File)>,
    /// Folders made on the way, the outermost first.
    folders: Folders,
}

impl Staged {
    fn write(
        &mut self,
        target: &Path,
        file: &File,
        like: Option<Permissions>,
    ) -> io::Result<NamedTempFile> {
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        self.folders.make(folder)?;
        let mut builder = Builder::new();
        builder.prefix(".ko-rs-");
        if let Some(like) = like.or_else(readable) {
            builder.permissions(like);
        }
        let mut temporary = builder.tempfile_in(folder)?;
        file.text.write_to(&mut temporary)?;
        Ok(temporary)
    }

    fn push(&mut self, path: PathBuf, target: PathBuf, temporary: NamedTempFile) {
        self.files.push((path, target, temporary));
    }

    /// Puts every file in its place; puts back what was there where one cannot be.
    fn commit(mut self) -> Result<(), Error> {
        let mut done: Vec<Replaced> = Vec::new();
        for (path, target, temporary) in std::mem::take(&mut self.files) {
            let replaced = backup(&target).and_then(|before| {
                temporary.persist(&target).map_err(io::Error::from)?;
                Ok(Replaced { target, before })
            });
            match replaced {
                Ok(replaced) => done.push(replaced),
                Err(source) => {
                    for replaced in done.into_iter().rev() {
                        let lost = replaced.target.clone();
                        replaced.undo().map_err(|source| Error::Lost {
                            path: path.clone(),
                            lost,
                            source,
                        })?;
                    }
                    return Err(Error::Write { path, source });
                }
            }
        }
        self.folders.keep();
        for (path, file) in &self.streams {
            let written = match path {
                None => print::manifests(&file.text),
                // A file that others have open too goes on where they stopped.
                Some(path) => fs::OpenOptions::new()
                    .append(true)
                    .open(path)
                    .and_then(|stream| file.text.write_to(stream)),
            };
            written.map_err(|source| Error::Write { path: file.path.clone(), source })?;
        }
        Ok(())
    }
}

/// Readable by whoever may read what this user writes, as any result.
fn readable() -> Option<Permissions> {
    #[cfg(unix)]
    return Some(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    #[cfg(not(unix))]
    None
}

/// Another name for a file, or a copy where there are no such names; none if it is not there.
fn backup(target: &Path) -> io::Result<Option<TempPath>> {
    let Some(folder) = target.parent() else { return Ok(None) };
    let made = Builder::new().prefix(".ko-rs-").make_in(folder, |path| {
        fs::hard_link(target, path).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists => Err(error),
            _ => fs::copy(target, path).map(|_| ()),
        })
    });
    match made {
        Ok(made) => Ok(Some(made.into_temp_path())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

struct Replaced {
    target: PathBuf,
    before: Option<TempPath>,
}

impl Replaced {
    fn undo(self) -> io::Result<()> {
        match self.before {
            Some(before) => before.persist(&self.target).map_err(io::Error::from),
            None => fs::remove_file(&self.target),
        }
    }
}

/// Folders that go again unless they are kept.
#[derive(Default)]
struct Folders(Vec<PathBuf>);

impl Folders {
    fn make(&mut self, folder: &Path) -> io::Result<()> {
        let missing = folder
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let missing: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        for folder in missing.into_iter().rev() {
            fs::create_dir(&folder)?;
            self.0.push(folder);
        }
        Ok(())
    }

    fn keep(&mut self) {
        self.0.clear();
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // One that somebody else has put something into stays.
            let _ = fs::remove_dir(folder);
        }
    }
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
    fn all_are_written_or_none() {
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

    #[test]
    fn what_was_there_is_put_back_where_a_later_file_cannot_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "before").unwrap();
        let mut staged = Staged::default();
        for name in ["a", "b", "c"] {
            let file = file(at(name), "after");
            let temporary = staged.write(&at(name), &file, None).unwrap();
            staged.push(at(name), at(name), temporary);
        }
        // Between looking and writing, somebody makes a folder of the last one.
        fs::create_dir_all(at("c/d")).unwrap();
        assert!(
            matches!(staged.commit().unwrap_err(), Error::Write { path, .. } if path == at("c"))
        );
        assert_eq!(fs::read_to_string(at("a")).unwrap(), "before");
        assert_eq!(names(folder.path()), ["a", "c"]);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_open_already_and_what_is_no_file_is_written_to_and_not_replaced() {
        use std::io::Write as _;
        use std::os::fd::AsRawFd as _;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert_eq!(Way::to(Path::new("/dev/null")), Way::Stream("/dev/null".into()));
        assert_eq!(Way::to(Path::new("/dev/stdout")), Way::Stdout);
        std::os::unix::fs::symlink("/dev/stdout", at("link")).unwrap();
        assert_eq!(Way::to(&at("link")), Way::Stdout);
        let missing = folder.path().canonicalize().unwrap().join("missing");
        assert_eq!(Way::to(&at("missing")), Way::File(missing));

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
        assert_eq!(names(folder.path()), ["a", "link"]);
    }

    #[test]
    fn one_file_named_twice_is_written_once_unless_the_texts_differ() {
        let folder = tempfile::tempdir().unwrap();
        let (a, again) = (folder.path().join("a"), folder.path().join("./a"));
        write(vec![file(a.clone(), "x"), file(again.clone(), "x")]).unwrap();
        let twice = write(vec![file(a, "x"), file(again, "y")]).unwrap_err();
        assert!(matches!(twice, Error::Twice(_)));
        let (b, again) = (folder.path().join("new/b"), folder.path().join("./new/b"));
        assert_eq!(Way::to(&b), Way::to(&again));
        assert_eq!(Way::to(Path::new("not-there/x")), Way::to(&PathBuf::from("./not-there/./x")));
    }

    #[cfg(unix)]
    #[test]
    fn links_modes_and_times_stay() {
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
