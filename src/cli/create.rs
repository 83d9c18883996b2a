//! `ko-rs create`: builds the images of manifests and creates their objects.

use clap::Args;

use super::context::Context;
use super::exit::Failure;
use super::flags::{Applying, FlagsOf};
use super::result::CreateResult;
use super::{changed, inputs, overwrite};
use crate::manifests::Parse;

/// The options of `create`.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    pub(super) flags: FlagsOf<Applying>,
}

/// Runs `create`.
pub(super) async fn run(options: Options, context: &Context) -> Result<(), Failure> {
    let work = async |complete: &_, session: &_| {
        let (manifests, places) = inputs::read(complete, session, Parse::Everything).await?;
        overwrite::check(complete, &places, None)?;
        let changed = session.create(&manifests, &complete.create).await;
        let outcomes = changed::finish(changed, CreateResult::new, complete, context)?;
        changed::wait(&outcomes, complete, session).await
    };
    context.with_session(options.flags, work).await
}
