//! `ko-rs down`: deletes what `ko-rs dev` created.

use std::io::IsTerminal as _;

use clap::Args;

use super::context::Context;
use super::exit::Failure;
use super::flags::{FlagsOf, Reaching};
use super::print;
use super::result::DownResult;
use crate::cluster::Created;
use crate::dev::Remains;
use crate::pipeline::Session;
use crate::settings;

/// The options of `down`.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    flags: FlagsOf<Reaching>,
    /// Also delete namespaces, volumes, claims and custom resource definitions, after a question
    #[arg(long)]
    everything: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Runs `down`.
pub(super) async fn run(options: Options, context: &Context) -> Result<(), Failure> {
    let flags = context.flags(options.flags)?;
    let (complete, _) = settings::complete_dev(flags, &context.environment, &context.report)?;
    let session = Session::new(complete.settings, context.report.clone());
    let remains = Remains::find(&session).await?;
    if remains.ordinary.is_empty() && remains.precious.is_empty() {
        context.report.note("`ko-rs dev` created nothing here that still exists");
    }
    if options.everything && !remains.precious.is_empty() {
        if !options.yes && !confirm(&remains.precious)? {
            return Ok(());
        }
    } else if !remains.precious.is_empty() {
        let message = format!("{} are kept; --everything deletes them", listed(&remains.precious));
        context.report.note(message);
    }
    let objects = remains.delete(options.everything).await?;
    session.close();
    context.results.show(&DownResult { objects })
}

/// Asks on the terminal whether these objects are to be deleted.
fn confirm(precious: &[Created]) -> Result<bool, Failure> {
    let objects = listed(precious);
    if !std::io::stdin().is_terminal() {
        return Err(Failure::NotConfirmed { objects });
    }
    print::prompt(&format!("Delete {objects} with everything in them? [y/N] "));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|_| Failure::Stdin)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn listed(objects: &[Created]) -> String {
    objects.iter().map(Created::object).collect::<Vec<_>>().join(", ")
}
