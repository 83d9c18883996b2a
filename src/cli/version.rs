//! `ko-rs version`.

use super::context::Context;
use super::exit::Failure;
use super::result::{BaseResult, VersionResult};
use crate::image;
use crate::publish;
use crate::settings::Loudness;

/// Runs `version`.
pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let base = (context.loudness == Loudness::Verbose).then(|| BaseResult {
        digest: publish::static_base().descriptor().digest.to_string(),
        date: image::embedded_date().to_string(),
    });
    context.results.show(&VersionResult { version: env!("CARGO_PKG_VERSION"), base })
}
