//! Warns of executables that name folders of this machine: their digest is another elsewhere.

use std::collections::BTreeSet;

use super::Pipeline;
use crate::cargo::Workspace;
use crate::image::ImageDraft;
use crate::oci::Digest;
use crate::oci::layer::Content;

/// The records of what executables were found to name.
const KIND: &str = "stray-paths";
/// How many paths of one executable are named.
const MOST: usize = 3;

impl Pipeline {
    /// Warns of paths in an image's executable, which has been packed, now or before.
    pub(super) fn warn_of_stray_paths(
        &self,
        workspace: &Workspace,
        binary: &str,
        draft: &ImageDraft,
    ) {
        let mut entries = draft.sources().iter().flat_map(|source| &source.entries);
        let searched = entries.find_map(|entry| match &entry.content {
            Content::File(file) => Some((file, file.search()?)),
            _ => None,
        });
        let Some((executable, search)) = searched else { return };
        let key = Digest::of(format!("{:?} {:?}", executable.stamp(), search.texts()).as_bytes());
        let finds: BTreeSet<String> = match search.found(executable.size()) {
            Some(finds) => {
                if !finds.is_empty() && !executable.is_racy() {
                    // Not kept, the warning is not repeated where nothing has changed.
                    let _ = self.cache.put_record(KIND, &key, &finds);
                }
                finds
            }
            None => self.cache.record(KIND, &key).unwrap_or_default(),
        };
        for stray in workspace.stray_paths(&finds).iter().take(MOST) {
            let package = match &stray.package {
                Some(package) => format!("by its crate `{package}`"),
                None => "by one of its crates".to_owned(),
            };
            self.report.warn(
                format!(
                    "`{binary}` holds the path `{}` of this machine, put there {package}: \
                     built elsewhere, its digest is another",
                    stray.path.display()
                ),
                Some(
                    "`env!(\"CARGO_MANIFEST_DIR\")` and a build script's OUT_DIR are kept as they are: \
                     see docs/reproducible.md"
                        .to_owned(),
                ),
            );
        }
    }
}
