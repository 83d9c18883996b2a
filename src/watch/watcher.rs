//! The thread that collects notifications into batches.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use tokio::sync::mpsc as channel;

use super::contents::Contents;
use super::scope::{Found, Scope};
use super::system::System;
use super::timing::Timing;

/// How often files are looked at that the operating system does not watch.
const POLL: Duration = Duration::from_secs(1);
/// How long a group may wait for the next event if none is due.
const FOREVER: Duration = Duration::from_secs(3600);

/// A group of changes that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The files whose contents differ from before: written, created or removed.
    pub(crate) paths: BTreeSet<PathBuf>,
    /// When the first change of the group was noticed.
    pub(crate) since: Instant,
}

/// How much is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// The number of files.
    pub(crate) files: usize,
    /// The number of folders.
    pub(crate) folders: usize,
    /// Why files are looked at every second instead of being watched, if they are.
    pub(crate) polled: Option<String>,
}

/// Watches the files of a scope, on a thread of its own that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Watcher {
    messages: Sender<Message>,
    batches: channel::UnboundedReceiver<Batch>,
    counts: channel::UnboundedReceiver<Counts>,
}

enum Message {
    Event(notify::Result<notify::Event>),
    Scope(Scope),
    End,
}

impl Default for Watcher {
    fn default() -> Self {
        Self::new()
    }
}

impl Watcher {
    /// Watches nothing yet.
    #[must_use]
    pub(crate) fn new() -> Self {
        let (messages, received) = mpsc::channel();
        let (batch, batches) = channel::unbounded_channel();
        let (count, counts) = channel::unbounded_channel();
        let events = messages.clone();
        std::thread::spawn(move || {
            let system = System::new(move |event| {
                // The thread has ended if it does not receive.
                let _ = events.send(Message::Event(event));
            });
            Collector::new(system).run(&received, &batch, &count);
        });
        Self { messages, batches, counts }
    }

    /// Watches another scope from now on. Changes of files that are in both are kept.
    pub(crate) async fn watch(&mut self, scope: Scope) -> Counts {
        let _ = self.messages.send(Message::Scope(scope));
        self.counts.recv().await.unwrap_or_default()
    }

    /// The next changes, once they are complete.
    pub(crate) async fn changed(&mut self) -> Option<Batch> {
        self.batches.recv().await
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.messages.send(Message::End);
    }
}

struct Collector {
    system: System,
    scope: Scope,
    found: Found,
    contents: Contents,
    /// The group that is being collected.
    timing: Option<Timing>,
    polled: Instant,
}

impl Collector {
    fn new(system: System) -> Self {
        Self {
            system,
            scope: Scope::default(),
            found: Found::default(),
            contents: Contents::default(),
            timing: None,
            polled: Instant::now(),
        }
    }

    fn run(
        mut self,
        messages: &Receiver<Message>,
        batches: &channel::UnboundedSender<Batch>,
        counts: &channel::UnboundedSender<Counts>,
    ) {
        loop {
            match messages.recv_timeout(self.patience()) {
                Ok(Message::Event(event)) => self.event(event),
                Ok(Message::Scope(scope)) => {
                    // Counted first: who asks must not receive a batch before.
                    let _ = counts.send(self.set(scope));
                }
                Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(batch) = self.take()
                        && batches.send(batch).is_err()
                    {
                        return;
                    }
                }
            }
        }
    }

    /// How long to wait for the next message.
    fn patience(&self) -> Duration {
        let now = Instant::now();
        match &self.timing {
            Some(timing) => timing.due(self.is_locked(), now).saturating_duration_since(now),
            None if self.system.unwatched.is_some() => {
                (self.polled + POLL).saturating_duration_since(now)
            }
            None => FOREVER,
        }
    }

    fn set(&mut self, scope: Scope) -> Counts {
        self.found = scope.find();
        self.scope = scope;
        self.system.watch(&self.found.folders);
        self.contents.adopt(&self.found.files);
        // What was written between the walk and the watch.
        self.timing.get_or_insert_with(|| Timing::start(Instant::now()));
        Counts {
            files: self.found.files.len(),
            folders: self.found.folders.len(),
            polled: self.system.unwatched.clone(),
        }
    }

    fn event(&mut self, event: notify::Result<notify::Event>) {
        use notify::EventKind;
        use notify::event::ModifyKind;
        let now = Instant::now();
        if let Ok(event) = &event {
            if matches!(event.kind, EventKind::Access(_)) && !event.need_rescan() {
                return;
            }
            let is_move =
                matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
            if is_move {
                event.paths.iter().for_each(|path| self.system.forget(path));
            }
            let concerns = |path: &PathBuf| self.concerns(path);
            if !event.need_rescan() && !event.paths.is_empty() && !event.paths.iter().any(concerns)
            {
                return;
            }
        }
        match &mut self.timing {
            Some(timing) => timing.event(now),
            None => self.timing = Some(Timing::start(now)),
        }
    }

    /// Whether an event about a path can be one about a watched file.
    fn concerns(&self, path: &Path) -> bool {
        let is_below = |path: &Path| {
            self.scope.folders.iter().any(|folder| path.starts_with(folder))
                && !self.scope.excluded.iter().any(|folder| path.starts_with(folder))
        };
        is_below(path)
            || self.found.files.contains(path)
            || self.scope.files.iter().any(|file| file.starts_with(path))
    }

    /// The changes of a group that is complete, or those that polling found.
    fn take(&mut self) -> Option<Batch> {
        let now = Instant::now();
        if self.timing.is_none() && self.system.unwatched.is_none() {
            return None;
        }
        if let Some(timing) = &self.timing
            && timing.due(self.is_locked(), now) > now
        {
            return None;
        }
        let since = self.timing.take().map_or(now, |timing| timing.first());
        self.found = self.scope.find();
        self.system.watch(&self.found.folders);
        let paths = self.contents.compare_all(&self.found.files);
        self.polled = now;
        (!paths.is_empty()).then_some(Batch { paths, since })
    }

    /// Whether Git is writing into a folder that is watched.
    fn is_locked(&self) -> bool {
        let repositories = self.scope.folders.iter().filter_map(|folder| {
            folder.ancestors().map(|folder| folder.join(".git")).find(|git| git.is_dir())
        });
        let repositories: BTreeSet<PathBuf> = repositories.collect();
        repositories.iter().any(|git| git.join("index.lock").exists())
    }
}
