//! Ctrl-C while something is sent or written: code 130 (143 for SIGTERM), and nothing that is
//! incomplete has a name.

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use super::engines::{address, images};
use super::{end, hello, large_hello, named};
use crate::judges::{exists, inspect, is_complete, run};
use crate::proxy::{Act, Proxy};
use crate::publish::{edit, files};
use crate::servers::{docker_engine, registry};

/// Ctrl-C, for this program alone.
#[track_caller]
fn interrupt(child: Child) {
    stop(child, Signal::INT, 130);
}

#[track_caller]
fn stop(child: Child, signal: Signal, code: i32) {
    kill_process(Pid::from_child(&child), signal).unwrap();
    let ran = end(child).exits(code);
    assert_eq!(ran.stdout(), "");
    assert!(!ran.stderr().contains("error"), "{}", ran.stderr());
}

#[test]
fn a_push_leaves_no_tag_and_an_old_one_as_it_was() {
    let proxy = Proxy::to_host(&registry().host);
    let repo = "interrupted/push";
    let image = format!("docker://{}:latest", named(&format!("{}/{repo}", registry().host)));
    let sandbox = large_hello().env("KO_DOCKER_REPO", format!("{}/{repo}", proxy.host));
    for (request, after) in [("PATCH ", 1 << 20), ("PUT ", 0), ("POST ", 0), ("HEAD ", 0)] {
        proxy.rule(move |line| match line.starts_with(request) {
            true => Act::Stall(after),
            false => Act::Pass,
        });
        let child = sandbox.start(["build", "."]);
        proxy.wait_until_stalled();
        interrupt(child);
        assert!(!exists(&image), "{request}");
        proxy.forget_stalls();
    }
    proxy.rule(|_| Act::Pass);
    let first = sandbox.run(["build", "."]).exits(0);
    is_complete(&image);

    edit(&sandbox, "Hello again");
    proxy.rule(|line| match line.starts_with("PUT") && line.contains("/manifests/") {
        true => Act::Stall(0),
        false => Act::Pass,
    });
    let child = sandbox.start(["build", "."]);
    proxy.wait_until_stalled();
    interrupt(child);
    assert!(first.line().ends_with(&inspect(&image).digest));
    is_complete(&image);
    proxy.rule(|_| Act::Pass);
    let second = sandbox.run(["build", "."]).exits(0);
    assert!(second.line().ends_with(&inspect(&image).digest));
    is_complete(&image);
}

#[test]
fn a_load_leaves_no_image() {
    let engine = docker_engine();
    let proxy = Proxy::to_socket(&engine.socket);
    let repo = "ko.local/interrupted/load";
    let sandbox = large_hello().env("KO_DOCKER_REPO", repo).env("DOCKER_HOST", address(&proxy));
    proxy.rule(|line| match line.contains("/images/load") {
        true => Act::Stall(1 << 20),
        false => Act::Pass,
    });
    let child = sandbox.start(["build", "."]);
    proxy.wait_until_stalled();
    interrupt(child);
    assert_eq!(images(engine, &named(repo)), "");
    proxy.rule(|_| Act::Pass);
    let ran = sandbox.run(["build", "."]).exits(0);
    assert_eq!(run(engine, ran.line()), crate::judges::HELLO);
}

#[test]
fn an_archive_or_layout_that_is_not_finished_leaves_nothing_to_be_mistaken_for_one() {
    let base = registry().push_glibc_base("interrupted/base:1");
    let image = inspect(&format!("docker://{base}"));
    let layer = image.manifest["layers"][0]["digest"].as_str().unwrap().to_owned();
    let proxy = Proxy::to_host(&registry().host);
    proxy.rule(move |line| match line.ends_with(&layer) {
        true => Act::Stall(0),
        false => Act::Pass,
    });
    let sandbox = hello();
    let base = format!("{}/interrupted/base@{}", proxy.host, image.digest);
    for (flag, signal, code) in
        [("--tarball", Signal::INT, 130), ("--oci-layout-path", Signal::TERM, 143)]
    {
        let folder = sandbox.outside("output");
        std::fs::create_dir(&folder).unwrap();
        let output = folder.join("image");
        let arguments = ["build", "--push=false", "--repo=x", "--base-image", &base, flag];
        let child = sandbox.start(arguments.iter().copied().chain([output.to_str().unwrap()]));
        proxy.wait_until_stalled();
        stop(child, signal, code);
        let left = files(&folder);
        let valid = ["oci-layout", "index.json"];
        assert!(left.iter().all(|file| valid.iter().any(|name| file.ends_with(name))), "{left:?}");
        let index = std::fs::read_to_string(output.join("index.json")).unwrap_or_default();
        assert!(!index.contains("sha256:"), "{index}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
