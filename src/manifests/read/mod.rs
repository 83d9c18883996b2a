//! Reading what `-f` names: files, folders, patterns, and texts that were read elsewhere.

mod glob;
pub(crate) mod search;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::manifests::read::search::Passed;
use crate::manifests::{Error, Errors, Search};
use crate::source::{Source, line_breaks};

/// One thing that `-f` names.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A file, a folder of files, or a pattern of those.
    Path(PathBuf),
    /// A text that was read elsewhere, such as standard input.
    Text(Source),
    /// A text that was read elsewhere and has a file's name.
    Named(Source, String),
}

/// A source, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// What was read.
    pub source: Source,
    /// Where it lies.
    pub place: Place,
}

/// Where a source lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file, where it is one.
    pub path: Option<PathBuf>,
    /// The file's place below the folder that was named, else its name.
    pub relative: Option<PathBuf>,
    /// Whether it was found in a folder or by a pattern, and not named itself.
    pub is_found: bool,
}

/// The largest file that is read: no manifest is as large as this.
pub(crate) const LARGEST: u64 = 256 << 20;

/// What a file's name ends in to be read as part of a folder.
const SUFFIXES: [&str; 3] = ["yaml", "yml", "json"];

/// What one `-f` names: several things with commas between them, as for kubectl, unless that is the name
/// of a file, a pattern that matches, or part of a URL.
#[must_use]
pub(crate) fn names(written: &str) -> Vec<&str> {
    let whole = Path::new(written);
    let is_there = || whole.symlink_metadata().is_ok();
    let matches = || glob::expand(whole).is_some_and(|(found, _)| !found.is_empty());
    if !written.contains(',') || is_there() || matches() {
        return vec![written];
    }
    let is_url = |text: &str| text.starts_with("http://") || text.starts_with("https://");
    let mut names = Vec::new();
    let mut start = 0;
    for (comma, _) in written.match_indices(',') {
        if !is_url(&written[start..]) || is_url(&written[comma + 1..]) {
            names.push(&written[start..comma]);
            start = comma + 1;
        }
    }
    names.push(&written[start..]);
    names
}

/// Reads manifests in the order in which they were given; a folder's files by name. Symbolic links to
/// folders are not followed inside a folder. What is no file, such as a pipe, may be waited for without end
/// where it is named, and is passed over where it is found.
pub(crate) fn read(inputs: &[Input], search: &Search) -> Result<Vec<Loaded>, Errors> {
    let mut reader = Reader { search, loaded: Vec::new(), errors: Errors::none() };
    for input in inputs {
        match input {
            Input::Text(source) => reader.text(source, None),
            Input::Named(source, name) => reader.text(source, Some(name.into())),
            Input::Path(path) => reader.named(path),
        }
    }
    reader.errors.check(reader.loaded)
}

struct Reader<'a> {
    search: &'a Search,
    loaded: Vec<Loaded>,
    errors: Errors,
}

impl Reader<'_> {
    fn text(&mut self, source: &Source, relative: Option<PathBuf>) {
        let place = Place { path: None, relative, is_found: false };
        self.loaded.push(Loaded { source: source.clone(), place });
    }

    /// What is named is taken as it is written if it is there, as a pattern else.
    fn named(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.folder(path, path),
            Ok(_) => self.file(path, path.parent().unwrap_or(Path::new("")), false),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                match glob::expand(path) {
                    None => self.errors.push(Error::Missing(path.to_owned())),
                    Some((found, _)) if found.is_empty() => {
                        self.errors.push(Error::NoMatch(path.to_owned()));
                    }
                    Some((found, base)) => self.matched(&found, &base),
                }
            }
            Err(source) => self.errors.push(Error::Read { path: path.to_owned(), source }),
        }
    }

    /// Reads what a pattern matches, each file once. A folder may have nothing in it where others do.
    fn matched(&mut self, found: &[PathBuf], base: &Path) {
        let passed = self.search.below(base);
        let mut files = Vec::new();
        let mut empty = Vec::new();
        for path in found.iter().filter(|path| !passed.has(path)) {
            if !path.is_dir() {
                files.extend(is_file(path).then(|| path.clone()));
            } else if !search::is_made(path) {
                let in_folder = self.files(path);
                empty.extend(in_folder.is_empty().then_some(path));
                files.extend(in_folder);
            }
        }
        if files.is_empty() {
            empty.into_iter().for_each(|path| self.nothing_in(path));
        }
        let mut read = BTreeSet::new();
        for file in &files {
            if read.insert(file) {
                self.file(file, base, true);
            }
        }
    }

    fn folder(&mut self, path: &Path, base: &Path) {
        let files = self.files(path);
        if files.is_empty() {
            self.nothing_in(path);
        }
        for file in files {
            self.file(&file, base, true);
        }
    }

    fn files(&mut self, folder: &Path) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let (passed, recursive) = (self.search.below(folder), self.search.recursive);
        list(folder, recursive, &passed, &mut files, &mut self.errors);
        files
    }

    fn nothing_in(&mut self, folder: &Path) {
        let (path, recursive) = (folder.to_owned(), self.search.recursive);
        self.errors.push(Error::NoManifests { path, recursive });
    }

    fn file(&mut self, path: &Path, base: &Path, is_found: bool) {
        match read_file(path) {
            Ok(source) => {
                let relative = path.strip_prefix(base).ok().map(Path::to_owned);
                let place = Place { path: Some(path.to_owned()), relative, is_found };
                self.loaded.push(Loaded { source, place });
            }
            Err(error) => self.errors.push(error),
        }
    }
}

/// The files of a folder that are manifests by their names, sorted.
fn list(
    folder: &Path,
    recursive: bool,
    passed: &Passed,
    files: &mut Vec<PathBuf>,
    errors: &mut Errors,
) {
    let unreadable = |source| Error::Read { path: folder.to_owned(), source };
    let mut entries = match fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(source) => return errors.push(unreadable(source)),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => {
                if recursive && !passed.has_folder(&path) {
                    list(&path, recursive, passed, files, errors);
                }
            }
            // A link to a file is that file; a link to a folder could lead anywhere, back up too.
            Ok(_) if has_suffix(&path) && is_file(&path) && !passed.has(&path) => files.push(path),
            Ok(_) => {}
            Err(source) => errors.push(Error::Read { path, source }),
        }
    }
}

/// Whether a file can be read there, or a link that leads nowhere is to be told.
fn is_file(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |metadata| metadata.is_file())
}

fn has_suffix(path: &Path) -> bool {
    path.extension().is_some_and(|extension| SUFFIXES.iter().any(|suffix| extension == *suffix))
}

fn read_file(path: &Path) -> Result<Source, Error> {
    let file = File::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    read_from(path.display().to_string(), file)
}

/// Reads a manifest from where there is no path, such as standard input.
pub(crate) fn read_from(name: impl Into<String>, reader: impl Read) -> Result<Source, Error> {
    let name = name.into();
    let mut bytes = Vec::new();
    reader
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::Read { path: name.clone().into(), source })?;
    if bytes.len() as u64 > LARGEST {
        return Err(Error::TooLarge { name, limit: LARGEST });
    }
    // YAML allows UTF-16 and UTF-32; nothing around Kubernetes writes them but by mistake.
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] = bytes.as_slice() {
        return Err(Error::Wide(name));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(name, text)),
        Err(error) => {
            let (before, rest) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
            let line = line_breaks(before) + 1;
            Err(Error::Encoding { name, line, byte: rest.first().copied().unwrap_or(0) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(inputs: &[Input], recursive: bool) -> Vec<String> {
        let loaded = read(inputs, &Search { recursive, apart: Vec::new() }).unwrap();
        loaded.iter().map(|loaded| loaded.source.text().to_owned()).collect()
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

    #[test]
    fn a_file_s_place_is_seen_from_what_was_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("k8s/deep")).unwrap();
        for name in ["k8s/a.yaml", "k8s/deep/b.yaml", "k8s/[x].yaml"] {
            fs::write(root.join(name), "").unwrap();
        }
        let places = |named: &str| -> Vec<String> {
            let search = Search { recursive: true, apart: Vec::new() };
            let loaded = read(&[Input::Path(root.join(named))], &search).unwrap();
            let shown =
                |loaded: &Loaded| loaded.place.relative.as_ref().unwrap().display().to_string();
            loaded.iter().map(shown).collect()
        };
        assert_eq!(places("k8s"), ["[x].yaml", "a.yaml", "deep/b.yaml"]);
        assert_eq!(places("k8s/deep/b.yaml"), ["b.yaml"]);
        assert_eq!(places("k*/a.yaml"), ["k8s/a.yaml"]);
        assert_eq!(places("k8s/d*"), ["deep/b.yaml"]);
        // A file of that name is no pattern.
        assert_eq!(places("k8s/[x].yaml"), ["[x].yaml"]);
    }

    #[test]
    fn what_is_written_and_what_is_never_a_manifest_is_passed_over_where_it_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["out/sub", ".git", ".github", "k8s", "made/debug/deep", "cache"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for name in ["made/.rustc_info.json", "made/debug/deep/x.yaml"] {
            fs::write(at(name), name).unwrap();
        }
        for name in ["cache/CACHEDIR.TAG", "cache/x.yaml"] {
            fs::write(at(name), name).unwrap();
        }
        let written = ["out/a.yaml", "out/sub/b.yaml", "all.yaml"];
        let never =
            [".ko-rs.yaml", ".ko.yaml", "k8s/.ko-rs.yaml", ".git/x.yaml", ".cargo_vcs_info.json"];
        for name in written.iter().chain(&never) {
            fs::write(at(name), name).unwrap();
        }
        for name in ["k8s/out.yaml", ".hidden.yaml", ".github/ci.yml"] {
            fs::write(at(name), name).unwrap();
        }
        let apart = vec![at("out"), at("k8s/../all.yaml"), at("not-yet")];
        let search = Search { recursive: true, apart };
        let names = |named: &str| -> Vec<String> {
            let loaded = read(&[Input::Path(at(named))], &search).unwrap();
            loaded.iter().map(|loaded| loaded.source.text().to_owned()).collect()
        };
        // kubectl reads hidden files too.
        assert_eq!(names(""), [".hidden.yaml", "k8s/out.yaml"]);
        for named in [".github", ".github/ci.yml", ".git[h]ub", ".github/*"] {
            assert_eq!(names(named), [".github/ci.yml"]);
        }
        assert_eq!(names("**/*.yaml"), ["k8s/out.yaml"]);
        assert_eq!(names("*"), ["k8s/out.yaml"]);
        assert_eq!(names("made/debug"), ["made/debug/deep/x.yaml"]);
        assert_eq!(names("cache"), ["cache/x.yaml"]);
        assert_eq!(names("out"), ["out/a.yaml", "out/sub/b.yaml"]);
        assert_eq!(names("out/sub"), ["out/sub/b.yaml"]);
        assert_eq!(names("out/*.yaml"), ["out/a.yaml"]);
        for named in ["all.yaml", ".ko-rs.yaml", "out/a.yaml"] {
            assert_eq!(names(named), [named]);
        }
    }

    #[test]
    fn a_pattern_reads_each_file_once_and_minds_no_empty_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["k8s/sub/deep", "k8s/empty"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for name in ["k8s/a.yaml", "k8s/sub/b.yaml", "k8s/sub/deep/c.yaml", "k8s/d.txt"] {
            fs::write(at(name), name).unwrap();
        }
        let matched = |pattern: &str, recursive| names(&[Input::Path(at(pattern))], recursive);
        let all = ["k8s/a.yaml", "k8s/sub/b.yaml", "k8s/sub/deep/c.yaml"];
        assert_eq!(matched("k8s/**", true), all);
        assert_eq!(matched("k8s/**", false), all);
        assert_eq!(matched("**/*.yaml", true), all);
        assert_eq!(matched("k8s/*", false), ["k8s/a.yaml", "k8s/d.txt", "k8s/sub/b.yaml"]);
        assert_eq!(matched("k8s/[es]*", false), ["k8s/sub/b.yaml"]);
        let errors = read(&[Input::Path(at("k8s/e*"))], &Search::default()).unwrap_err();
        assert!(errors.to_string().ends_with("empty` contains no .yaml, .yml or .json files"));
    }

    #[test]
    fn commas_separate_names_unless_they_are_part_of_one() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display();
        fs::write(folder.path().join("a,b.yaml"), "").unwrap();
        for (written, expected) in [
            ("a.yaml", vec!["a.yaml"]),
            ("a.yaml,b.yaml,-", vec!["a.yaml", "b.yaml", "-"]),
            ("a.yaml,", vec!["a.yaml", ""]),
            ("https://a/b,c?d=e,f", vec!["https://a/b,c?d=e,f"]),
            ("a,https://b/c,d,http://e", vec!["a", "https://b/c,d", "http://e"]),
        ] {
            assert_eq!(super::names(written), expected, "{written}");
        }
        for whole in ["a,b.yaml", "[a,c],b.yaml", "*,b.yaml"] {
            let whole = format!("{root}/{whole}");
            assert_eq!(super::names(&whole), [&whole]);
        }
        assert_eq!(super::names(&format!("{root}/*,c.yaml")).len(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_passed_over_where_it_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.yaml"), "a").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("s.yaml")).unwrap();
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mknodat(rustix::fs::CWD, at("p.yaml"), rustix::fs::FileType::Fifo, mode, 0)
            .unwrap();
        std::os::unix::fs::symlink("p.yaml", at("l.yaml")).unwrap();
        assert_eq!(names(&[Input::Path(folder.path().to_owned())], true), ["a"]);
        assert_eq!(names(&[Input::Path(at("*.yaml"))], true), ["a"]);
        std::os::unix::fs::symlink("gone", at("z.yaml")).unwrap();
        let errors = read(&[Input::Path(folder.path().to_owned())], &Search::default());
        assert!(errors.unwrap_err().to_string().contains("z.yaml"));
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
    fn all_files_that_cannot_be_read_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("empty")).unwrap();
        fs::write(at("latin.yaml"), b"a: 1\nb: \xe9\n").unwrap();
        fs::write(at("wide.yaml"), b"\xff\xfea\0").unwrap();
        let paths = ["gone.yaml", "empty", "latin.yaml", "wide.yaml"].map(at);
        let mut inputs: Vec<Input> = paths.into_iter().map(Input::Path).collect();
        inputs.push(Input::Path(at("*.nothing")));
        let errors = read(&inputs, &Search::default()).unwrap_err().to_string();
        let root = folder.path().display().to_string();
        assert_eq!(
            errors.replace(&root, ""),
            "`/gone.yaml` does not exist\n\
             the folder `/empty` contains no .yaml, .yml or .json files\n\
             `/latin.yaml` is not UTF-8: invalid byte 0xe9 in line 2\n\
             `/wide.yaml` is not UTF-8; it looks like UTF-16 or UTF-32\n\
             no file or folder matches `/*.nothing`"
        );
    }
}
