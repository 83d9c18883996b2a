//! The cache only ever saves work: whatever befalls it, a result is right or there is none.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::mounts::{READ_ONLY, mounted};
use crate::support::{Ran, Sandbox};

/// A crate with data that compresses slowly, built with layers that are kept.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new()
        .env("KO_DOCKER_REPO", "registry.example/team")
        .env("KO_RS_LAYER_COMPRESSION", "gzip");
    let kocache = sandbox.outside("kocache");
    let sandbox = crate::build::package(sandbox.env("KOCACHE", kocache), "", "kept", "");
    data(&sandbox, 1);
    sandbox
}

/// Puts a megabyte of noise into the image.
fn data(sandbox: &Sandbox, seed: u64) {
    let mut noise = Noise(seed);
    let bytes: Vec<u8> = (0..128 << 10).flat_map(|_| noise.next().to_le_bytes()).collect();
    let folder = sandbox.directory().join("kodata");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("noise"), bytes).unwrap();
}

/// Numbers that nobody foresees and that are the same in every run (splitmix64).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

fn cache(sandbox: &Sandbox) -> PathBuf {
    sandbox.outside("kocache/ko-rs")
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Arguments that build into a layout.
fn arguments(layout: &Path, more: &[&str]) -> Vec<String> {
    let mut arguments = vec!["build".to_owned(), "--push=false".to_owned(), "-q".to_owned()];
    arguments.push(format!("--oci-layout-path={}", layout.display()));
    arguments.extend(more.iter().map(|&argument| argument.to_owned()));
    arguments
}

/// Builds into a new layout, of which every byte is checked; returns the printed reference.
#[track_caller]
fn build(sandbox: &Sandbox, more: &[&str]) -> String {
    let layout = tempfile::tempdir().unwrap();
    let path = layout.path().join("layout");
    let ran = sandbox.run(arguments(&path, more)).exits(0);
    let images = crate::oci::validate(&path);
    assert!(ran.line().ends_with(&images[0].digest), "{}", ran.line());
    ran.line().to_owned()
}

#[test]
fn no_file_of_it_is_believed_without_being_looked_at() {
    let sandbox = sandbox();
    let expected = build(&sandbox, &[]);
    assert_eq!(build(&sandbox, &[]), expected);
    let kept = files(&cache(&sandbox));
    let kinds = ["blobs/sha256", "records/layers", "records/cargo-workspace"];
    for kind in kinds {
        let folder = cache(&sandbox).join(kind);
        assert!(kept.iter().any(|file| file.starts_with(&folder)), "no {kind} in {kept:?}");
    }
    let mut noise = Noise(7);
    for file in &kept {
        let whole = fs::read(file).unwrap();
        let other: Vec<u8> = whole.iter().map(|_| noise.next() as u8).collect();
        let mut one = whole.clone();
        let middle = one.len() / 2;
        one[middle] ^= 1;
        for torn in [&whole[..whole.len() / 2], &[], &other, &one] {
            fs::write(file, torn).unwrap();
            assert_eq!(build(&sandbox, &[]), expected, "{} torn", file.display());
        }
        fs::remove_file(file).unwrap();
        assert_eq!(build(&sandbox, &[]), expected, "{} gone", file.display());
    }
}

/// A record that is whole and lies: nobody can tell, and whoever suspects one has a way out.
#[test]
fn no_cache_ignores_what_is_known() {
    let sandbox = sandbox();
    let expected = build(&sandbox, &[]);
    let records: Vec<PathBuf> = files(&cache(&sandbox).join("records/layers"));
    let read = |path: &PathBuf| -> Value {
        let text = fs::read_to_string(path).unwrap();
        serde_json::from_str(text.split_once('\n').unwrap().1).unwrap()
    };
    assert_eq!(records.len(), 2, "data and executable");
    let values: Vec<Value> = records.iter().map(read).collect();
    for (path, lie) in records.iter().zip([&values[1], &values[0]]) {
        let text = lie.to_string();
        let hash = Sha256::digest(text.as_bytes());
        let digest: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(path, format!("sha256:{digest}\n{text}")).unwrap();
    }
    let before = files(&cache(&sandbox));
    assert_eq!(build(&sandbox, &["--no-cache"]), expected);
    assert_eq!(files(&cache(&sandbox)), before, "nothing is left behind");
    let layout = sandbox.outside("lied-to");
    let believed = sandbox.run(arguments(&layout, &[])).exits(0);
    assert_ne!(believed.line(), expected, "the lie was one");
}

#[test]
fn what_was_used_least_lately_goes_when_there_is_too_much() {
    let sandbox = sandbox().env("KO_RS_CACHE_SIZE", "3MiB");
    for seed in 1..6 {
        data(&sandbox, seed);
        build(&sandbox, &[]);
    }
    let kept: u64 = files(&cache(&sandbox)).iter().map(|f| fs::metadata(f).unwrap().len()).sum();
    assert!((1 << 20..=3 << 20).contains(&kept), "{kept} bytes");
    let ran = sandbox.env("KO_RS_CACHE_SIZE", "much").run(["build", "--push=false"]).exits(2);
    assert_eq!(
        ran.stderr(),
        "error[invalid-value]: KO_RS_CACHE_SIZE: `much` is not a size (such as `10GiB`, `500MB` or a number of bytes)\n"
    );
}

#[test]
fn it_is_shown_and_cleaned() {
    let sandbox = sandbox();
    fs::create_dir_all(sandbox.outside("kocache/linux")).unwrap();
    let ko = sandbox.outside("kocache/linux/diffid-to-descriptor");
    fs::write(&ko, "ko's own").unwrap();
    let shown = |sandbox: &Sandbox| -> Vec<String> {
        let ran = sandbox.run(["cache", "show"]).exits(0);
        ran.stdout()
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    };
    let folder = format!("folder {}", cache(&sandbox).display());
    assert_eq!(shown(&sandbox)[..2], [folder.clone(), "size 0 B of 10 GiB".to_owned()]);
    let expected = build(&sandbox, &[]);
    let blobs = files(&cache(&sandbox).join("blobs"));
    let lines = shown(&sandbox);
    assert!(lines[2].starts_with(&format!("blobs {} files, ", blobs.len())), "{lines:?}");
    assert!(lines[2].ends_with("MiB"), "{lines:?}");
    let ran = sandbox.run(["cache", "clean"]).exits(0);
    assert!(ran.line().starts_with("removed ") && ran.line().ends_with(" MiB"), "{}", ran.line());
    assert_eq!(files(&cache(&sandbox)), [] as [PathBuf; 0]);
    assert_eq!(shown(&sandbox)[1], "size 0 B of 10 GiB");
    assert!(ko.exists());
    assert_eq!(build(&sandbox, &[]), expected);
}

#[test]
fn ten_runs_side_by_side_share_it() {
    let sandbox = sandbox();
    let expected = build(&sandbox, &["--no-cache"]);
    let layouts: Vec<PathBuf> = (0..10).map(|n| sandbox.outside(&format!("layout-{n}"))).collect();
    let runs: Vec<_> = layouts.iter().map(|layout| sandbox.start(arguments(layout, &[]))).collect();
    for (run, layout) in runs.into_iter().zip(&layouts) {
        let ran = Ran::of(run.wait_with_output().unwrap()).exits(0);
        assert_eq!(ran.line(), expected);
        crate::oci::validate(layout);
    }
    assert_eq!(files(&cache(&sandbox).join("tmp")), [] as [PathBuf; 0]);
}

/// Kills runs at any moment and looks at what the next ones make of what is left.
fn killed(times: u64) {
    let sandbox = sandbox();
    let expected: Vec<String> = (0..2)
        .map(|seed| {
            data(&sandbox, seed);
            build(&sandbox, &["--no-cache"])
        })
        .collect();
    let started = Instant::now();
    build(&sandbox, &[]);
    let usual = started.elapsed();
    let mut noise = Noise(times);
    for round in 0..times {
        data(&sandbox, round % 2);
        // Another record and another blob are written in each round.
        let dated = format!("--created={}", round / 2);
        let layout = sandbox.outside("killed");
        let mut run = sandbox.start(arguments(&layout, &[&dated]));
        std::thread::sleep(usual.mul_f64((noise.next() % 1000) as f64 / 1000.0));
        run.kill().unwrap();
        let _ = run.wait_with_output().unwrap();
        let _ = fs::remove_dir_all(&layout);
        if round % 3 == 2 || round + 1 == times {
            let which = usize::try_from(round % 2).unwrap();
            assert_eq!(build(&sandbox, &[]), expected[which], "after {} kills", round + 1);
        }
    }
    // What the killed left behind goes.
    assert!(sandbox.run(["cache", "clean"]).exits(0).line().starts_with("removed "));
    assert_eq!(files(&cache(&sandbox)), [] as [PathBuf; 0]);
}

#[test]
fn runs_that_were_killed_leave_nothing_wrong() {
    killed(20);
}

#[test]
#[ignore = "takes minutes; `make test-all` runs it"]
fn two_hundred_runs_that_were_killed_leave_nothing_wrong() {
    killed(200);
}

#[test]
fn a_cache_that_cannot_be_written_is_read() {
    let sandbox = sandbox();
    let expected = build(&sandbox, &["--no-cache"]);
    let run = |name: &str| {
        let layout = sandbox.outside(name);
        let ran = mounted(&sandbox, READ_ONLY, &arguments(&layout, &[])).exits(0);
        crate::oci::validate(&layout);
        assert_eq!(ran.line(), expected);
        ran.stderr().to_owned()
    };
    assert_eq!(run("empty"), "");
    assert_eq!(files(&cache(&sandbox)), [] as [PathBuf; 0]);
    build(&sandbox, &[]);
    let before = files(&cache(&sandbox));
    assert_eq!(run("full"), "");
    assert_eq!(files(&cache(&sandbox)), before);
    // Nothing but the temporary folder's usual inhabitants is left of what lay aside.
    let loud: Vec<String> =
        arguments(&sandbox.outside("said"), &[]).into_iter().filter(|a| a != "-q").collect();
    fs::remove_dir_all(cache(&sandbox)).unwrap();
    let said = mounted(&sandbox, READ_ONLY, &loud).exits(0);
    let note = "note: the cache folder is read-only: nothing of this run is kept there\n";
    assert!(said.stderr().contains(note), "{}", said.stderr());
}

#[test]
fn a_full_disk_is_an_error_and_no_partial_result_is_used() {
    let sandbox = sandbox();
    let expected = build(&sandbox, &["--no-cache"]);
    for size in ["16k", "64k", "512k"] {
        let layout = sandbox.outside(size);
        let mount = format!("mount -t tmpfs -o size={size} tmpfs \"$1\"");
        let ran = mounted(&sandbox, &mount, &arguments(&layout, &[])).exits(1);
        assert_eq!(ran.stdout(), "");
        let error = ran.stderr();
        assert!(
            error.starts_with("error[cache-not-writable]: could not publish the image of `kept`\n"),
            "{error}"
        );
        assert!(error.contains("No space left on device"), "{error}");
        assert!(error.contains("hint: set KOCACHE to use another folder for the cache"), "{error}");
        let index = fs::read_to_string(layout.join("index.json")).unwrap_or_default();
        assert!(!index.contains("sha256:"), "{index}");
    }
    let layout = sandbox.outside("enough");
    let mount = "mount -t tmpfs -o size=16m tmpfs \"$1\"";
    assert_eq!(mounted(&sandbox, mount, &arguments(&layout, &[])).exits(0).line(), expected);
}

#[test]
fn a_cache_folder_that_is_a_file_is_an_error() {
    let sandbox = sandbox();
    fs::write(sandbox.outside("kocache"), "").unwrap();
    let layout = sandbox.outside("layout");
    let ran = sandbox.run(arguments(&layout, &[])).exits(1);
    assert!(ran.stderr().contains("Not a directory"), "{}", ran.stderr());
    assert!(ran.stderr().contains("or pass --no-cache"), "{}", ran.stderr());
}
