//! `ko-rs check`: checks manifests and what they refer to, and builds nothing.

use std::collections::BTreeSet;

use clap::Args;

use super::context::Context;
use super::exit::Failure;
use super::flags::{Checking, FlagsOf};
use super::inputs;
use super::result::CheckResult;
use crate::manifests::Parse;
use crate::pipeline::{Checked, Session};
use crate::report::Event;
use crate::settings::Complete;

/// The options of `check`.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    flags: FlagsOf<Checking>,
}

/// Runs `check`. What it found is its result even if the check fails.
pub(super) async fn run(options: Options, context: &Context) -> Result<(), Failure> {
    let events = context.report.reader();
    let checked = context.with_session(options.flags, check).await;
    let found = events.try_iter().filter_map(|event| match event {
        Event::Diagnostic(found) => Some(found),
        _ => None,
    });
    let mut diagnostics: Vec<_> = found.collect();
    let Checked { references, binaries } = match &checked {
        Ok(checked) => *checked,
        Err(failure) => {
            diagnostics.extend(failure.end().0);
            Checked { references: 0, binaries: 0 }
        }
    };
    context.results.show(&CheckResult { references, binaries, diagnostics })?;
    checked.map(|_| ())
}

async fn check(complete: &Complete, session: &Session) -> Result<Checked, Failure> {
    let (manifests, places) = inputs::read(complete, session, Parse::Everything).await?;
    let named = places.iter().filter(|(_, place)| !place.is_found);
    let named: BTreeSet<&str> = named.map(|(name, _)| name.as_str()).collect();
    let (manifests, others) = manifests.skip_other_files(|name| !named.contains(name));
    for name in others {
        session.report().note(format!("skipped {name}: it is not a Kubernetes object"));
    }
    let checked = session.check(&manifests)?;
    let Checked { references, binaries } = checked;
    session.report().note(format!("references: {references}, binaries: {binaries}"));
    Ok(checked)
}
