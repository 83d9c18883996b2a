//! Deletion of one object.

use serde_json::Value;

use super::client::RequestError;
use super::connection::Cluster;
use super::error::Error;
use super::live::Live;
use super::object::{Target, uid};
use super::outcome::{DryRun, Operation, Outcome};
use super::plan::Planned;
use super::request;

impl Cluster {
    /// Plans the deletion of an object. Only a dry run checks that the object exists.
    pub(super) async fn plan_deleted(
        &self,
        target: Target,
        dry_run: DryRun,
    ) -> Result<Planned, (Target, Error)> {
        let checked = match dry_run {
            DryRun::No => Ok(Value::Null),
            DryRun::Client => {
                let namespace = target.id.namespace.as_deref();
                let request = request::get(&target.id.kind, namespace, &target.id.name);
                self.client.send(&request).await
            }
            DryRun::Server => self.send_delete(&target, true).await,
        };
        if let Err(error) = checked {
            let error = Error::object("delete", &target.id, error);
            return Err((target, error));
        }
        Ok(Planned {
            target,
            live: Live::Unknown,
            would_be: None,
            operation: Operation::Delete,
            send: None,
            is_taken_over: false,
        })
    }

    /// Deletes a planned object.
    pub(super) async fn write_deleted(&self, planned: &Planned) -> Result<Outcome, Error> {
        let target = &planned.target;
        let answer = self.send_delete(target, false).await;
        let answer = answer.map_err(|error| Error::object("delete", &target.id, error))?;
        // The answer is the object, if it has finalizers, or else a `Status` with its uid.
        let named = answer.pointer("/details/uid").and_then(Value::as_str);
        let uid = uid(&answer).or(named).map(str::to_owned);
        Ok(Outcome { uid, ..planned.outcome(DryRun::No) })
    }

    async fn send_delete(&self, target: &Target, dry_run: bool) -> Result<Value, RequestError> {
        let namespace = target.id.namespace.as_deref();
        let request = request::delete(&target.id.kind, namespace, &target.id.name, dry_run);
        self.client.send(&request).await
    }
}
