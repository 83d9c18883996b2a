//! What all cells of the matrix share: registries that want to know who asks, a token server, a
//! program that is compiled, a base, and caches with and without layers in them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::MANY;
use super::judge::{Content, Kept, Served, Stored};
use super::secrets::{IDENTITIES, Secrets, USERS};
use super::step::{BASE, Proof, Step};
use crate::faulty::{Elsewhere, Faulty};
use crate::publish::{NAME, hello};
use crate::refusals::end;
use crate::servers::{Registry, RegistryOptions, olareg};
use crate::support::{Ran, Sandbox};
use crate::tokens::{Rules, TokenServer};

pub(super) struct Scene {
    pub(super) sandbox: Sandbox,
    pub(super) tokens: TokenServer,
    pub(super) elsewhere: Elsewhere,
    /// Takes passwords.
    basic: Registry,
    /// Takes tokens.
    bearer: Registry,
}

/// One run of ko-rs, behind one proxy.
pub(super) struct Cell<'a> {
    pub(super) scene: &'a Scene,
    pub(super) step: Step,
    pub(super) number: usize,
    pub(super) folder: PathBuf,
}

impl Scene {
    /// Starts the servers, compiles the program for two platforms, and pushes the base.
    pub(super) fn start() -> Self {
        let users: Vec<(String, String)> =
            USERS.iter().map(|&(user, word)| (user.to_owned(), word.to_owned())).collect();
        let tokens = TokenServer::start(Rules {
            users: users.clone(),
            identities: IDENTITIES.map(str::to_owned).to_vec(),
            life: 300,
            says_life: true,
            read_only: Some(BASE),
        });
        let asks = Some((tokens.realm(), tokens.certificate.clone()));
        let basic = Registry::start_private(&RegistryOptions {
            others: users,
            ..RegistryOptions::default()
        });
        let bearer = Registry::start_private(&RegistryOptions {
            tokens: asks,
            ..RegistryOptions::default()
        });
        let scene = Self { sandbox: hello(), tokens, elsewhere: Elsewhere::start(), basic, bearer };
        scene.prepare();
        scene
    }

    /// The base is what ko-rs makes of the program itself; the cache `warm` knows its layer.
    fn prepare(&self) {
        self.tokens.rules(|rules| rules.read_only = None);
        for (number, step) in [(0, Step::Open), (1, Step::FindBlob)].into_iter() {
            let cell = self.cell(step, number);
            cell.log_in(&[cell.host()]);
            let repo = format!("{}/{BASE}", cell.host());
            let both = "--platform=linux/amd64,linux/arm64";
            let only = ["build", "--push=false", "--repo=x", both];
            let _ = cell.run(&only).exits(0);
            let push = ["build", "--bare", "--repo", &repo, "--layer-compression=gzip"];
            let _ = cell.run(&push).exits(0);
            if number == 0 {
                fs::rename(cell.cache(), self.warm()).unwrap();
            }
        }
        self.tokens.rules(|rules| rules.read_only = Some(BASE));
    }

    fn warm(&self) -> PathBuf {
        self.sandbox.outside("warm")
    }

    pub(super) fn cell(&self, step: Step, number: usize) -> Cell<'_> {
        let folder = self.sandbox.outside(&format!("cell-{number}-{step:?}"));
        fs::create_dir_all(&folder).unwrap();
        Cell { scene: self, step, number, folder }
    }

    pub(super) fn registries(&self) -> [&Registry; 2] {
        [&self.basic, &self.bearer]
    }

    /// All that is secret, tokens so far from the `first` on included.
    pub(super) fn secrets(&self, first: usize) -> Secrets {
        let mut secrets = Secrets::default();
        USERS.iter().for_each(|(user, password)| secrets.add_password(user, password));
        IDENTITIES.iter().for_each(|identity| secrets.add(identity));
        for token in &self.tokens.issued()[first..] {
            // Its last part alone is of no use to anybody else, and nobody else has it.
            secrets.add(token.rsplit_once('.').unwrap().1);
        }
        secrets
    }
}

impl Cell<'_> {
    /// The registry; none if it is the one with the referrers API.
    fn registry(&self) -> Option<&Registry> {
        match self.step.proof() {
            Proof::Password | Proof::Helper => Some(&self.scene.basic),
            Proof::Token | Proof::Identity => Some(&self.scene.bearer),
            Proof::Nothing => None,
        }
    }

    /// `HOST:PORT` of the registry.
    pub(super) fn host(&self) -> &str {
        self.registry().map_or(&olareg().host, |registry| &registry.host)
    }

    pub(super) fn cache(&self) -> PathBuf {
        self.folder.join("cache")
    }

    /// The repository that is pushed to, below the host.
    pub(super) fn repository(&self) -> String {
        format!(
            "faults/{}/{NAME}",
            self.folder.file_name().unwrap().to_str().unwrap().to_lowercase()
        )
    }

    /// A Docker configuration that knows hosts.
    pub(super) fn log_in(&self, hosts: &[&str]) {
        let (user, password) = USERS[self.number % USERS.len()];
        let auth = STANDARD.encode(format!("{user}:{password}"));
        let identity = IDENTITIES[self.number % IDENTITIES.len()];
        let entry = match self.step.proof() {
            Proof::Password | Proof::Token => json!({"auth": auth}),
            Proof::Identity => json!({"identitytoken": identity}),
            Proof::Helper | Proof::Nothing => json!({}),
        };
        let mut config = json!({"auths": {}, "credHelpers": {}});
        for host in hosts {
            config["auths"][host] = entry.clone();
            if self.step.proof() == Proof::Helper {
                config["credHelpers"][host] = "faults".into();
            }
        }
        fs::write(self.folder.join("config.json"), config.to_string()).unwrap();
        let said = json!({"Username": user, "Secret": password}).to_string();
        fs::write(self.folder.join("said.json"), said).unwrap();
        let helper = self.folder.join("docker-credential-faults");
        let answer = self.folder.join("said.json");
        fs::write(&helper, format!("#!/bin/sh\ncat >/dev/null\nexec cat '{}'\n", answer.display()))
            .unwrap();
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.scene.sandbox.command(env!("CARGO_BIN_EXE_ko-rs"));
        let path = command.get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap();
        let path = format!("{}:{}", self.folder.display(), path.to_str().unwrap());
        command
            .args(arguments)
            .args(["-v", "--sbom", self.step.bill()])
            .arg(format!("--registry-timeout={}s", 2 + 6 * (self.number / MANY)))
            .env("PATH", path)
            .env("DOCKER_CONFIG", &self.folder)
            .env("KOCACHE", self.cache())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs ko-rs to its end, whatever that is.
    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        end(self.command(arguments).spawn().unwrap())
    }

    /// Builds and pushes through a proxy; `format` are flags for what is printed.
    pub(super) fn build(&self, proxy: &Faulty, format: &[&str]) -> Ran {
        let host = &proxy.host;
        // Another name for the same registry is another registry.
        let base_host = match self.step.copies() {
            true => host.replace("localhost", "127.0.0.1"),
            false => host.clone(),
        };
        self.log_in(&[host, &base_host]);
        if self.step.knows_layers() {
            copy(&self.scene.warm(), &self.cache());
        }
        let base = match self.step.pulls() {
            true => format!("{base_host}/{BASE}:latest"),
            false => "static".to_owned(),
        };
        let repo = format!(
            "{host}/{}",
            self.repository().strip_suffix(NAME).unwrap().trim_end_matches('/')
        );
        let build = [
            "build",
            "--layer-compression=gzip",
            "--platform",
            self.step.platforms(),
            "--base-image",
            &base,
            "--repo",
            &repo,
        ];
        self.run(&[&build[..], format].concat())
    }

    /// What the tag leads to, if it exists, and its digest.
    pub(super) fn stored(&self) -> Option<(String, Result<Content, String>)> {
        let repository = &self.repository();
        let storage = self.registry().map(Registry::storage);
        let kept = match &storage {
            Some(storage) => Kept::Stored(Stored { storage, repository }),
            None => Kept::Served(Served { host: self.host(), repository }),
        };
        let digest = kept.tag("latest")?;
        let content = kept.content(&digest, self.step.bill() == "required");
        Some((digest, content))
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}
