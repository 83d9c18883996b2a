//! What the files that tell of images must not be written over: what somebody else wrote, what is
//! read in this run, and what else it writes. All of it is known before anything is built.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::files::Way;
use super::outputs::Targets;
use crate::manifests::{ImagesFile, Place, Reader};
use crate::settings::Complete;

/// The largest file that may be one of these.
const LARGEST: u64 = 16 << 20;

/// Why a file that tells of images would do harm.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("`{}` is there, and has more in it than ko-rs writes for {}", path.display(), reader.name())]
    Foreign { path: PathBuf, reader: Reader },
    #[error("`{}` is read in this run, and {flag} would write over it", path.display())]
    Input { path: PathBuf, flag: &'static str },
    #[error("{flag} and {other} would both write `{}`", path.display())]
    Twice { path: PathBuf, flag: &'static str, other: &'static str },
    #[error("`{}` is a folder, not a file", .0.display())]
    Folder(PathBuf),
    #[error("could not read `{}`, which would be written over", path.display())]
    Read { path: PathBuf, source: io::Error },
}

impl Error {
    /// The way out.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Foreign { path, reader } => Some(way_out(path, *reader)),
            Self::Input { .. } => Some("write to another file".to_owned()),
            Self::Twice { .. } | Self::Folder(_) | Self::Read { .. } => None,
        }
    }
}

/// Where else to write what a tool reads, and how the tool is told.
fn way_out(path: &Path, reader: Reader) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let (instead, how) = match reader {
        Reader::Kustomize => (
            path.with_file_name("images").join("kustomization.yaml"),
            format!("and write `components: [images]` into `{name}`"),
        ),
        Reader::Helm => (
            path.with_file_name("images.yaml"),
            format!("and give Helm both: `-f {name} -f images.yaml`"),
        ),
        Reader::Kbld => {
            (path.with_file_name("images.kbld.yaml"), "and give kbld both with `-f`".to_owned())
        }
        Reader::Imgpkg | Reader::Skaffold => {
            return "write to another file, or remove this one first".to_owned();
        }
    };
    format!("write `--images-file {}={}`,\n{how}", reader.name(), instead.display())
}

/// Holds the files that shall tell of images against what is there, what is read and what else is
/// written.
pub(super) fn check(
    complete: &Complete,
    places: &[(String, Place)],
    targets: Option<&Targets>,
) -> Result<(), Error> {
    let refs = complete.image_refs.iter().map(|path| (path, "--image-refs", None));
    let images = complete.images_files.iter();
    let images = images.map(|file| (&file.path, "--images-file", Some(file.reader)));
    let told: Vec<_> = refs.chain(images).collect();
    if told.is_empty() {
        return Ok(());
    }
    let file = |path: &Path| match Way::to(path) {
        Way::File(path) => Some(path),
        Way::Stdout | Way::Stream(_) => None,
    };
    let read = places.iter().filter_map(|(_, place)| file(place.path.as_deref()?));
    let read: BTreeSet<PathBuf> = read.collect();
    let written = targets.into_iter().flat_map(Targets::paths);
    let written = written.filter_map(|(path, flag)| Some((file(path)?, (flag, None))));
    let mut written: BTreeMap<PathBuf, (&str, Option<Reader>)> = written.collect();
    for (path, flag, reader) in told {
        let Some(real) = file(path) else { continue };
        if read.contains(&real) {
            return Err(Error::Input { path: path.clone(), flag });
        }
        match written.insert(real, (flag, reader)) {
            // The same twice is written once.
            Some(other) if other != (flag, reader) || reader.is_none() => {
                return Err(Error::Twice { path: path.clone(), flag, other: other.0 });
            }
            _ => {}
        }
    }
    complete.images_files.iter().try_for_each(is_ours)
}

/// Fails where a file is there that was not written for its reader.
fn is_ours(ImagesFile { reader, path }: &ImagesFile) -> Result<(), Error> {
    let Way::File(real) = Way::to(path) else { return Ok(()) };
    let failed = |source| Error::Read { path: path.clone(), source };
    let mut bytes = Vec::new();
    match fs::metadata(&real) {
        Ok(metadata) if metadata.is_dir() => return Err(Error::Folder(path.clone())),
        Ok(_) => {
            let file = fs::File::open(&real).map_err(failed)?;
            file.take(LARGEST).read_to_end(&mut bytes).map_err(failed)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(failed(source)),
    }
    // What is larger was cut off, and so is no such file, or it is one of nothing but blanks.
    match std::str::from_utf8(&bytes) {
        Ok(text) if reader.wrote(text) => Ok(()),
        _ => Err(Error::Foreign { path: path.clone(), reader: *reader }),
    }
}
