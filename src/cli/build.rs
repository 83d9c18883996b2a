//! `ko-rs build`: builds images of crates and publishes them.

use clap::Args;

use super::context::Context;
use super::exit::Failure;
use super::flags::{Building, FlagsOf};
use super::result::{BuildResult, PlanResult};
use super::{files, outputs, overwrite};
use crate::pipeline::{Request, Session};

/// The options of `build`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Package, folder (`.`, `./svc/link`) or import path, optionally with `#BIN` [default: .]
    #[arg(value_name = "CRATE")]
    crates: Vec<String>,
    /// Package to build; may be repeated
    #[arg(short, long, value_name = "PACKAGE")]
    package: Vec<String>,
    /// Build every package of the workspace that has a binary
    #[arg(long, conflicts_with_all = ["crates", "package"])]
    workspace: bool,
    /// Build a second time in another folder, and publish only if the images are the same
    #[arg(long)]
    verify: bool,
    /// Print what would be built and where it would go, and build nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) flags: FlagsOf<Building>,
}

/// Runs `build`.
pub(super) async fn run(options: Options, context: &Context) -> Result<(), Failure> {
    let Options { crates, package, workspace, verify, dry_run, flags } = options;
    let mut named = [package, crates].concat();
    if named.is_empty() {
        named.push(".".to_owned());
    }
    let request = if workspace { Request::Workspace } else { Request::Crates(&named) };
    let work = async |complete: &_, session: &Session| {
        overwrite::check(complete, &[], None)?;
        let plan = session.plan(request).await?;
        if dry_run {
            return context.results.show(&PlanResult { plan });
        }
        if verify {
            session.verify(&plan).await?;
        }
        let images = session.build(&plan, &complete.rules.images).await?;
        files::write(outputs::images(complete, &images)?)?;
        context.results.show(&BuildResult { images: images.published })
    };
    context.with_session(flags, work).await
}
