//! Server-side apply of one object: simulated first, then sent if it changes anything.

use std::time::Duration;

use serde_json::Value;

use crate::report::Diagnostic;

use super::client::RequestError;
use super::codes;
use super::connection::Cluster;
use super::error::Error;
use super::live::Live;
use super::object::{Target, uid};
use super::outcome::{DryRun, Operation, Outcome};
use super::plan::{ApplyOptions, Planned, Simulated, decide_apply};
use super::refusal::Conflict;
use super::request::Write;
use super::{change_cause, difference, managers, request};

/// The number of tries for an object that others write at the same time.
const TRIES: usize = 8;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);

impl Cluster {
    /// Plans the apply of an object.
    pub(super) async fn plan_applied(
        &self,
        target: Target,
        mut live: Live,
        options: &ApplyOptions,
    ) -> Result<Planned, (Target, Error)> {
        if live.object().is_some_and(|live| live.pointer("/metadata/deletionTimestamp").is_some()) {
            let id = &target.id;
            let message = format!("{id} is being deleted ({})", id.place);
            self.client.reporter().diagnostic(
                Diagnostic::warning(&codes::OBJECT_TERMINATING, message)
                    .hint("changes are deleted with it: apply again when it no longer exists"),
            );
        }
        let cause = options.change_cause.as_deref();
        if options.dry_run == DryRun::Client {
            let object = target.value.clone();
            let skipped = Simulated::Skipped;
            return Ok(decide_apply(target, live, object, skipped, &self.manager, cause));
        }
        let mut is_second = false;
        loop {
            let object = change_cause::kept(&target.id.kind, &target.value, live.object());
            let simulated = match self.simulate(&target, &object, options.force_conflicts).await {
                Ok(simulated) => simulated,
                Err(error) => return Err((target, error)),
            };
            // Differences outside of the manifest may be changes that somebody else just made.
            let is_outdated = match (&simulated, live.object()) {
                (Simulated::WouldBe(would_be), Some(live)) if !is_second => {
                    let paths = difference::differences(live, would_be);
                    let is_ours = |path: &Vec<String>| difference::has(&object, path);
                    !paths.is_empty() && !paths.iter().any(is_ours)
                }
                _ => false,
            };
            if !is_outdated {
                return Ok(decide_apply(target, live, object, simulated, &self.manager, cause));
            }
            live = match self.read(&target.id).await {
                Ok(live) => live,
                Err(error) => return Err((target, error)),
            };
            is_second = true;
        }
    }

    /// Asks the server for the result of an apply. Conflicts about fields that are taken over are
    /// ignored.
    async fn simulate(
        &self,
        target: &Target,
        object: &Value,
        force: bool,
    ) -> Result<Simulated, Error> {
        let mut write = Write { manager: &self.manager, dry_run: true, force };
        loop {
            let error = match self.send_apply(target, object, write).await {
                Ok(would_be) => return Ok(Simulated::WouldBe(would_be)),
                Err(error) => error,
            };
            if error.refusal().is_some_and(|refusal| refusal.is_about_dry_runs()) {
                return Ok(Simulated::Unsupported);
            }
            let conflicts = error.refusal().map(|refusal| refusal.conflicts()).unwrap_or_default();
            if conflicts.is_empty() || write.force {
                return Err(Error::object("apply", &target.id, error));
            }
            self.check_conflicts(target, conflicts)?;
            write.force = true;
        }
    }

    /// Sends a planned object.
    pub(super) async fn write_applied(
        &self,
        planned: &Planned,
        options: &ApplyOptions,
    ) -> Result<Outcome, Error> {
        let Some(object) = &planned.send else { return Ok(planned.outcome(DryRun::No)) };
        let target = &planned.target;
        let mut live = planned.live.clone();
        for _ in 0..TRIES {
            match self.write_once(target, object, &live, options.force_conflicts).await? {
                Some(now) => {
                    let mut outcome = planned.outcome(DryRun::No);
                    if let Live::Present(was) = &planned.live
                        && difference::differences(was, &now).is_empty()
                    {
                        outcome.operation = Operation::Unchanged;
                    }
                    return Ok(Outcome { uid: uid(&now).map(str::to_owned), ..outcome });
                }
                None => {
                    tokio::time::sleep(PAUSE).await;
                    live = self.read(&target.id).await?;
                }
            }
        }
        let (object, place) = (target.id.to_string(), target.id.place.clone());
        Err(Error::Contended { object, place })
    }

    /// Takes over what was applied on the client, then applies. Returns nothing if the object is no
    /// longer the same as `live`.
    async fn write_once(
        &self,
        target: &Target,
        object: &Value,
        live: &Live,
        force: bool,
    ) -> Result<Option<Value>, Error> {
        let mut version = live.object().and_then(resource_version);
        if let Some(live) = live.object() {
            let from = managers::to_be_taken(live, &self.manager);
            if let Some(patch) = managers::takeover(live, &from, &self.manager) {
                let request = request::json_patch(
                    &target.id.kind,
                    target.id.namespace.as_deref(),
                    &target.id.name,
                    &patch,
                    &self.manager,
                );
                match self.client.send(&request).await {
                    Ok(now) => version = resource_version(&now),
                    Err(error) if is_outdated(&error) => return Ok(None),
                    Err(error) => return Err(Error::object("take over", &target.id, error)),
                }
            }
        }
        let write = Write { manager: &self.manager, dry_run: false, force };
        let error = match self.send_apply(target, object, write).await {
            Ok(now) => return Ok(Some(now)),
            Err(error) => error,
        };
        let conflicts = error.refusal().map(|refusal| refusal.conflicts()).unwrap_or_default();
        if conflicts.is_empty() || force {
            return Err(Error::object("apply", &target.id, error));
        }
        self.check_conflicts(target, conflicts)?;
        // The resource version makes sure that only the checked conflicts are overridden.
        let mut guarded = object.clone();
        let metadata = guarded.get_mut("metadata").and_then(Value::as_object_mut);
        let (Some(metadata), Some(version)) = (metadata, version) else { return Ok(None) };
        metadata.insert("resourceVersion".to_owned(), Value::from(version));
        match self.send_apply(target, &guarded, Write { force: true, ..write }).await {
            Ok(now) => Ok(Some(now)),
            Err(error) if is_outdated(&error) => Ok(None),
            Err(error) => Err(Error::object("apply", &target.id, error)),
        }
    }

    async fn send_apply(
        &self,
        target: &Target,
        object: &Value,
        write: Write<'_>,
    ) -> Result<Value, RequestError> {
        let namespace = target.id.namespace.as_deref();
        let request = request::apply(&target.id.kind, namespace, &target.id.name, object, write);
        self.client.send(&request).await
    }

    /// Fails if a conflict is about a field that must not be taken over.
    fn check_conflicts(&self, target: &Target, conflicts: Vec<Conflict>) -> Result<(), Error> {
        let may_take = |conflict: &Conflict| managers::may_take(conflict, &self.manager);
        let conflicts: Vec<_> = conflicts.into_iter().filter(|c| !may_take(c)).collect();
        if conflicts.is_empty() {
            return Ok(());
        }
        let (object, place) = (target.id.to_string(), target.id.place.clone());
        Err(Error::Conflict { object, place, conflicts })
    }
}

fn resource_version(object: &Value) -> Option<String> {
    object.pointer("/metadata/resourceVersion").and_then(Value::as_str).map(str::to_owned)
}

fn is_outdated(error: &RequestError) -> bool {
    error.refusal().is_some_and(|refusal| refusal.is_outdated())
}
