//! Nothing is read or compressed twice, and ko's cache is ko's.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Child;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::{NAME, edit, files, hello};
use crate::judges::{exists, is_complete};
use crate::mounts::{READ_ONLY, mounted};
use crate::servers::{expect_success, registry};
use crate::support::{Ran, Sandbox};

const SIZE: u64 = 64 << 20;

/// `hello` with much data: zeros, or what nothing can compress.
fn large(compressible: bool) -> Sandbox {
    let sandbox = hello();
    let folder = sandbox.directory().join("kodata");
    fs::create_dir(&folder).unwrap();
    let mut file = File::create(folder.join("data")).unwrap();
    if compressible {
        file.set_len(SIZE).unwrap();
    } else {
        let mut noise = File::open("/dev/urandom").unwrap();
        let copied = std::io::copy(&mut std::io::Read::take(&mut noise, SIZE), &mut file);
        assert_eq!(copied.unwrap(), SIZE);
    }
    file.flush().unwrap();
    // What Cargo reads is counted too, so that is to be little.
    let warm = ["build", "--push=false", "--repo=warm.example/up", "--no-cache"];
    let _ = sandbox.run(warm).exits(0);
    sandbox
}

/// Waits until a run has ended; how many bytes it read, and how many it wrote or sent.
#[track_caller]
fn moved(child: Child) -> (u64, u64, Ran) {
    let id = Pid::from_child(&child);
    // Ended, and still there to be asked. A pipe that is full would keep it from ending.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(id), options).unwrap();
    let io = fs::read_to_string(format!("/proc/{}/io", id.as_raw_nonzero())).unwrap();
    let counts: BTreeMap<&str, u64> = io
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, count)| (name, count.parse().unwrap()))
        .collect();
    let ran = Ran::of(child.wait_with_output().unwrap()).exits(0);
    (counts["rchar"], counts["wchar"], ran)
}

/// That a number of bytes is so many times the data, and what else is read or written is little.
#[track_caller]
fn is_times(times: u64, bytes: u64) {
    let range = times * SIZE..times * SIZE + SIZE / 2;
    assert!(range.contains(&bytes), "{bytes} bytes, expected {times} times {SIZE}");
}

#[test]
fn a_new_layer_is_read_once_for_all_destinations() {
    let repo = format!("{}/cache/once", registry().host);
    let sandbox = large(true);
    let layout = sandbox.outside("layout");
    let layout = layout.to_str().unwrap();
    let arguments =
        ["build", "--layer-compression=gzip", "--repo", &repo, "--oci-layout-path", layout];
    // Read a second time it would be compressed a second time.
    let (read, _, first) = moved(sandbox.start(arguments));
    is_times(1, read);
    is_complete(&format!("docker://{repo}/{NAME}:latest"));
    let (read, written, second) = moved(sandbox.start(arguments));
    is_times(0, read);
    is_times(0, written);
    assert_eq!(second.line(), first.line());
    // The code is another and the data the same.
    edit(&sandbox, "Hello again");
    let warm = ["build", "--push=false", "--repo=warm.example/up", "--no-cache"];
    let _ = sandbox.run(warm).exits(0);
    let (read, _, third) = moved(sandbox.start(arguments));
    is_times(0, read);
    assert_ne!(third.line(), first.line());
}

#[test]
fn a_kept_layer_is_read_once_for_another_repository() {
    let repo = |name: &str| format!("{}/cache/kept-{name}", registry().host);
    let sandbox = large(false);
    let run = |name: &str| {
        let repo = repo(name);
        moved(sandbox.start(["build", "--layer-compression=gzip", "--repo", &repo]))
    };
    // Into the cache, and to the registry.
    let (read, written, _) = run("first");
    is_times(1, read);
    is_times(2, written);
    let (read, written, _) = run("second");
    is_times(1, read);
    is_times(1, written);
    is_complete(&format!("docker://{}/{NAME}:latest", repo("second")));
}

#[test]
fn a_layer_that_is_not_compressed_is_read_once_and_not_kept() {
    let repo = format!("{}/cache/plain", registry().host);
    let sandbox = large(false);
    let (read, written, _) = moved(sandbox.start(["build", "--repo", &repo]));
    is_times(1, read);
    is_times(1, written);
    is_complete(&format!("docker://{repo}/{NAME}:latest"));
}

#[test]
fn a_cache_that_cannot_hold_what_is_pushed_ends_in_the_right_image_or_a_clear_error() {
    let sandbox = hello();
    let kocache = sandbox.outside("kocache");
    let sandbox = sandbox.env("KOCACHE", kocache);
    // Another name for the same registry is another registry.
    let base = registry().push_glibc_base("cache/base:1").replace("localhost", "127.0.0.1");
    let push = |mount: &str, base: &str, name: &str| {
        let repo = format!("{}/cache/{name}", registry().host);
        let arguments =
            ["build", "--layer-compression=gzip", "--base-image", base, "--repo", &repo];
        let ran = mounted(&sandbox, mount, &arguments);
        let image = format!("docker://{repo}/{NAME}:latest");
        if ran.code() == Some(0) {
            is_complete(&image);
            return true;
        }
        let ran = ran.exits(1);
        assert_eq!(ran.stdout(), "");
        let error = ran.stderr();
        assert!(error.contains("No space left on device"), "{error}");
        assert!(error.contains("hint: set KOCACHE to use another folder for the cache"), "{error}");
        assert!(!exists(&image), "{name}");
        false
    };
    let sized = |size: &str| format!("mount -t tmpfs -o size={size} tmpfs \"$1\"");
    for size in ["16k", "64k"] {
        // What is made here is sent whether it can be kept or not; what is copied has to be held
        // against its digest first.
        assert!(push(&sized(size), "static", &format!("made-{size}")));
        assert!(!push(&sized(size), &base, &format!("copied-{size}")));
    }
    assert!(push(&sized("256m"), &base, "copied-256m"));
    assert!(push(READ_ONLY, &base, "copied-read-only"));
}

/// A module whose program the real ko builds.
fn go_program(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("go.mod"), "module example.com/hello\n\ngo 1.20\n").unwrap();
    fs::write(folder.join("main.go"), "package main\n\nfunc main() { println(\"hello\") }\n")
        .unwrap();
}

#[test]
#[ignore = "needs the real ko, which `tests/servers/install peers` compiles: `make test-all` runs it"]
fn ko_and_ko_rs_take_turns_on_one_kocache() {
    let host = &registry().host;
    let sandbox = hello();
    let kocache = sandbox.outside("kocache");
    fs::create_dir(&kocache).unwrap();
    let sandbox = sandbox.env("KOCACHE", &kocache);
    let program = sandbox.outside("go-program");
    go_program(&program);
    let base = registry().push_glibc_base("cache/ko-base:1");
    let ko = || {
        let mut ko = sandbox.command("ko");
        ko.current_dir(&program)
            .env("KO_DOCKER_REPO", format!("{host}/cache/ko"))
            .env("KO_DEFAULTBASEIMAGE", &base)
            .env("GOFLAGS", "-mod=mod")
            .env("GOCACHE", sandbox.outside("gocache"))
            .env("CGO_ENABLED", "0")
            .args(["build", "--sbom=none", "."]);
        let output = ko.output().expect("ko is missing: run tests/servers/install peers");
        expect_success(&output);
        String::from_utf8(output.stdout).unwrap()
    };
    let repo = format!("{host}/cache/turns");
    let ko_rs = || {
        let ran = sandbox.run(["build", "--layer-compression=gzip", "--repo", &repo]).exits(0);
        ran.line().to_owned()
    };
    let ours = |path: &Path| path.starts_with(kocache.join("ko-rs"));
    let kos = || -> BTreeMap<_, _> {
        let all = files(&kocache).into_iter().filter(|path| !ours(path));
        all.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
    };
    let (first_ko, first) = (ko(), ko_rs());
    let before = kos();
    assert!(!before.is_empty(), "ko keeps nothing");
    for _ in 0..2 {
        assert_eq!(ko_rs(), first);
        assert_eq!(kos(), before);
        assert_eq!(ko(), first_ko);
    }
    let kept = kos();
    let _ = sandbox.run(["cache", "clean"]).exits(0);
    assert_eq!(kos(), kept, "ko's files are not ours to remove");
    assert_eq!((ko(), ko_rs()), (first_ko, first));
}
