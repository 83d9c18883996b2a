//! `ko-rs logout`: removes the stored login to a registry.

use clap::Args;

use super::context::Context;
use super::exit::Failure;
use super::flags::{Everywhere, FlagsOf};
use super::result::LogoutResult;
use crate::registry::Account;

/// The options of `logout`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// `ghcr.io`, `localhost:5000`, `docker.io`; or a path of one, as `quay.io/team`
    #[arg(value_name = "REGISTRY")]
    registry: String,
}

/// Runs `logout`.
pub(super) async fn run(options: Options, context: &Context) -> Result<(), Failure> {
    let settings = context.registries(FlagsOf::<Everywhere>::default())?;
    let account: Account = options.registry.parse().map_err(Failure::Account)?;
    let done = account.log_out(&settings.credentials).await.map_err(Failure::Login)?;
    for path in &done.left {
        let message = format!("`{}` still holds credentials for `{account}`", path.display());
        context.report.note(message);
    }
    let (registry, removed) = (account.to_string(), done.was_logged_in);
    context.results.show(&LogoutResult { registry, removed, remaining: done.left })
}
