//! What is added to a base image, and how the result starts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::files::FileRule;
use crate::oci::CapabilityClause;
use crate::oci::file::OpenedFile;
use crate::reference::ImportPath;

/// The executable of an image.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its name: `/ko-app/NAME` in the image.
    pub name: String,
    /// The executable.
    pub executable: OpenedFile,
    /// The canonical name of the binary.
    pub import_path: ImportPath,
}

/// What else is in an image, and how it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe {
    /// The arguments of the executable.
    pub args: Option<Vec<String>>,
    /// Variables, added to those of the base image.
    pub environment: BTreeMap<String, String>,
    /// The user, instead of that of the base image.
    pub user: Option<String>,
    /// The working directory, instead of that of the base image.
    pub working_directory: Option<String>,
    /// Labels, added to those of the base image.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// Exposed ports: `8080`, `53/udp`.
    pub ports: Vec<String>,
    /// The capabilities of the executable, clause by clause.
    pub capabilities: Vec<CapabilityClause>,
    /// The creation time of the image, in seconds since 1970.
    pub created: i64,
    /// The modification time of the data, in seconds since 1970.
    pub data_modified: u64,
    /// Additional files.
    pub files: Vec<FileRule>,
    /// The data folder of the crate, if it has one.
    pub data: Option<PathBuf>,
    /// The folder that symbolic links in data must stay in; by default the data folder itself.
    pub repository_root: Option<PathBuf>,
    /// Whether to accept an executable that the base image cannot start.
    pub without_link_check: bool,
}
