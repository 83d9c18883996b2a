//! `ko-rs apply`: builds the images of manifests and applies their objects.

use clap::Args;
use futures_util::future::try_join;

use super::context::Context;
use super::exit::Failure;
use super::flags::{Applying, FlagsOf};
use super::result::ApplyResult;
use super::{changed, inputs, logs, overwrite};
use crate::cluster::{LogOptions, Workload};
use crate::manifests::Parse;

/// The options of `apply`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Follow the logs of the applied objects' pods until Ctrl-C, or until Jobs are complete
    #[arg(long)]
    logs: bool,
    #[command(flatten)]
    pub(super) flags: FlagsOf<Applying>,
}

/// How many lines of containers are printed that ran before.
const RECENT: u64 = 10;

/// Runs `apply`.
pub(super) async fn run(options: Options, context: &Context) -> Result<(), Failure> {
    let Options { logs, flags } = options;
    let work = async |complete: &_, session: &_| {
        let (manifests, places) = inputs::read(complete, session, Parse::Everything).await?;
        overwrite::check(complete, &places, None)?;
        let changed = session.apply(&manifests, &complete.apply).await;
        let outcomes = changed::finish(changed, ApplyResult::new, complete, context)?;
        let workloads = if logs { Workload::among(&outcomes) } else { Vec::new() };
        if workloads.is_empty() {
            return changed::wait(&outcomes, complete, session).await;
        }
        let wait = changed::wait(&outcomes, complete, session);
        let follow = LogOptions { follow: true, tail: Some(RECENT), container: None };
        try_join(wait, logs::print(session, &workloads, &follow, false, context)).await.map(|_| ())
    };
    context.with_session(flags, work).await
}
