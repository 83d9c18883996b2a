//! What `apply`, `create` and `delete` do after the cluster was changed.

use super::context::Context;
use super::exit::Failure;
use super::result::CommandResult;
use super::{files, outputs};
use crate::cluster::{self, Outcome};
use crate::pipeline::{self, Changed, Session};
use crate::publish::Published;
use crate::settings::Complete;

/// Shows what became of the objects, also if only some of them were changed.
pub(super) fn finish<R: CommandResult>(
    changed: Result<Changed, pipeline::Error>,
    result: impl Fn(Vec<Outcome>, Vec<Published>) -> R,
    complete: &Complete,
    context: &Context,
) -> Result<Vec<Outcome>, Failure> {
    if let Err(pipeline::Error::Cluster(cluster::Error::Partial { done, .. })) = &changed {
        context.results.show(&result(done.clone(), Vec::new()))?;
    }
    let Changed { outcomes, images } = changed?;
    context.results.show(&result(outcomes.clone(), images.published.clone()))?;
    files::write(outputs::images(complete, &images)?)?;
    Ok(outcomes)
}

/// Waits for what was changed if asked to.
pub(super) async fn wait(
    outcomes: &[Outcome],
    complete: &Complete,
    session: &Session,
) -> Result<(), Failure> {
    match complete.wait {
        Some(limit) => Ok(session.wait(outcomes, limit).await?),
        None => Ok(()),
    }
}
