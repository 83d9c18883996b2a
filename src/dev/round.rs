//! One round of a loop: builds what has changed, and applies the objects that differ.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use super::error::Error;
use super::input::Input;
use super::overlay;
use super::record::Record;
use super::set::{Key, Set};
use super::shown::Shown;
use crate::cluster::{self, Change, Cluster, Created, Operation, Outcome};
use crate::manifests::Object;
use crate::pipeline::{Known, Plan, Session};
use crate::report::{Event, Stage};

/// How long objects may take to become ready.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a loop has brought into the cluster so far.
#[derive(Debug, Default)]
pub(super) struct Deployed {
    set: Set,
    record: Option<Record>,
    built: Known,
    pub(super) shown: watch::Sender<Option<Shown>>,
    /// What the images were built by: other settings may change all of them.
    session: Option<Arc<Session>>,
}

/// What a round has changed.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) session: Arc<Session>,
    pub(super) outcomes: Vec<Outcome>,
}

impl Deployed {
    /// These files have changed.
    pub(super) fn forget(&mut self, changed: &BTreeSet<PathBuf>) {
        self.built.forget(changed);
    }

    /// Builds the images of a plan and applies the objects that differ from those of the round
    /// before. Deletes those whose documents have left, if they were created by a loop.
    pub(super) async fn update(&mut self, input: &Input, plan: &Plan) -> Result<Applied, Error> {
        let session = &input.session;
        let cluster = session.cluster().await?;
        if !self.session.as_ref().is_some_and(|known| Arc::ptr_eq(known, session)) {
            self.built.clear();
            self.session = Some(Arc::clone(session));
        }
        let built = session.run_unknown(plan, &mut self.built).await?;
        let (mut objects, _) = session.objects_of(plan, &input.manifests, built)?;
        overlay::apply(&mut objects);
        self.show(session, &objects);
        let mut changed = self.set.changed(&objects);
        let left = self.set.left(&objects);
        if input.creates_namespace && !cluster.has_namespace().await? {
            changed.insert(0, namespace(cluster.namespace()));
        }
        if self.record.is_none() {
            // A namespace that does not exist yet has no record.
            let known = Record::read(cluster).await?.unwrap_or_default();
            self.record = Some(Record { user: input.user.clone(), since: input.now, ..known });
        }
        let outcomes = session.stage(Stage::Apply, self.apply(input, cluster, changed)).await?;
        self.delete(session, cluster, left).await?;
        self.set.replace(objects);
        Ok(Applied { session: Arc::clone(session), outcomes })
    }

    /// Tells which objects there are, if these are others than before. Told before they are applied,
    /// so that no line of a new pod is missed.
    fn show(&self, session: &Arc<Session>, objects: &[Object]) {
        let keys = |objects: &[Object]| objects.iter().map(Key::of).collect::<Vec<_>>();
        let shown = Shown { session: Arc::clone(session), objects: objects.to_vec() };
        self.shown.send_if_modified(|known| {
            let is_known = known.as_ref().is_some_and(|known| {
                Arc::ptr_eq(&known.session, session) && keys(&known.objects) == keys(objects)
            });
            if !is_known {
                *known = Some(shown);
            }
            !is_known
        });
    }

    async fn apply(
        &mut self,
        input: &Input,
        cluster: &Cluster,
        objects: Vec<Object>,
    ) -> Result<Vec<Outcome>, Error> {
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        let plan = cluster.plan(objects, Change::Apply(input.apply.clone())).await?;
        if let Some(managed) = plan.managed() {
            return Err(Error::Managed { managed });
        }
        let (outcomes, failure) = match cluster.execute(plan).await {
            Ok(outcomes) => (outcomes, None),
            Err(cluster::Error::Partial { done, total, source }) => {
                let done_now = done.clone();
                (done, Some(cluster::Error::Partial { done: done_now, total, source }))
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(record) = &mut self.record {
            record.add(cluster, &outcomes).await?;
        }
        failure.map_or(Ok(outcomes), |error| Err(error.into()))
    }

    /// Deletes objects whose documents have left the manifests. Those that existed before are kept.
    async fn delete(
        &mut self,
        session: &Session,
        cluster: &Cluster,
        left: Vec<Object>,
    ) -> Result<(), Error> {
        let Some(record) = &mut self.record else { return Ok(()) };
        let left: Vec<Key> = left.iter().map(Key::of).collect();
        let has_left = |created: &&Created| {
            !created.holds_more() && left.iter().any(|key| key.is(created, cluster.namespace()))
        };
        let gone: Vec<Created> = record.created.iter().filter(has_left).cloned().collect();
        if gone.is_empty() {
            return Ok(());
        }
        for outcome in cluster.delete_created(&gone).await? {
            session.report().send(Event::Removed { object: outcome.object() });
        }
        record.created.retain(|created| !gone.contains(created));
        record.write(cluster).await
    }
}

impl Applied {
    /// Waits until what was changed is ready.
    pub(super) async fn wait(&self) -> Result<(), Error> {
        let changed: Vec<Outcome> = self.changed().cloned().collect();
        if changed.is_empty() {
            return Ok(());
        }
        Ok(self.session.wait(&changed, PATIENCE).await?)
    }

    /// What was really changed.
    pub(super) fn changed(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| outcome.operation != Operation::Unchanged)
    }
}

/// Fails for a cluster that others may use.
pub(super) fn check_context(session: &Session, cluster: &Cluster) -> Result<(), Error> {
    // Only contexts that are named there can be selected at all.
    let is_allowed = !session.settings().cluster.allow_contexts.is_empty();
    if is_allowed || cluster.is_local() {
        return Ok(());
    }
    Err(Error::NotLocal { context: cluster.context().to_owned() })
}

fn namespace(name: &str) -> Object {
    let value = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    Object { value, place: "the settings of `dev`".to_owned() }
}
