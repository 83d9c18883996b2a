//! Registries: Debian's docker-registry, and olareg, which has the referrers API.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::instance::{Instance, text};
use super::{expect_success, scripts, search_path};

/// A docker-registry of Debian's on loopback. Dropping it stops it and removes what it stored.
#[derive(Debug)]
pub(crate) struct Registry {
    /// `localhost:PORT`, as image references have it.
    pub(crate) host: String,
    /// `http://localhost:PORT`, or `https://…`.
    pub(crate) url: String,
    /// The certificate authority of a registry with TLS, PEM.
    pub(crate) ca: Option<PathBuf>,
    folder: PathBuf,
    instance: Instance,
}

/// What a registry asks of its clients.
#[derive(Debug, Clone, Default)]
pub(crate) struct RegistryOptions {
    /// User name and password for Basic authentication.
    pub(crate) user: Option<(String, String)>,
    /// The same of further users.
    pub(crate) others: Vec<(String, String)>,
    /// Where its tokens come from, and the certificate that they are signed by.
    pub(crate) tokens: Option<(String, PathBuf)>,
    /// Whether it speaks TLS, with a certificate of an authority of its own.
    pub(crate) tls: bool,
    /// The certificate and key that it shows, in place of its own.
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
    /// The authority of the certificates that it wants to see of clients.
    pub(crate) clients: Option<PathBuf>,
}

impl Registry {
    /// Starts an empty registry for one test alone.
    pub(crate) fn start_private(options: &RegistryOptions) -> Self {
        let mut arguments = Vec::new();
        for (name, password) in options.user.iter().chain(&options.others) {
            arguments.extend(["--user", name, "--password", password]);
        }
        if let Some((realm, certificate)) = &options.tokens {
            let certificate = certificate.to_str().expect("the path is text");
            arguments.extend(["--token-realm", realm, "--token-certificate", certificate]);
        }
        if options.tls {
            arguments.push("--tls");
        }
        let path = |path: &PathBuf| path.to_str().unwrap().to_owned();
        let own = options.certificate.as_ref().map(|(own, key)| (path(own), path(key)));
        if let Some((own, key)) = &own {
            arguments.extend(["--certificate", own, "--key", key]);
        }
        let clients = options.clients.as_ref().map(path);
        if let Some(clients) = &clients {
            arguments.extend(["--clients", clients]);
        }
        let (instance, facts) = Instance::start("registry", &arguments);
        Self {
            host: text(&facts, "host"),
            url: text(&facts, "url"),
            ca: facts["ca"].as_str().map(PathBuf::from),
            folder: text(&facts, "folder").into(),
            instance,
        }
    }

    /// What it has been asked for so far below `/v2/REPOSITORY`: `HEAD /v2/team/app/blobs/sha256:…`,
    /// a line each.
    #[track_caller]
    pub(crate) fn requests(&self, repository: &str) -> Vec<String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // It writes a line once a request is done, in order: behind this one's are all before it.
        let mark = format!("/v2/mark-{}/tags/list", COUNT.fetch_add(1, Ordering::Relaxed));
        let answered = Command::new(super::tool("curl"))
            .args(["--silent", "--output", "/dev/null", &format!("{}{mark}", self.url)])
            .status()
            .expect("curl runs");
        assert!(answered.success(), "the registry answers");
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let log = std::fs::read_to_string(self.folder.join("log/registry.log"));
            let log = log.expect("the registry's log can be read");
            if log.contains(&mark) {
                let below = format!("/v2/{repository}/");
                let requests = log.lines().filter_map(|line| line.split('"').nth(1));
                let requests = requests.filter(|request| {
                    request.split(' ').nth(1).is_some_and(|path| path.starts_with(&below))
                });
                return requests
                    .map(|line| line.trim_end_matches(" HTTP/1.1").to_owned())
                    .collect();
            }
            assert!(Instant::now() < deadline, "the registry's log lacks {mark}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where it stores what it was sent.
    pub(crate) fn storage(&self) -> PathBuf {
        self.folder.join("storage/docker/registry/v2")
    }

    /// Ends it at once; connections are refused from then on.
    pub(crate) fn stop(&self) {
        self.instance.command("stop");
    }

    /// Starts it after [`Registry::stop`], on the same port and with what it stored.
    pub(crate) fn start(&self) {
        self.instance.command("start");
    }

    /// Starts it anew on the same port with an empty storage.
    pub(crate) fn wipe(&self) {
        self.stop();
        self.instance.command("wipe");
        self.start();
    }

    /// Pushes the base image for executables linked to glibc under `name` (`bases/glibc:12`), and
    /// returns its reference. It has this machine's architecture, OCI media types and one layer.
    #[track_caller]
    pub(crate) fn push_glibc_base(&self, name: &str) -> String {
        self.push_base(name, &["--push"])
    }

    /// The same with Debian 11's glibc, which is older than what executables are linked with here.
    #[track_caller]
    pub(crate) fn push_older_glibc_base(&self, name: &str) -> String {
        self.push_base(name, &["--older", "--push"])
    }

    #[track_caller]
    fn push_base(&self, name: &str, options: &[&str]) -> String {
        let image = format!("{}/{name}", self.host);
        let mut push = Command::new(scripts().join("glibc-base"));
        push.env("PATH", search_path()).args(options).arg(&image);
        expect_success(&push.output().expect("tests/servers/glibc-base runs"));
        image
    }
}

/// An olareg on loopback. Dropping it stops it and removes what it stored.
#[derive(Debug)]
pub(crate) struct Olareg {
    /// `localhost:PORT`, as image references have it.
    pub(crate) host: String,
    _instance: Instance,
}

impl Olareg {
    /// Starts an empty one.
    pub(super) fn start() -> Self {
        let (instance, facts) = Instance::start("olareg", &[]);
        Self { host: text(&facts, "host"), _instance: instance }
    }
}
