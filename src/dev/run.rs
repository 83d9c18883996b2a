//! The loop.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::error::Error;
use super::input::Input;
use super::parts::Parts;
use super::round::{Applied, Deployed, check_context};
use super::scope::scope;
use super::shown::Shown;
use crate::pipeline::{Inputs, Request};
use crate::report::{Diagnostic, Event, Reporter, Way};
use crate::watch::{Batch, Watcher};

/// How long after a failure that may pass the same is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// A development loop.
#[derive(Debug)]
pub(crate) struct Loop {
    report: Reporter,
    /// The working directory.
    directory: PathBuf,
    watcher: Watcher,
    deployed: Deployed,
    inputs: Inputs,
    /// What was last reported as watched.
    watching: Option<Event>,
    polled: Option<String>,
}

/// What made a round begin.
#[derive(Debug)]
enum Cause {
    Start,
    Change(Batch),
    Again,
}

impl Loop {
    /// A loop that has not begun. Paths are shown relative to `directory`.
    #[must_use]
    pub(crate) fn new(report: Reporter, directory: PathBuf) -> Self {
        Self {
            report,
            directory,
            watcher: Watcher::new(),
            deployed: Deployed::default(),
            inputs: Inputs::default(),
            watching: None,
            polled: None,
        }
    }

    /// What the loop has in the cluster, for those who look at it.
    #[must_use]
    pub(crate) fn objects(&self) -> watch::Receiver<Option<Shown>> {
        self.deployed.shown.subscribe()
    }

    /// Runs rounds until one cannot go on. `load` reads settings and manifests, and `files` are those
    /// that it reads.
    ///
    /// # Errors
    /// If the first round fails in a way that no change of a file would help.
    pub(crate) async fn run(
        mut self,
        files: BTreeSet<PathBuf>,
        mut load: impl AsyncFnMut() -> Result<Input, Vec<Diagnostic>>,
    ) -> Result<Infallible, Error> {
        self.watch(&files, None).await;
        let mut cause = Cause::Start;
        loop {
            let start = Instant::now();
            if let Cause::Change(batch) = &cause {
                self.deployed.forget(&batch.paths);
                self.report.send(Event::Changed { files: self.shown(&batch.paths) });
            }
            let is_first = matches!(cause, Cause::Start);
            let events = self.report.reader();
            let round = match load().await {
                Ok(input) => self.round(&input, Some(&files)).await,
                Err(diagnostics) => {
                    diagnostics.into_iter().for_each(|found| self.report.diagnostic(found));
                    cause = self.next(false).await;
                    continue;
                }
            };
            let applied = match round {
                Ok(applied) => applied,
                Err(error) if is_first && error.is_final() => return Err(error),
                Err(error) => {
                    self.fail(&error);
                    cause = self.next(error.is_temporary()).await;
                    continue;
                }
            };
            let changed = tokio::select! {
                waited = applied.wait() => {
                    match waited {
                        Ok(()) => {
                            let (since, wait) = match &cause {
                                Cause::Change(batch) => (batch.since, Some(start - batch.since)),
                                Cause::Start | Cause::Again => (start, None),
                            };
                            let parts = events.try_iter().fold(Parts::new(wait), |parts, event| {
                                parts.after(&event)
                            });
                            self.updated(&applied, since.elapsed(), parts);
                        }
                        Err(error) => self.fail(&error),
                    }
                    None
                }
                // A newer change replaces what is being waited for.
                changed = self.watcher.changed() => changed,
            };
            drop(events);
            cause = match changed {
                Some(batch) => Cause::Change(batch),
                None => self.next(false).await,
            };
        }
    }

    /// Runs one round, and waits until everything is ready.
    ///
    /// # Errors
    /// If anything fails.
    pub(crate) async fn once(mut self, input: &Input) -> Result<(), Error> {
        let start = Instant::now();
        let events = self.report.reader();
        let applied = self.round(input, None).await?;
        applied.wait().await?;
        let parts = events.try_iter().fold(Parts::new(None), |parts, event| parts.after(&event));
        self.updated(&applied, start.elapsed(), parts);
        Ok(())
    }

    /// Builds and applies. With `files`, what the set is made of is watched, these files too.
    async fn round(
        &mut self,
        input: &Input,
        files: Option<&BTreeSet<PathBuf>>,
    ) -> Result<Applied, Error> {
        let cluster = input.session.cluster().await?;
        check_context(&input.session, cluster)?;
        let plan = input.session.plan(Request::Manifests(&input.manifests)).await?;
        let Some(files) = files else { return self.deployed.update(input, &plan).await };
        // Watched before it is built, so that no change in between is missed.
        self.inputs = plan.inputs();
        self.watch(files, Some(input)).await;
        let applied = self.deployed.update(input, &plan).await;
        // A build tells of further sources, also if something failed later.
        self.inputs = plan.inputs();
        self.watch(files, Some(input)).await;
        applied
    }

    /// Watches what the last plan is made of, and says so if it is something else than before.
    async fn watch(&mut self, files: &BTreeSet<PathBuf>, input: Option<&Input>) {
        let scope = scope(&self.inputs, files, &self.directory);
        let counts = self.watcher.watch(scope).await;
        let Some(input) = input else { return };
        let watching = Event::Watching {
            crates: self.inputs.packages.len(),
            files: counts.files,
            folders: counts.folders,
            manifests: input.sources,
        };
        if self.watching.as_ref() != Some(&watching) {
            self.report.send(watching.clone());
            self.watching = Some(watching);
        }
        if counts.polled != self.polled {
            if let Some(reason) = &counts.polled {
                let message = format!("files are looked at every second: {reason}");
                self.report.note(message);
            }
            self.polled = counts.polled;
        }
    }

    /// What the next round is for.
    async fn next(&mut self, is_temporary: bool) -> Cause {
        tokio::select! {
            changed = self.watcher.changed() => match changed {
                Some(batch) => Cause::Change(batch),
                // The watcher ends with this loop only.
                None => Cause::Again,
            },
            () = tokio::time::sleep(AGAIN), if is_temporary => Cause::Again,
        }
    }

    fn fail(&self, error: &Error) {
        error.diagnostics().into_iter().for_each(|found| self.report.diagnostic(found));
    }

    fn updated(&self, applied: &Applied, duration: Duration, parts: Parts) {
        let parts = parts.list();
        for outcome in applied.changed() {
            let (object, way) = match outcome.workload() {
                Some(name) => (name.to_owned(), Way::Rollout),
                None => (outcome.object(), Way::Apply),
            };
            self.report.send(Event::Updated { object, way, duration, parts: parts.clone() });
        }
    }

    /// Paths as they are shown: relative to the working directory.
    fn shown(&self, paths: &BTreeSet<PathBuf>) -> Vec<String> {
        let directory = self.directory.canonicalize().unwrap_or_else(|_| self.directory.clone());
        let shown = |path: &PathBuf| relative(path, &directory).display().to_string();
        paths.iter().map(shown).collect()
    }
}

fn relative<'a>(path: &'a Path, directory: &Path) -> &'a Path {
    path.strip_prefix(directory).unwrap_or(path)
}
