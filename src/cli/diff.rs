//! `ko-rs diff`: shows what `apply` would change.

use clap::Args;

use super::context::Context;
use super::exit::{Failure, Stop};
use super::flags::{Diffing, FlagsOf};
use super::inputs;
use super::result::DiffResult;
use crate::manifests::Parse;

/// The options of `diff`.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    flags: FlagsOf<Diffing>,
}

/// Runs `diff`.
pub(super) async fn run(options: Options, context: &Context) -> Result<Stop, Failure> {
    let work = async |complete: &_, session: &_| {
        let (manifests, _) = inputs::read(complete, session, Parse::Everything).await?;
        Ok(session.diff(&manifests, complete.apply.force_conflicts).await?)
    };
    let objects = context.with_session(options.flags, work).await?;
    let stop = if objects.is_empty() { Stop::Done } else { Stop::Different };
    context.results.show(&DiffResult { objects, look: context.stdout })?;
    Ok(stop)
}
