use std::fs;

use super::super::contents::tests::{Put, layer, look};
use super::super::embedded;
use super::*;
use crate::cache::Cache;
use crate::oci::Platform;

/// What the embedded base holds.
fn static_base() -> Contents {
    look(&embedded(&Platform::linux("amd64")), &Cache::none()).unwrap()
}

fn rule(from: &Path, to: &str, mode: Option<u32>) -> FileRule {
    FileRule { from: from.to_owned(), to: to.to_owned(), mode }
}

fn paths(rules: &[FileRule], base: &Contents) -> Result<Vec<String>, DataError> {
    let entries = files(rules, None, base)?;
    Ok(entries.iter().map(|entry| format!("{:o} {}", entry.mode, entry.path)).collect())
}

fn sources() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("migrations/old")).unwrap();
    fs::write(folder.path().join("migrations/1.sql"), "1").unwrap();
    fs::write(folder.path().join("migrations/old/0.sql"), "0").unwrap();
    fs::write(folder.path().join("app.toml"), "a").unwrap();
    folder
}

#[test]
fn files_and_folders_go_where_they_are_said_to_with_only_the_folders_that_are_missing() {
    let from = sources();
    let rules = [
        rule(&from.path().join("migrations"), "/srv/migrations", Some(0o600)),
        rule(&from.path().join("app.toml"), "/etc/app/", None),
        rule(&from.path().join("app.toml"), "/home/nonroot/.app.toml", None),
        rule(&from.path().join("app.toml"), "//tmp/./x", None),
    ];
    let files = [
        "755 etc/app",
        "644 etc/app/app.toml",
        "644 home/nonroot/.app.toml",
        "755 srv",
        "755 srv/migrations",
        "600 srv/migrations/1.sql",
        "755 srv/migrations/old",
        "600 srv/migrations/old/0.sql",
        "644 tmp/x",
    ];
    assert_eq!(paths(&rules, &static_base()).unwrap(), files);
    let all = paths(&rules, &Contents::default()).unwrap();
    assert_eq!(all.len(), files.len() + 4, "{all:?}");
    assert_eq!(all[0], "755 etc");
}

#[test]
fn a_folder_can_be_the_root_and_a_base_s_folder_keeps_its_own_mode() {
    let from = tempfile::tempdir().unwrap();
    fs::create_dir(from.path().join("tmp")).unwrap();
    fs::write(from.path().join("tmp/x"), "").unwrap();
    let base = static_base();
    assert_eq!(paths(&[rule(from.path(), "/", None)], &base).unwrap(), ["644 tmp/x"]);
}

#[test]
fn places_that_are_none_and_places_taken_twice_are_errors() {
    let from = sources();
    let file = from.path().join("app.toml");
    for (to, text) in [
        ("/etc/../x", "without `..`"),
        ("", "cannot be the root folder"),
        ("/a\0", "zero byte"),
        ("/etc/.wh.passwd", "removes a file"),
    ] {
        let error = paths(&[rule(&file, to, None)], &Contents::default()).unwrap_err().to_string();
        assert!(error.contains(text), "{to:?}: {error}");
    }
    let twice = [rule(&file, "/a", None), rule(&from.path().join("migrations"), "/a", None)];
    let error = paths(&twice, &Contents::default()).unwrap_err();
    assert!(matches!(error, DataError::Twice { .. }), "{error}");
    let below = [rule(&file, "/a", None), rule(&file, "/a/b/c", None)];
    let error = paths(&below, &Contents::default()).unwrap_err();
    assert!(matches!(&error, DataError::Twice { path, .. } if path == "a"), "{error}");
    let gone = [rule(&from.path().join("gone"), "/a", None)];
    assert!(matches!(paths(&gone, &Contents::default()), Err(DataError::Read { .. })));
}

#[test]
fn what_goes_behind_a_link_of_the_base_goes_where_the_link_leads() {
    let from = tempfile::tempdir().unwrap();
    fs::create_dir(from.path().join("lib")).unwrap();
    fs::write(from.path().join("lib/libown.so"), "").unwrap();
    let base = Contents::from_layers([layer(&[
        ("usr/lib", Put::Folder),
        ("lib", Put::Link("usr/lib")),
        ("run", Put::Folder),
        ("var/run", Put::Link("/run")),
    ])]);
    let rules = [rule(from.path(), "/", None), rule(&from.path().join("lib"), "/lib/own/", None)];
    assert_eq!(
        paths(&rules, &base).unwrap(),
        ["644 usr/lib/libown.so", "755 usr/lib/own", "644 usr/lib/own/libown.so"]
    );
    let entries = data(from.path(), None, &base).unwrap();
    let found: Vec<_> = entries.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(found, ["run/ko", "run/ko/lib", "run/ko/lib/libown.so"]);
    let both = [
        rule(&from.path().join("lib/libown.so"), "/lib/x", None),
        rule(&from.path().join("lib/libown.so"), "/usr/lib/x", None),
    ];
    assert!(matches!(paths(&both, &base), Err(DataError::Twice { .. })));
}
