//! A set of objects on its way: checked before the first write, then written wave by wave.
//!
//! What applies and what creates differ in how one object is checked and written; the order, the
//! patience with what the set itself brings and what is said when it fails are the same.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::manifests::Object;

use super::apply::{ApplyOptions, Change};
use super::kind::Kind;
use super::once;
use super::side_by_side;
use super::target::{Stated, Target};
use super::waves::{Brought, WAVES, wave};
use super::{Cluster, DryRun, Error, Outcome, Verb};

/// What is done with each object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed<'a> {
    Apply(&'a ApplyOptions),
    Create { dry_run: DryRun, change_cause: Option<&'a str> },
}

impl Deed<'_> {
    fn dry_run(self) -> DryRun {
        match self {
            Self::Apply(options) => options.dry_run,
            Self::Create { dry_run, .. } => dry_run,
        }
    }
}

/// An object that the server would accept, or that need not be sent.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    pub(super) target: Target,
    /// What became of it, as far as can be told before it is written.
    pub(super) verb: Verb,
    /// What is still to be sent.
    pub(super) change: Option<Change>,
}

/// How far an object has come.
#[derive(Debug)]
enum Step {
    /// It cannot be checked before something else of the set exists; so the server says.
    Pending(Error),
    Checked(Box<Checked>),
    Written(Outcome),
}

/// How long something that the set brings may take to show up.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long until it is looked for again.
const PAUSE: Duration = Duration::from_millis(200);

struct Set<'a> {
    cluster: &'a Cluster,
    deed: Deed<'a>,
    brought: Brought,
    objects: Vec<Stated>,
    steps: Vec<Option<Step>>,
    /// Whether the definitions of the set are in the cluster by now.
    is_defined: bool,
}

impl Cluster {
    /// Does it with every object, each as the first of those that are stated twice.
    pub(super) async fn do_with(
        &self,
        objects: Vec<Object>,
        deed: Deed<'_>,
    ) -> Result<Vec<Outcome>, Error> {
        let brought = Brought::by(&objects);
        let may_generate = matches!(deed, Deed::Create { .. });
        let objects: Vec<Stated> = objects
            .into_iter()
            .map(|object| Stated::new(object, may_generate))
            .collect::<Result<_, _>>()?;
        let (objects, places) = once::each(objects, self.namespace())?;
        let steps = objects.iter().map(|_| None).collect();
        let mut set = Set { cluster: self, deed, brought, objects, steps, is_defined: false };
        set.check((0..set.objects.len()).collect()).await?;
        if deed.dry_run() == DryRun::No {
            for wave in 0..WAVES {
                set.check_before(wave).await?;
                set.write(wave).await?;
            }
        }
        Ok(once::in_their_places(&set.outcomes(), places))
    }
}

impl Set<'_> {
    /// Checks these objects. Those that want something of the set become pending; the first that
    /// is wrong ends it.
    async fn check(&mut self, indices: Vec<usize>) -> Result<(), Error> {
        let stated: Vec<&Stated> = indices.iter().map(|&index| &self.objects[index]).collect();
        self.cluster.discover(&stated).await?;
        let mut known = Vec::new();
        for index in indices {
            let stated = &self.objects[index];
            match self.cluster.kind_of(stated) {
                Some(kind) => {
                    known.push((index, stated.of_kind(kind, self.cluster.client.access())?))
                }
                None => {
                    let error = self.cluster.unknown(stated).await;
                    if !self.brought.kind(&stated.group_version.group, &stated.kind) {
                        return Err(error);
                    }
                    self.steps[index] = Some(Step::Pending(error));
                }
            }
        }
        let (indices, targets): (Vec<usize>, Vec<Target>) = known.into_iter().unzip();
        for (index, step) in indices.into_iter().zip(self.check_targets(targets).await?) {
            self.steps[index] = Some(step);
        }
        Ok(())
    }

    async fn check_targets(&self, targets: Vec<Target>) -> Result<Vec<Step>, Error> {
        let checked: Vec<Result<Checked, (Target, Error)>> = match self.deed {
            Deed::Apply(options) => self.cluster.check_applied(targets, options).await?,
            Deed::Create { dry_run, change_cause } => {
                self.cluster.check_created(targets, dry_run, change_cause).await
            }
        };
        let step = |checked| match checked {
            Ok(checked) => Ok(Step::Checked(Box::new(checked))),
            Err((target, error)) if self.is_explained(&target, &error) => Ok(Step::Pending(error)),
            Err((_, error)) => Err(error),
        };
        checked.into_iter().map(step).collect()
    }

    /// Whether an error is for want of something that the set brings.
    fn is_explained(&self, target: &Target, error: &Error) -> bool {
        let Error::Object { source, .. } = error else { return false };
        let Some(refusal) = source.refusal() else { return false };
        // A definition that is about to change may allow what the present one does not.
        let is_defined_by_set = self.brought.kind(&target.kind.group, &target.kind.kind);
        let may_change = is_defined_by_set && (!self.is_defined || refusal.is_not_found());
        may_change || self.brought.explains(refusal, target.namespace.as_deref())
    }

    fn wave(&self, index: usize) -> usize {
        wave(&self.objects[index].group_version.group, &self.objects[index].kind)
    }

    fn pending(&self) -> Vec<usize> {
        let is_pending = |step: &Option<Step>| matches!(step, Some(Step::Pending(_)));
        (0..self.steps.len()).filter(|&index| is_pending(&self.steps[index])).collect()
    }

    /// Checks what has been pending and may be there by now, before a wave is written. What is in
    /// that wave has to be right, once what it wants had time to show up.
    async fn check_before(&mut self, wave: usize) -> Result<(), Error> {
        let patience = Instant::now() + PATIENCE;
        loop {
            let pending = self.pending();
            if wave == 0 || pending.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.check(pending.clone()).await {
                return Err(self.after_what_was_done(error));
            }
            let late = self.pending().into_iter().find(|&index| self.wave(index) <= wave);
            let Some(late) = late else { return Ok(()) };
            if Instant::now() > patience {
                return match self.steps[late].take() {
                    Some(Step::Pending(error)) => Err(self.after_what_was_done(error)),
                    _ => Ok(()),
                };
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Writes a wave. After the first failure nothing more is started, and what is under way is
    /// waited for, so that what was written can be said.
    async fn write(&mut self, wave: usize) -> Result<(), Error> {
        let failed = AtomicBool::new(false);
        let this = &*self;
        let due = (0..this.steps.len()).filter(|&index| this.wave(index) == wave);
        let due = due.filter_map(|index| match &this.steps[index] {
            Some(Step::Checked(checked)) => Some((index, checked.as_ref())),
            _ => None,
        });
        let due: Vec<_> = due.collect();
        let written = due.into_iter().map(|(index, checked)| {
            let failed = &failed;
            async move {
                if failed.load(Ordering::Relaxed) {
                    return None;
                }
                let result = this.write_one(checked).await;
                failed.fetch_or(result.is_err(), Ordering::Relaxed);
                Some((index, result))
            }
        });
        let results = side_by_side(written).await;
        let mut first = None;
        for (index, result) in results.into_iter().flatten() {
            match result {
                Ok(outcome) => self.steps[index] = Some(Step::Written(outcome)),
                Err(error) => first = first.or(Some(error)),
            }
        }
        if let Some(error) = first {
            return Err(self.after_what_was_done(error));
        }
        self.wait_for_kinds(wave).await
    }

    async fn write_one(&self, checked: &Checked) -> Result<Outcome, Error> {
        let Some(change) = &checked.change else {
            return Ok(checked.outcome(DryRun::No));
        };
        match self.deed {
            Deed::Apply(options) => self.cluster.write_applied(checked, change, options).await,
            Deed::Create { .. } => self.cluster.write_created(checked).await,
        }
    }

    /// New definitions have to be served before their objects can be.
    async fn wait_for_kinds(&mut self, wave: usize) -> Result<(), Error> {
        if wave > 0 {
            return Ok(());
        }
        self.is_defined = true;
        let is_definition = |outcome: &&Outcome| {
            outcome.kind.is("apiextensions.k8s.io", "CustomResourceDefinition")
                && outcome.verb != Verb::Unchanged
        };
        let written: Vec<Outcome> = self.written().filter(is_definition).cloned().collect();
        if written.is_empty() || self.pending().is_empty() {
            return Ok(());
        }
        let waited = self.cluster.wait(&written, PATIENCE).await;
        waited.map_err(|error| self.after_what_was_done(error))
    }

    fn written(&self) -> impl Iterator<Item = &Outcome> {
        self.steps.iter().filter_map(|step| match step {
            Some(Step::Written(outcome)) => Some(outcome),
            _ => None,
        })
    }

    /// The error of one object, with what was written before it.
    fn after_what_was_done(&self, error: Error) -> Error {
        let done: Vec<Outcome> =
            self.written().filter(|outcome| outcome.verb != Verb::Unchanged).cloned().collect();
        if done.is_empty() {
            return error;
        }
        Error::Partial { done, total: self.objects.len(), source: Box::new(error) }
    }

    /// What became of every object.
    fn outcomes(self) -> Vec<Outcome> {
        let dry_run = self.deed.dry_run();
        let reporter = self.cluster.client.reporter();
        let outcome = |(stated, step): (Stated, Option<Step>)| match step {
            Some(Step::Written(outcome)) => outcome,
            Some(Step::Checked(checked)) => checked.outcome(dry_run),
            Some(Step::Pending(_)) | None => {
                reporter.note(format!(
                    "{} `{}` ({}) cannot be checked before what it needs of the same set exists",
                    stated.kind, stated.name, stated.place
                ));
                let version = stated.group_version;
                Outcome {
                    kind: Kind::namespaced(&version.group, &version.version, &stated.kind, ""),
                    name: stated.name,
                    namespace: stated.namespace,
                    verb: Verb::Created,
                    dry_run,
                    place: stated.place,
                    uid: None,
                }
            }
        };
        self.objects.into_iter().zip(self.steps).map(outcome).collect()
    }
}

impl Checked {
    pub(super) fn outcome(&self, dry_run: DryRun) -> Outcome {
        self.target.outcome(self.verb, dry_run)
    }
}
