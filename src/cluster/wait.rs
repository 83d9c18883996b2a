//! Waits until applied objects are ready and deleted ones no longer exist.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt};
use serde_json::Value;
use tokio::time::Instant;

use crate::report::{Event, Reporter};

use super::client::RequestError;
use super::connection::Cluster;
use super::error::Error;
use super::event;
use super::kind::{Kind, ObjectId};
use super::live::Live;
use super::object::uid;
use super::outcome::{DryRun, Operation, Outcome};
use super::pod::{Trouble, trouble};
use super::readiness::{self, NotReady, Progress};
use super::refusal::Refusal;
use super::request::{self, Collection};
use super::watch::{Update, watch};

/// How long changes are collected before objects are evaluated: most changes come in groups.
const GROUP: Duration = Duration::from_millis(100);
/// The interval at which objects are read that the user is not allowed to watch.
const POLL: Duration = Duration::from_millis(500);
/// The number of failed reads in a row after which the server is considered gone.
const FAILURES: usize = 5;

impl Cluster {
    /// Waits until everything that was applied or created is ready (rollouts and jobs are complete,
    /// pods are ready, all other objects exist), and everything that was deleted no longer exists.
    /// Reports the state of the objects meanwhile.
    ///
    /// # Errors
    /// [`Error::NotReady`] as soon as an object is known never to become ready, or at the time
    /// limit.
    pub async fn wait(&self, outcomes: &[Outcome], timeout: Duration) -> Result<(), Error> {
        if self.stopping.is_requested() {
            return Err(Error::Interrupted);
        }
        let deadline = Instant::now() + timeout;
        let due = outcomes.iter().filter(|outcome| outcome.dry_run == DryRun::No).collect();
        let mut waiting = Waiting::new(due, self.client.reporter());
        let everything = (0..waiting.objects.len()).collect();
        self.look(&mut waiting, everything, deadline).await?;
        let mut reported = BTreeMap::new();
        let mut not_ready = waiting.evaluate();
        let mut polled: Vec<usize> = Vec::new();
        let mut updates = stream::select_all(self.watches(&mut waiting));
        while !not_ready.is_empty() {
            if not_ready.iter().any(|(_, object)| object.is_hopeless) {
                let hopeless = not_ready.into_iter().map(|(_, object)| object);
                return Err(Error::NotReady(hopeless.filter(|it| it.is_hopeless).collect()));
            }
            if Instant::now() >= deadline {
                return Err(self.late(&waiting, not_ready).await);
            }
            self.report_changes(&not_ready, &mut reported);
            tokio::select! {
                Some((source, update)) = updates.next() => {
                    polled.extend(waiting.update(source, update)?);
                    let end = (Instant::now() + GROUP).min(deadline);
                    while let Ok(Some((source, update))) =
                        tokio::time::timeout_at(end, updates.next()).await
                    {
                        polled.extend(waiting.update(source, update)?);
                    }
                }
                () = tokio::time::sleep(POLL), if !polled.is_empty() => {
                    polled.retain(|&index| !waiting.objects[index].is_done);
                    self.look(&mut waiting, polled.clone(), deadline).await?;
                }
                () = tokio::time::sleep_until(deadline) => {}
            }
            not_ready = waiting.evaluate();
        }
        Ok(())
    }

    /// Reads these objects, also from a server that restarts.
    async fn look(
        &self,
        waiting: &mut Waiting<'_>,
        indices: Vec<usize>,
        deadline: Instant,
    ) -> Result<(), Error> {
        let ids: Vec<_> = indices.iter().map(|&index| &waiting.objects[index].outcome.id).collect();
        let mut failures = 0;
        let read = loop {
            match self.read_all(&ids).await {
                Err(Error::Object { source, .. })
                    if source.is_transient()
                        && failures < FAILURES
                        && Instant::now() < deadline =>
                {
                    failures += 1;
                    tokio::time::sleep(POLL).await;
                }
                read => break read?,
            }
        };
        for (index, live) in indices.into_iter().zip(read) {
            waiting.objects[index].live = live;
        }
        Ok(())
    }

    /// A watch of everything that the readiness of the remaining objects depends on.
    fn watches<'a>(&'a self, waiting: &mut Waiting<'_>) -> Vec<BoxStream<'a, SourceUpdate>> {
        let watches = waiting.sources().into_iter().enumerate().map(|(source, collection)| {
            watch(&self.client, collection).map(move |update| (source, update)).boxed()
        });
        watches.collect()
    }

    /// Reports what an object waits for whenever it changes.
    fn report_changes(
        &self,
        not_ready: &[(usize, NotReady)],
        reported: &mut BTreeMap<usize, String>,
    ) {
        for (index, object) in not_ready {
            let pod = object.pods.first().map_or_else(String::new, |pod| format!("; {pod}"));
            let reason = format!("{}{pod}", object.state);
            if reported.get(index) != Some(&reason) {
                self.client.reporter().send(Event::Waiting {
                    object: object.object.clone(),
                    namespace: object.namespace.clone(),
                    reason: reason.clone(),
                });
                reported.insert(*index, reason);
            }
        }
    }

    /// The error at the time limit, with events about objects whose pods have no state.
    async fn late(&self, waiting: &Waiting<'_>, not_ready: Vec<(usize, NotReady)>) -> Error {
        let mut objects = Vec::new();
        for (index, mut object) in not_ready {
            if object.pods.is_empty() {
                object.pods.extend(self.last_warning(&waiting.objects[index].outcome.id).await);
            }
            objects.push(object);
        }
        Error::NotReady(objects)
    }

    async fn last_warning(&self, id: &ObjectId) -> Option<String> {
        let request = request::warnings(id.namespace.as_deref()?);
        let events = self.client.send(&request).await.ok()?;
        event::newest(events.get("items")?.as_array()?, id)
    }
}

/// An update, and the index of its source.
type SourceUpdate = (usize, Result<Update, RequestError>);

/// The objects that are waited for, and all that their readiness depends on.
struct Waiting<'a> {
    objects: Vec<Waited<'a>>,
    sources: Vec<Source>,
    reporter: &'a Reporter,
    /// Whether it was reported that objects of controllers may not be watched.
    is_blind: bool,
}

struct Waited<'a> {
    outcome: &'a Outcome,
    live: Live,
    is_done: bool,
}

/// What is known from one watch.
enum Source {
    /// The objects that are waited for themselves, by their indices.
    Objects(Kind, Vec<usize>),
    /// Objects that controllers made, by the UID of their owner, then their own.
    Owned(BTreeMap<String, BTreeMap<String, Value>>),
}

impl<'a> Waiting<'a> {
    fn new(due: Vec<&'a Outcome>, reporter: &'a Reporter) -> Self {
        let waited = |outcome| Waited { outcome, live: Live::Unknown, is_done: false };
        let objects = due.into_iter().map(waited).collect();
        Self { objects, sources: Vec::new(), reporter, is_blind: false }
    }

    /// The collections that have to be watched for the remaining objects; makes the sources for
    /// them.
    fn sources(&mut self) -> Vec<Collection> {
        let mut groups: BTreeMap<(&Kind, Option<&str>), Vec<usize>> = BTreeMap::new();
        for (index, object) in self.objects.iter().enumerate().filter(|(_, it)| !it.is_done) {
            let id = &object.outcome.id;
            groups.entry((&id.kind, id.namespace.as_deref())).or_default().push(index);
        }
        let mut collections = Vec::new();
        let mut made: Vec<Collection> = Vec::new();
        for ((kind, namespace), indices) in groups {
            let namespace = namespace.map(str::to_owned);
            let mut owned = |kind| {
                let collection = Collection { kind, namespace: namespace.clone(), name: None };
                if !made.contains(&collection) {
                    made.push(collection);
                }
            };
            if readiness::has_pods(kind) {
                owned(Kind::namespaced("", "v1", "Pod", "pods"));
            }
            if kind.is("apps", "Deployment") {
                owned(Kind::namespaced("apps", "v1", "ReplicaSet", "replicasets"));
            }
            let name = match indices.as_slice() {
                [single] => Some(self.objects[*single].outcome.id.name.clone()),
                _ => None,
            };
            self.sources.push(Source::Objects(kind.clone(), indices));
            collections.push(Collection { kind: kind.clone(), namespace, name });
        }
        self.sources.extend(made.iter().map(|_| Source::Owned(BTreeMap::new())));
        collections.extend(made);
        collections
    }

    /// Takes in an update. Returns the objects that must be polled because the user is not allowed
    /// to watch them.
    fn update(
        &mut self,
        source: usize,
        update: Result<Update, RequestError>,
    ) -> Result<Vec<usize>, Error> {
        match (&mut self.sources[source], update) {
            (Source::Objects(_, indices), Ok(update)) => {
                for &index in indices.iter() {
                    let object = &mut self.objects[index];
                    let name = object.outcome.id.name.as_str();
                    let is_it = |value: &&Value| {
                        value.pointer("/metadata/name").and_then(Value::as_str) == Some(name)
                    };
                    match &update {
                        Update::Listed(all) => {
                            let found = all.iter().find(is_it);
                            object.live =
                                found.map_or(Live::Absent, |it| Live::Present(it.clone()));
                        }
                        Update::Changed(value) if is_it(&value) => {
                            object.live = Live::Present(value.clone());
                        }
                        Update::Deleted(value) if is_it(&value) => object.live = Live::Absent,
                        Update::Changed(_) | Update::Deleted(_) => {}
                    }
                }
            }
            (Source::Objects(kind, indices), Err(source)) => {
                return match source.refusal() {
                    Some(refusal) if refusal.is_forbidden() => Ok(indices.clone()),
                    _ => Err(Error::Request { doing: format!("watch `{kind}`"), source }),
                };
            }
            (Source::Owned(owned), Ok(Update::Listed(all))) => {
                owned.clear();
                all.into_iter().for_each(|value| keep(owned, value));
            }
            (Source::Owned(owned), Ok(Update::Changed(value))) => keep(owned, value),
            (Source::Owned(owned), Ok(Update::Deleted(value))) => {
                if let (Some(owner), Some(uid)) = (owner(&value), uid(&value))
                    && let Some(siblings) = owned.get_mut(owner)
                {
                    siblings.remove(uid);
                }
            }
            // What keeps pods from being ready remains unknown.
            (Source::Owned(_), Err(source)) => {
                let is_forbidden = source.refusal().is_some_and(Refusal::is_forbidden);
                if is_forbidden && !self.is_blind {
                    self.is_blind = true;
                    let text = "cannot report why pods are not ready; waiting only for the status";
                    self.reporter.note(format!("{text} of the objects themselves: {source}"));
                }
            }
        }
        Ok(Vec::new())
    }

    /// The remaining objects that are not ready. An object that was ready once is done.
    fn evaluate(&mut self) -> Vec<(usize, NotReady)> {
        let mut found = Vec::new();
        for index in 0..self.objects.len() {
            if self.objects[index].is_done {
                continue;
            }
            match self.not_ready(&self.objects[index]) {
                Some(object) => found.push((index, object)),
                None => self.objects[index].is_done = true,
            }
        }
        found
    }

    /// What keeps an object from being ready; nothing if it is ready or cannot be read.
    fn not_ready(&self, Waited { outcome, live, .. }: &Waited<'_>) -> Option<NotReady> {
        let is_deleted = outcome.operation == Operation::Delete;
        let not_ready = |state: String, pods, is_hopeless| {
            let (object, namespace) = (outcome.object(), outcome.id.namespace.clone());
            Some(NotReady { object, namespace, state, pods, is_hopeless, is_deleted })
        };
        let object = match live {
            Live::Unknown => return None,
            Live::Absent if is_deleted => return None,
            Live::Absent => return not_ready("it was deleted".to_owned(), Vec::new(), true),
            // It was created again under the same name.
            Live::Present(object)
                if is_deleted && outcome.uid.is_some() && uid(object) != outcome.uid.as_deref() =>
            {
                return None;
            }
            Live::Present(object) if is_deleted => {
                return not_ready(deletion(object), Vec::new(), false);
            }
            Live::Present(object) => object,
        };
        let (state, is_hopeless) = match readiness::progress(&outcome.id.kind, object) {
            Progress::Ready => return None,
            Progress::Unobserved => {
                let state = "its controller has not processed the change yet";
                return not_ready(state.to_owned(), Vec::new(), false);
            }
            Progress::Hopeless(state) => (state, true),
            Progress::Waiting(state) => (state, false),
        };
        let troubles = self.troubles(&outcome.id.kind, object);
        let is_hopeless = is_hopeless || troubles.iter().any(|trouble| trouble.is_hopeless);
        let pods = troubles.into_iter().map(|trouble| trouble.text).collect();
        not_ready(state, pods, is_hopeless)
    }

    /// What keeps an object's pods from being ready, the hopeless ones first.
    fn troubles(&self, kind: &Kind, object: &Value) -> Vec<Trouble> {
        if kind.is("", "Pod") {
            return trouble(object).into_iter().collect();
        }
        let mut owner = object;
        if kind.is("apps", "Deployment") {
            match self.owned(object).find(|set| readiness::is_newest(set, object)) {
                Some(newest) => owner = newest,
                None => return Vec::new(),
            }
        }
        let pods = self.owned(owner).filter(|pod| readiness::is_current(kind, object, pod));
        let mut troubles: Vec<Trouble> = pods.filter_map(trouble).collect();
        troubles.sort_by_key(|trouble| !trouble.is_hopeless);
        troubles
    }

    fn owned(&self, owner: &Value) -> impl Iterator<Item = &Value> {
        let uid = uid(owner).unwrap_or_default().to_owned();
        self.sources.iter().flat_map(move |source| {
            let owned = match source {
                Source::Owned(owned) => owned.get(&uid),
                Source::Objects(..) => None,
            };
            owned.into_iter().flat_map(BTreeMap::values)
        })
    }
}

/// The UID of the controller that made an object.
fn owner(object: &Value) -> Option<&str> {
    let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
    let is_controller = |owner: &&Value| owner.get("controller") == Some(&Value::Bool(true));
    owners.iter().find(is_controller)?.get("uid")?.as_str()
}

/// Keeps an object that has an owner, without the parts that readiness does not depend on.
fn keep(owned: &mut BTreeMap<String, BTreeMap<String, Value>>, mut object: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("spec");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    if let (Some(owner), Some(uid)) = (owner(&object), uid(&object)) {
        let (owner, uid) = (owner.to_owned(), uid.to_owned());
        owned.entry(owner).or_default().insert(uid, object);
    }
}

/// Why a deleted object still exists.
fn deletion(object: &Value) -> String {
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    let finalizers: Vec<&str> =
        finalizers.into_iter().flatten().filter_map(Value::as_str).collect();
    match finalizers.as_slice() {
        [] => "it is being deleted".to_owned(),
        finalizers => format!("it waits for its finalizers {}", finalizers.join(", ")),
    }
}

#[cfg(test)]
mod tests;
