//! Real files, changed as editors and Git change them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::watcher::Counts;
use super::*;

/// How long a batch may take on a busy machine, and how long none must come.
const LATEST: Duration = Duration::from_secs(20);
const NONE: Duration = Duration::from_millis(400);

struct Watched {
    folder: tempfile::TempDir,
    watcher: Watcher,
}

impl Watched {
    /// A folder with some files, all of which are watched.
    async fn with(files: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            write(&folder.path().join(file), file);
        }
        let mut watched = Self { folder, watcher: Watcher::new() };
        watched.watch().await;
        watched
    }

    async fn watch(&mut self) -> Counts {
        let scope = Scope {
            folders: [self.at("")].into(),
            excluded: [self.at("target")].into(),
            ..Scope::default()
        };
        self.watcher.watch(scope).await
    }

    fn at(&self, path: &str) -> PathBuf {
        let root = self.folder.path().canonicalize().unwrap();
        if path.is_empty() { root } else { root.join(path) }
    }

    /// The paths of the next batch, relative to the folder.
    async fn changed(&mut self) -> BTreeSet<String> {
        let batch = tokio::time::timeout(LATEST, self.watcher.changed()).await;
        let root = self.at("");
        let paths = batch.expect("a batch in time").unwrap().paths;
        paths.iter().map(|path| path.strip_prefix(&root).unwrap().display().to_string()).collect()
    }

    async fn nothing_changed(&mut self) {
        let batch = tokio::time::timeout(NONE, self.watcher.changed()).await;
        assert!(batch.is_err(), "{batch:?}");
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn what_is_written_created_and_removed_is_one_batch() {
    let mut watched = Watched::with(&["a", "src/b", "src/c"]).await;
    write(&watched.at("a"), "2");
    write(&watched.at("new/deep/d"), "1");
    fs::remove_file(watched.at("src/c")).unwrap();
    assert_eq!(watched.changed().await, set(&["a", "new/deep/d", "src/c"]));
    write(&watched.at("new/deep/d"), "2");
    assert_eq!(watched.changed().await, set(&["new/deep/d"]), "a new folder is watched");
    watched.nothing_changed().await;
}

#[tokio::test]
async fn a_save_without_a_change_and_ignored_files_start_nothing() {
    let mut watched = Watched::with(&["a", ".gitignore"]).await;
    write(&watched.at(".gitignore"), "*.log\nout/\n");
    assert_eq!(watched.changed().await, set(&[".gitignore"]));
    write(&watched.at("a"), "a");
    for path in ["x.log", "out/y", "target/z", ".git/HEAD", ".a.swp", "a~", "4913"] {
        write(&watched.at(path), "new");
    }
    watched.nothing_changed().await;
    write(&watched.at("out/y"), "more");
    write(&watched.at("target/z"), "more");
    watched.nothing_changed().await;
}

/// vim writes the old file to a backup and the text to a new file, and removes the backup; others
/// rename a temporary file over the old one.
#[tokio::test]
async fn editors_that_rename_over_a_file_change_that_file() {
    let mut watched = Watched::with(&["main.rs", "lib.rs"]).await;
    for text in ["first", "second"] {
        fs::rename(watched.at("main.rs"), watched.at("main.rs~")).unwrap();
        write(&watched.at("4913"), "");
        fs::remove_file(watched.at("4913")).unwrap();
        write(&watched.at("main.rs"), text);
        fs::remove_file(watched.at("main.rs~")).unwrap();
        assert_eq!(watched.changed().await, set(&["main.rs"]), "vim");
        write(&watched.at("lib.rs___jb_tmp___"), text);
        fs::rename(watched.at("lib.rs"), watched.at("lib.rs___jb_old___")).unwrap();
        fs::rename(watched.at("lib.rs___jb_tmp___"), watched.at("lib.rs")).unwrap();
        fs::remove_file(watched.at("lib.rs___jb_old___")).unwrap();
        assert_eq!(watched.changed().await, set(&["lib.rs"]), "JetBrains");
    }
}

#[tokio::test]
async fn a_single_file_is_watched_before_it_exists_and_when_git_ignores_it() {
    let mut watched = Watched::with(&["a"]).await;
    write(&watched.at(".gitignore"), "secret.yaml\n");
    let _ = watched.changed().await;
    let files = ["secret.yaml", "k8s/late.yaml"].map(|file| watched.at(file));
    let scope = Scope { files: files.into(), ..Scope::default() };
    watched.watcher.watch(scope).await;
    write(&watched.at("secret.yaml"), "1");
    assert_eq!(watched.changed().await, set(&["secret.yaml"]));
    write(&watched.at("k8s/late.yaml"), "1");
    assert_eq!(watched.changed().await, set(&["k8s/late.yaml"]));
    write(&watched.at("a"), "not watched any more");
    watched.nothing_changed().await;
}

#[tokio::test]
async fn a_checkout_of_a_thousand_files_is_one_batch() {
    let mut watched = Watched::with(&["0/0"]).await;
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(arguments);
        let output = command.current_dir(watched.at("")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "one"]);
    git(&["checkout", "--quiet", "-b", "many"]);
    for number in 0..1000 {
        write(&watched.at(&format!("{}/{number}", number % 20)), "many");
    }
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "many"]);
    git(&["checkout", "--quiet", "main"]);
    tokio::time::sleep(NONE).await;
    watched.watch().await;
    while tokio::time::timeout(NONE, watched.watcher.changed()).await.is_ok() {}
    // The lock holds the batch back, as a rebase of several commits does.
    write(&watched.at(".git/index.lock"), "");
    write(&watched.at("early"), "1");
    watched.nothing_changed().await;
    fs::remove_file(watched.at(".git/index.lock")).unwrap();
    let checkout = Command::new("git")
        .args(["checkout", "--quiet", "many"])
        .current_dir(watched.at(""))
        .output()
        .unwrap();
    assert!(checkout.status.success());
    let mut changed = BTreeSet::new();
    while changed.len() < 1001 {
        changed.extend(watched.changed().await);
    }
    assert_eq!(changed.len(), 1001);
    watched.nothing_changed().await;
}

#[tokio::test]
async fn a_moved_folder_is_its_files_at_the_old_and_the_new_place() {
    let mut watched = Watched::with(&["old/a", "old/deep/b", "c"]).await;
    fs::rename(watched.at("old"), watched.at("new")).unwrap();
    let both = set(&["old/a", "old/deep/b", "new/a", "new/deep/b"]);
    assert_eq!(watched.changed().await, both);
    write(&watched.at("new/deep/b"), "2");
    assert_eq!(watched.changed().await, set(&["new/deep/b"]));
    // It is watched at its old place again when it comes back there.
    fs::rename(watched.at("new"), watched.at("old")).unwrap();
    assert_eq!(watched.changed().await, both);
    write(&watched.at("old/deep/b"), "3");
    assert_eq!(watched.changed().await, set(&["old/deep/b"]));
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_found() {
    let mut watched = Watched::with(&["a"]).await;
    for number in 0..300 {
        write(&watched.at("a"), &number.to_string());
    }
    let mut last = BTreeSet::new();
    while let Ok(Some(batch)) = tokio::time::timeout(NONE, watched.watcher.changed()).await {
        last = batch.paths;
    }
    assert_eq!(last, [watched.at("a")].into());
    watched.nothing_changed().await;
}

/// Only this test's process has the limit: it runs the next one in a user namespace.
#[cfg(target_os = "linux")]
#[test]
fn without_enough_inotify_watches_files_are_looked_at() {
    let test = std::env::current_exe().unwrap();
    let script = "echo 3 > /proc/sys/user/max_inotify_watches && \
                  exec \"$0\" --exact watch::tests::with_three_inotify_watches --ignored";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c", script])
        .arg(test)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed} {output:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "`without_enough_inotify_watches_files_are_looked_at` runs it"]
async fn with_three_inotify_watches() {
    let mut watched = Watched::with(&["a/a", "b/b", "c/c", "d/d", "e/e"]).await;
    let counts = watched.watch().await;
    assert_eq!((counts.files, counts.folders), (5, 6));
    assert!(counts.polled.unwrap().starts_with("the limit for inotify watches is reached"));
    for file in ["a/a", "b/b", "c/c", "d/d", "e/e"] {
        write(&watched.at(file), "2");
        assert_eq!(watched.changed().await, set(&[file]));
    }
}
