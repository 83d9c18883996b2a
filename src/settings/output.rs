//! Where `resolve` writes manifests.

use std::path::PathBuf;

use super::error::Error;
use super::sources::{Origin, Sources};
use super::table::Key;
use crate::manifests::ImagesFile;

/// Where manifests are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To standard output, joined.
    Stdout,
    /// Into one file, joined.
    File(PathBuf),
    /// Each into a file of its own, below a folder.
    Folder(PathBuf),
    /// Each into the file that it was read from.
    InPlace,
}

impl Output {
    /// The file or folder, unless manifests are written to standard output or in place.
    pub(super) fn path(&self) -> Option<&PathBuf> {
        match self {
            Self::File(path) | Self::Folder(path) => Some(path),
            Self::Stdout | Self::InPlace => None,
        }
    }
}

impl Sources {
    pub(super) fn output(&self) -> Result<Output, Error> {
        let together = |what: &str| Err(Error::Together(what.to_owned()));
        let in_place = self.switch(Key::InPlace, false)?;
        if in_place && self.text(Key::Selector).is_some() {
            return together(
                "--in-place cannot be used with --selector: objects that are not selected would be lost",
            );
        }
        let folder = self.text(Key::OutputFolder).map(|(folder, _)| folder);
        match (self.text(Key::OutputFile), folder, in_place) {
            (None, None, false) => Ok(Output::Stdout),
            (Some((name, _)), None, false) if name == "-" => Ok(Output::Stdout),
            (Some((name, _)), None, false) => Ok(Output::File(name.into())),
            (None, Some(folder), false) => Ok(Output::Folder(folder.into())),
            (None, None, true) => Ok(Output::InPlace),
            _ => together("only one of --output-file, --output-dir and --in-place can be used"),
        }
    }

    /// The additional files that list images. They are not the result, so `-` is not allowed.
    pub(super) fn images_files(&self) -> Result<(Option<PathBuf>, Vec<ImagesFile>), Error> {
        let refs = self.path(Key::ImageRefs);
        let files: Vec<ImagesFile> = self.parse_all(Key::ImagesFile)?.unwrap_or_default();
        let refuse = |key: Key, instead: &str| {
            let flag = key.setting().flag.unwrap_or_default();
            let reason = "`-` (standard output) is reserved for the result";
            let hint = Some(format!("name a file: `{instead}`"));
            Err(Origin::Flag(flag.to_owned()).error_with(reason, hint))
        };
        if self.text(Key::ImageRefs).is_some_and(|(path, _)| path == "-") {
            return refuse(Key::ImageRefs, "--image-refs=FILE");
        }
        match files.iter().find(|file| file.path.as_os_str() == "-") {
            Some(file) => {
                refuse(Key::ImagesFile, &format!("--images-file={}=FILE", file.reader.name()))
            }
            None => Ok((refs, files)),
        }
    }
}
