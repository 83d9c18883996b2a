//! What real registries ask of their clients, each judged by clients that nobody here wrote: skopeo,
//! crane and oras.
//!
//! * `tokens`: scopes, tokens that expire in the middle of a push, identity tokens.
//! * `referrers`: what refers to an image, with the API and without, on pages.

mod referrers;
mod tokens;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::servers::{Registry, RegistryOptions, expect_success, olareg, tool};
use crate::support::{Ran, Sandbox};

/// Writes a Docker configuration with one entry for one host.
fn configuration(folder: &Path, host: &str, entry: &serde_json::Value) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    let mut config = json!({"auths": {}});
    config["auths"][host] = entry.clone();
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    folder.to_owned()
}

/// A tool of Go's with a Docker configuration, and what it printed.
#[track_caller]
fn judge(name: &str, config: &Path, arguments: &[&str]) -> String {
    let mut judge = Command::new(tool(name));
    judge.args(arguments).env("DOCKER_CONFIG", config).env("HOME", config);
    let output = judge.output().unwrap();
    expect_success(&output);
    String::from_utf8(output.stdout).unwrap()
}

/// Asserts that crane and oras take an image for what it is; both compute every digest anew.
#[track_caller]
fn is_taken(config: &Path, reference: &str) {
    let folder = tempfile::tempdir().unwrap();
    let pulled = folder.path().join("crane");
    let pulled = pulled.to_str().unwrap();
    judge("crane", config, &["pull", "--insecure", "--format=oci", reference, pulled]);
    let to = format!("{}:copy", folder.path().join("oras").display());
    judge("oras", config, &["copy", "--from-plain-http", "--to-oci-layout", reference, &to]);
    let digest = reference.split_once('@').unwrap().1;
    let resolved = judge("oras", config, &["resolve", "--oci-layout", &to]);
    assert_eq!(resolved.trim(), digest);
}

#[test]
fn an_open_registry_with_the_referrers_api_takes_an_image() {
    let sandbox = crate::publish::hello();
    let config = sandbox.outside("none");
    std::fs::create_dir_all(&config).unwrap();
    for compression in ["none", "gzip", "zstd"] {
        let repo = format!("{}/registries/open-{compression}", olareg().host);
        let flag = format!("--layer-compression={compression}");
        let both = "--platform=linux/amd64,linux/arm64";
        let ran = sandbox.run(["build", &flag, both, "--repo", &repo]).exits(0);
        is_taken(&config, ran.line());
        if compression == "gzip" {
            // It unpacks layers, and knows no other compression.
            judge("crane", &config, &["validate", "--insecure", "--remote", ran.line()]);
        }
        let again = sandbox.run(["build", &flag, both, "--repo", &repo]).exits(0);
        assert_eq!(again.line(), ran.line());
    }
}

#[test]
fn an_image_behind_tls_and_a_password_is_taken_by_crane_and_oras() {
    let registry = Registry::start_private(&RegistryOptions {
        user: Some(("ann".to_owned(), "a b\"c'".to_owned())),
        tls: true,
        ..RegistryOptions::default()
    });
    let ca = registry.ca.clone().unwrap();
    let entry = json!({"auth": crate::registries::tokens::pair("ann", "a b\"c'")});
    let sandbox = crate::publish::hello();
    let config = configuration(&sandbox.outside("docker"), &registry.host, &entry);
    let sandbox = sandbox.env("DOCKER_CONFIG", &config).env("SSL_CERT_FILE", &ca);
    let repo = format!("{}/registries/tls", registry.host);
    let ran = sandbox.run(["build", "--layer-compression=gzip", "--repo", &repo]).exits(0);
    let with = |name: &str, arguments: &[&str]| {
        let mut judge = Command::new(tool(name));
        judge.args(arguments).env("DOCKER_CONFIG", &config).env("SSL_CERT_FILE", &ca);
        expect_success(&judge.output().unwrap());
    };
    with("crane", &["validate", "--remote", ran.line()]);
    with("oras", &["manifest", "fetch", "--plain-http=false", ran.line()]);
}

/// A run whose error is asserted by its end.
#[track_caller]
fn fails(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let ran: Ran = sandbox.run(arguments).exits(1);
    assert_eq!(ran.stdout(), "");
    ran.stderr().to_owned()
}
