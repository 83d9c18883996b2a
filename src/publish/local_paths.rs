//! Warns about executables that contain paths of this machine: built on another one, their digest
//! differs.

use std::collections::BTreeSet;

use super::codes;
use super::sbom::Compiled;
use crate::cache::Cache;
use crate::image::ImageDraft;
use crate::oci::Digest;
use crate::oci::layer::Content;
use crate::report::{Diagnostic, Reporter};

/// The kind of the records of what was found in executables.
const KIND: &str = "stray-paths";

/// How many paths of one executable are listed.
const LISTED: usize = 3;

/// Warns about paths in the executable of an image that has been packed, in this run or before.
pub(super) fn warn(
    binary: &str,
    draft: &ImageDraft,
    compiled: Compiled<'_>,
    cache: &Cache,
    report: &Reporter,
) {
    let mut entries = draft.sources().iter().flat_map(|source| &source.entries);
    let searched = entries.find_map(|entry| match &entry.content {
        Content::File(file) => Some((file, file.search()?)),
        _ => None,
    });
    let Some((executable, search)) = searched else { return };
    let key = Digest::of(format!("{:?} {:?}", executable.stamp(), search.texts()).as_bytes());
    let found: BTreeSet<String> = match search.found(executable.size()) {
        Some(found) => {
            if !found.is_empty() && !executable.is_racy() {
                // If it cannot be stored, later runs that change nothing do not warn again.
                let _ = cache.put_record(KIND, &key, &found);
            }
            found
        }
        None => cache.record(KIND, &key).unwrap_or_default(),
    };
    for stray in compiled.workspace.stray_paths(&found).iter().take(LISTED) {
        let package = match &stray.package {
            Some(package) => format!("by its crate `{package}`"),
            None => "by one of its crates".to_owned(),
        };
        let message = format!(
            "`{binary}` contains the path `{}` of this machine, put there {package}: built \
             elsewhere, its digest differs",
            stray.path.display()
        );
        report.diagnostic(Diagnostic::warning(&codes::LOCAL_PATH, message).hint(
            "`env!(\"CARGO_MANIFEST_DIR\")` and the OUT_DIR of a build script cannot be remapped: see \
             docs/reproducible.md",
        ));
    }
}
