//! What is sent to a registry, and what is not: counted between ko-rs and the registry.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{NAME, edit, files, hello};
use crate::judges::{copy, exists, inspect, is_complete};
use crate::proxy::{Act, Proxy, Seen};
use crate::servers::{Registry, RegistryOptions, olareg, registry};
use crate::support::Ran;

/// The lines of requests, for a comparison that says what was sent.
fn lines(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| seen.line.as_str()).collect()
}

fn bytes(seen: &[Seen]) -> u64 {
    seen.iter().map(|seen| seen.bytes).sum()
}

#[test]
fn a_build_that_changes_nothing_asks_once_and_sends_nothing() {
    let proxy = Proxy::to_host(&registry().host);
    let sandbox = hello().env("KO_DOCKER_REPO", format!("{}/requests/nothing", proxy.host));
    let first = sandbox.run(["build", "."]).exits(0);
    assert!(bytes(&proxy.take_seen()) > 100_000, "the executable was sent");
    let second = sandbox.run(["build", "."]).exits(0);
    let seen = proxy.take_seen();
    assert_eq!(lines(&seen), [format!("HEAD /v2/requests/nothing/{NAME}/manifests/latest")]);
    assert_eq!(second.line(), first.line());
}

#[test]
fn a_changed_image_takes_six_requests_and_sends_no_layer_of_the_base() {
    takes(&registry().host, "requests/changed", "--sbom=none", 6);
}

#[test]
fn a_changed_image_takes_eleven_requests_with_a_bill_that_we_list() {
    takes(&registry().host, "requests/changed-with-bill", "--sbom=spdx", 11);
}

#[test]
fn a_changed_image_takes_nine_requests_with_a_bill_that_the_registry_lists() {
    takes(&olareg().host, "requests/changed-with-bill", "--sbom=spdx", 9);
}

#[track_caller]
fn takes(host: &str, repo: &str, sbom: &str, requests: usize) {
    let proxy = Proxy::to_host(host);
    let sandbox = hello().env("KO_DOCKER_REPO", format!("{}/{repo}", proxy.host));
    let first = sandbox.run(["build", sbom]).exits(0);
    let all = proxy.take_seen();
    edit(&sandbox, "Hello again");
    let second = sandbox.run(["build", sbom]).exits(0);
    assert_ne!(second.line(), first.line());
    let seen = proxy.take_seen();
    assert!(seen.len() <= requests, "{:#?}", lines(&seen));
    assert!(bytes(&seen) + 300_000 < bytes(&all), "{} of {}", bytes(&seen), bytes(&all));
    let name = format!("docker://{host}/{repo}/{NAME}");
    let image = inspect(&format!("{name}:latest"));
    assert!(second.line().ends_with(&image.digest));
    is_complete(&format!("{name}@{}", image.digest));
}

#[test]
fn a_long_build_is_told_early_that_it_may_no_longer_push() {
    let proxy = Proxy::to_host(&registry().host);
    let sandbox = hello().env("KO_DOCKER_REPO", format!("{}/requests/lost", proxy.host));
    let _ = sandbox.run(["build", "."]).exits(0);
    proxy.rule(|line| match line.starts_with("POST") {
        true => Act::Answer(403, r#"{"errors":[{"code":"DENIED"}]}"#),
        false => Act::Pass,
    });
    let sleep = "fn main() { std::thread::sleep(std::time::Duration::from_secs(30)); }";
    sandbox.write("build.rs", sleep);
    let started = Instant::now();
    let ran = sandbox.run(["build", "."]).exits(1);
    assert!(started.elapsed() < Duration::from_secs(30), "it waited for the build");
    assert!(ran.stderr().contains("could not get push access to"), "{}", ran.stderr());
}

#[test]
fn another_tag_sends_no_layer() {
    let proxy = Proxy::to_host(&registry().host);
    let sandbox = hello().env("KO_DOCKER_REPO", format!("{}/requests/tag", proxy.host));
    let first = sandbox.run(["build", "--tags", "v1"]).exits(0);
    proxy.take_seen();
    let second = sandbox.run(["build", "--tags", "v2"]).exits(0);
    let seen = proxy.take_seen();
    assert!(bytes(&seen) < 10_000, "{seen:#?}");
    let (name, digest) = first.line().split_once(":v1@").unwrap();
    assert_eq!(second.line(), format!("{name}:v2@{digest}"));
    assert!(exists(&format!("docker://{name}:v2")));
}

#[test]
fn another_machine_sends_no_layer_of_the_base() {
    let proxy = Proxy::to_host(&registry().host);
    let repo = format!("{}/requests/machines", proxy.host);
    let first = hello().env("KO_DOCKER_REPO", &repo).run(["build"]).exits(0);
    let all = bytes(&proxy.take_seen());
    let second = hello().env("KO_DOCKER_REPO", &repo).run(["build"]).exits(0);
    assert_eq!(second.line(), first.line());
    let again = bytes(&proxy.take_seen());
    assert!(again + 300_000 < all, "{again} of {all}");
}

#[test]
fn a_registry_that_was_emptied_is_filled_again() {
    let registry = Registry::start_private(&RegistryOptions::default());
    let repo = format!("{}/requests/emptied", registry.host);
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    let first = sandbox.run(["build", "."]).exits(0);
    registry.wipe();
    let second = sandbox.run(["build", "."]).exits(0);
    assert_eq!(second.line(), first.line());
    is_complete(&format!("docker://{repo}/{NAME}:latest"));

    // What is thought to be there of the base is not, while the executable is another.
    registry.wipe();
    edit(&sandbox, "Hello again");
    let third = sandbox.run(["build", "."]).exits(0);
    is_complete(&format!("docker://{}", third.line()));
    is_complete(&format!("docker://{repo}/{NAME}:latest"));
}

#[test]
fn every_tag_is_pushed_and_the_digest_printed() {
    let repo = format!("{}/requests/tags", registry().host);
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    let ran = sandbox.run(["build", "--tags", "v1,v2", "--tags", "v3"]).exits(0);
    for tag in ["v1", "v2", "v3"] {
        let image = inspect(&format!("docker://{repo}/{NAME}:{tag}"));
        assert_eq!(ran.line(), format!("{repo}/{NAME}@{}", image.digest), "{tag}");
    }
    assert!(!exists(&format!("docker://{repo}/{NAME}:latest")));
    let only = sandbox.run(["build", "--tags", "v1", "--tag-only"]).exits(0);
    assert_eq!(only.line(), format!("{repo}/{NAME}:v1"));
}

#[test]
fn without_tags_an_image_is_there_by_its_digest_alone() {
    let repo = format!("{}/requests/untagged", registry().host);
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    let ran = sandbox.run(["build", "--tags="]).exits(0);
    let name = format!("{repo}/{NAME}");
    let image = inspect(&format!("docker://{}", ran.line()));
    assert_eq!(ran.line(), format!("{name}@{}", image.digest));
    assert!(!exists(&format!("docker://{name}:latest")));
    let before = registry().requests(&format!("requests/untagged/{NAME}")).len();
    let again = sandbox.run(["build", "--tags="]).exits(0);
    assert_eq!(again.line(), ran.line());
    let seen = registry().requests(&format!("requests/untagged/{NAME}"));
    // skopeo asked too, before.
    assert_eq!(seen.len() - before, 1, "{seen:#?}");
}

#[test]
fn a_tag_that_keeps_an_image_is_set_once_and_never_moved() {
    let repo = format!("{}/requests/kept", registry().host);
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    sandbox.write(".ko-rs.yaml", "keepTag: \"d-{{ Digest[:12] }}\"\n");
    let name = format!("{repo}/{NAME}");
    let digest_of = |tag: &str| inspect(&format!("docker://{name}:{tag}")).digest;
    let kept = |line: &str| {
        let (_, digest) = line.split_once("@sha256:").unwrap();
        (format!("d-{}", &digest[..12]), format!("sha256:{digest}"))
    };
    let first = sandbox.run(["build"]).exits(0);
    let (tag, digest) = kept(first.line());
    assert_eq!((digest_of(&tag), digest_of("latest")), (digest.clone(), digest.clone()));
    edit(&sandbox, "Hello again");
    let second = sandbox.run(["build"]).exits(0);
    let (other_tag, other) = kept(second.line());
    assert_ne!(other, digest);
    assert_eq!((digest_of(&tag), digest_of(&other_tag)), (digest, other.clone()));
    assert_eq!(digest_of("latest"), other);

    // By digest alone, it is there under that tag only.
    let bare = sandbox.run(["build", "--tags=", "--repo", &format!("{repo}/bare")]).exits(0);
    let (tag, digest) = kept(bare.line());
    assert_eq!(inspect(&format!("docker://{repo}/bare/{NAME}:{tag}")).digest, digest);

    // A tag that is another image's stays.
    sandbox.write(".ko-rs.yaml", "keepTag: fixed\n");
    let _ = sandbox.run(["build"]).exits(0);
    assert_eq!(digest_of("fixed"), other);
    edit(&sandbox, "Hello for good");
    let third = sandbox.run(["build"]).exits(0);
    assert_eq!(digest_of("fixed"), other);
    let warning = format!(
        "warning[keep-tag-taken]: `{name}:fixed` names {other} already, so no tag keeps sha256:"
    );
    assert_eq!(third.stderr().matches(&warning).count(), 1, "{}", third.stderr());

    sandbox.write(".ko-rs.yaml", "keepTag: \"no tag\"\n");
    let refused = sandbox.run(["build"]).exits(1);
    assert!(
        refused.stderr().contains("the template `no tag` of `keepTag` does not make a valid tag"),
        "{}",
        refused.stderr()
    );
    assert!(!refused.stderr().contains("Building"), "it is said before anything is compiled");
}

#[test]
fn a_tag_that_cannot_be_changed_is_no_obstacle_where_it_is_this_image() {
    let proxy = Proxy::to_host(&registry().host);
    let repo = format!("{}/requests/immutable", proxy.host);
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    let first = sandbox.run(["build", "--tags", "v1"]).exits(0);
    proxy.rule(|line| match line.starts_with("PUT") && line.ends_with("/manifests/v1") {
        true => Act::Answer(
            400,
            r#"{"errors":[{"code":"TAG_INVALID","message":"The image tag is immutable"}]}"#,
        ),
        false => Act::Pass,
    });
    let (name, digest) = first.line().split_once(":v1@").unwrap();
    let second = sandbox.run(["build", "--tags", "v1,v2"]).exits(0);
    assert_eq!(second.line(), format!("{name}@{digest}"));
    assert_eq!(inspect(&format!("docker://{name}:v2")).digest, digest);
    // With an empty cache, nothing is known of what is there.
    let third = hello().env("KO_DOCKER_REPO", &repo).run(["build", "--tags", "v1"]).exits(0);
    assert_eq!(third.line(), first.line());

    edit(&sandbox, "Hello again");
    let refused = sandbox.run(["build", "--tags", "v1"]).exits(1);
    let stderr = refused.stderr();
    assert!(stderr.contains("The image tag is immutable"), "{stderr}");
    let both = format!("caused by: `{name}:v1` is {digest} and could not be moved to sha256:");
    assert!(stderr.contains(&both), "{stderr}");
    assert!(stderr.contains("or without one: --tags="), "{stderr}");
    assert_eq!(inspect(&format!("docker://{name}:v1")).digest, digest);
}

#[test]
fn a_cache_that_vanished_or_was_torn_changes_nothing() {
    let base = registry().push_glibc_base("requests/torn-base:1");
    let base = format!(
        "{}@{}",
        base.strip_suffix(":1").unwrap(),
        inspect(&format!("docker://{base}")).digest
    );
    let sandbox = hello();
    let build = |repo: &str| {
        let layout = sandbox.outside(repo);
        let repo = format!("{}/requests/torn/{repo}", registry().host);
        let flags = ["--layer-compression=gzip", "--base-image", &base, "--link-check=false"];
        let places = ["--repo", &repo, "--oci-layout-path", layout.to_str().unwrap()];
        let ran = sandbox.run(["build"].iter().chain(&flags).chain(&places)).exits(0);
        let image = format!("docker://{repo}/{NAME}:latest");
        is_complete(&image);
        let folder = tempfile::tempdir().unwrap();
        let to = format!("dir:{}", folder.path().display());
        copy(&format!("oci:{}", layout.display()), &to, &[]);
        ran.line().split_once('@').unwrap().1.to_owned()
    };
    let digest = build("whole");
    let half = |file: &Path| {
        let length = file.metadata().unwrap().len() / 2;
        OpenOptions::new().write(true).open(file).unwrap().set_len(length).unwrap();
    };
    let zeros = |file: &Path| {
        let length = file.metadata().unwrap().len();
        let file = File::create(file).unwrap();
        file.set_len(length).unwrap();
    };
    let gone = |file: &Path| fs::remove_file(file).unwrap();
    type Damage<'a> = (&'a str, &'a dyn Fn(&Path));
    let damages: [Damage; 3] = [("half", &half), ("zeros", &zeros), ("gone", &gone)];
    // Each time, another repository and layout that have nothing.
    for (name, damage) in damages {
        for part in ["blobs", ""] {
            let all = files(&sandbox.outside("home/.cache/ko-rs").join(part));
            assert!(all.len() > 2, "{all:?}");
            all.iter().for_each(|file| damage(file));
            assert_eq!(build(&format!("{name}-{}", part.len())), digest);
        }
    }
}

#[test]
fn runs_side_by_side_do_not_disturb_each_other() {
    let repo = format!("{}/requests/together", registry().host);
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    let arguments = ["build", "--layer-compression=gzip"];
    let children: Vec<_> = (0..4).map(|_| sandbox.start(arguments)).collect();
    for child in children {
        let ran = Ran::of(child.wait_with_output().unwrap()).exits(0);
        let digest = inspect(&format!("docker://{repo}/{NAME}:latest")).digest;
        assert_eq!(ran.line(), format!("{repo}/{NAME}@{digest}"));
    }
    is_complete(&format!("docker://{repo}/{NAME}:latest"));
}
