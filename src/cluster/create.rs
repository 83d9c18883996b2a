//! Creating objects that are not there yet.

use crate::manifests::Object;

use super::apply::Change;
use super::change_cause;
use super::live::Live;
use super::request::{self, Write};
use super::set::{Checked, Deed};
use super::side_by_side;
use super::target::{Target, uid};
use super::{Cluster, DryRun, Error, Outcome, Verb};

/// How a set is created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateOptions {
    /// Whether it is only tried.
    pub dry_run: DryRun,
    /// What `kubectl rollout history` is to show for the first revisions.
    pub change_cause: Option<String>,
}

impl Cluster {
    /// Creates a set: either all of it is what the server accepts, or nothing is written. Outcomes
    /// are in the order of the objects.
    ///
    /// # Errors
    /// The first object that is wrong, there already or refused; what was written before a failure
    /// is in [`Error::Partial`].
    pub async fn create(
        &self,
        objects: Vec<Object>,
        options: &CreateOptions,
    ) -> Result<Vec<Outcome>, Error> {
        let change_cause = options.change_cause.as_deref();
        let deed = Deed::Create { dry_run: options.dry_run, change_cause };
        self.do_with(objects, deed).await
    }

    /// Tries out every object.
    pub(super) async fn check_created(
        &self,
        targets: Vec<Target>,
        dry_run: DryRun,
        cause: Option<&str>,
    ) -> Vec<Result<Checked, (Target, Error)>> {
        let checks = targets.into_iter().map(async |target| {
            let renewed =
                change_cause::renewed(&target.kind, &target.value, None, &target.value, cause);
            let object = renewed.unwrap_or_else(|| target.value.clone());
            let change = Some(Change { object, live: Live::Absent });
            let checked = Checked { target, verb: Verb::Created, change };
            if dry_run == DryRun::Client {
                return Ok(checked);
            }
            match self.send_new(&checked, true).await {
                Ok(_) => Ok(checked),
                // A webhook that cannot try out can still do.
                Err(Error::Object { source, .. })
                    if source.refusal().is_some_and(|refusal| {
                        refusal.message.contains("does not support dry run")
                    }) =>
                {
                    Ok(checked)
                }
                Err(error) => Err((checked.target, error)),
            }
        });
        side_by_side(checks).await
    }

    /// Sends an object that was tried out.
    pub(super) async fn write_created(&self, checked: &Checked) -> Result<Outcome, Error> {
        self.send_new(checked, false).await
    }

    async fn send_new(&self, checked: &Checked, dry_run: bool) -> Result<Outcome, Error> {
        let target = &checked.target;
        let object = checked.change.as_ref().map_or(&target.value, |change| &change.object);
        let write = Write { manager: &self.manager, dry_run, force: false };
        let request = request::create(&target.kind, target.namespace.as_deref(), object, write);
        let now =
            self.client.send(&request).await.map_err(|error| target.failed("create", error))?;
        let outcome = target.outcome(Verb::Created, DryRun::No);
        let name = now.pointer("/metadata/name").and_then(serde_json::Value::as_str);
        let name = name.map_or_else(|| outcome.name.clone(), str::to_owned);
        Ok(Outcome { name, uid: uid(&now), ..outcome })
    }
}
