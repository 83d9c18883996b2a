//! How two builds of an image differ, and why most likely.

use std::fmt;
use std::path::Path;

use super::codes;
use crate::cargo::Binary;
use crate::image::{Difference, What};
use crate::oci::Platform;
use crate::report::{Details, Diagnose};

/// How many differences of one image are listed.
const MOST: usize = 8;

/// An image that differs when it is built in another folder.
#[derive(Debug)]
pub struct Mismatch {
    binary: String,
    platform: Platform,
    differences: Vec<Difference>,
    cause: Cause,
}

/// The most likely cause of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause {
    /// It contains the folder of the build script of this crate.
    OutDir(String),
    /// It contains the folder of the sources.
    Sources,
    /// Only numbers differ.
    Clock,
    /// Names of symbols differ.
    Symbols,
    /// A file was not copied.
    Ignored,
    /// The configuration of the image differs.
    Configuration,
    /// None of these.
    Unknown,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the image of `{}` for {} differs when it is built in another folder",
            self.binary, self.platform
        )?;
        for difference in self.differences.iter().take(MOST) {
            write!(f, "\n{difference}")?;
        }
        match self.differences.len().checked_sub(MOST) {
            Some(more) if more > 0 => write!(f, "\nand {more} more"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Mismatch {}

impl Diagnose for Mismatch {
    fn details(&self) -> Details {
        Details::new(&codes::NOT_REPRODUCIBLE).hint(self.hint())
    }
}

impl Mismatch {
    /// An image with differences, built from a binary here and from a copy of its sources.
    pub(super) fn new(
        binary: &Binary,
        platform: Platform,
        differences: Vec<Difference>,
        copy: &Path,
    ) -> Self {
        let cause = cause(&differences, binary, copy);
        Self { binary: binary.import_path.to_string(), platform, differences, cause }
    }

    /// The likely cause, and what to do about it.
    fn hint(&self) -> String {
        let cause = match &self.cause {
            Cause::OutDir(package) => format!(
                "the build script of `{package}` writes the path of its folder (OUT_DIR) into the program"
            ),
            Cause::Sources => "the program contains the folder of the sources: from `env!(\"CARGO_MANIFEST_DIR\")`, a build script or a macro".to_owned(),
            Cause::Clock => "a build script or macro uses the current time: use SOURCE_DATE_EPOCH instead, which ko-rs sets".to_owned(),
            Cause::Symbols => "names of symbols contain a path: of a path dependency outside the workspace, or in a flag of rustc".to_owned(),
            Cause::Ignored => "files that Git ignores are not part of the second build: commit them, or create them in a build script".to_owned(),
            Cause::Configuration => "a label, variable or annotation depends on where or when the image is built".to_owned(),
            Cause::Unknown => "a build script or macro has a different result each time: random numbers, or the order of a hash map or of files in a folder".to_owned(),
        };
        format!("{cause}; see docs/reproducible.md")
    }
}

/// The most specific cause: of the contents of files, else of the configuration.
fn cause(differences: &[Difference], binary: &Binary, copy: &Path) -> Cause {
    let folders = [binary.workspace.as_path(), copy].map(|folder: &Path| folder.to_string_lossy());
    let of = |what: &What| match what {
        What::Only(_) => Some(Cause::Ignored),
        What::Configuration | What::Header | What::Section(_) => None,
        What::Content { section, first, second, .. } => {
            let names = |folder: &str| first.contains(folder) || second.contains(folder);
            if let Some(package) = out_dir(second).or_else(|| out_dir(first)) {
                Some(Cause::OutDir(package))
            } else if folders.iter().any(|folder| names(folder)) {
                Some(Cause::Sources)
            } else if section.as_deref().is_some_and(|name| name.starts_with(".strtab")) {
                Some(Cause::Symbols)
            } else {
                let same = without_digits(first) == without_digits(second);
                (same && first.len() > 3).then_some(Cause::Clock)
            }
        }
    };
    let configuration = || {
        let only = differences.iter().all(|difference| difference.what == What::Configuration);
        if only { Cause::Configuration } else { Cause::Unknown }
    };
    differences.iter().find_map(|difference| of(&difference.what)).unwrap_or_else(configuration)
}

/// The crate whose build script's folder a text contains: `…/build/NAME-HASH/out…`.
fn out_dir(text: &str) -> Option<String> {
    let (_, after) = text.split_once("/build/")?;
    let (name, rest) = after.split_once('/')?;
    let (name, hash) = name.rsplit_once('-')?;
    let is_hash = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hash && rest.starts_with("out")).then(|| name.to_owned())
}

fn without_digits(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_script_s_folder_names_its_crate() {
        let text = "/work/target/ko-rs/x86_64/release/build/ring-0123456789abcdef/out/x.o";
        assert_eq!(out_dir(text), Some("ring".to_owned()));
        for text in ["/work/build/ring/out", "/build/a-b/out", "/build/ring-0123456789abcdef/in"] {
            assert_eq!(out_dir(text), None, "{text}");
        }
    }

    #[test]
    fn times_differ_in_digits_alone() {
        assert_eq!(without_digits("built at 12:30:01"), without_digits("built at 12:31:59"));
        assert_ne!(without_digits("seed ab12"), without_digits("seed cd12"));
    }
}
