//! What is going to happen to each object of a set, decided before anything is written.
//!
//! Nothing is sent from here. `execute` fills a plan in with what the cluster answers, and carries it
//! out.

use serde::Serialize;
use serde_json::Value;

use crate::manifests::Object;

use super::duplicates::{self, Position};
use super::error::Error;
use super::kind::{Kind, ObjectId};
use super::live::Live;
use super::object::{Manifest, Target};
use super::outcome::{DryRun, Operation, Outcome};
use super::waves::{Provided, wave};
use super::{change_cause, difference, managers};

/// How a set is applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Whether changes are only simulated.
    pub dry_run: DryRun,
    /// Takes over fields that other managers own.
    pub force_conflicts: bool,
    /// The text that `kubectl rollout history` shows for new revisions.
    pub change_cause: Option<String>,
}

/// How a set is created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateOptions {
    /// Whether changes are only simulated.
    pub dry_run: DryRun,
    /// The text that `kubectl rollout history` shows for the first revisions.
    pub change_cause: Option<String>,
}

/// How a set is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Whether changes are only simulated.
    pub dry_run: DryRun,
    /// Ignores objects that do not exist.
    pub ignore_not_found: bool,
}

/// What is to be done with a set of objects.
#[derive(Clone, Debug)]
pub enum Change {
    /// Server-side apply.
    Apply(ApplyOptions),
    /// Objects that must not exist yet are created.
    Create(CreateOptions),
    /// Objects are deleted by their names.
    Delete(DeleteOptions),
}

impl Change {
    pub(super) fn dry_run(&self) -> DryRun {
        match self {
            Self::Apply(options) => options.dry_run,
            Self::Create(options) => options.dry_run,
            Self::Delete(options) => options.dry_run,
        }
    }

    pub(super) fn is_delete(&self) -> bool {
        matches!(self, Self::Delete(_))
    }
}

/// What is going to happen to each object of a set.
#[derive(Debug)]
pub struct Plan {
    pub(super) change: Change,
    /// The distinct objects of the set.
    pub(super) manifests: Vec<Manifest>,
    /// The state of each of them.
    pub(super) entries: Vec<Entry>,
    /// The documents of the set, in their order.
    positions: Vec<Position>,
    provided: Provided,
    /// Whether the definitions of the set are in the cluster by now.
    pub(super) is_defined: bool,
}

/// How far an object of a plan has come.
#[derive(Debug)]
pub(super) enum Entry {
    Unchecked,
    /// It cannot be checked before another object of the set exists; the server's refusal.
    Pending(Error),
    Planned(Box<Planned>),
    Failed(Error),
    /// It does not exist, which is fine.
    Skipped,
    Done(Outcome),
}

/// An object, its current and its future state, and what leads from one to the other.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) target: Target,
    pub(super) live: Live,
    /// The object after the change, as the server's dry run returned it.
    pub(super) would_be: Option<Value>,
    pub(super) operation: Operation,
    /// What is sent; nothing if the object needs no request.
    pub(super) send: Option<Value>,
    /// Whether other field managers have to hand over fields.
    pub(super) is_taken_over: bool,
}

/// One object of a plan, as it is printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlannedObject {
    /// The object, as `deployment.apps/link-manager`.
    pub object: String,
    /// The namespace, for objects that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What is going to be done with it.
    pub operation: Operation,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// Why an object of a plan gets its operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Reason {
    /// It does not exist.
    Absent,
    /// It depends on another object of the set that does not exist yet.
    Pending,
    /// Fields have other values than the manifest wants.
    Differs {
        /// The fields: `.spec.replicas`.
        fields: Vec<String>,
    },
    /// Other field managers hand over the fields of the manifest.
    FieldManagers,
    /// It cannot be read, so that it may already be as the manifest wants it.
    Unreadable,
    /// An admission webhook does not support dry runs, so that the result is unknown.
    NoDryRun,
    /// Its deletion was requested.
    Requested,
}

impl Planned {
    fn reasons(&self) -> Vec<Reason> {
        let differs = |paths: Vec<Vec<String>>| {
            let fields = paths.iter().map(|path| format!(".{}", path.join("."))).collect();
            Reason::Differs { fields }
        };
        let mut reasons = match (self.operation, &self.live, &self.would_be) {
            (Operation::Unchanged, ..) => Vec::new(),
            (Operation::Delete, ..) => vec![Reason::Requested],
            (_, Live::Absent, _) => vec![Reason::Absent],
            (_, Live::Unknown, _) => vec![Reason::Unreadable],
            (_, Live::Present(live), Some(would_be)) => {
                let paths = difference::differences(live, would_be);
                (!paths.is_empty()).then(|| differs(paths)).into_iter().collect()
            }
            (_, Live::Present(_), None) if self.send.is_some() => vec![Reason::NoDryRun],
            (_, Live::Present(live), None) => {
                vec![differs(difference::unmet(live, &self.target.value))]
            }
        };
        if self.is_taken_over {
            reasons.push(Reason::FieldManagers);
        }
        reasons
    }

    pub(super) fn outcome(&self, dry_run: DryRun) -> Outcome {
        Outcome { id: self.target.id.clone(), operation: self.operation, dry_run, uid: None }
    }
}

/// The result of simulating an apply.
#[derive(Debug)]
pub(super) enum Simulated {
    /// The object after the change, as the server returned it.
    WouldBe(Value),
    /// An admission webhook does not support it.
    Unsupported,
    /// The server was not asked.
    Skipped,
}

/// Plans the apply of an object. `object` is the manifest as it was simulated; `cause` is the change
/// cause of a new revision.
pub(super) fn decide_apply(
    target: Target,
    live: Live,
    object: Value,
    simulated: Simulated,
    manager: &str,
    cause: Option<&str>,
) -> Planned {
    let change = match live {
        Live::Absent => Operation::Create,
        Live::Present(_) | Live::Unknown => Operation::Configure,
    };
    let (mut operation, mut is_taken_over, mut would_be) = (change, false, None);
    let send = match (simulated, &live) {
        (Simulated::Skipped, Live::Present(live)) => {
            if difference::unmet(live, &target.value).is_empty() {
                operation = Operation::Unchanged;
            }
            None
        }
        (Simulated::Skipped, _) => None,
        (Simulated::Unsupported, _) => Some(object),
        (Simulated::WouldBe(result), live) => {
            let mut is_sent = true;
            if let Live::Present(live) = live {
                is_taken_over = !managers::to_be_taken(live, manager).is_empty();
                if difference::differences(live, &result).is_empty() && !is_taken_over {
                    operation = Operation::Unchanged;
                    // An equal object that other managers applied is sent nevertheless: fields that
                    // leave the manifest later must be owned by then.
                    is_sent = !managers::same(live, &result);
                    is_taken_over = is_sent;
                }
            }
            // Whether there is a new revision is unknown if the live object cannot be read.
            let kind = &target.id.kind;
            let renewed = match live {
                Live::Unknown => None,
                _ => change_cause::renewed(kind, &target.value, live.object(), &result, cause),
            };
            would_be = Some(result);
            is_sent.then(|| renewed.unwrap_or(object))
        }
    };
    Planned { target, live, would_be, operation, send, is_taken_over }
}

impl Plan {
    /// A plan in which no object has been checked. `namespace` is the one of manifests without a
    /// namespace.
    pub(super) fn new(
        objects: Vec<Object>,
        change: Change,
        namespace: &str,
    ) -> Result<Self, Error> {
        let provided = Provided::by(&objects);
        let may_generate = matches!(change, Change::Create(_));
        let manifests: Vec<Manifest> = objects
            .into_iter()
            .map(|object| Manifest::new(object, may_generate))
            .collect::<Result<_, _>>()?;
        let (manifests, positions) = if change.is_delete() {
            // The contents do not matter: an object is deleted by its name.
            let position = |index| Position { index, repeated_at: None };
            let positions = (0..manifests.len()).map(position).collect();
            (manifests, positions)
        } else {
            duplicates::distinct(manifests, namespace)?
        };
        let entries = manifests.iter().map(|_| Entry::Unchecked).collect();
        Ok(Self { change, manifests, entries, positions, provided, is_defined: false })
    }

    /// The objects of the set in their order, each once.
    #[must_use]
    pub fn objects(&self) -> Vec<PlannedObject> {
        let object = |id: &ObjectId, operation, reasons| PlannedObject {
            object: id.to_string(),
            namespace: id.namespace.clone(),
            operation,
            reasons,
        };
        let entries = self.manifests.iter().zip(&self.entries);
        let objects = entries.filter_map(|(manifest, entry)| match entry {
            Entry::Planned(planned) => {
                Some(object(&planned.target.id, planned.operation, planned.reasons()))
            }
            Entry::Pending(_) => {
                Some(object(&guessed(manifest), Operation::Create, vec![Reason::Pending]))
            }
            Entry::Unchecked | Entry::Failed(_) | Entry::Skipped | Entry::Done(_) => None,
        });
        objects.collect()
    }

    /// The wave in which an object is written.
    pub(super) fn wave(&self, index: usize) -> usize {
        wave(&self.manifests[index].group_version.group, &self.manifests[index].kind)
    }

    /// The objects that wait for others of the set.
    pub(super) fn pending(&self) -> Vec<usize> {
        let is_pending = |index: &usize| matches!(self.entries[*index], Entry::Pending(_));
        (0..self.entries.len()).filter(is_pending).collect()
    }

    /// The planned objects of a wave.
    pub(super) fn planned(&self, wave: usize) -> Vec<(usize, &Planned)> {
        let entries = self.entries.iter().enumerate();
        let planned = entries.filter_map(|(index, entry)| match entry {
            Entry::Planned(planned) if self.wave(index) == wave => Some((index, planned.as_ref())),
            _ => None,
        });
        planned.collect()
    }

    /// The entry of a manifest whose kind the cluster does not serve.
    pub(super) fn unserved(&self, manifest: &Manifest, error: Error) -> Entry {
        match &self.change {
            Change::Delete(options) if options.ignore_not_found => Entry::Skipped,
            Change::Delete(_) => Entry::Failed(error),
            _ if self.provided.has_kind(&manifest.group_version.group, &manifest.kind) => {
                Entry::Pending(error)
            }
            _ => Entry::Failed(error),
        }
    }

    /// The entry of an object that the server refused.
    pub(super) fn refused(&self, target: &Target, error: Error) -> Entry {
        match &self.change {
            Change::Delete(options) if options.ignore_not_found && is_missing(&error) => {
                Entry::Skipped
            }
            Change::Delete(_) => Entry::Failed(error),
            _ if self.is_explained(target, &error) => Entry::Pending(error),
            _ => Entry::Failed(error),
        }
    }

    /// Whether a refusal is due to something that the set itself provides.
    fn is_explained(&self, target: &Target, error: &Error) -> bool {
        let Error::Object { source, .. } = error else { return false };
        let Some(refusal) = source.refusal() else { return false };
        let kind = &target.id.kind;
        // A definition of the set may allow what the current one forbids.
        let is_redefined = self.provided.has_kind(&kind.group, &kind.kind);
        let may_change = is_redefined && (!self.is_defined || refusal.is_not_found());
        may_change || self.provided.explains(refusal, target.id.namespace.as_deref())
    }

    /// The error that makes the plan useless. An object that cannot be deleted does not keep others
    /// from being deleted.
    pub(super) fn take_failure(&mut self) -> Option<Error> {
        if self.change.is_delete() { None } else { self.first_failure() }
    }

    fn first_failure(&mut self) -> Option<Error> {
        let failed = |entry: &mut Entry| match std::mem::replace(entry, Entry::Unchecked) {
            Entry::Failed(error) => Some(error),
            other => {
                *entry = other;
                None
            }
        };
        self.entries.iter_mut().find_map(failed)
    }

    /// Whether there are objects that were not written and did not fail.
    pub(super) fn is_incomplete(&self) -> bool {
        let is_left = |entry: &Entry| match entry {
            Entry::Planned(_) | Entry::Pending(_) | Entry::Unchecked => true,
            Entry::Failed(_) | Entry::Skipped | Entry::Done(_) => false,
        };
        self.entries.iter().any(is_left)
    }

    /// An error, with what was done before it.
    pub(super) fn stopped(&self, error: Error) -> Error {
        let done: Vec<Outcome> = (0..self.entries.len())
            .filter_map(|index| self.outcome(index))
            .filter(|outcome| outcome.operation != Operation::Unchanged)
            .collect();
        if done.is_empty() {
            return error;
        }
        Error::Partial { done, total: self.entries.len(), source: Box::new(error) }
    }

    /// What happened to an object, or would happen to it in a dry run.
    fn outcome(&self, index: usize) -> Option<Outcome> {
        let dry_run = self.change.dry_run();
        match &self.entries[index] {
            Entry::Done(outcome) => Some(outcome.clone()),
            Entry::Planned(planned) if dry_run != DryRun::No => Some(planned.outcome(dry_run)),
            Entry::Pending(_) if dry_run != DryRun::No => {
                let id = guessed(&self.manifests[index]);
                Some(Outcome { id, operation: Operation::Create, dry_run, uid: None })
            }
            _ => None,
        }
    }

    /// The outcomes in the order of the documents; a document that repeats an earlier one finds its
    /// object unchanged.
    pub(super) fn into_outcomes(mut self) -> Result<Vec<Outcome>, Error> {
        if let Some(error) = self.first_failure() {
            return Err(self.stopped(error));
        }
        let outcome = |position: &Position| {
            let mut outcome = self.outcome(position.index)?;
            if let Some(place) = &position.repeated_at {
                outcome.id.place.clone_from(place);
                outcome.operation = Operation::Unchanged;
            }
            Some(outcome)
        };
        Ok(self.positions.iter().filter_map(outcome).collect())
    }
}

/// Whether an object, or its kind, does not exist.
pub(super) fn is_missing(error: &Error) -> bool {
    match error {
        Error::Object { source, .. } => {
            source.refusal().is_some_and(|refusal| refusal.is_not_found())
        }
        Error::UnknownKind { .. } => true,
        _ => false,
    }
}

/// The object of a manifest whose kind is not known yet.
fn guessed(manifest: &Manifest) -> ObjectId {
    let version = &manifest.group_version;
    ObjectId {
        kind: Kind::namespaced(&version.group, &version.version, &manifest.kind, ""),
        namespace: manifest.namespace.clone(),
        name: manifest.name.clone(),
        place: manifest.place.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn target() -> Target {
        let kind = Kind::namespaced("", "v1", "ConfigMap", "configmaps");
        let (name, place) = ("a".to_owned(), "a.yaml:1:1".to_owned());
        let id = ObjectId { kind, namespace: Some("shop".to_owned()), name, place };
        Target { id, value: json!({"metadata": {"name": "a"}, "data": {"a": "1"}}) }
    }

    fn decide(live: Live, simulated: Simulated) -> Planned {
        let target = target();
        let object = target.value.clone();
        decide_apply(target, live, object, simulated, "ko-rs", None)
    }

    fn live(value: &str, manager: &str) -> Value {
        let fields = json!({"f:data": {"f:a": {}}});
        let entry = json!({"manager": manager, "operation": "Apply", "fieldsV1": fields});
        json!({"metadata": {"name": "a", "managedFields": [entry]}, "data": {"a": value}})
    }

    #[test]
    fn an_object_is_sent_unless_the_dry_run_equals_the_live_one() {
        let planned = decide(Live::Absent, Simulated::WouldBe(live("1", "ko-rs")));
        assert_eq!(
            (planned.operation, planned.reasons()),
            (Operation::Create, vec![Reason::Absent])
        );
        assert!(planned.send.is_some());

        let was = || Live::Present(live("0", "ko-rs"));
        let planned = decide(was(), Simulated::WouldBe(live("1", "ko-rs")));
        let fields = vec![".data.a".to_owned()];
        assert_eq!(planned.operation, Operation::Configure);
        assert_eq!(planned.reasons(), [Reason::Differs { fields: fields.clone() }]);

        let planned = decide(was(), Simulated::WouldBe(live("0", "ko-rs")));
        assert_eq!((planned.operation, planned.send.as_ref()), (Operation::Unchanged, None));
        assert!(planned.reasons().is_empty());

        let planned = decide(was(), Simulated::Skipped);
        assert_eq!(planned.reasons(), [Reason::Differs { fields }]);
        assert_eq!(planned.send, None);
    }

    #[test]
    fn an_equal_object_that_others_applied_is_sent_to_own_its_fields() {
        let planned =
            decide(Live::Present(live("1", "someone")), Simulated::WouldBe(live("1", "ko-rs")));
        assert_eq!(planned.operation, Operation::Unchanged);
        assert!(planned.send.is_some());
        assert_eq!(planned.reasons(), [Reason::FieldManagers]);
    }

    #[test]
    fn what_is_unknown_is_configured() {
        let planned = decide(Live::Unknown, Simulated::WouldBe(live("1", "ko-rs")));
        assert_eq!(planned.operation, Operation::Configure);
        assert_eq!(planned.reasons(), [Reason::Unreadable]);
        let planned = decide(Live::Present(live("0", "ko-rs")), Simulated::Unsupported);
        assert_eq!(planned.reasons(), [Reason::NoDryRun]);
    }

    #[test]
    fn a_plan_is_printed_without_its_objects() {
        let object = Object { value: target().value, place: "a.yaml:1:1".to_owned() };
        let mut value = object.value;
        value["apiVersion"] = json!("v1");
        value["kind"] = json!("ConfigMap");
        let object = Object { value, ..object };
        let change = Change::Apply(ApplyOptions::default());
        let mut plan = Plan::new(vec![object.clone(), object], change, "shop").unwrap();
        let planned = decide(Live::Absent, Simulated::Skipped);
        plan.entries[0] = Entry::Planned(Box::new(planned));
        assert_eq!(
            serde_json::to_value(plan.objects()).unwrap(),
            json!([{"object": "configmap/a", "namespace": "shop", "operation": "create",
                "reasons": [{"reason": "absent"}]}])
        );
    }
}
