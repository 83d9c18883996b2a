//! Finds the credentials for a repository: in Docker's `config.json`, in podman's `auth.json`
//! (whose keys may name a path of the registry), from the helper programs that these name, and from
//! GitHub's token for ghcr.io. The first file that has any wins; in a file, the entry of a path goes
//! before the registry's helper, and the helper before the registry's own entry, as for Docker.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use serde::Deserialize;

use super::{credential_file, credential_helper};
use crate::oci::Repository;
use crate::report::Reporter;

/// What is read of a file of credentials at most.
pub(super) const LARGEST: u64 = 4 << 20;

/// The name under which Docker files Docker Hub's credentials.
pub(super) const HUB_KEY: &str = "https://index.docker.io/v1/";

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
    /// The file that a login is kept in, if there is a place for one.
    pub kept_in: Option<PathBuf>,
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
    /// A file has something else where it should have registries.
    #[error("in `{path}`, `auths` is no object")]
    Auths {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("could not write `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is too large to be what it should be.
    #[error("`{path}` is larger than {LARGEST} bytes")]
    Large {
        /// The file.
        path: PathBuf,
    },
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
            let Some(file) = credential_file::read(path)? else { continue };
            if let Some(credentials) = file.of_path(repository) {
                return Ok(Some(credentials));
            }
            if let Some((name, server)) = file.helper(registry) {
                let key = (name.to_owned(), server);
                if !found.0.contains_key(&key) {
                    let answer = credential_helper::get(name, &key.1, &self.helper_path).await;
                    let credentials = answer.unwrap_or_else(|error| {
                        let why = std::error::Error::source(&error)
                            .map(|source| format!(": {source}"))
                            .unwrap_or_default();
                        report.warn(
                            format!(
                                "no credentials for `{registry}` from its helper: {error}{why}"
                            ),
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
            if let Some(credentials) = file.of(registry.as_str()) {
                return Ok(Some(credentials));
            }
        }
        Ok(self.github.as_ref().filter(|_| registry.as_str() == "ghcr.io").map(|github| {
            Credentials::Password { user: github.actor.clone(), password: github.token.clone() }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(user: &str, password: &str) -> Option<(String, String)> {
        Some((user.to_owned(), password.to_owned()))
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
            kept_in: None,
            github: Some(GitHub { actor: "me".to_owned(), token: Secret::new("gh") }),
        };
        let find = async |name: &str| {
            let (repository, mut found) = (name.parse().unwrap(), Found::default());
            let found = sources.find(&repository, &mut found, &Reporter::new()).await.unwrap()?;
            let Credentials::Password { user, password } = found else { panic!() };
            Some((user, password.0))
        };
        assert_eq!(find("a.io/x").await, pair("u", "1"));
        assert_eq!(find("b.io/x").await, pair("u", "3"));
        assert_eq!(find("ghcr.io/x/y").await, pair("me", "gh"));
        assert_eq!(find("c.io/x").await, None);
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[secret]");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_path_s_own_entry_goes_before_the_helper_and_the_helper_before_the_registry_s() {
        let folder = tempfile::tempdir().unwrap();
        let helper = folder.path().join("docker-credential-some");
        std::fs::write(
            &helper,
            "#!/bin/sh\nread s\n[ $s = a.io ] && echo '{\"Username\":\"helped\",\"Secret\":\"h\"}'\n",
        )
        .unwrap();
        std::fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let file = folder.path().join("config.json");
        let json = r#"{"credsStore":"some","auths":{"a.io/team":{"auth":"dTox"},
            "a.io":{"auth":"dToy"},"b.io":{"auth":"dToz"}}}"#;
        std::fs::write(&file, json).unwrap();
        let sources = CredentialSources {
            files: vec![file],
            helper_path: folder.path().into(),
            ..CredentialSources::default()
        };
        let user = async |name: &str| {
            let (repository, report) = (name.parse().unwrap(), Reporter::new());
            let mut found = Found::default();
            match sources.find(&repository, &mut found, &report).await.unwrap().unwrap() {
                Credentials::Password { password, .. } => password.0,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(user("a.io/team/x").await, "1");
        assert_eq!(user("a.io/teams").await, "h");
        assert_eq!(user("b.io/x").await, "3", "the helper fails for it");
    }
}
