//! Makes plans and carries them out: checks a set before the first write, then writes it wave by
//! wave.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::manifests::Object;
use crate::report::Event;

use super::connection::{Cluster, concurrently};
use super::error::Error;
use super::object::Target;
use super::outcome::{DryRun, Operation, Outcome};
use super::plan::{
    ApplyOptions, Change, CreateOptions, DeleteOptions, Entry, Plan, Planned, is_missing,
};
use super::waves::WAVES;

/// How long an object that the set provides may take to become usable.
const PATIENCE: Duration = Duration::from_secs(15);
/// The pause between two checks for it.
const PAUSE: Duration = Duration::from_millis(200);

impl Cluster {
    /// Applies a set: either the server accepts all of it, or nothing is written. Outcomes are in
    /// the order of the objects.
    ///
    /// # Errors
    /// The first object that is invalid, in conflict or refused. [`Error::Partial`] has what was
    /// written before a failure.
    pub async fn apply(
        &self,
        objects: Vec<Object>,
        options: &ApplyOptions,
    ) -> Result<Vec<Outcome>, Error> {
        self.execute(self.plan(objects, Change::Apply(options.clone())).await?).await
    }

    /// Creates a set: either the server accepts all of it, or nothing is written. Outcomes are in
    /// the order of the objects.
    ///
    /// # Errors
    /// The first object that is invalid, exists or is refused. [`Error::Partial`] has what was
    /// written before a failure.
    pub async fn create(
        &self,
        objects: Vec<Object>,
        options: &CreateOptions,
    ) -> Result<Vec<Outcome>, Error> {
        self.execute(self.plan(objects, Change::Create(options.clone())).await?).await
    }

    /// Deletes a set. Objects that do not exist do not keep the rest from being deleted. Outcomes
    /// are in the order of the objects, without those that did not exist.
    ///
    /// # Errors
    /// The first object that is refused or does not exist. [`Error::Partial`] has what was deleted
    /// nevertheless.
    pub async fn delete(
        &self,
        objects: Vec<Object>,
        options: &DeleteOptions,
    ) -> Result<Vec<Outcome>, Error> {
        self.execute(self.plan(objects, Change::Delete(options.clone())).await?).await
    }

    /// Decides what happens to each object of a set. Nothing is written: objects are read, and the
    /// server simulates every change.
    ///
    /// # Errors
    /// The first object that is invalid, in conflict or refused.
    pub async fn plan(&self, objects: Vec<Object>, change: Change) -> Result<Plan, Error> {
        let mut plan = Plan::new(objects, change, self.namespace())?;
        let all = (0..plan.entries.len()).collect();
        self.check(&mut plan, all).await?;
        Ok(plan)
    }

    /// Carries out a plan, or only returns its outcomes if it is one of a dry run.
    ///
    /// # Errors
    /// The first object that is refused. [`Error::Partial`] has what was done before.
    pub async fn execute(&self, mut plan: Plan) -> Result<Vec<Outcome>, Error> {
        if plan.change.dry_run() != DryRun::No {
            for index in plan.pending() {
                let manifest = &plan.manifests[index];
                self.client.reporter().note(format!(
                    "{} `{}` ({}) cannot be checked before the objects of the set that it depends on \
                     exist",
                    manifest.kind, manifest.name, manifest.place
                ));
            }
            return plan.into_outcomes();
        }
        let _writing = self.stopping.writing();
        match plan.change {
            Change::Delete(_) => {
                for wave in (0..WAVES).rev() {
                    if self.write(&mut plan, wave).await {
                        break;
                    }
                }
            }
            Change::Apply(_) | Change::Create(_) => {
                for wave in 0..WAVES {
                    if let Err(error) = self.check_pending(&mut plan, wave).await {
                        return Err(plan.stopped(error));
                    }
                    if self.write(&mut plan, wave).await {
                        break;
                    }
                    if let Err(error) = self.wait_for_definitions(&mut plan, wave).await {
                        return Err(plan.stopped(error));
                    }
                }
            }
        }
        if self.stopping.is_requested() && plan.is_incomplete() {
            return Err(plan.stopped(Error::Interrupted));
        }
        plan.into_outcomes()
    }

    /// Checks these objects of a plan.
    async fn check(&self, plan: &mut Plan, indices: Vec<usize>) -> Result<(), Error> {
        let manifests: Vec<_> = indices.iter().map(|&index| &plan.manifests[index]).collect();
        self.discover(&manifests).await?;
        let (mut known, mut targets) = (Vec::new(), Vec::new());
        for index in indices {
            let manifest = &plan.manifests[index];
            match self.kind_of(manifest) {
                Some(kind) => {
                    known.push(index);
                    targets.push(manifest.of_kind(kind, self.client.access())?);
                }
                None => {
                    let error = self.unknown_kind(manifest).await;
                    plan.entries[index] = plan.unserved(manifest, error);
                    if let Some(error) = plan.take_failure() {
                        return Err(error);
                    }
                }
            }
        }
        for (index, checked) in known.into_iter().zip(self.check_targets(plan, targets).await?) {
            plan.entries[index] = match checked {
                Ok(planned) => Entry::Planned(Box::new(planned)),
                Err((target, error)) => plan.refused(&target, error),
            };
        }
        plan.take_failure().map_or(Ok(()), Err)
    }

    async fn check_targets(
        &self,
        plan: &Plan,
        targets: Vec<Target>,
    ) -> Result<Vec<Result<Planned, (Target, Error)>>, Error> {
        Ok(match &plan.change {
            Change::Apply(options) => {
                let live =
                    self.read_all(&targets.iter().map(|it| &it.id).collect::<Vec<_>>()).await?;
                let targets = targets.into_iter().zip(live);
                concurrently(targets.map(|(target, live)| self.plan_applied(target, live, options)))
                    .await
            }
            Change::Create(options) => {
                let targets = targets.into_iter();
                concurrently(targets.map(|target| self.plan_created(target, options))).await
            }
            Change::Delete(options) => {
                let targets = targets.into_iter();
                concurrently(targets.map(|target| self.plan_deleted(target, options.dry_run))).await
            }
        })
    }

    /// Checks pending objects again before a wave is written. Those of the wave must be valid, once
    /// the objects that they depend on had time to become usable.
    async fn check_pending(&self, plan: &mut Plan, wave: usize) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let pending = plan.pending();
            if wave == 0 || pending.is_empty() {
                return Ok(());
            }
            self.check(plan, pending).await?;
            let late = plan.pending().into_iter().find(|&index| plan.wave(index) <= wave);
            let Some(late) = late else { return Ok(()) };
            if Instant::now() > deadline {
                return match std::mem::replace(&mut plan.entries[late], Entry::Unchecked) {
                    Entry::Pending(error) => Err(error),
                    _ => Ok(()),
                };
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Writes a wave, and returns whether the run must end after it. After a failed write, or a request
    /// to stop, no new one is started, and those in flight are completed, so that all outcomes are known.
    async fn write(&self, plan: &mut Plan, wave: usize) -> bool {
        let has_failed = AtomicBool::new(false);
        let planned = plan.planned(wave).into_iter().map(|(index, planned)| {
            let (has_failed, change) = (&has_failed, &plan.change);
            async move {
                if has_failed.load(Ordering::Relaxed) || self.stopping.is_requested() {
                    return None;
                }
                let result = self.write_one(change, planned).await;
                let ends = |error: &Error| !(change.is_delete() && is_missing(error));
                if result.as_ref().is_err_and(ends) {
                    has_failed.store(true, Ordering::Relaxed);
                }
                Some((index, result.map_err(|error| (planned.target.clone(), error))))
            }
        });
        let results = concurrently(planned.collect::<Vec<_>>()).await;
        for (index, result) in results.into_iter().flatten() {
            plan.entries[index] = match result {
                Ok(outcome) => Entry::Done(outcome),
                Err((target, error)) if plan.change.is_delete() => plan.refused(&target, error),
                Err((_, error)) => Entry::Failed(error),
            };
        }
        has_failed.into_inner() || self.stopping.is_requested()
    }

    async fn write_one(&self, change: &Change, planned: &Planned) -> Result<Outcome, Error> {
        let outcome = match change {
            Change::Apply(options) => self.write_applied(planned, options).await?,
            Change::Create(_) => self.write_created(planned).await?,
            Change::Delete(_) => self.write_deleted(planned).await?,
        };
        self.client.reporter().send(Event::Applied {
            object: outcome.object(),
            namespace: outcome.id.namespace.clone(),
            outcome: outcome.operation.done().to_owned(),
        });
        Ok(outcome)
    }

    /// Waits until the definitions of the first wave are served, if objects depend on them.
    async fn wait_for_definitions(&self, plan: &mut Plan, wave: usize) -> Result<(), Error> {
        if wave > 0 {
            return Ok(());
        }
        plan.is_defined = true;
        let written = plan.entries.iter().filter_map(|entry| match entry {
            Entry::Done(outcome)
                if outcome.id.kind.is("apiextensions.k8s.io", "CustomResourceDefinition")
                    && outcome.operation != Operation::Unchanged =>
            {
                Some(outcome.clone())
            }
            _ => None,
        });
        let written: Vec<Outcome> = written.collect();
        if written.is_empty() || plan.pending().is_empty() {
            return Ok(());
        }
        self.wait(&written, PATIENCE).await
    }
}

#[cfg(test)]
mod tests;
