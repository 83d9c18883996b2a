//! Archives, imported by containerd: a machine without a registry and without docker.

use std::path::Path;

use serde_json::Value;

use super::{NAME, hello};
use crate::judges::inspect;
use crate::servers::{Containerd, expect_success};
use crate::support::Sandbox;

/// Builds `hello` into an archive; returns the digest that is printed.
fn archived(sandbox: &Sandbox, tarball: &Path, platforms: &str) -> String {
    let path = tarball.to_str().unwrap();
    let tags = ["--push=false", "-t", "v1", "-t", "v2"];
    let arguments = ["build", "--platform", platforms, "--tarball", path];
    let ran = sandbox.run(arguments.iter().chain(&tags)).exits(0);
    ran.line().rsplit_once('@').unwrap().1.to_owned()
}

/// What ctr prints.
#[track_caller]
fn ctr(containerd: &Containerd, arguments: &[&str]) -> String {
    let output = containerd.ctr(arguments);
    expect_success(&output);
    String::from_utf8(output.stdout).unwrap()
}

/// Each image with its digest, and whether all of its content is there and unpacked.
fn images(containerd: &Containerd) -> Vec<(String, String, bool)> {
    let listed = ctr(containerd, &["images", "check"]);
    let digests = ctr(containerd, &["images", "list"]);
    let mut images = Vec::new();
    for line in digests.lines().skip(1) {
        let mut columns = line.split_whitespace();
        let (name, digest) = (columns.next().unwrap(), columns.nth(1).unwrap());
        let checked = listed.lines().find(|line| line.starts_with(name)).unwrap();
        let whole = checked.contains(" complete ") && checked.trim_end().ends_with("true");
        images.push((name.to_owned(), digest.to_owned(), whole));
    }
    images.sort();
    images
}

#[test]
fn an_archive_for_several_platforms_keeps_its_digest_and_names() {
    let sandbox = hello().env("KO_DOCKER_REPO", "containerd.example/archive");
    let tarball = sandbox.outside("images.tar");
    let digest = archived(&sandbox, &tarball, "linux/amd64,linux/arm64");
    let name = |tag: &str| format!("containerd.example/archive/{NAME}:{tag}");
    let expected = ["v1", "v2"].map(|tag| (name(tag), digest.clone(), true));
    for options in [&["--all-platforms"][..], &[]] {
        let containerd = Containerd::start_private();
        let path = tarball.to_str().unwrap();
        let import = ["images", "import"].iter().chain(options).chain([&path]);
        let _ = ctr(&containerd, &import.copied().collect::<Vec<_>>());
        assert_eq!(images(&containerd), expected, "{options:?}");
    }
}

#[test]
fn an_archive_for_docker_load_is_imported_with_its_configuration_and_names() {
    let sandbox = hello().env("KO_DOCKER_REPO", "containerd.example/docker");
    let tarball = sandbox.outside("images.tar");
    let _ = archived(&sandbox, &tarball, "linux/amd64");
    let path = tarball.to_str().unwrap();
    let containerd = Containerd::start_private();
    let _ = ctr(&containerd, &["images", "import", "--platform", "linux/amd64", path]);
    let images = images(&containerd);
    let name = |tag: &str| format!("containerd.example/docker/{NAME}:{tag}");
    let names: Vec<_> = images.iter().map(|(name, _, whole)| (name.clone(), *whole)).collect();
    assert_eq!(names, [(name("v1"), true), (name("v2"), true)]);
    // Such an archive has no manifest: whoever imports it makes one. The configuration is ours.
    let manifest = ctr(&containerd, &["content", "get", &images[0].1]);
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let written = inspect(&format!("docker-archive:{path}:{}", name("v1")));
    assert_eq!(manifest["config"]["digest"], written.manifest["config"]["digest"]);
}
