//! `ko-rs cache`: shows what is in the cache, and removes it.

use clap::Subcommand;

use super::context::Context;
use super::exit::Failure;
use super::flags::{Everywhere, FlagsOf};
use super::result::{CacheCleanResult, CacheShowResult};
use crate::settings::Complete;

/// The commands of `cache`.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum Command {
    /// Print where the cache is and what it holds
    Show,
    /// Remove everything that no running build uses; later builds only take longer
    Clean,
}

/// Runs `cache`.
pub(super) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    let work = async |complete: &Complete, _: &_| {
        let cache = &complete.settings.cache;
        match command {
            Command::Show => {
                let folder = cache.root().map(ToOwned::to_owned).unwrap_or_default();
                let shown = CacheShowResult::new(folder, cache.limit(), cache.usage());
                context.results.show(&shown)
            }
            Command::Clean => {
                let cleaned = cache.clean().map_err(Failure::Cache)?;
                let (removed, kept) = (cleaned.removed.into(), cleaned.kept.into());
                context.results.show(&CacheCleanResult { removed, kept })
            }
        }
    };
    context.with_session(FlagsOf::<Everywhere>::default(), work).await
}
