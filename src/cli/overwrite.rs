//! Refuses to overwrite files that ko-rs did not write, files that are read in this run, and other
//! output of the run, before anything is built.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::codes;
use super::files::Sink;
use super::outputs::Targets;
use crate::manifests::{ImagesFile, Place, Reader};
use crate::report::{Details, Diagnose};
use crate::settings::Complete;

/// The largest file that ko-rs may have written.
const LARGEST: u64 = 16 << 20;

/// Why a file of images must not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("`{}` exists, and contains more than ko-rs writes for {}", path.display(), reader.name())]
    Foreign { path: PathBuf, reader: Reader },
    #[error("`{}` is read in this run, and {flag} would overwrite it", path.display())]
    Input { path: PathBuf, flag: &'static str },
    #[error("{flag} and {other} would both write `{}`", path.display())]
    Twice { path: PathBuf, flag: &'static str, other: &'static str },
    #[error("`{}` is a folder, not a file", .0.display())]
    Folder(PathBuf),
    #[error("could not read `{}`, which would be overwritten", path.display())]
    Read { path: PathBuf, source: io::Error },
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::Foreign { path, reader } => {
                Details::new(&codes::OUTPUT_EXISTS).hint(instead(path, *reader))
            }
            Self::Input { .. } => Details::new(&codes::OUTPUT_EXISTS).hint("write to another file"),
            Self::Twice { .. } => Details::new(&codes::OUTPUT_CONFLICT),
            Self::Folder(_) => Details::new(&codes::OUTPUT_IS_FOLDER),
            Self::Read { .. } => Details::new(&codes::OUTPUT_EXISTS),
        }
    }
}

/// Where to write the images instead, and how the tool finds them there.
fn instead(path: &Path, reader: Reader) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let (file, how) = match reader {
        Reader::Kustomize => (
            path.with_file_name("images").join("kustomization.yaml"),
            format!("and add `components: [images]` to `{name}`"),
        ),
        Reader::Helm => (
            path.with_file_name("images.yaml"),
            format!("and pass both to Helm: `-f {name} -f images.yaml`"),
        ),
        Reader::Kbld => {
            (path.with_file_name("images.kbld.yaml"), "and pass both to kbld with `-f`".to_owned())
        }
        Reader::Imgpkg | Reader::Skaffold => {
            return "write to another file, or remove this one first".to_owned();
        }
    };
    format!("write `--images-file {}={}`,\n{how}", reader.name(), file.display())
}

/// Checks the files of images against existing files, inputs and other outputs.
pub(super) fn check(
    complete: &Complete,
    places: &[(String, Place)],
    targets: Option<&Targets>,
) -> Result<(), Error> {
    let refs = complete.image_refs.iter().map(|path| (path, "--image-refs", None));
    let images = complete.images_files.iter();
    let images = images.map(|file| (&file.path, "--images-file", Some(file.reader)));
    let listed: Vec<_> = refs.chain(images).collect();
    if listed.is_empty() {
        return Ok(());
    }
    let file = |path: &Path| match Sink::of(path) {
        Sink::File(path) => Some(path),
        Sink::Stdout | Sink::Stream(_) => None,
    };
    let read = places.iter().filter_map(|(_, place)| file(place.path.as_deref()?));
    let read: BTreeSet<PathBuf> = read.collect();
    let written = targets.into_iter().flat_map(Targets::paths);
    let written = written.filter_map(|(path, flag)| Some((file(path)?, (flag, None))));
    let mut written: BTreeMap<PathBuf, (&str, Option<Reader>)> = written.collect();
    for (path, flag, reader) in listed {
        let Some(real) = file(path) else { continue };
        if read.contains(&real) {
            return Err(Error::Input { path: path.clone(), flag });
        }
        match written.insert(real, (flag, reader)) {
            // The same file for the same tool is written once.
            Some(other) if other != (flag, reader) || reader.is_none() => {
                return Err(Error::Twice { path: path.clone(), flag, other: other.0 });
            }
            _ => {}
        }
    }
    complete.images_files.iter().try_for_each(is_ours)
}

/// Fails if a file exists that ko-rs did not write for its reader.
fn is_ours(ImagesFile { reader, path }: &ImagesFile) -> Result<(), Error> {
    let Sink::File(real) = Sink::of(path) else { return Ok(()) };
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
    // A larger file was cut off, so it is not one of ours unless it is blank.
    match std::str::from_utf8(&bytes) {
        Ok(text) if reader.wrote(text) => Ok(()),
        _ => Err(Error::Foreign { path: path.clone(), reader: *reader }),
    }
}
