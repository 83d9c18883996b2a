//! Finds the credentials for a repository: in Docker's `config.json`, in podman's `auth.json`
//! (whose keys may name a path of the registry), from the helper programs that these name, and from
//! GitHub's token for ghcr.io. The first that has any wins.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use serde::Deserialize;

use super::credential_helper;
use crate::oci::{Registry, Repository};
use crate::report::Reporter;

/// What is read of a file of credentials at most.
const LARGEST: u64 = 4 << 20;

/// The name under which Docker files Docker Hub's credentials.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct Secret(String);

impl Secret {
    /// Takes a text in.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Where credentials are looked for, in this order.
#[derive(Clone, Debug, Default)]
pub struct CredentialSources {
    /// Files in the format of Docker's `config.json`; podman's `auth.json` is one. Those that do
    /// not exist are passed over.
    pub files: Vec<PathBuf>,
    /// Folders that hold `docker-credential-NAME`, as in `PATH`.
    pub helper_path: OsString,
    /// For ghcr.io, where nothing else is found.
    pub github: Option<GitHub>,
}

/// What a GitHub workflow is given.
#[derive(Clone, Debug)]
pub struct GitHub {
    /// The user on whose behalf it runs.
    pub actor: String,
    /// Its token.
    pub token: Secret,
}

/// Something to prove who one is with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Credentials {
    /// A user name and a password.
    Password { user: String, password: Secret },
    /// What a token server takes instead of a password.
    IdentityToken(Secret),
    /// What a registry takes without asking a token server.
    RegistryToken(Secret),
}

impl Credentials {
    /// What must not be shown of them, the longest first.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::Password { user, password } => vec![pair(user, password), password.clone()],
            Self::IdentityToken(secret) | Self::RegistryToken(secret) => vec![secret.clone()],
        }
    }
}

/// A user name and a password as they are sent.
pub(super) fn pair(user: &str, password: &Secret) -> Secret {
    let pair = format!("{user}:{}", password.reveal());
    Secret(base64::engine::general_purpose::STANDARD.encode(pair))
}

/// What helper programs have said so far, by program and server: each is asked once.
#[derive(Default)]
pub(super) struct Found(BTreeMap<(String, String), Option<Credentials>>);

/// A source of credentials that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("could not read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what it should be. Its text is not shown: it holds credentials.
    #[error("`{path}` is not in the format of Docker's config.json (line {line}, column {column})")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where the mistake is.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// A file is too large to be what it should be.
    #[error("`{path}` is larger than {LARGEST} bytes")]
    Large {
        /// The file.
        path: PathBuf,
    },
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct File {
    auths: BTreeMap<String, Option<Entry>>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<Secret>,
    username: Option<String>,
    password: Option<Secret>,
    identitytoken: Option<Secret>,
    registrytoken: Option<Secret>,
}

impl Entry {
    /// Most specific first. An entry without any stands for "ask the credential store".
    fn credentials(&self) -> Option<Credentials> {
        let some = |secret: &Option<Secret>| secret.clone().filter(|secret| !secret.0.is_empty());
        if let Some(token) = some(&self.registrytoken) {
            return Some(Credentials::RegistryToken(token));
        }
        if let Some(token) = some(&self.identitytoken) {
            return Some(Credentials::IdentityToken(token));
        }
        if let Some(auth) = some(&self.auth) {
            let padding = base64::engine::GeneralPurposeConfig::new()
                .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent);
            let engine = base64::engine::GeneralPurpose::new(&base64::alphabet::STANDARD, padding);
            let text = String::from_utf8(engine.decode(auth.0.trim()).ok()?).ok()?;
            let (user, password) = text.split_once(':')?;
            // Docker used to pad passwords with zero bytes.
            let password = Secret::new(password.trim_end_matches('\0'));
            return Some(Credentials::Password { user: user.to_owned(), password });
        }
        let user = self.username.clone().filter(|user| !user.is_empty())?;
        Some(Credentials::Password { user, password: some(&self.password)? })
    }
}

impl CredentialSources {
    /// The credentials for a repository, or none: then it is asked without.
    pub(super) async fn find(
        &self,
        repository: &Repository,
        found: &mut Found,
        report: &Reporter,
    ) -> Result<Option<Credentials>, Error> {
        let registry = repository.registry();
        for path in &self.files {
            let Some(file) = read(path)? else { continue };
            if let Some(credentials) = file.listed(repository) {
                return Ok(Some(credentials));
            }
            let Some((name, server)) = file.helper(registry) else { continue };
            let key = (name.to_owned(), server);
            if !found.0.contains_key(&key) {
                let answer = credential_helper::get(name, &key.1, &self.helper_path).await;
                let credentials = answer.unwrap_or_else(|error| {
                    let why = std::error::Error::source(&error)
                        .map(|source| format!(": {source}"))
                        .unwrap_or_default();
                    report.warn(
                        format!("no credentials for `{registry}` from its helper: {error}{why}"),
                        Some(format!("`{}` names the helper", path.display())),
                    );
                    None
                });
                found.0.insert(key.clone(), credentials);
            }
            if let Some(Some(credentials)) = found.0.get(&key) {
                return Ok(Some(credentials.clone()));
            }
        }
        Ok(self.github.as_ref().filter(|_| registry.as_str() == "ghcr.io").map(|github| {
            Credentials::Password { user: github.actor.clone(), password: github.token.clone() }
        }))
    }
}

fn read(path: &Path) -> Result<Option<File>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > LARGEST {
        return Err(Error::Large { path: path.to_owned() });
    }
    if text.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    serde_json::from_slice(&text).map(Some).map_err(|error| Error::Parse {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
    })
}

/// A key of `auths` as `host[:port][/path]`: old keys are URLs with the API's version.
fn key(text: &str) -> String {
    let text = text.strip_prefix("https://").or(text.strip_prefix("http://")).unwrap_or(text);
    let text = text.trim_end_matches('/');
    let text = text.strip_suffix("/v1").or(text.strip_suffix("/v2")).unwrap_or(text);
    let (host, path) = text.split_once('/').map_or((text, None), |(host, path)| (host, Some(path)));
    let host = host.to_ascii_lowercase();
    let host = match host.as_str() {
        "index.docker.io" | "registry-1.docker.io" => Registry::DOCKER_HUB,
        other => other,
    };
    path.map_or_else(|| host.to_owned(), |path| format!("{host}/{path}"))
}

impl File {
    /// What the file itself holds for a repository; a longer key goes before a shorter one.
    fn listed(&self, repository: &Repository) -> Option<Credentials> {
        let entries: BTreeMap<String, &Entry> = self
            .auths
            .iter()
            .filter_map(|(name, entry)| Some((key(name), entry.as_ref()?)))
            .collect();
        let name = repository.to_string();
        let mut wanted = Some(name.as_str());
        while let Some(name) = wanted {
            if let Some(credentials) = entries.get(name).and_then(|entry| entry.credentials()) {
                return Some(credentials);
            }
            wanted = name.rsplit_once('/').map(|(parent, _)| parent);
        }
        None
    }

    /// The helper for a registry, and what the registry is called there.
    fn helper(&self, registry: &Registry) -> Option<(&str, String)> {
        let own = self.cred_helpers.iter().find(|(name, _)| key(name) == registry.as_str());
        let hub = registry.as_str() == Registry::DOCKER_HUB;
        let server = if hub { HUB_KEY.to_owned() } else { registry.to_string() };
        own.map(|(_, helper)| helper)
            .or(self.creds_store.as_ref())
            .filter(|helper| !helper.is_empty())
            .map(|helper| (helper.as_str(), server))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(json: &str, repository: &str) -> Option<(String, String)> {
        let file: File = serde_json::from_str(json).unwrap();
        match file.listed(&repository.parse().unwrap())? {
            Credentials::Password { user, password } => Some((user, password.0)),
            Credentials::IdentityToken(token) => Some(("identity".to_owned(), token.0)),
            Credentials::RegistryToken(token) => Some(("registry".to_owned(), token.0)),
        }
    }

    fn pair(user: &str, password: &str) -> Option<(String, String)> {
        Some((user.to_owned(), password.to_owned()))
    }

    #[test]
    fn docker_hub_is_found_under_each_of_its_names() {
        for name in ["https://index.docker.io/v1/", "docker.io", "index.docker.io"] {
            let json = format!(r#"{{"auths":{{"{name}":{{"auth":"dTpwOnE="}}}}}}"#);
            assert_eq!(find(&json, "alpine"), pair("u", "p:q"), "{name}");
        }
    }

    #[test]
    fn the_longest_key_wins_and_keys_end_at_slashes() {
        let json = r#"{"auths":{
            "quay.io": {"auth": "aG9zdDox"},
            "quay.io/team": {"username": "team", "password": "2"},
            "quay.io/team/app": {"identitytoken": "3"},
            "https://localhost:5000/v2/": {"registrytoken": "4"},
            "empty.io": {}, "null.io": null}}"#;
        assert_eq!(find(json, "quay.io/other/app"), pair("host", "1"));
        assert_eq!(find(json, "quay.io/teams/app"), pair("host", "1"));
        assert_eq!(find(json, "quay.io/team/other"), pair("team", "2"));
        assert_eq!(find(json, "quay.io/team/app"), pair("identity", "3"));
        assert_eq!(find(json, "localhost:5000/a"), pair("registry", "4"));
        assert_eq!(find(json, "localhost:5001/a"), None);
        assert_eq!(find(json, "empty.io/a"), None);
        assert_eq!(find(json, "null.io/a"), None);
    }

    #[test]
    fn an_auth_that_is_no_base64_of_a_pair_is_no_credential() {
        for auth in ["%%%", "dQ==", "", "/////w=="] {
            let json = format!(r#"{{"auths":{{"r.io":{{"auth":"{auth}"}}}}}}"#);
            assert_eq!(find(&json, "r.io/a"), None, "{auth}");
        }
        assert_eq!(find(r#"{"auths":{"r.io":{"auth":"dTpw"}}}"#, "r.io/a"), pair("u", "p"));
    }

    #[test]
    fn a_registry_s_own_helper_goes_before_the_store() {
        let file: File = serde_json::from_str(
            r#"{"credsStore":"desktop","credHelpers":{"gcr.io":"gcloud","https://x.io":"x"}}"#,
        )
        .unwrap();
        let helper = |name: &str| file.helper(&name.parse().unwrap());
        assert_eq!(helper("gcr.io"), Some(("gcloud", "gcr.io".to_owned())));
        assert_eq!(helper("x.io"), Some(("x", "x.io".to_owned())));
        assert_eq!(helper("docker.io"), Some(("desktop", HUB_KEY.to_owned())));
    }

    #[tokio::test]
    async fn files_are_read_in_order_and_github_comes_last() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let sources = CredentialSources {
            files: vec![
                folder.path().join("missing"),
                write("empty", "\n"),
                write("first", r#"{"auths":{"a.io":{"auth":"dTox"}},"HttpHeaders":{}}"#),
                write("second", r#"{"auths":{"a.io":{"auth":"dToy"},"b.io":{"auth":"dToz"}}}"#),
            ],
            helper_path: OsString::new(),
            github: Some(GitHub { actor: "me".to_owned(), token: Secret::new("gh") }),
        };
        let find = async |name: &str| {
            let (repository, mut found) = (name.parse().unwrap(), Found::default());
            let found =
                sources.find(&repository, &mut found, &Reporter::silent()).await.unwrap()?;
            let Credentials::Password { user, password } = found else { panic!() };
            Some((user, password.0))
        };
        assert_eq!(find("a.io/x").await, pair("u", "1"));
        assert_eq!(find("b.io/x").await, pair("u", "3"));
        assert_eq!(find("ghcr.io/x/y").await, pair("me", "gh"));
        assert_eq!(find("c.io/x").await, None);
    }

    #[test]
    fn a_broken_file_is_an_error_that_shows_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, "{\"auths\":\n{\"a.io\":{\"auth\":hunter2}}}").unwrap();
        let error = read(&path).err().unwrap();
        let text = format!("{error} {error:?}");
        assert!(text.contains("line 2") && !text.contains("hunter2"), "{text}");
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[secret]");
    }
}
