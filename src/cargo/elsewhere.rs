//! Copies the sources to another folder, to build them a second time.
//!
//! The copy has the whole path of the original below a new folder, so that all relative paths stay
//! the same and no absolute path does. Files that Git ignores are not copied: an image must not
//! depend on them. The copy is removed when it is dropped.

use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;

use super::program;
use super::{Settings, Workspace};
use crate::process::{self, Environment};

/// The maximum size of a copy. Larger files are not sources.
const LARGEST: u64 = 4 << 30;

/// Configuration that Cargo and rustup search in every parent folder.
const UPWARDS: [&str; 4] =
    [".cargo/config.toml", ".cargo/config", "rust-toolchain.toml", "rust-toolchain"];

/// The copy.
#[derive(Debug)]
pub struct Elsewhere {
    folder: TempDir,
    /// The folders that were copied.
    roots: Vec<PathBuf>,
}

/// A failure to copy sources.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The folder for the copy could not be created.
    #[error("could not create a folder for a second build in `{parent}`")]
    Folder {
        /// The parent folder.
        parent: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file could not be copied.
    #[error("could not copy `{path}` for a second build")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Git failed.
    #[error("could not copy the sources for a second build")]
    Git(#[source] process::Error),
    /// The sources are too large.
    #[error("the sources in `{root}` have more than {} GiB, too much to copy", LARGEST >> 30)]
    TooLarge {
        /// The folder.
        root: PathBuf,
    },
}

impl CopyError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Folder { .. } | Self::File { .. } => {
                Some("set TMPDIR to use another folder for temporary files")
            }
            Self::TooLarge { .. } => {
                Some("let Git ignore files that are not sources: those are not copied")
            }
            Self::Git(_) => None,
        }
    }
}

impl Workspace {
    /// Copies the sources into a new folder inside `parent`.
    pub async fn copy_elsewhere(&self, parent: &Path) -> Result<Elsewhere, CopyError> {
        let folder = tempfile::Builder::new().prefix("ko-rs-verify-").tempdir_in(parent);
        let folder =
            folder.map_err(|source| CopyError::Folder { parent: parent.to_owned(), source })?;
        let settings = &self.settings;
        let mut roots: Vec<PathBuf> = settings.repository_root.iter().cloned().collect();
        for facts in &self.facts {
            for needed in std::iter::once(&facts.root).chain(facts.outside.values()) {
                if !roots.iter().any(|root| needed.starts_with(root)) {
                    roots.push(needed.clone());
                }
            }
        }
        let elsewhere = Elsewhere { folder, roots };
        for root in &elsewhere.roots {
            elsewhere.copy_root(root, &self.settings.environment).await?;
        }
        let home = program::cargo_home(&settings.environment, self.root());
        let above: BTreeSet<&Path> =
            elsewhere.roots.iter().flat_map(|root| root.ancestors().skip(1)).collect();
        for folder in above {
            if home.as_ref().is_some_and(|home| *home == folder.join(".cargo")) {
                continue; // read from there as it is
            }
            for name in UPWARDS {
                let file = folder.join(name);
                if file.is_file() && !elsewhere.has(&file) {
                    elsewhere.copy(&file, &mut 0).await?;
                }
            }
        }
        let directory = elsewhere.place(&settings.directory);
        let made = tokio::fs::create_dir_all(&directory).await;
        made.map_err(|source| CopyError::File { path: directory, source })?;
        Ok(elsewhere)
    }
}

impl Elsewhere {
    /// The folder of the copy.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The path of a copied file in the copy. Other paths are returned unchanged.
    #[must_use]
    pub fn of(&self, path: &Path) -> PathBuf {
        if self.has(path) { self.place(path) } else { path.to_owned() }
    }

    /// Cargo's settings for the copy, with its own target directory.
    #[must_use]
    pub fn settings(&self, settings: &Settings) -> Settings {
        let mut environment = settings.environment.clone();
        let target = self.folder().join("built-elsewhere");
        environment.insert("CARGO_TARGET_DIR".into(), target.into());
        Settings {
            directory: self.place(&settings.directory),
            manifest_path: settings.manifest_path.as_ref().map(|path| self.of(path)),
            workspaces: settings.workspaces.iter().map(|path| self.of(path)).collect(),
            repository_root: settings.repository_root.as_ref().map(|path| self.of(path)),
            environment,
            ..settings.clone()
        }
    }

    fn has(&self, path: &Path) -> bool {
        self.roots.iter().any(|root| path.starts_with(root))
    }

    /// The path of a file in the copy.
    fn place(&self, path: &Path) -> PathBuf {
        let names = path.components().filter(|part| matches!(part, Component::Normal(_)));
        self.folder().join("elsewhere").join(names.collect::<PathBuf>())
    }

    async fn copy_root(&self, root: &Path, environment: &Environment) -> Result<(), CopyError> {
        let git = root.join(".git").exists() && process::find("git", environment).is_some();
        let mut size = 0;
        if !git {
            let mut folders = vec![root.to_owned()];
            while let Some(folder) = folders.pop() {
                let failed = |source| CopyError::File { path: folder.clone(), source };
                let entries = std::fs::read_dir(&folder).map_err(failed)?;
                for entry in entries {
                    let path = entry.map_err(failed)?.path();
                    // A target directory contains a marker. Build artifacts are not copied.
                    let skipped = path.ends_with(".git") || path.join("CACHEDIR.TAG").is_file();
                    if path.is_dir() && !path.is_symlink() && !skipped {
                        folders.push(path);
                    } else if !skipped {
                        self.copy(&path, &mut size).await?;
                    }
                }
            }
            return Ok(());
        }
        let run = |folder: &Path, arguments: &[&str]| {
            let mut command = process::command("git", environment, folder);
            command.args(arguments);
            // A Git hook, which may run this, limits Git to one repository with these variables.
            for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
                command.env_remove(name);
            }
            process::capture(command).map_err(CopyError::Git)
        };
        let place = self.place(root);
        let (from, to) = (root.to_string_lossy(), place.to_string_lossy());
        // Build scripts may read the history, so the copy shares that of the original.
        run(root, &["clone", "--quiet", "--shared", "--no-checkout", &from, &to])?;
        run(&place, &["reset", "--quiet"])?;
        if let Ok(url) = run(root, &["config", "remote.origin.url"]) {
            run(&place, &["config", "remote.origin.url", url.trim()])?;
        }
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        for name in run(root, &list)?.split('\0').filter(|name| !name.is_empty()) {
            let path = root.join(name);
            if path.is_dir() && !path.is_symlink() {
                Box::pin(self.copy_root(&path, environment)).await?; // a submodule
            } else if path.is_symlink() || path.exists() {
                self.copy(&path, &mut size).await?;
            }
        }
        Ok(())
    }

    async fn copy(&self, path: &Path, size: &mut u64) -> Result<(), CopyError> {
        let failed = |source| CopyError::File { path: path.to_owned(), source };
        let to = self.place(path);
        if let Some(folder) = to.parent() {
            tokio::fs::create_dir_all(folder).await.map_err(failed)?;
        }
        #[cfg(unix)]
        if path.is_symlink() {
            let target = tokio::fs::read_link(path).await.map_err(failed)?;
            return tokio::fs::symlink(target, &to).await.map_err(failed);
        }
        let metadata = tokio::fs::metadata(path).await.map_err(failed)?;
        if !metadata.is_file() {
            return Ok(()); // a socket or a pipe
        }
        *size += metadata.len();
        if *size > LARGEST {
            let root = self.roots.iter().find(|root| path.starts_with(root));
            return Err(CopyError::TooLarge { root: root.cloned().unwrap_or_default() });
        }
        tokio::fs::copy(path, &to).await.map(drop).map_err(failed)
    }
}
