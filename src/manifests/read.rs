//! Reading what `-f` names: files, folders, and texts that were read elsewhere.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Error, Errors};
use crate::source::Source;

/// One thing that `-f` names.
#[derive(Clone, Debug)]
pub enum Input {
    /// A file, or a folder of files.
    Path(PathBuf),
    /// A text that was read elsewhere, such as standard input.
    Text(Source),
}

/// The largest file that is read: no manifest is as large as this.
const FILE_LIMIT: u64 = 256 << 20;

/// What a file's name ends in to be read as part of a folder.
const SUFFIXES: [&str; 3] = ["yaml", "yml", "json"];

/// Reads manifests in the order in which they were given; a folder's files by name, its subfolders
/// only where `recursive`. Symbolic links to folders are not followed inside a folder.
pub fn read(inputs: &[Input], recursive: bool) -> Result<Vec<Source>, Errors> {
    let mut sources = Vec::new();
    let mut errors = Errors::none();
    for input in inputs {
        match input {
            Input::Text(source) => sources.push(source.clone()),
            Input::Path(path) => read_path(path, recursive, &mut sources, &mut errors),
        }
    }
    errors.check(sources)
}

fn read_path(path: &Path, recursive: bool, sources: &mut Vec<Source>, errors: &mut Errors) {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let mut files = Vec::new();
            list(path, recursive, &mut files, errors);
            if files.is_empty() {
                errors.push(Error::NoManifests { path: path.to_owned(), recursive });
            }
            for file in files {
                match read_file(&file) {
                    Ok(source) => sources.push(source),
                    Err(error) => errors.push(error),
                }
            }
        }
        Ok(_) => match read_file(path) {
            Ok(source) => sources.push(source),
            Err(error) => errors.push(error),
        },
        Err(_) if is_url(path) => errors.push(Error::Url(path.display().to_string())),
        Err(source) => errors.push(match source.kind() {
            std::io::ErrorKind::NotFound => Error::Missing(path.to_owned()),
            _ => Error::Read { path: path.to_owned(), source },
        }),
    }
}

fn is_url(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.starts_with("http://") || path.starts_with("https://"))
}

/// The files of a folder that are manifests by their names, sorted.
fn list(folder: &Path, recursive: bool, files: &mut Vec<PathBuf>, errors: &mut Errors) {
    let unreadable = |source| Error::Read { path: folder.to_owned(), source };
    let mut entries = match fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(source) => return errors.push(unreadable(source)),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && recursive => list(&path, recursive, files, errors),
            Ok(kind) if kind.is_dir() => {}
            // A link to a file is that file; a link to a folder could lead anywhere, back up too.
            Ok(_) if has_suffix(&path) && !path.is_dir() => files.push(path),
            Ok(_) => {}
            Err(source) => errors.push(Error::Read { path, source }),
        }
    }
}

fn has_suffix(path: &Path) -> bool {
    path.extension().is_some_and(|extension| SUFFIXES.iter().any(|suffix| extension == *suffix))
}

fn read_file(path: &Path) -> Result<Source, Error> {
    let file = File::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    read_from(path.display().to_string(), file)
}

/// Reads a manifest from where there is no path, such as standard input.
pub fn read_from(name: impl Into<String>, reader: impl Read) -> Result<Source, Error> {
    let name = name.into();
    let mut bytes = Vec::new();
    reader
        .take(FILE_LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::Read { path: name.clone().into(), source })?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(Error::TooLarge { name, limit: FILE_LIMIT });
    }
    // YAML allows UTF-16 and UTF-32; nothing around Kubernetes writes them but by mistake.
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] = bytes.as_slice() {
        return Err(Error::Wide(name));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(name, text)),
        Err(error) => {
            let (before, rest) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
            let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
            Err(Error::Encoding { name, line, byte: rest.first().copied().unwrap_or(0) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(inputs: &[Input], recursive: bool) -> Vec<String> {
        let sources = read(inputs, recursive).unwrap();
        sources.iter().map(|source| source.text().to_owned()).collect()
    }

    #[test]
    fn folders_are_read_by_name_and_suffix() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("sub/deep")).unwrap();
        for name in ["b.yaml", "a.json", "c.yml", "d.txt", "sub/e.yaml", "sub/deep/f.yaml"] {
            fs::write(at(name), name).unwrap();
        }
        let whole = [Input::Path(folder.path().to_owned())];
        assert_eq!(names(&whole, false), ["a.json", "b.yaml", "c.yml"]);
        assert_eq!(
            names(&whole, true),
            ["a.json", "b.yaml", "c.yml", "sub/deep/f.yaml", "sub/e.yaml"]
        );
        let text = Input::Text(Source::new("<stdin>", "text"));
        assert_eq!(names(&[Input::Path(at("d.txt")), text], false), ["d.txt", "text"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_to_folders_are_not_followed_inside_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), "a").unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("loop.yaml")).unwrap();
        std::os::unix::fs::symlink("a.yaml", folder.path().join("b.yaml")).unwrap();
        assert_eq!(names(&[Input::Path(folder.path().to_owned())], true), ["a", "a"]);
        assert_eq!(names(&[Input::Path(folder.path().join("loop"))], false), ["a", "a"]);
    }

    #[test]
    fn everything_that_cannot_be_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("empty")).unwrap();
        fs::write(at("latin.yaml"), b"a: 1\nb: \xe9\n").unwrap();
        fs::write(at("wide.yaml"), b"\xff\xfea\0").unwrap();
        let paths = ["gone.yaml", "empty", "latin.yaml", "wide.yaml"].map(at);
        let mut inputs: Vec<Input> = paths.into_iter().map(Input::Path).collect();
        inputs.push(Input::Path("https://example.org/a.yaml".into()));
        let errors = read(&inputs, false).unwrap_err().to_string();
        let root = folder.path().display().to_string();
        assert_eq!(
            errors.replace(&root, ""),
            "there is no file or folder `/gone.yaml`\n\
             the folder `/empty` has no .yaml, .yml or .json file in it\n\
             `/latin.yaml` is not UTF-8: line 2 has the byte 0xe9\n\
             `/wide.yaml` is not UTF-8; it looks like UTF-16 or UTF-32\n\
             `https://example.org/a.yaml` is a URL, which cannot be read yet"
        );
    }
}
