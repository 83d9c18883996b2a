//! `ko-rs deps`: prints the bill of materials of an image in a registry.

use super::exit::Failure;
use super::print;
use crate::cache::Cache;
use crate::pipeline::{self, BillOf};
use crate::registry::{self, Client};
use crate::report::Reporter;

/// Prints the document as it lies in the registry, byte for byte.
pub(super) async fn deps(
    wanted: &BillOf,
    settings: registry::Settings,
    report: Reporter,
) -> Result<(), Failure> {
    let client = Client::new(settings, Cache::none(), report);
    let document = pipeline::bill(&client, wanted).await.map_err(Failure::Bill)?;
    print::stdout(&document).map_err(Failure::Stdout)
}
