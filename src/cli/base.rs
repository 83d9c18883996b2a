//! `ko-rs base`: the embedded base image, where others find it.

use super::exit::Failure;
use crate::cache::Cache;
use crate::oci::ImageReference;
use crate::publish;
use crate::registry::{self, Client};
use crate::report::Reporter;

/// Pushes the base and prints its name by digest.
pub(super) async fn push(
    name: &ImageReference,
    settings: registry::Settings,
    report: Reporter,
) -> Result<(), Failure> {
    let client = Client::new(settings, Cache::none(), report);
    let pushed = publish::push_base(&client, name).await.map_err(Failure::PushBase)?;
    super::print(&format!("{pushed}\n"))
}
