//! Creation of one object that does not exist yet.

use serde_json::Value;

use super::change_cause;
use super::client::RequestError;
use super::connection::Cluster;
use super::error::Error;
use super::live::Live;
use super::object::{Target, uid};
use super::outcome::{DryRun, Operation, Outcome};
use super::plan::{CreateOptions, Planned};
use super::request::{self, Write};

impl Cluster {
    /// Plans the creation of an object.
    pub(super) async fn plan_created(
        &self,
        target: Target,
        options: &CreateOptions,
    ) -> Result<Planned, (Target, Error)> {
        let cause = options.change_cause.as_deref();
        let kind = &target.id.kind;
        let renewed = change_cause::renewed(kind, &target.value, None, &target.value, cause);
        let object = renewed.unwrap_or_else(|| target.value.clone());
        let would_be = match options.dry_run {
            DryRun::Client => None,
            _ => match self.send_new(&target, &object, true).await {
                Ok(would_be) => Some(would_be),
                Err(error) if error.refusal().is_some_and(|it| it.is_about_dry_runs()) => None,
                Err(error) => {
                    let error = Error::object("create", &target.id, error);
                    return Err((target, error));
                }
            },
        };
        Ok(Planned {
            target,
            live: Live::Absent,
            would_be,
            operation: Operation::Create,
            send: Some(object),
            is_taken_over: false,
        })
    }

    /// Sends a planned object.
    pub(super) async fn write_created(&self, planned: &Planned) -> Result<Outcome, Error> {
        let target = &planned.target;
        let object = planned.send.as_ref().unwrap_or(&target.value);
        let now = self.send_new(target, object, false).await;
        let now = now.map_err(|error| Error::object("create", &target.id, error))?;
        let mut outcome = planned.outcome(DryRun::No);
        // The server completes a generated name.
        if let Some(name) = now.pointer("/metadata/name").and_then(Value::as_str) {
            outcome.id.name = name.to_owned();
        }
        Ok(Outcome { uid: uid(&now).map(str::to_owned), ..outcome })
    }

    async fn send_new(
        &self,
        target: &Target,
        object: &Value,
        dry_run: bool,
    ) -> Result<Value, RequestError> {
        let write = Write { manager: &self.manager, dry_run, force: false };
        let namespace = target.id.namespace.as_deref();
        self.client.send(&request::create(&target.id.kind, namespace, object, write)).await
    }
}
