//! A registry whose tokens come from a token server that checks scopes, and that expire.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{configuration, fails, is_taken, judge};
use crate::proxy::{Act, Proxy};
use crate::publish::{NAME, hello};
use crate::servers::{Registry, RegistryOptions};
use crate::support::Sandbox;
use crate::tokens::{Rules, TokenServer};

const USER: &str = "ann";
const PASSWORD: &str = "p%41s: \"wörd\"$&+/='\\#";
const IDENTITY: &str = "id=\"ent\nity\"&token";

pub(super) fn pair(user: &str, password: &str) -> String {
    STANDARD.encode(format!("{user}:{password}"))
}

/// A token server and a registry that believes it.
fn servers(life: i64, says_life: bool) -> (TokenServer, Registry) {
    let tokens = TokenServer::start(Rules {
        users: vec![(USER.to_owned(), PASSWORD.to_owned())],
        identities: vec![IDENTITY.to_owned()],
        life,
        says_life,
        read_only: Some("theirs/"),
    });
    let realm = Some((tokens.realm(), tokens.certificate.clone()));
    let options = RegistryOptions { tokens: realm, ..RegistryOptions::default() };
    let registry = Registry::start_private(&options);
    (tokens, registry)
}

fn logged_in(hosts: [&str; 2], entry: &serde_json::Value) -> Sandbox {
    let sandbox = hello();
    let folder = configuration(&sandbox.outside("docker"), hosts[0], entry);
    let auths = json!({"auths": {hosts[0]: entry, hosts[1]: entry}});
    std::fs::write(folder.join("config.json"), auths.to_string()).unwrap();
    sandbox.env("DOCKER_CONFIG", folder)
}

/// Makes each request that changes something take longer than half a token's life.
fn slow(registry: &Registry) -> Proxy {
    let proxy = Proxy::to_host(&registry.host);
    proxy.rule(|line| match line.starts_with("PUT") || line.starts_with("PATCH") {
        true => Act::Delay(Duration::from_millis(1200)),
        false => Act::Pass,
    });
    proxy
}

#[test]
fn a_token_that_expires_in_the_middle_of_a_push_is_renewed_and_the_push_goes_on() {
    for (entry, says_life, method) in [
        (json!({"auth": pair(USER, PASSWORD)}), false, "GET"),
        (json!({"auth": pair(USER, PASSWORD)}), true, "GET"),
        (json!({"identitytoken": IDENTITY}), false, "POST"),
    ] {
        let (tokens, registry) = servers(2, says_life);
        let proxy = slow(&registry);
        let sandbox = logged_in([&proxy.host, &registry.host], &entry);
        let repo = format!("{}/ours/expiring", proxy.host);
        let arguments = ["build", "-v", "--layer-compression=gzip", "--repo", &repo];
        let ran = sandbox.run(arguments).exits(0);
        assert!(!ran.stderr().contains("Retrying"), "{}", ran.stderr());
        let asked = tokens.asked();
        assert!(asked.len() >= 2, "{method}: the first token lasts to the end");
        assert!(asked.iter().all(|request| request.method() == method));
        tokens.rules(|rules| rules.life = 300);
        let digest = ran.line().split_once('@').unwrap().1;
        let stored = format!("{}/ours/expiring/{NAME}@{digest}", registry.host);
        is_taken(&sandbox.outside("docker"), &stored);
        for token in tokens.issued() {
            assert!(!ran.stderr().contains(&token));
        }
    }
}

#[test]
fn a_token_is_asked_for_what_is_done_and_no_more() {
    let (tokens, registry) = servers(300, true);
    let sandbox = logged_in([&registry.host, "x"], &json!({"auth": pair(USER, PASSWORD)}));
    let host = &registry.host;
    tokens.rules(|rules| rules.read_only = None);
    let base = ["build", "--bare", "--repo", &format!("{host}/theirs/base")];
    let _ = sandbox.run(base).exits(0);
    tokens.rules(|rules| rules.read_only = Some("theirs/"));
    let before = tokens.asked().len();
    let base = format!("{host}/theirs/base:latest");
    let repo = format!("{host}/ours/app");
    let arguments = ["build", "--base-image", &base, "--repo", &repo];
    let ran = sandbox.run(arguments).exits(0);
    let asked: Vec<String> =
        tokens.asked()[before..].iter().map(|request| request.target().to_owned()).collect();
    let scopes = |target: &String| target.matches("scope=").count();
    assert!(asked.iter().any(|target| scopes(target) == 2), "one token for the mount: {asked:#?}");
    let pushes = |target: &String| target.contains("theirs%2Fbase%3Apull%2Cpush");
    assert!(!asked.iter().any(pushes), "{asked:#?}");
    assert!(asked.len() <= 3, "{asked:#?}");
    is_taken(&sandbox.outside("docker"), ran.line());
    judge("crane", &sandbox.outside("docker"), &["digest", "--insecure", ran.line()]);

    let theirs = format!("{host}/theirs/app");
    let error = fails(&sandbox, &["build", "--repo", &theirs]);
    assert!(error.contains(&format!("could not get push access to `{theirs}/{NAME}`")), "{error}");
    assert!(
        error.contains("responded with 401") || error.contains("responded with 403"),
        "{error}"
    );
}
