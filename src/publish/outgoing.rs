//! What every destination is given.

use tokio::sync::OnceCell;

use super::keep::KeepTag;
use super::sbom::Sboms;
use super::sealed::Sealed;
use super::store::{self, Store};
use crate::cache::Cache;
use crate::image::ImageDraft;
use crate::oci::{Compression, Repository, Tag};
use crate::registry::Client;
use crate::report::Reporter;

/// The image of one binary, or its images for several platforms, on the way to its destinations.
pub(super) struct Outgoing<'a> {
    /// The name without a tag, as it is printed.
    pub(super) name: String,
    /// The same, with the registry that is meant if none is named.
    pub(super) repository: Repository,
    pub(super) tags: &'a [Tag],
    pub(super) drafts: &'a [ImageDraft],
    pub(super) keep: Option<&'a KeepTag>,
    pub(super) sboms: Sboms<'a>,
    /// The finished image, once a destination on this machine has needed it.
    pub(super) sealed: OnceCell<Sealed>,
}

/// What destinations work with.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    pub(super) client: Client,
    pub(super) cache: Cache,
    pub(super) store: Store,
    pub(super) report: Reporter,
}

impl Outgoing<'_> {
    /// The image under each of its tags, as a layout names it; none if it has no tag.
    pub(super) fn tagged(&self) -> Vec<String> {
        self.tags.iter().map(|tag| format!("{}:{tag}", self.name)).collect()
    }

    /// The finished image. Layers that no destination has packed are packed, and kept for later.
    pub(super) async fn sealed(&self, store: &Store) -> Result<&Sealed, store::Error> {
        self.sealed.get_or_try_init(|| seal(self.drafts, store)).await
    }
}

/// Finishes drafts. Layers that have not been packed are packed, and kept for later.
pub(super) async fn seal(drafts: &[ImageDraft], store: &Store) -> Result<Sealed, store::Error> {
    let mut packed = Vec::new();
    for draft in drafts {
        let mut layers = Vec::new();
        for source in draft.sources() {
            layers.push(match (store.compression, store.known(source)) {
                (Compression::None, _) => store.measure(source).await?,
                (_, Some(packed)) => packed,
                (_, None) => store.file(source).await?.0,
            });
        }
        packed.push(layers);
    }
    Ok(Sealed::new(drafts, &packed, store.compression))
}
