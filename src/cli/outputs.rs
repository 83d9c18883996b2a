//! The files of a result and their contents; [`super::files`] writes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::codes;
use super::files::File;
use crate::manifests::{self, Place, Rendered, Text};
use crate::pipeline::Images;
use crate::report::{Details, Diagnose};
use crate::settings::{Complete, Output};

/// Why a result cannot be written to the files that are named for it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{flag} requires files, but `{name}` is not one")]
    NoFile { name: String, flag: &'static str },
    #[error("`{}` and `{}` would both be written to `{}`", from[0].display(), from[1].display(), path.display())]
    SameFile { path: PathBuf, from: [PathBuf; 2] },
    #[error(transparent)]
    Images(manifests::Unwritable),
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::NoFile { .. } => {
                Details::new(&codes::OUTPUT_NEEDS_FILE).hint("write to one file with `-o FILE`")
            }
            Self::SameFile { .. } => Details::new(&codes::OUTPUT_CONFLICT),
            Self::Images(error) => error.details(),
        }
    }
}

/// Where the manifests of a run are written, each or together.
pub(super) enum Targets {
    Stdout,
    File(PathBuf),
    Each { targets: Vec<Target>, flag: &'static str },
}

/// The file that a manifest is written to.
pub(super) struct Target {
    path: PathBuf,
    /// The file that it was read from.
    like: Option<PathBuf>,
}

/// Decides where manifests are written, before anything is built.
pub(super) fn targets(complete: &Complete, places: &[(String, Place)]) -> Result<Targets, Error> {
    let flag = match &complete.output {
        Output::Folder(_) => "--output-dir",
        _ => "--in-place",
    };
    let target = |(name, place): &(String, Place)| -> Result<Target, Error> {
        let Place { path: read, relative, .. } = place.clone();
        let path = match &complete.output {
            Output::Folder(folder) => relative.map(|path| folder.join(path)),
            _ => read.clone(),
        };
        let path = path.ok_or_else(|| Error::NoFile { name: name.clone(), flag })?;
        Ok(Target { path, like: read })
    };
    match &complete.output {
        Output::Stdout => Ok(Targets::Stdout),
        Output::File(path) => Ok(Targets::File(path.clone())),
        Output::InPlace | Output::Folder(_) => {
            let targets: Vec<Target> = places.iter().map(target).collect::<Result<_, _>>()?;
            let mut taken: BTreeMap<&Path, &Target> = BTreeMap::new();
            for one in &targets {
                match taken.insert(&one.path, one) {
                    Some(other) if other.like != one.like => {
                        let from = |target: &Target| target.like.clone().unwrap_or_default();
                        let (path, from) = (one.path.clone(), [from(other), from(one)]);
                        return Err(Error::SameFile { path, from });
                    }
                    _ => {}
                }
            }
            Ok(Targets::Each { targets, flag })
        }
    }
}

impl Targets {
    /// The files that are written, and the flags that name them.
    pub(super) fn paths(&self) -> Vec<(&Path, &'static str)> {
        match self {
            Self::Stdout => Vec::new(),
            Self::File(path) => vec![(path, "--output-file")],
            Self::Each { targets, flag } => {
                targets.iter().map(|target| (target.path.as_path(), *flag)).collect()
            }
        }
    }

    /// The text for standard output, and files.
    pub(super) fn manifests(self, rendered: Vec<Rendered>, selected: bool) -> (Text, Vec<File>) {
        match self {
            Self::Stdout => (manifests::join(rendered), Vec::new()),
            Self::File(path) => {
                let text = manifests::join(rendered);
                (Text::default(), vec![File { path, text, like: None }])
            }
            Self::Each { targets, .. } => {
                let files = targets.into_iter().zip(rendered);
                // A file of which nothing is selected is not written.
                let files = files.filter(|(_, rendered)| !(selected && rendered.text.is_empty()));
                let file = |(target, rendered): (Target, Rendered)| File {
                    path: target.path,
                    text: rendered.text,
                    like: target.like,
                };
                (Text::default(), files.map(file).collect())
            }
        }
    }
}

/// The files of images.
pub(super) fn images(complete: &Complete, images: &Images) -> Result<Vec<File>, Error> {
    let mut files = Vec::new();
    if let Some(path) = &complete.image_refs {
        let lines = images.published.iter().flat_map(|image| &image.names);
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        files.push(File { path: path.clone(), text: text.into(), like: None });
    }
    for file in &complete.images_files {
        let text = file.reader.write(&images.replacements).map_err(Error::Images)?;
        files.push(File { path: file.path.clone(), text: text.into(), like: None });
    }
    Ok(files)
}
