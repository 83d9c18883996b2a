//! Server-side apply of one object: tried out first, then sent, unless it is there already.

use serde_json::Value;
use std::time::Duration;

use crate::manifests::Object;

use super::live::Live;
use super::refusal::Conflict;
use super::request::Write;
use super::set::{Checked, Deed};
use super::side_by_side;
use super::target::Target;
use super::{Cluster, DryRun, Error, Outcome, RequestError, Verb};
use super::{change_cause, difference, managers, request};

/// How a set is applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Whether it is only tried.
    pub dry_run: DryRun,
    /// Takes over fields that others manage.
    pub force_conflicts: bool,
    /// What `kubectl rollout history` is to show for revisions that this apply makes.
    pub change_cause: Option<String>,
}

/// What is still to be sent of an object.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// The object as it is sent.
    pub(super) object: Value,
    /// The object as it was.
    pub(super) live: Live,
}

/// What the server says that an apply would do.
enum Rehearsal {
    /// The object would be this one.
    Would(Value),
    /// A webhook cannot say.
    Unable,
}

/// How often an object that others write at the same time is tried.
const TRIES: usize = 8;
/// How long until the next try.
const PAUSE: Duration = Duration::from_millis(100);

impl Cluster {
    /// Applies a set: either all of it is what the server accepts, or nothing is written. Outcomes
    /// are in the order of the objects.
    ///
    /// # Errors
    /// The first object that is wrong, in conflict or refused; what was written before a failure
    /// is in [`Error::Partial`].
    pub async fn apply(
        &self,
        objects: Vec<Object>,
        options: &ApplyOptions,
    ) -> Result<Vec<Outcome>, Error> {
        self.do_with(objects, Deed::Apply(options)).await
    }

    /// Reads what is there and tries out every object.
    pub(super) async fn check_applied(
        &self,
        targets: Vec<Target>,
        options: &ApplyOptions,
    ) -> Result<Vec<Result<Checked, (Target, Error)>>, Error> {
        let live = self.read_all(&targets.iter().collect::<Vec<_>>()).await?;
        let checks = targets.into_iter().zip(live).map(async |(target, live)| {
            match self.check(&target, live, options).await {
                Ok((verb, change)) => Ok(Checked { target, verb, change }),
                Err(error) => Err((target, error)),
            }
        });
        Ok(side_by_side(checks).await)
    }

    /// What an apply of this object would come to, and what is to be sent for it.
    async fn check(
        &self,
        target: &Target,
        mut live: Live,
        options: &ApplyOptions,
    ) -> Result<(Verb, Option<Change>), Error> {
        if live.object().is_some_and(|live| live.pointer("/metadata/deletionTimestamp").is_some()) {
            let message = format!("{} is being deleted ({})", target.object(), target.place);
            let hint = "what is applied to it goes with it: apply again once it is gone";
            self.client.reporter().warn(message, Some(hint.to_owned()));
        }
        if options.dry_run == DryRun::Client {
            let holds = live.object().is_some_and(|live| difference::holds(live, &target.value));
            return Ok((if holds { Verb::Unchanged } else { verb_of_a_change(&live) }, None));
        }
        let mut is_second = false;
        let (object, would_be) = loop {
            let object = change_cause::kept(&target.kind, &target.value, live.object());
            let would_be = match self.rehearse(target, &object, options.force_conflicts).await? {
                Rehearsal::Would(would_be) => would_be,
                Rehearsal::Unable => {
                    return Ok((verb_of_a_change(&live), Some(Change { object, live })));
                }
            };
            // What differs and is not in the manifest, someone else may have written meanwhile.
            let paths = live.object().map(|live| difference::differences(live, &would_be));
            let is_ours = |path: &Vec<String>| difference::states(&object, path);
            match paths {
                Some(paths) if !is_second && !paths.is_empty() && !paths.iter().any(is_ours) => {
                    live = self.read(target).await?;
                    is_second = true;
                }
                _ => break (object, would_be),
            }
        };
        let mut verb = verb_of_a_change(&live);
        if let Live::Present(live) = &live
            && difference::differences(live, &would_be).is_empty()
            && managers::to_be_taken(live, &self.manager).is_empty()
        {
            verb = Verb::Unchanged;
            // What says the same, but was not applied by us yet, is sent all the same: whatever
            // leaves the manifest later has to be ours by then.
            if managers::same(live, &would_be) {
                return Ok((verb, None));
            }
        }
        let cause = options.change_cause.as_deref();
        // Where the live object may not be read, no one can say whether there is a new revision.
        let renewed = match live {
            Live::Hidden => None,
            _ => {
                change_cause::renewed(&target.kind, &target.value, live.object(), &would_be, cause)
            }
        };
        Ok((verb, Some(Change { object: renewed.unwrap_or(object), live })))
    }

    /// Asks what an apply would do. Conflicts that are taken over count as none.
    async fn rehearse(
        &self,
        target: &Target,
        object: &Value,
        force: bool,
    ) -> Result<Rehearsal, Error> {
        let mut write = Write { manager: &self.manager, dry_run: true, force };
        loop {
            let error = match self.send_apply(target, object, write).await {
                Ok(would_be) => return Ok(Rehearsal::Would(would_be)),
                Err(error) => error,
            };
            let refusal = error.refusal();
            if refusal.is_some_and(|refusal| refusal.message.contains("does not support dry run")) {
                return Ok(Rehearsal::Unable);
            }
            let conflicts = refusal.map(|refusal| refusal.conflicts()).unwrap_or_default();
            if conflicts.is_empty() || write.force {
                return Err(target.failed("apply", error));
            }
            self.only_taken(target, conflicts)?;
            write.force = true;
        }
    }

    /// Sends an object that was tried out.
    pub(super) async fn write_applied(
        &self,
        checked: &Checked,
        change: &Change,
        options: &ApplyOptions,
    ) -> Result<Outcome, Error> {
        let target = &checked.target;
        let mut live = change.live.clone();
        for _ in 0..TRIES {
            match self.write_once(target, &change.object, &live, options.force_conflicts).await? {
                Some(now) => {
                    let verb = match change.live.object() {
                        Some(was) if difference::differences(was, &now).is_empty() => {
                            Verb::Unchanged
                        }
                        _ => checked.verb,
                    };
                    let outcome = target.outcome(verb, DryRun::No);
                    return Ok(Outcome { uid: super::target::uid(&now), ..outcome });
                }
                None => {
                    tokio::time::sleep(PAUSE).await;
                    live = self.read(target).await?;
                }
            }
        }
        Err(Error::Contended { object: target.object(), place: target.place.clone() })
    }

    /// Takes over what was applied on the client, then applies. Nothing comes of it where the
    /// object is not the one any more that `live` is.
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
                let namespace = target.namespace.as_deref();
                let request = request::json_patch(
                    &target.kind,
                    namespace,
                    &target.name,
                    &patch,
                    &self.manager,
                );
                match self.client.send(&request).await {
                    Ok(now) => version = resource_version(&now),
                    Err(error) if is_outdated(&error) => return Ok(None),
                    Err(error) => return Err(target.failed("take over", error)),
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
            return Err(target.failed("apply", error));
        }
        self.only_taken(target, conflicts)?;
        // Forced, but only on the very object whose conflicts were looked at.
        let mut guarded = object.clone();
        let metadata = guarded.get_mut("metadata").and_then(Value::as_object_mut);
        let (Some(metadata), Some(version)) = (metadata, version) else { return Ok(None) };
        metadata.insert("resourceVersion".to_owned(), Value::from(version));
        match self.send_apply(target, &guarded, Write { force: true, ..write }).await {
            Ok(now) => Ok(Some(now)),
            Err(error) if is_outdated(&error) => Ok(None),
            Err(error) => Err(target.failed("apply", error)),
        }
    }

    async fn send_apply(
        &self,
        target: &Target,
        object: &Value,
        write: Write<'_>,
    ) -> Result<Value, RequestError> {
        let namespace = target.namespace.as_deref();
        let request = request::apply(&target.kind, namespace, &target.name, object, write);
        self.client.send(&request).await
    }

    /// Fails where a conflict is with someone whose fields are not ours to take.
    fn only_taken(&self, target: &Target, conflicts: Vec<Conflict>) -> Result<(), Error> {
        let may_take = |conflict: &Conflict| managers::may_take(conflict, &self.manager);
        let conflicts: Vec<_> = conflicts.into_iter().filter(|c| !may_take(c)).collect();
        if conflicts.is_empty() {
            return Ok(());
        }
        Err(Error::Conflict { object: target.object(), place: target.place.clone(), conflicts })
    }
}

/// What becomes of an object that is not as its manifest says.
fn verb_of_a_change(live: &Live) -> Verb {
    match live {
        Live::Absent => Verb::Created,
        Live::Present(_) | Live::Hidden => Verb::Configured,
    }
}

fn resource_version(object: &Value) -> Option<String> {
    object.pointer("/metadata/resourceVersion").and_then(Value::as_str).map(str::to_owned)
}

fn is_outdated(error: &RequestError) -> bool {
    error.refusal().is_some_and(|refusal| refusal.is_outdated())
}

#[cfg(test)]
mod tests;
