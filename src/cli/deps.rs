//! `ko-rs deps`: prints the SBOM of an image in a registry.

use super::exit::Failure;
use super::print;
use crate::cache::Cache;
use crate::publish::{self, SbomQuery};
use crate::registry::{self, Client};
use crate::report::Reporter;

/// Prints the document as it lies in the registry, byte for byte.
pub(super) async fn deps(
    wanted: &SbomQuery,
    settings: registry::Settings,
    report: Reporter,
) -> Result<(), Failure> {
    let client = Client::new(settings, Cache::none(), report);
    let document = publish::find_sbom(&client, wanted).await.map_err(Failure::FindSbom)?;
    print::stdout(&document).map_err(Failure::Stdout)
}
