//! `ko-rs deps`: prints the SBOM of an image in a registry.

use clap::Args;

use super::context::Context;
use super::exit::Failure;
use super::flags::{FlagsOf, Registries};
use super::result::DepsResult;
use crate::image::SbomFormat;
use crate::oci::{ImageReference, Platform};
use crate::publish::{self, SbomQuery};

/// The options of `deps`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Image in a registry, by tag or digest
    #[arg(value_name = "IMAGE")]
    image: ImageReference,
    /// Which image of an index; by default the one for the host's architecture
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// `spdx` or `cyclonedx`; by default whichever exists
    #[arg(long, value_name = "FORMAT")]
    sbom: Option<SbomFormat>,
    #[command(flatten)]
    flags: FlagsOf<Registries>,
}

/// Runs `deps`.
pub(super) async fn run(options: Options, context: &Context) -> Result<(), Failure> {
    let Options { image, platform, sbom, flags } = options;
    let client = context.client(flags)?;
    let query = SbomQuery { image, platform, format: sbom };
    let document = publish::find_sbom(&client, &query).await.map_err(Failure::FindSbom)?;
    context.results.show(&DepsResult { image: query.image.to_string(), document })
}
