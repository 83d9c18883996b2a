//! Registries that refuse, fail, break off or are gone. On each failure the tag is not there, or is
//! what it was.

use std::sync::atomic::{AtomicU32, Ordering};

use super::{answers_with, end, error, hello, large_hello, named};
use crate::judges::{exists, inspect, is_complete};
use crate::proxy::{Act, Proxy};
use crate::publish::edit;
use crate::servers::{Registry, RegistryOptions, registry};
use crate::support::Ran;

const DENIED: &str = r#"{"errors":[{"code":"DENIED","message":"not for you"}]}"#;
const BROKEN: &str = r#"{"errors":[{"code":"UNKNOWN","message":"the disk is full"}]}"#;

/// Where the image is behind a proxy, as skopeo names it.
fn behind(repo: &str) -> String {
    format!("docker://{}:latest", named(&format!("{}/{repo}", registry().host)))
}

#[track_caller]
fn begins(ran: &Ran, beginning: &str) {
    let error = error(ran);
    assert!(error.starts_with(beginning), "{error}");
}

#[test]
fn a_registry_that_forbids_the_push_is_an_error_with_a_hint() {
    let proxy = Proxy::to_host(&registry().host);
    proxy.rule(|line| match line.starts_with("POST") {
        true => Act::Answer(403, DENIED),
        false => Act::Pass,
    });
    let (host, repo) = (&proxy.host, "registries/forbidden");
    let sandbox = hello().env("KO_DOCKER_REPO", format!("{host}/{repo}"));
    let ran = sandbox.run(["build", "."]).exits(1);
    let name = named(&format!("{host}/{repo}"));
    assert_eq!(
        error(&ran),
        format!(
            "error[login-required]: could not publish the image of `hello`
caused by: could not push the image
caused by: could not get push access to `{name}`
caused by: the registry `{host}` responded with 403 Forbidden: DENIED: not for you
hint: no credentials were found; log in with: ko-rs login {host}
"
        )
    );
    assert!(!exists(&behind(repo)));
}

#[test]
fn a_registry_that_fails_leaves_the_tag_as_it_was() {
    let proxy = Proxy::to_host(&registry().host);
    let (host, repo) = (&proxy.host, "registries/failing");
    let name = named(&format!("{host}/{repo}"));
    let sandbox = hello().env("KO_DOCKER_REPO", format!("{host}/{repo}"));
    for methods in [&["PUT "][..], &["PATCH ", "PUT "]] {
        proxy.rule(move |line| {
            let sends = methods.iter().any(|method| line.starts_with(method));
            if sends && line.contains("/blobs/") { Act::Answer(500, BROKEN) } else { Act::Pass }
        });
        let ran = sandbox.run(["build", "."]).exits(1);
        begins(
            &ran,
            &format!(
                "error[registry-refused]: could not publish the image of `hello`\ncaused by: could not push the image\ncaused by: could not push a blob to `{name}`\ncaused by: the registry `{host}` responded with 500 Internal Server Error: UNKNOWN: the disk is full\n"
            ),
        );
        assert!(!exists(&behind(repo)), "{methods:?}");
    }
    proxy.rule(|_| Act::Pass);
    let first = sandbox.run(["build", "."]).exits(0);

    edit(&sandbox, "Hello again");
    proxy.rule(|line| match line.contains("/manifests/") && line.starts_with("PUT") {
        true => Act::Answer(503, "<html>busy</html>"),
        false => Act::Pass,
    });
    let ran = sandbox.run(["build", "."]).exits(1);
    begins(
        &ran,
        &format!(
            "error[registry-refused]: could not publish the image of `hello`\ncaused by: could not push the image\ncaused by: could not push a manifest to `{name}`\ncaused by: the registry `{host}` responded with 503 Service Unavailable\n"
        ),
    );
    let image = inspect(&behind(repo));
    assert!(first.line().ends_with(&image.digest));
    is_complete(&behind(repo));
}

#[test]
fn a_failure_that_passes_is_no_failure() {
    let proxy = Proxy::to_host(&registry().host);
    let repo = "registries/passing";
    let sandbox = hello().env("KO_DOCKER_REPO", format!("{}/{repo}", proxy.host));
    // Each kind of request fails once.
    let failed = [const { AtomicU32::new(0) }; 4];
    proxy.rule(move |line| {
        let kind = ["HEAD", "POST", "PATCH", "PUT"].iter().position(|m| line.starts_with(m));
        match kind.map(|kind| failed[kind].fetch_add(1, Ordering::Relaxed)) {
            Some(0) => Act::Answer(503, BROKEN),
            _ => Act::Pass,
        }
    });
    let ran = sandbox.run(["build", "."]).exits(0);
    assert!(ran.line().ends_with(&inspect(&behind(repo)).digest));
    is_complete(&behind(repo));
}

#[test]
fn a_registry_that_is_gone_is_an_error_with_a_hint() {
    let registry = Registry::start_private(&RegistryOptions::default());
    let repo = format!("{}/registries/gone", registry.host);
    let (host, name) = (&registry.host, named(&repo));
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    let first = sandbox.run(["build", "."]).exits(0);
    registry.stop();
    let ran = sandbox.run(["build", "."]).exits(1);
    let error = error(&ran);
    let beginning = format!(
        "error[connection-failed]: could not publish the image of `hello`\ncaused by: could not push the image\ncaused by: could not look up an image in `{name}`\ncaused by: could not connect to `{host}`\n"
    );
    assert!(error.starts_with(&beginning), "{error}");
    assert!(
        error.ends_with(&format!("hint: check that a registry is running at `{host}`\n")),
        "{error}"
    );
    registry.start();
    assert_eq!(sandbox.run(["build", "."]).exits(0).line(), first.line());
}

#[test]
fn a_registry_that_goes_in_the_middle_has_no_tag() {
    let proxy = Proxy::to_host(&registry().host);
    let repo = "registries/going";
    proxy.rule(|line| match line.starts_with("PATCH") {
        true => Act::Stall(1 << 20),
        false => Act::Pass,
    });
    let through = format!("{}/{repo}", proxy.host);
    let sandbox = large_hello().env("KO_DOCKER_REPO", &through);
    let child = sandbox.start(["build", "."]);
    proxy.wait_until_stalled();
    let host = proxy.host.clone();
    drop(proxy);
    let ran = end(child).exits(1);
    begins(
        &ran,
        "error[connection-failed]: could not publish the image of `hello`\ncaused by: could not push the image\n",
    );
    assert!(error(&ran).contains(&format!("`{}`\n", named(&through))), "{}", error(&ran));
    assert!(error(&ran).contains(&format!("could not connect to `{host}`\n")), "{}", error(&ran));
    assert!(!exists(&behind(repo)));

    let sandbox = sandbox.env("KO_DOCKER_REPO", format!("{}/{repo}", registry().host));
    let ran = sandbox.run(["build", "."]).exits(0);
    assert!(ran.line().ends_with(&inspect(&behind(repo)).digest));
    is_complete(&behind(repo));
}

#[test]
fn a_connection_that_breaks_once_is_made_again() {
    let proxy = Proxy::to_host(&registry().host);
    let repo = "registries/breaking";
    let broken = AtomicU32::new(0);
    proxy.rule(move |line| {
        let first = line.starts_with("PATCH") && broken.fetch_add(1, Ordering::Relaxed) == 0;
        if first { Act::Cut(1 << 20) } else { Act::Pass }
    });
    let sandbox = large_hello().env("KO_DOCKER_REPO", format!("{}/{repo}", proxy.host));
    let ran = sandbox.run(["build", "."]).exits(0);
    assert!(ran.line().ends_with(&inspect(&behind(repo)).digest));
    is_complete(&behind(repo));
}

#[test]
fn what_is_no_registry_is_an_error_that_says_so() {
    let host = answers_with(b"SSH-2.0-OpenSSH_9.2\r\n");
    let ran = hello().env("KO_DOCKER_REPO", format!("{host}/x")).run(["build", "."]).exits(1);
    let name = named(&format!("{host}/x"));
    begins(
        &ran,
        &format!(
            "error[connection-failed]: could not publish the image of `hello`\ncaused by: could not push the image\ncaused by: could not get push access to `{name}`\ncaused by: "
        ),
    );

    // A proxy that wants people to log in answers everything with a page.
    let proxy = Proxy::to_host(&registry().host);
    proxy.rule(|_| Act::Answer(200, "<html>Welcome</html>"));
    let host = &proxy.host;
    let ran = hello().env("KO_DOCKER_REPO", format!("{host}/x")).run(["build", "."]).exits(1);
    let name = named(&format!("{host}/x"));
    assert_eq!(
        error(&ran),
        format!(
            "error[not-a-registry]: could not publish the image of `hello`
caused by: could not push the image
caused by: could not get push access to `{name}`
caused by: the registry `{host}` responded with 200 OK
hint: check that `{host}` is a registry, without a proxy in front of it that requires a login
"
        )
    );
    let base = format!("{host}/base:1");
    let ran = hello().run(["build", "--push=false", "--repo=x", "--base-image", &base]).exits(1);
    begins(
        &ran,
        &format!("error[not-a-registry]: could not pull the base image `{base}`\ncaused by: "),
    );
}

#[test]
fn a_base_of_other_bytes_than_its_digest_is_refused() {
    let base = registry().push_glibc_base("registries/tampered:1");
    let image = inspect(&format!("docker://{base}"));
    let proxy = Proxy::to_host(&registry().host);
    let pinned = format!("{}/registries/tampered@{}", proxy.host, image.digest);
    proxy.rule(|line| match line.contains("/manifests/") || line.contains("/blobs/") {
        true => Act::Answer(200, r#"{"schemaVersion":2}"#),
        false => Act::Pass,
    });
    let sandbox = hello();
    let arguments = ["build", "--push=false", "--repo=x", "--base-image", &pinned];
    let ran = sandbox.run(arguments).exits(1);
    begins(
        &ran,
        &format!("error[wrong-digest]: could not pull the base image `{pinned}`\ncaused by: "),
    );
    assert!(error(&ran).contains("expected sha256:"), "{}", error(&ran));
    // Nothing of it was kept.
    proxy.rule(|_| Act::Pass);
    let _ = sandbox.run(arguments).exits(0);
}

#[test]
fn a_body_that_is_refused_before_it_was_read_is_refused_with_the_reason() {
    let proxy = Proxy::to_host(&registry().host);
    proxy.rule(|line| match line.starts_with("PATCH") || line.starts_with("PUT") {
        true => Act::AnswerAtOnce(413, "<html>too large</html>"),
        false => Act::Pass,
    });
    let (host, repo) = (&proxy.host, "registries/too-large");
    let sandbox = large_hello().env("KO_DOCKER_REPO", format!("{host}/{repo}"));
    let ran = sandbox.run(["build", "."]).exits(1);
    assert_eq!(
        error(&ran),
        format!(
            "error[registry-refused]: could not publish the image of `hello`
caused by: could not push the image
caused by: could not push a blob to `{}`
caused by: the registry `{host}` responded with 413 Payload Too Large
hint: the registry, or a proxy in front of it, does not accept bodies of this size
",
            named(&format!("{host}/{repo}"))
        )
    );
    assert!(!exists(&behind(repo)));
}
