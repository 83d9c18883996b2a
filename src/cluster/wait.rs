//! Waits until what was applied is ready, and says why it is not.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::event;
use super::kind::Kind;
use super::live::Live;
use super::pod::{Trouble, trouble};
use super::rollout::{self, Progress};
use super::target::uid;
use super::{Cluster, DryRun, Error, Outcome, RequestError, Verb, request, side_by_side};

/// An object that is not ready, or not gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReady {
    /// The object, as kubectl writes it.
    pub object: String,
    /// What is missing.
    pub state: String,
    /// What its pods say; where they say nothing, the newest warning about it.
    pub pods: Vec<String>,
    /// Waiting longer would not help.
    pub is_hopeless: bool,
    /// It was deleted, and is to be gone.
    pub is_deleted: bool,
}

/// How long until objects are looked at again.
const PAUSE: Duration = Duration::from_millis(500);
/// How often in a row the server may be away while objects become ready.
const AWAY: usize = 5;
/// How many pods' troubles are told.
const TOLD: usize = 5;

/// The objects and their troubles, a line each.
pub(super) fn told(objects: &[NotReady]) -> String {
    let mut text = String::new();
    for (index, object) in objects.iter().enumerate() {
        let end = if index == 0 { "" } else { "\n" };
        let verb = match (object.is_deleted, object.is_hopeless) {
            (false, true) => "will not be ready",
            (false, false) => "is not ready in time",
            (true, _) => "is not gone in time",
        };
        let _ = write!(text, "{end}{} {verb}: {}", object.object, object.state);
        for pod in object.pods.iter().take(TOLD) {
            let _ = write!(text, "\n  {pod}");
        }
        if object.pods.len() > TOLD {
            let _ = write!(text, "\n  … and {} more pods", object.pods.len() - TOLD);
        }
    }
    text
}

impl Cluster {
    /// Waits until everything that was applied or created is ready: rollouts are through, jobs
    /// complete, pods ready, and all else exists; and until everything that was deleted is gone.
    /// What happens meanwhile is reported.
    ///
    /// # Errors
    /// [`Error::NotReady`] as soon as something is known never to become ready, or at the time
    /// limit.
    pub async fn wait(&self, outcomes: &[Outcome], timeout: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + timeout;
        let is_due = |outcome: &&Outcome| outcome.dry_run == DryRun::No;
        let mut left: Vec<&Outcome> = outcomes.iter().filter(is_due).collect();
        let mut said: BTreeMap<String, String> = BTreeMap::new();
        let mut away = 0;
        loop {
            let looked = side_by_side(left.iter().map(|outcome| self.not_ready(outcome))).await;
            let (mut waiting, mut still) = (Vec::new(), Vec::new());
            let mut gone = None;
            for (outcome, looked) in left.into_iter().zip(looked) {
                match looked {
                    Ok(None) => {}
                    Ok(Some(not_ready)) => {
                        still.push(outcome);
                        waiting.push(not_ready);
                    }
                    Err(error) if is_away(&error) => {
                        still.push(outcome);
                        gone = Some(error);
                    }
                    Err(error) => return Err(error),
                }
            }
            let is_late = Instant::now() >= deadline;
            away = if gone.is_some() { away + 1 } else { 0 };
            if let Some(error) = gone.filter(|_| away >= AWAY || is_late) {
                return Err(error);
            }
            left = still;
            if left.is_empty() {
                return Ok(());
            }
            if waiting.iter().any(|object| object.is_hopeless) {
                waiting.retain(|object| object.is_hopeless);
                return Err(Error::NotReady(waiting));
            }
            if is_late {
                for (outcome, object) in left.iter().zip(&mut waiting) {
                    if object.pods.is_empty() {
                        object.pods.extend(self.complaint(outcome).await);
                    }
                }
                return Err(Error::NotReady(waiting));
            }
            self.report_changes(&waiting, &mut said);
            tokio::time::sleep_until((Instant::now() + PAUSE).min(deadline)).await;
        }
    }

    /// Says what an object waits for whenever that is something else than before.
    fn report_changes(&self, waiting: &[NotReady], said: &mut BTreeMap<String, String>) {
        for object in waiting {
            let pod = object.pods.first().map_or_else(String::new, |pod| format!("; {pod}"));
            let state = format!("{}: {}{pod}", object.object, object.state);
            if said.get(&object.object) != Some(&state) {
                self.client.reporter().note(state.clone());
                said.insert(object.object.clone(), state);
            }
        }
    }

    /// An object as it is now.
    async fn look(&self, outcome: &Outcome) -> Result<Live, Error> {
        let request = request::get(&outcome.kind, outcome.namespace.as_deref(), &outcome.name);
        match self.client.send(&request).await {
            Ok(object) => Ok(Live::Present(object)),
            Err(error) => match error.refusal() {
                Some(refusal) if refusal.is_not_found() => Ok(Live::Absent),
                Some(refusal) if refusal.is_forbidden() => Ok(Live::Hidden),
                _ => Err(Error::Object {
                    doing: "read",
                    object: outcome.object(),
                    place: outcome.place.clone(),
                    source: error,
                }),
            },
        }
    }

    /// What keeps an object from being ready; nothing where it is, or may not be read.
    async fn not_ready(&self, outcome: &Outcome) -> Result<Option<NotReady>, Error> {
        let is_deleted = outcome.verb == Verb::Deleted;
        let told = |state, pods, is_hopeless| {
            Ok(Some(NotReady { object: outcome.object(), state, pods, is_hopeless, is_deleted }))
        };
        let object = match self.look(outcome).await? {
            Live::Absent | Live::Hidden if is_deleted => return Ok(None),
            // A new one of the same name is another one.
            Live::Present(object)
                if is_deleted && outcome.uid.is_some() && uid(&object) != outcome.uid =>
            {
                return Ok(None);
            }
            Live::Present(object) if is_deleted => {
                return told(staying(&object), Vec::new(), false);
            }
            Live::Present(object) => object,
            Live::Absent => return told("it has been deleted".to_owned(), Vec::new(), true),
            Live::Hidden => return Ok(None),
        };
        let (state, is_hopeless) = match rollout::progress(&outcome.kind, &object) {
            Progress::Ready => return Ok(None),
            Progress::Unseen => {
                return told("its change has not been seen yet".to_owned(), Vec::new(), false);
            }
            Progress::Hopeless(state) => (state, true),
            Progress::Waiting(state) => (state, false),
        };
        let troubles = self.troubles(outcome, &object).await;
        let is_hopeless = is_hopeless || troubles.iter().any(|trouble| trouble.is_hopeless);
        let pods = troubles.into_iter().map(|trouble| trouble.text).collect();
        told(state, pods, is_hopeless)
    }

    /// What an object's pods say, the hopeless ones first. Who may not list pods is told nothing.
    async fn troubles(&self, outcome: &Outcome, object: &Value) -> Vec<Trouble> {
        if outcome.kind.is("", "Pod") {
            return trouble(object).into_iter().collect();
        }
        let is_deployment = outcome.kind.is("apps", "Deployment");
        let hash = if is_deployment { self.newest_hash(outcome, object).await } else { None };
        let Some(selector) = rollout::pods(&outcome.kind, object, hash.as_deref()) else {
            return Vec::new();
        };
        let pods = Kind::namespaced("", "v1", "Pod", "pods");
        let pods = self.select(&pods, outcome, &selector).await;
        let mut troubles: Vec<Trouble> = pods.iter().filter_map(trouble).collect();
        troubles.sort_by_key(|trouble| !trouble.is_hopeless);
        troubles
    }

    /// What events say of an object whose pods say nothing.
    async fn complaint(&self, outcome: &Outcome) -> Option<String> {
        let request = request::warnings(outcome.namespace.as_deref()?);
        let events = self.client.send(&request).await.ok()?;
        event::newest(events.get("items")?.as_array()?, outcome)
    }

    /// The hash of a Deployment's newest pod template, from the ReplicaSet of its revision.
    async fn newest_hash(&self, outcome: &Outcome, deployment: &Value) -> Option<String> {
        const REVISION: &str = "deployment.kubernetes.io/revision";
        let revision =
            |object: &Value| object.pointer("/metadata/annotations")?.get(REVISION).cloned();
        let selector = rollout::selector(deployment.pointer("/spec/selector")?)?;
        let sets = Kind::namespaced("apps", "v1", "ReplicaSet", "replicasets");
        let sets = self.select(&sets, outcome, &selector).await;
        let newest = sets.iter().find(|set| {
            let owner = set.pointer("/metadata/ownerReferences/0/uid");
            owner == deployment.pointer("/metadata/uid") && revision(set) == revision(deployment)
        })?;
        let hash = newest.pointer("/metadata/labels")?.get("pod-template-hash")?.as_str()?;
        Some(hash.to_owned())
    }

    /// The objects of a kind beside another one, by label.
    async fn select(&self, kind: &Kind, beside: &Outcome, selector: &str) -> Vec<Value> {
        let request = request::select(kind, beside.namespace.as_deref(), selector);
        match self.client.send(&request).await {
            Ok(mut list) => match list.get_mut("items").map(Value::take) {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            },
            Err(_) => Vec::new(),
        }
    }
}

/// Why a deleted object is still there.
fn staying(object: &Value) -> String {
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    let finalizers: Vec<&str> =
        finalizers.into_iter().flatten().filter_map(Value::as_str).collect();
    match finalizers.as_slice() {
        [] => "it is on its way out".to_owned(),
        finalizers => format!("it waits for its finalizers {}", finalizers.join(", ")),
    }
}

/// Whether the server could not be asked, as when it is restarted.
fn is_away(error: &Error) -> bool {
    let Error::Object { source, .. } = error else { return false };
    match source {
        RequestError::Unreachable { .. } | RequestError::TimedOut { .. } => true,
        RequestError::Refused(refusal) => matches!(refusal.code, 429 | 500..=599),
        RequestError::Login { .. } | RequestError::Malformed { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_every_object_and_its_first_pods() {
        let object = |name: &str, pods: usize, is_hopeless| NotReady {
            object: format!("deployment.apps/{name}"),
            state: "0 of 1 new pods are available".to_owned(),
            pods: (0..pods).map(|index| format!("pod {name}-{index}: ImagePullBackOff")).collect(),
            is_hopeless,
            is_deleted: false,
        };
        insta::assert_snapshot!(told(&[object("a", 1, true), object("b", 6, false)]), @r"
        deployment.apps/a will not be ready: 0 of 1 new pods are available
          pod a-0: ImagePullBackOff
        deployment.apps/b is not ready in time: 0 of 1 new pods are available
          pod b-0: ImagePullBackOff
          pod b-1: ImagePullBackOff
          pod b-2: ImagePullBackOff
          pod b-3: ImagePullBackOff
          pod b-4: ImagePullBackOff
          … and 1 more pods
        ");
    }
}
