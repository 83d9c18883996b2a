use std::path::Path;

use super::*;
use crate::oci::Digest;
use crate::report::Diagnostic;

fn tcp(host: &str, tls: Option<&str>) -> Address {
    Address::Tcp { host: host.to_owned(), tls: tls.map(PathBuf::from) }
}

fn host(host: &str, tls_verify: bool) -> Settings {
    Settings {
        host: Some(host.to_owned()),
        tls_verify,
        certificates: Some("/certs".into()),
        folder: Some("/nowhere/.docker".into()),
        ..Settings::default()
    }
}

#[test]
fn docker_host_is_read_as_the_docker_command_reads_it() {
    for (text, tls, address) in [
        ("unix:///run/user/1/docker.sock", false, Address::Unix("/run/user/1/docker.sock".into())),
        ("unix:///run/d.sock", true, Address::Unix("/run/d.sock".into())),
        ("unix://", false, Address::Unix(DEFAULT_SOCKET.into())),
        ("tcp://192.168.49.2:2376", true, tcp("192.168.49.2:2376", Some("/certs"))),
        ("tcp://192.168.49.2", true, tcp("192.168.49.2:2376", Some("/certs"))),
        ("tcp://192.168.49.2/", false, tcp("192.168.49.2:2375", None)),
        ("tcp://:4000", false, tcp("localhost:4000", None)),
        ("tcp://", false, tcp("localhost:2375", None)),
        ("tcp://[::1]:4000", false, tcp("[::1]:4000", None)),
        ("tcp://[::1]", false, tcp("[::1]:2375", None)),
        ("build.example:2375", false, tcp("build.example:2375", None)),
    ] {
        assert_eq!(host(text, tls).address().unwrap(), address, "{text}");
    }
}

#[test]
fn an_invalid_address_is_an_error_with_the_reason_and_without_the_password() {
    for (text, reason) in [
        (
            "tcp://me:secret@host:2375",
            "`tcp://host:2375` is not the address of a Docker Engine: a user and password are not supported",
        ),
        (
            "tcp://host:2375/path",
            "`tcp://host:2375/path` is not the address of a Docker Engine: nothing may follow the port",
        ),
        (
            "tcp://host:99999",
            "`tcp://host:99999` is not the address of a Docker Engine: the port is not a number up to 65535",
        ),
        (
            "tcp://host:",
            "`tcp://host:` is not the address of a Docker Engine: the port is not a number up to 65535",
        ),
        (
            "tcp://a b",
            "`tcp://a b` is not the address of a Docker Engine: expected a host and a port",
        ),
        (
            "https://me:secret@host",
            "`https://host` is not the address of a Docker Engine: write tcp:// (DOCKER_TLS_VERIFY chooses TLS)",
        ),
        ("fd://", "`fd://` is not the address of a Docker Engine: expected unix:// or tcp://"),
        (
            "ssh://me:secret@host",
            "the Docker Engine at `ssh://host` uses ssh, which ko-rs does not support",
        ),
    ] {
        let error = host(text, false).address().unwrap_err();
        assert_eq!(error.to_string(), reason);
        assert!(Diagnostic::of(&error).hints.len() == 1, "{error}");
    }
    let error = host("ssh://host", false).address().unwrap_err();
    assert!(Diagnostic::of(&error).hints[0].contains("ssh -NL"));
}

#[test]
fn certificates_are_in_docker_s_folder_by_default() {
    let settings = Settings { certificates: None, ..host("tcp://a:1", true) };
    assert_eq!(settings.address().unwrap(), tcp("a:1", Some("/nowhere/.docker")));
    let error = Settings { folder: None, ..settings }.address().unwrap_err();
    assert!(matches!(error, Error::NoCertificates { .. }), "{error}");
}

/// A folder like `~/.docker` with contexts `(name, meta.json, certificates)`.
fn folder(current: &str, contexts: &[(&str, &str, bool)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(r#"{{"auths": {{}}, "currentContext": "{current}"}}"#);
    std::fs::write(folder.path().join("config.json"), config).unwrap();
    for (name, meta, tls) in contexts {
        let id = Digest::of(name.as_bytes()).hex();
        let place = folder.path().join("contexts/meta").join(&id);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("meta.json"), meta).unwrap();
        if *tls {
            let place = folder.path().join("contexts/tls").join(&id).join("docker");
            std::fs::create_dir_all(&place).unwrap();
            std::fs::write(place.join("ca.pem"), "").unwrap();
        }
    }
    folder
}

fn chosen(folder: &Path, context: Option<&str>, host: Option<&str>) -> Result<Address, Error> {
    let settings = Settings {
        host: host.map(str::to_owned),
        context: context.map(str::to_owned),
        folder: Some(folder.to_owned()),
        ..Settings::default()
    };
    settings.address()
}

const META: &str = r#"{"Name": "x", "Metadata": {}, "Endpoints": {"docker": {"Host": "tcp://mini:2376", "SkipTLSVerify": false}}}"#;

#[test]
fn docker_host_overrides_docker_context_and_that_the_current_context() {
    let unix = r#"{"Endpoints": {"docker": {"Host": "unix:///one.sock"}}}"#;
    let folder = folder("one", &[("one", unix, false), ("two", META, false), ("tls", META, true)]);
    let choose = |context, host| chosen(folder.path(), context, host).unwrap();
    assert_eq!(choose(None, None), Address::Unix("/one.sock".into()));
    assert_eq!(choose(Some(""), Some("")), Address::Unix("/one.sock".into()));
    assert_eq!(choose(Some("two"), None), tcp("mini:2376", None));
    assert_eq!(choose(Some("two"), Some("tcp://h:1")), tcp("h:1", None));
    let Address::Tcp { tls: Some(tls), .. } = choose(Some("tls"), None) else { panic!() };
    let id = Digest::of(b"tls").hex();
    assert_eq!(tls, folder.path().join("contexts/tls").join(id).join("docker"));
}

#[test]
fn a_context_that_is_missing_invalid_or_insecure_is_an_error() {
    let insecure = r#"{"Endpoints": {"docker": {"Host": "tcp://a:1", "SkipTLSVerify": true}}}"#;
    let contexts = [("insecure", insecure, true), ("k8s", "{}", false), ("broken", "{", false)];
    let folder = folder("gone", &contexts);
    let error = |name| chosen(folder.path(), name, None).unwrap_err();
    assert!(error(None).to_string().starts_with("there is no Docker context `gone` (`"));
    assert!(matches!(error(Some("insecure")), Error::Context { .. }));
    assert!(matches!(error(Some("k8s")), Error::Context { .. }));
    assert!(matches!(error(Some("broken")), Error::Configuration { .. }));
    std::fs::write(folder.path().join("config.json"), "{").unwrap();
    assert!(matches!(error(None), Error::Configuration { .. }));
    let without_folder = Settings { context: Some("x".into()), ..Settings::default() };
    assert!(without_folder.address().is_err());
}

#[cfg(unix)]
#[test]
fn the_default_is_the_first_socket_that_exists() {
    let folder = folder("default", &[]);
    let [docker, rootless, podman] =
        ["docker", "rootless", "podman"].map(|name| folder.path().join(name));
    let others = [rootless.clone(), podman.clone()];
    assert_eq!(first_existing(&docker, &others), &docker);
    std::fs::write(&podman, "").unwrap();
    assert_eq!(first_existing(&docker, &others), &podman);
    std::fs::write(&docker, "").unwrap();
    assert_eq!(first_existing(&docker, &others), &docker);
    // The context `default` is no context.
    let chosen = chosen(folder.path(), None, None).unwrap();
    assert_eq!(chosen, Address::Unix(DEFAULT_SOCKET.into()));
}
