//! `ko-rs delete`: deletes the objects of manifests.

use clap::Args;

use super::context::Context;
use super::exit::Failure;
use super::flags::{Deleting, FlagsOf};
use super::result::DeleteResult;
use super::{changed, inputs};
use crate::manifests::Parse;

/// The options of `delete`.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    flags: FlagsOf<Deleting>,
}

/// Runs `delete`.
pub(super) async fn run(options: Options, context: &Context) -> Result<(), Failure> {
    let work = async |complete: &_, session: &_| {
        let (manifests, _) = inputs::read(complete, session, Parse::Everything).await?;
        let changed = session.delete(&manifests, &complete.delete).await;
        let outcomes = changed::finish(changed, DeleteResult::new, complete, context)?;
        changed::wait(&outcomes, complete, session).await
    };
    context.with_session(options.flags, work).await
}
