//! Credentials and certificates: what works, and what is said where they are missing or wrong.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{NAME, error, hello, named};
use crate::judges::{HELLO, run};
use crate::servers::{Registry, RegistryOptions, docker_engine, expect_success};
use crate::support::{Ran, Sandbox};

const USER: &str = "ann";
/// What would break wherever it were quoted, split, decoded or encoded wrongly.
const PASSWORD: &str = "p%41s: \"wörd\"$&+/='\\#";

fn guarded() -> Registry {
    let user = Some((USER.to_owned(), PASSWORD.to_owned()));
    Registry::start_private(&RegistryOptions { user, tls: false, ..RegistryOptions::default() })
}

/// A folder as `docker login` leaves it.
fn logged_in(sandbox: &Sandbox, registry: &Registry, password: &str) -> PathBuf {
    let folder = sandbox.outside("docker");
    std::fs::create_dir_all(&folder).unwrap();
    let auth = STANDARD.encode(format!("{USER}:{password}"));
    let config = serde_json::json!({"auths": {registry.host.as_str(): {"auth": auth}}});
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    folder
}

#[track_caller]
fn tells_no_secret(ran: &Ran, password: &str) {
    let said = format!("{}{}", ran.stdout(), ran.stderr());
    let auth = STANDARD.encode(format!("{USER}:{password}"));
    for secret in [password, &auth, &STANDARD.encode(password), "w%C3%B6rd", "wörd"] {
        assert!(!said.contains(secret), "`{secret}` is in: {said}");
    }
}

#[test]
fn a_registry_asks_for_credentials_and_gets_them_from_docker_login() {
    let registry = guarded();
    let repo = format!("{}/access/basic", registry.host);
    let name = named(&repo);
    let host = &registry.host;
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    let ran = sandbox.run(["build", "-v", "."]).exits(1);
    assert_eq!(
        error(&ran),
        format!(
            "error[login-required]: could not publish the image of `hello`
caused by: could not push the image
caused by: could not get push access to `{name}`
caused by: the registry `{host}` responded with 401 Unauthorized: UNAUTHORIZED: authentication required
hint: no credentials were found; log in with: ko-rs login {host}
"
        )
    );

    let folder = logged_in(&sandbox, &registry, "wörd");
    let sandbox = sandbox.env("DOCKER_CONFIG", &folder);
    let ran = sandbox.run(["build", "-v", "."]).exits(1);
    assert_eq!(
        error(&ran),
        format!(
            "error[login-required]: could not publish the image of `hello`
caused by: could not push the image
caused by: could not get push access to `{name}`
caused by: the registry `{host}` responded with 401 Unauthorized: UNAUTHORIZED: authentication required
hint: the credentials were rejected; log in with: ko-rs login {host}
"
        )
    );
    tells_no_secret(&ran, "wörd");

    logged_in(&sandbox, &registry, PASSWORD);
    let ran = sandbox.run(["build", "-v", "."]).exits(0);
    tells_no_secret(&ran, PASSWORD);
    let engine = docker_engine();
    let mut pull = engine.docker_command();
    pull.env("DOCKER_CONFIG", &folder).args(["pull", "--quiet", ran.line()]);
    expect_success(&pull.output().unwrap());
    assert_eq!(run(engine, ran.line()), HELLO);
}

#[test]
fn a_registry_of_a_private_authority_is_trusted_by_ssl_cert_file_only() {
    let user = Some((USER.to_owned(), PASSWORD.to_owned()));
    let registry =
        Registry::start_private(&RegistryOptions { user, tls: true, ..RegistryOptions::default() });
    let repo = format!("{}/access/tls", registry.host);
    let host = &registry.host;
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    let folder = logged_in(&sandbox, &registry, PASSWORD);
    let sandbox = sandbox.env("DOCKER_CONFIG", &folder);
    let ran = sandbox.run(["build", "-v", "."]).exits(1);
    assert_eq!(
        error(&ran),
        format!(
            "error[untrusted-certificate]: could not publish the image of `hello`
caused by: could not push the image
caused by: could not get push access to `{repo}/{NAME}`
caused by: could not make a trusted connection to `{host}`
caused by: the certificate `CN=localhost` is signed by `CN=ko-rs test authority ca`, which is not trusted here
hint: if `CN=ko-rs test authority ca` is your own, put its certificate into a PEM file that SSL_CERT_FILE names, or into /etc/docker/certs.d/{host}/ca.crt; --insecure-registry takes any certificate
"
        )
    );
    tells_no_secret(&ran, PASSWORD);

    let sandbox = sandbox.env("SSL_CERT_FILE", registry.ca.as_ref().unwrap());
    let ran = sandbox.run(["build", "-v", "."]).exits(0);
    tells_no_secret(&ran, PASSWORD);
    let engine = docker_engine();
    let mut pull = engine.docker_command();
    pull.env("DOCKER_CONFIG", &folder).args(["pull", "--quiet", ran.line()]);
    expect_success(&pull.output().unwrap());
    assert_eq!(run(engine, ran.line()), HELLO);
}
