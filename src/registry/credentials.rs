//! Finds the credentials for a repository: in Docker's `config.json`, in podman's `auth.json`
//! (whose keys may name a path of the registry), from the helper programs that these name, and from
//! GitHub's token for ghcr.io. The first file that has any wins; in a file, the entry of a path goes
//! before the registry's helper, and the helper before the registry's own entry, as for Docker.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::secret::{Credentials, Error, Secret};
use super::{codes, credential_file, credential_helper};
use crate::oci::{Registry, Repository};
use crate::report::{Diagnostic, Event, Reporter, Severity, why};

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

/// What helper programs have said so far, by program and server: each is asked once.
#[derive(Default)]
pub(super) struct Found(BTreeMap<(String, String), Option<Credentials>>);

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
                        report.send(Event::Diagnostic(no_credentials(registry, path, &error)));
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

/// A warning that a helper returned no credentials.
fn no_credentials(
    registry: &Registry,
    file: &Path,
    error: &credential_helper::Error,
) -> Diagnostic {
    let hint = format!("the helper is configured in `{}`", file.display());
    Diagnostic {
        severity: Severity::Warning,
        code: Some(&codes::CREDENTIAL_HELPER),
        message: format!("no credentials for `{registry}` from its helper"),
        causes: vec![why(error)],
        spots: Vec::new(),
        hints: vec![hint],
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
            Some((user, password.reveal().to_owned()))
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
                Credentials::Password { password, .. } => password.reveal().to_owned(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(user("a.io/team/x").await, "1");
        assert_eq!(user("a.io/teams").await, "h");
        assert_eq!(user("b.io/x").await, "3", "the helper fails for it");
    }
}
