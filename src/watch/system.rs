//! Notifications of the operating system, and the reasons for which there are none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher as _};

/// The folders that the operating system watches.
pub(super) struct System {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    /// Why some folders are not watched, and have to be looked at from time to time.
    pub(super) unwatched: Option<String>,
}

impl System {
    /// Watches nothing yet.
    pub(super) fn new(handler: impl notify::EventHandler) -> Self {
        match notify::recommended_watcher(handler) {
            Ok(watcher) => {
                Self { watcher: Some(watcher), watched: BTreeSet::new(), unwatched: None }
            }
            Err(error) => Self {
                watcher: None,
                watched: BTreeSet::new(),
                unwatched: Some(reason(&error.kind, Path::new(""))),
            },
        }
    }

    /// Watches these folders and no others. Each is watched by itself: a recursive watch would
    /// include what Git ignores.
    pub(super) fn watch(&mut self, folders: &BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        self.unwatched = None;
        for folder in self.watched.difference(folders) {
            // It may have been removed, which ends the watch.
            let _ = watcher.unwatch(folder);
        }
        self.watched.retain(|folder| folders.contains(folder));
        for folder in folders.difference(&self.watched.clone()) {
            if let Some(kind) = remote(folder) {
                self.unwatched = Some(format!(
                    "`{}` is on a file system ({kind}) that does not report every change",
                    folder.display()
                ));
                continue;
            }
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.watched.insert(folder.clone())),
                // It was removed in between, which its parent reports.
                Err(_) if !folder.exists() => {}
                Err(error) => self.unwatched = Some(reason(&error.kind, folder)),
            }
        }
    }

    /// Forgets a folder that was removed or moved, so that it is watched anew if it comes back.
    pub(super) fn forget(&mut self, folder: &Path) {
        if self.watched.remove(folder)
            && let Some(watcher) = &mut self.watcher
        {
            let _ = watcher.unwatch(folder);
        }
    }
}

/// Why a folder cannot be watched.
fn reason(kind: &ErrorKind, folder: &Path) -> String {
    match kind {
        ErrorKind::MaxFilesWatch => {
            "the limit for inotify watches is reached; raise it with `sysctl \
                                     fs.inotify.max_user_watches=524288`"
                .to_owned()
        }
        ErrorKind::Io(error) if error.raw_os_error() == Some(24) => {
            "the limit for inotify instances is reached; raise it with `sysctl \
             fs.inotify.max_user_instances=1024`"
                .to_owned()
        }
        kind => format!(
            "`{}` cannot be watched: {}",
            folder.display(),
            notify::Error::new(match kind {
                ErrorKind::Generic(text) => ErrorKind::Generic(text.clone()),
                ErrorKind::Io(error) => ErrorKind::Generic(error.to_string()),
                _ => ErrorKind::PathNotFound,
            })
        ),
    }
}

/// The name of a file system whose changes are made elsewhere.
#[cfg(target_os = "linux")]
fn remote(folder: &Path) -> Option<&'static str> {
    // The magic numbers of statfs(2).
    match rustix::fs::statfs(folder).ok()?.f_type {
        0x6969 => Some("NFS"),
        0x0102_1997 => Some("9p"),
        0xff53_4d42 | 0xfe53_4d42 => Some("SMB"),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
fn remote(_: &Path) -> Option<&'static str> {
    None
}
