//! Certificates of registries, all made by openssl: what Docker takes works, or ends in an error
//! that names the certificate, what is wrong with it, and the way to a good one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::servers::{Registry, RegistryOptions, expect_success, tool};
use crate::support::{Ran, Sandbox};

const SAN: &str = "subjectAltName=DNS:localhost";

/// A folder in which openssl makes certificates.
pub(crate) struct Workshop(Sandbox);

impl Workshop {
    pub(crate) fn new() -> Self {
        Self(Sandbox::new())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.directory().join(name)
    }

    #[track_caller]
    fn openssl(&self, line: &str) {
        let mut openssl = self.0.command(tool("openssl"));
        expect_success(&openssl.args(line.split(' ')).output().unwrap());
    }

    /// `NAME.crt` that signs itself, with `NAME.key`.
    pub(crate) fn own(&self, name: &str, curve: &str, more: &str) {
        self.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:{curve} -nodes -days 9 -keyout {name}.key -out {name}.crt -subj /CN={name}{more}"
        ));
    }

    /// `NAME.crt` that `by` signs, with the extensions in a line each; of version 1 without any.
    fn signed(&self, name: &str, by: &str, days: u32, extensions: &str) {
        self.openssl(&format!(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ));
        self.0.write(&format!("{name}.ext"), extensions);
        let extensions =
            if extensions.is_empty() { String::new() } else { format!(" -extfile {name}.ext") };
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {by}.crt -CAkey {by}.key -CAcreateserial -days {days} -out {name}.crt{extensions}"
        ));
    }

    /// A registry that shows `NAME.crt`.
    pub(crate) fn registry(&self, name: &str) -> Registry {
        self.registry_for(name, None)
    }

    fn registry_for(&self, name: &str, clients: Option<&str>) -> Registry {
        let file = |end: &str| self.path(&format!("{name}.{end}"));
        Registry::start_private(&RegistryOptions {
            certificate: Some((file("crt"), file("key"))),
            clients: clients.map(|name| self.path(name)),
            ..RegistryOptions::default()
        })
    }
}

fn log_in(sandbox: &Sandbox, registry: &Registry, more: &[&str]) -> Ran {
    let login = ["login", "-u", "ann", "--password-stdin", &registry.host];
    sandbox.run_with_input(login.iter().chain(more), "secret")
}

/// Logs in where `store` is all that is trusted.
fn trusting(store: &Path, registry: &Registry) -> Ran {
    log_in(&Sandbox::new().env("SSL_CERT_FILE", store), registry, &[])
}

/// What is said of a certificate, and what to do about it.
#[track_caller]
fn refusal(ran: Ran, registry: &Registry) -> (String, String) {
    let ran = ran.exits(1);
    let host = &registry.host;
    let start = format!(
        "error[untrusted-certificate]: could not log in to `{host}`\ncaused by: could not make a trusted connection to `{host}`\ncaused by: "
    );
    let rest = ran.stderr().strip_prefix(&start).unwrap_or_else(|| panic!("{}", ran.stderr()));
    let (why, hint) = rest.trim_end().split_once("\nhint: ").unwrap();
    (why.to_owned(), hint.to_owned())
}

/// The command that makes a certificate for localhost.
const COMMAND: &str = "a certificate that is taken, once it is trusted, is made by: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -keyout registry.key -out registry.crt -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE";

#[test]
fn a_certificate_that_signs_itself_and_says_that_it_is_an_authority_is_taken_where_it_is_trusted() {
    let workshop = Workshop::new();
    workshop.own("self", "P-256", &format!(" -addext {SAN}"));
    workshop.own("other", "P-256", "");
    let registry = workshop.registry("self");
    let ran = trusting(&workshop.path("self.crt"), &registry).exits(0);
    assert_eq!(ran.stdout(), "Login Succeeded\n");
    // The same by Docker's folder, beside the system's authorities.
    let sandbox = Sandbox::new();
    let folder = sandbox.outside(&format!("home/.docker/certs.d/{}", registry.host));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(workshop.path("self.crt"), folder.join("ca.crt")).unwrap();
    let _ = log_in(&sandbox, &registry, &[]).exits(0);
    let (why, hint) = refusal(trusting(&workshop.path("other.crt"), &registry), &registry);
    assert_eq!(why, "the certificate `CN=self` is signed by its own key, and is not trusted here");
    assert_eq!(
        hint,
        format!(
            "if it is your own, put it into a PEM file that SSL_CERT_FILE names, or into /etc/docker/certs.d/{}/ca.crt; --insecure-registry takes any certificate",
            registry.host
        )
    );
}

#[test]
fn a_certificate_is_taken_that_is_trusted_itself_and_not_its_authority() {
    let workshop = Workshop::new();
    workshop.own("ca", "P-256", "");
    workshop.signed("leaf", "ca", 9, SAN);
    let registry = workshop.registry("leaf");
    let _ = trusting(&workshop.path("leaf.crt"), &registry).exits(0);
    let _ = trusting(&workshop.path("ca.crt"), &registry).exits(0);
    // Only that very one: another of the same authority vouches for nothing.
    workshop.signed("other", "ca", 9, SAN);
    let (why, hint) = refusal(trusting(&workshop.path("other.crt"), &registry), &registry);
    assert_eq!(why, "the certificate `CN=leaf` is signed by `CN=ca`, which is not trusted here");
    assert!(hint.starts_with("if `CN=ca` is your own, put its certificate into a PEM file"));
}

#[test]
fn version_1_is_taken_of_an_authority_and_not_of_a_host() {
    let workshop = Workshop::new();
    workshop.openssl(
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout old.key -out old.csr -subj /CN=old",
    );
    workshop.openssl("x509 -req -in old.csr -signkey old.key -days 9 -out old.crt");
    workshop.signed("leaf", "old", 9, SAN);
    let _ = trusting(&workshop.path("old.crt"), &workshop.registry("leaf")).exits(0);

    workshop.signed("first", "old", 9, "");
    let registry = workshop.registry("first");
    for store in ["old.crt", "first.crt"] {
        let (why, hint) = refusal(trusting(&workshop.path(store), &registry), &registry);
        assert_eq!(
            why,
            "the certificate `CN=first` is of X.509 version 1, which has no place for the names of hosts"
        );
        assert_eq!(hint, COMMAND);
    }
    let _ = log_in(&Sandbox::new(), &registry, &["--insecure-registry"]).exits(0);
}

#[test]
fn the_curve_p_521_is_named() {
    let workshop = Workshop::new();
    workshop.own("curve", "P-521", &format!(" -addext {SAN}"));
    let registry = workshop.registry("curve");
    let (why, hint) = refusal(trusting(&workshop.path("curve.crt"), &registry), &registry);
    assert_eq!(
        why,
        "the certificate `CN=curve` has a key on the curve P-521, which is not supported"
    );
    assert_eq!(hint, COMMAND);
    let _ = log_in(&Sandbox::new(), &registry, &["--insecure-registry"]).exits(0);

    workshop.signed("leaf", "curve", 9, SAN);
    let registry = workshop.registry("leaf");
    let (why, hint) = refusal(trusting(&workshop.path("curve.crt"), &registry), &registry);
    assert_eq!(
        why,
        "the certificate `CN=leaf` is signed with a key or an algorithm that is not supported"
    );
    assert_eq!(hint, COMMAND);
    let _ = trusting(&workshop.path("leaf.crt"), &registry).exits(0);
}

#[test]
fn names_and_times_are_held_against_the_certificate() {
    let workshop = Workshop::new();
    workshop.own("ca", "P-256", "");
    let said = |name: &str, days: u32, extensions: &str| {
        workshop.signed(name, "ca", days, extensions);
        if days == 0 {
            std::thread::sleep(Duration::from_millis(1100));
        }
        let registry = workshop.registry(name);
        refusal(trusting(&workshop.path("ca.crt"), &registry), &registry)
    };
    let (why, hint) = said("nameless", 9, "extendedKeyUsage=serverAuth");
    assert_eq!(why, "the certificate `CN=nameless` names no host (it has no subjectAltName)");
    assert_eq!(hint, COMMAND);
    let (why, hint) = said("other", 9, "subjectAltName=DNS:a.example,IP:127.0.0.1");
    assert_eq!(
        why,
        "the certificate `CN=other` is not for `localhost` but for `a.example`, `127.0.0.1`"
    );
    assert_eq!(hint, COMMAND);
    let (why, hint) = said("old", 0, SAN);
    assert!(why.starts_with("the certificate `CN=old` has expired on 20"), "{why}");
    assert_eq!(hint, "the certificate has to be renewed, or this machine's clock is wrong");
}

#[test]
fn the_command_of_the_hint_makes_a_certificate_that_is_taken() {
    let workshop = Workshop::new();
    let (_, command) = COMMAND.split_once(": ").unwrap();
    workshop.openssl(command.strip_prefix("openssl ").unwrap());
    let registry = workshop.registry("registry");
    let _ = trusting(&workshop.path("registry.crt"), &registry).exits(0);
}

#[test]
fn a_machine_without_authorities_says_so_and_takes_given_ones() {
    let workshop = Workshop::new();
    workshop.own("ca", "P-256", "");
    workshop.signed("leaf", "ca", 9, SAN);
    let registry = workshop.registry("leaf");
    let sandbox = Sandbox::new().env("SSL_CERT_FILE", "");
    // The same system with nothing in the folders that hold its authorities.
    let bare = |sandbox: &Sandbox| {
        let mut command: Command = sandbox.command(tool("unshare"));
        let hide = "for folder in /etc/ssl /etc/pki /usr/local/share/certs; do [ ! -d $folder ] || mount -t tmpfs none $folder || exit 9; done; exec \"$@\"";
        let user = if rustix::process::geteuid().is_root() { "--mount" } else { "-rm" };
        command.args([user, "sh", "-c", hide, "sh", env!("CARGO_BIN_EXE_ko-rs")]);
        command.args(["login", "-u", "ann", "-p", "secret", &registry.host]).stdin(Stdio::null());
        Ran::of(command.output().unwrap())
    };
    let ran = bare(&sandbox).exits(1);
    let host = &registry.host;
    assert!(
        ran.stderr().ends_with(&format!(
            "caused by: the certificate `CN=leaf` is signed by `CN=ca`, and no authorities at all are trusted here
hint: install the package `ca-certificates`, or set SSL_CERT_FILE; an authority of your own goes into /etc/docker/certs.d/{host}/ca.crt\n"
        )),
        "{}",
        ran.stderr()
    );
    let folder = sandbox.outside(&format!("home/.docker/certs.d/{host}"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(workshop.path("ca.crt"), folder.join("mine.crt")).unwrap();
    let _ = bare(&sandbox).exits(0);
}

#[test]
fn a_folder_of_authorities_is_read_as_ssl_cert_dir_names_it() {
    let workshop = Workshop::new();
    workshop.own("self", "P-256", &format!(" -addext {SAN}"));
    let registry = workshop.registry("self");
    let folder = workshop.path("folder");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("README"), "no certificate").unwrap();
    let sandbox = Sandbox::new().env("SSL_CERT_FILE", "").env("SSL_CERT_DIR", &folder);
    let (why, _) = refusal(log_in(&sandbox, &registry, &[]), &registry);
    assert!(why.contains("no authorities at all"), "{why}");
    std::fs::copy(workshop.path("self.crt"), folder.join("0a1b2c3d.0")).unwrap();
    let _ = log_in(&sandbox, &registry, &[]).exits(0);
}

#[test]
fn a_client_certificate_is_shown_to_the_registry_it_is_for() {
    let workshop = Workshop::new();
    workshop.own("ca", "P-256", "");
    workshop.signed("leaf", "ca", 9, SAN);
    workshop.signed("client", "ca", 9, "extendedKeyUsage=clientAuth");
    let registry = workshop.registry_for("leaf", Some("ca.crt"));
    let sandbox = Sandbox::new();
    let folder = sandbox.outside(&format!("home/.docker/certs.d/{}", registry.host));
    std::fs::create_dir_all(&folder).unwrap();
    let give = |from: &str, to: &str| {
        std::fs::copy(workshop.path(from), folder.join(to)).unwrap();
    };
    give("ca.crt", "ca.crt");
    let ran = log_in(&sandbox, &registry, &[]).exits(1);
    assert!(!ran.stderr().contains("Retrying"), "{}", ran.stderr());
    let (why, hint) = refusal(ran, &registry);
    assert_eq!(why, "it asks for a client certificate, and there is none for it");
    let folder = format!("/etc/docker/certs.d/{}/client.cert, its key", registry.host);
    assert!(hint.contains(&folder), "{hint}");
    give("client.crt", "client.cert");
    let ran = log_in(&sandbox, &registry, &[]).exits(1);
    assert!(ran.stderr().contains("there is no key for"), "{}", ran.stderr());
    give("client.key", "client.key");
    let _ = log_in(&sandbox, &registry, &[]).exits(0);
}
