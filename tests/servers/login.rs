//! `login` and `logout` against a registry with TLS and passwords: what is kept is read by docker,
//! skopeo and crane, and what they keep is read here.
//!
//! * `terminal`: a password that is typed.

mod terminal;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::publish::{NAME, hello};
use crate::servers::{Registry, RegistryOptions, docker_engine, expect_success, tool};
use crate::support::Sandbox;

const USER: &str = "ann";
/// What would break wherever it were quoted, split, decoded or encoded wrongly.
const PASSWORD: &str = "p%41s: \"wörd\"$&+/='\\#";

/// A registry that wants a password over TLS.
fn guarded() -> Registry {
    let user = Some((USER.to_owned(), PASSWORD.to_owned()));
    Registry::start_private(&RegistryOptions { user, tls: true, ..RegistryOptions::default() })
}

/// A sandbox that trusts the registry and keeps what Docker keeps in a folder of its own.
fn trusting(sandbox: Sandbox, registry: &Registry) -> (Sandbox, PathBuf) {
    let folder = sandbox.outside("docker");
    let sandbox =
        sandbox.env("SSL_CERT_FILE", registry.ca.as_ref().unwrap()).env("DOCKER_CONFIG", &folder);
    (sandbox, folder.join("config.json"))
}

fn log_in(registry: &Registry) -> [String; 5] {
    ["login", "-u", USER, "--password-stdin", &registry.host].map(str::to_owned)
}

/// A program of others in the sandbox.
fn run(sandbox: &Sandbox, program: &str, arguments: &[&str], input: &str) {
    let input = sandbox.file_with(input);
    let mut command: Command = sandbox.command(tool(program));
    command.args(arguments).stdin(std::fs::File::open(input).unwrap());
    expect_success(&command.output().unwrap());
}

#[test]
fn what_login_keeps_is_read_by_docker_skopeo_and_crane() {
    let registry = guarded();
    let (sandbox, config) = trusting(hello(), &registry);
    let host = &registry.host;
    let repo = format!("{host}/login/kept");
    let sandbox = sandbox.env("KO_DOCKER_REPO", &repo);
    let ran = sandbox.run_with_input(log_in(&registry), &format!("{PASSWORD}\n")).exits(0);
    assert_eq!(ran.stdout(), "Login Succeeded\n");
    assert_eq!(
        ran.stderr(),
        format!(
            "note: the password is stored unencrypted in `{}`; set `credsStore` there to use a credential helper\n",
            config.display()
        )
    );
    assert_eq!(config.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let image = sandbox.run(["build", "."]).exits(0).line().to_owned();
    run(&sandbox, "crane", &["manifest", &image], "");
    let authfile = config.to_str().unwrap();
    let docker = format!("docker://{repo}/{NAME}:latest");
    let skopeo = ["inspect", "--tls-verify=false", "--authfile", authfile, "--raw", &docker];
    run(&sandbox, "skopeo", &skopeo, "");
    let mut pull = docker_engine().docker_command();
    pull.env("DOCKER_CONFIG", config.parent().unwrap()).args(["pull", "--quiet", &image]);
    expect_success(&pull.output().unwrap());

    let ran = sandbox.run(["logout", host]).exits(0);
    assert_eq!(ran.stdout(), format!("Removed login credentials for {host}\n"));
    assert_eq!(std::fs::read_to_string(&config).unwrap(), "{\n\t\"auths\": {}\n}\n");
    let ran = sandbox.run(["logout", host]).exits(0);
    assert_eq!(ran.stdout(), format!("Not logged in to {host}\n"));
}

#[test]
fn what_docker_skopeo_and_crane_keep_is_read_here() {
    let registry = guarded();
    let (sandbox, config) = trusting(hello(), &registry);
    let host = &registry.host;
    let folder = config.parent().unwrap().to_owned();
    std::fs::create_dir(&folder).unwrap();
    let mut sandbox = sandbox;
    for by in ["docker", "skopeo", "crane"] {
        let own = folder.join(by);
        std::fs::create_dir(&own).unwrap();
        let file = own.join("config.json");
        let path = file.to_str().unwrap();
        sandbox = sandbox.env("DOCKER_CONFIG", &own);
        match by {
            "docker" => {
                let mut login = docker_engine().docker_command();
                login.env("DOCKER_CONFIG", &own).args(["login", "-u", USER, "-p", PASSWORD, host]);
                expect_success(&login.output().unwrap());
            }
            "skopeo" => {
                let skopeo = ["login", "--authfile", path, "-u", USER, "--password-stdin", host];
                run(&sandbox, "skopeo", &skopeo, PASSWORD);
                sandbox = sandbox.env("REGISTRY_AUTH_FILE", path).env("DOCKER_CONFIG", "/none");
            }
            _ => {
                let crane = ["auth", "login", "-u", USER, "--password-stdin", host];
                run(&sandbox, "crane", &crane, PASSWORD);
                sandbox = sandbox.env("REGISTRY_AUTH_FILE", "");
            }
        }
        let repo = format!("{host}/login/{by}");
        sandbox = sandbox.env("KO_DOCKER_REPO", &repo);
        let ran = sandbox.run(["build", "."]).exits(0);
        assert!(ran.line().starts_with(&repo), "{by}");
        // What they keep is changed as they would, and forgotten.
        let _ = sandbox.run_with_input(log_in(&registry), PASSWORD).exits(0);
        let ran = sandbox.run(["logout", host]).exits(0);
        assert!(ran.stdout().starts_with("Removed"), "{by}");
        let left = std::fs::read_to_string(&file).unwrap();
        assert!(!left.contains(host), "{by}: {left}");
    }
}

#[test]
fn a_wrong_password_is_not_kept() {
    let registry = guarded();
    let (sandbox, config) = trusting(Sandbox::new(), &registry);
    let host = &registry.host;
    let ran = sandbox.run_with_input(log_in(&registry), "hunter2\n").exits(1);
    assert_eq!(ran.stdout(), "");
    assert_eq!(
        ran.stderr(),
        format!(
            "error[login-required]: could not log in to `{host}`
caused by: the registry `{host}` responded with 401 Unauthorized: UNAUTHORIZED: authentication required
hint: the user name or the password is wrong; a password that was right may have expired, or the registry may want a token in its place
"
        )
    );
    assert!(!config.exists());
}

/// A helper that keeps what it is given in files of a folder.
const HELPER: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
case $1 in
  store) json=$(cat); server=$(printf %s "$json" | jq -r .ServerURL); printf %s "$json" >"kept-${server##*:}" ;;
  get) read -r server; cat "kept-${server##*:}" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
  erase) read -r server; rm "kept-${server##*:}" ;;
esac
"#;

#[test]
fn a_configured_helper_keeps_the_password_and_docker_finds_it_there() {
    let registry = guarded();
    let (sandbox, config) = trusting(hello(), &registry);
    let host = &registry.host;
    let sandbox = sandbox.env("KO_DOCKER_REPO", format!("{host}/login/helper"));
    let folder: &Path = config.parent().unwrap();
    std::fs::create_dir(folder).unwrap();
    let helper = folder.join("docker-credential-files");
    std::fs::write(&helper, HELPER).unwrap();
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    let before = "{\n  \"credsStore\": \"files\",\n  \"proxies\": {}\n}";
    std::fs::write(&config, before).unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display());
    let sandbox = sandbox.env_before("PATH", folder);

    let _ = sandbox.run_with_input(log_in(&registry), PASSWORD).exits(0);
    let kept = std::fs::read_to_string(&config).unwrap();
    let entry = format!(",\n  \"auths\": {{\n    \"{host}\": {{}}\n  }}\n}}");
    assert_eq!(kept, before.replace("\n}", &entry));
    let image = sandbox.run(["build", "."]).exits(0).line().to_owned();
    let mut pull = docker_engine().docker_command();
    pull.env("DOCKER_CONFIG", folder).env("PATH", &path).args(["pull", "--quiet", &image]);
    expect_success(&pull.output().unwrap());

    let ran = sandbox.run(["logout", host]).exits(0);
    assert_eq!(ran.stdout(), format!("Removed login credentials for {host}\n"));
    let ran = sandbox.run(["logout", host]).exits(0);
    assert_eq!(ran.stdout(), format!("Not logged in to {host}\n"));
    // And the other way round.
    let mut login = docker_engine().docker_command();
    login.env("DOCKER_CONFIG", folder).env("PATH", &path);
    login.args(["login", "-u", USER, "-p", PASSWORD, host]);
    expect_success(&login.output().unwrap());
    let sandbox = sandbox.env("KO_DOCKER_REPO", format!("{host}/login/helper-docker"));
    let _ = sandbox.run(["build", "."]).exits(0);
}
