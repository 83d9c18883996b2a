//! `ko-rs base`: publishes the embedded base image.

use clap::{Args, Subcommand};

use super::context::Context;
use super::exit::Failure;
use super::flags::{FlagsOf, Registries};
use super::result::BasePushResult;
use crate::oci::ImageReference;
use crate::publish;

/// The commands of `base`.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Push `static` for all its platforms to a registry, and print its name by digest
    Push(Options),
}

/// The options of `base push`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Repository, with a tag or `latest`
    #[arg(value_name = "REF")]
    image: ImageReference,
    #[command(flatten)]
    flags: FlagsOf<Registries>,
}

/// Runs `base`.
pub(super) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    let Command::Push(Options { image, flags }) = command;
    let client = context.client(flags)?;
    let pushed = publish::push_base(&client, &image).await.map_err(Failure::PushBase)?;
    context.results.show(&BasePushResult { reference: pushed.to_string() })
}
