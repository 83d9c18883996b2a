//! Logs in to registries and out of them: a password is shown to the registry before it is kept,
//! where Docker and podman look for it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use http::StatusCode;

use super::body::Body;
use super::client::{Client, Settings};
use super::credential_file::{self, Edit};
use super::credentials::CredentialSources;
use super::error::{self, Failure, Step};
use super::secret::{self, Credentials, Secret};
use super::{codes, credential_helper, request};
use crate::cache::Cache;
use crate::oci::{Registry, Repository};
use crate::report::{Details, Diagnose, Reporter};

/// What someone logs in to: a registry, or a path of one, as podman has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    registry: Registry,
    path: Option<String>,
    /// A repository of it: what failures are about.
    repository: Repository,
}

/// A text that names nothing to log in to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a registry: write `ghcr.io`, `localhost:5000` or `quay.io/team`")]
pub struct InvalidAccount(String);

impl FromStr for Account {
    type Err = InvalidAccount;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidAccount(text.chars().take(300).collect());
        let bare = text.strip_prefix("https://").or(text.strip_prefix("http://")).unwrap_or(text);
        let bare = bare.trim_end_matches('/');
        let bare = bare.strip_suffix("/v1").or(bare.strip_suffix("/v2")).unwrap_or(bare);
        let (host, path) = bare.split_once('/').map_or((bare, None), |(h, p)| (h, Some(p)));
        // What stands alone is a user's or a team's name on Docker Hub, and no host.
        if host != "localhost" && !host.contains(['.', ':']) {
            return Err(invalid());
        }
        let registry: Registry = host.parse().map_err(|_| invalid())?;
        let repository = format!("{registry}/{}", path.unwrap_or("any"));
        let repository = repository.parse().map_err(|_| invalid())?;
        Ok(Self { registry, path: path.map(str::to_owned), repository })
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.registry.fmt(f)?;
        self.path.iter().try_for_each(|path| write!(f, "/{path}"))
    }
}

/// A password that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    /// Where.
    pub kept: Keeper,
    /// Whether the registry wanted to see it at all.
    pub was_asked_for: bool,
}

/// Where a password is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// In a file, for whoever can read it.
    File(PathBuf),
    /// With a credential helper.
    Helper(String),
}

/// A password that is kept no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedOut {
    /// Whether anything was kept.
    pub was_logged_in: bool,
    /// Files that still hold something for it.
    pub left: Vec<PathBuf>,
}

/// Why a login or logout failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry did not take the password, or could not be asked.
    #[error("could not log in to `{account}`")]
    Refused {
        /// The registry.
        account: String,
        /// Why.
        source: Failure,
        /// What the failure means for a login.
        details: Details,
    },
    /// Basic authentication has no place for it.
    #[error("a user name cannot contain a colon or a line break")]
    User,
    /// There is nothing to log in with.
    #[error("the password is empty")]
    Empty,
    /// The file could not be read or written.
    #[error("could not change the credentials of `{account}`")]
    File {
        /// The registry.
        account: String,
        /// Why.
        source: secret::Error,
    },
    /// The helper did not keep or forget it.
    #[error("could not change the credentials of `{account}`")]
    Helper {
        /// The registry.
        account: String,
        /// The file that names the helper.
        file: PathBuf,
        /// Why.
        source: credential_helper::Error,
    },
    /// There is no home folder to keep it in.
    #[error("there is no file to store credentials in")]
    Nowhere,
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::Refused { details, .. } => details.clone(),
            Self::Helper { file, .. } => {
                Details::new(&codes::CREDENTIALS_NOT_STORED).hint(format!(
                    "the helper is configured in `{}`, under `credHelpers` or `credsStore`",
                    file.display()
                ))
            }
            Self::Nowhere => {
                Details::new(&codes::CREDENTIALS_NOT_STORED).hint("set DOCKER_CONFIG or HOME")
            }
            Self::User | Self::Empty => Details::new(&codes::INVALID_CREDENTIALS),
            Self::File { source, .. } => source.details(),
        }
    }
}

impl Account {
    /// Shows a password to the registry, and keeps it if the registry takes it.
    pub async fn log_in(
        &self,
        settings: Settings,
        user: &str,
        password: Secret,
        report: Reporter,
    ) -> Result<LoggedIn, Error> {
        if user.contains([':', '\n', '\r']) {
            return Err(Error::User);
        }
        if password.reveal().is_empty() {
            return Err(Error::Empty);
        }
        let sources = settings.credentials.clone();
        let client = Client::new(settings, Cache::none(), report);
        let credentials =
            Credentials::Password { user: user.to_owned(), password: password.clone() };
        let was_asked_for = client.show(&self.repository, credentials).await.map_err(|error| {
            let details = error.details();
            Error::Refused { account: self.to_string(), source: error.failure, details }
        })?;
        let kept = self.keep(&sources, user, &password).await?;
        Ok(LoggedIn { kept, was_asked_for })
    }

    async fn keep(
        &self,
        sources: &CredentialSources,
        user: &str,
        password: &Secret,
    ) -> Result<Keeper, Error> {
        let path = sources.kept_in.as_ref().ok_or(Error::Nowhere)?;
        let failed = |source| Error::File { account: self.to_string(), source };
        let file = credential_file::read(path).map_err(failed)?.unwrap_or_default();
        let mut edit = Edit::open(path).map_err(failed)?;
        let helper = match self.path {
            // Helpers know registries alone.
            Some(_) => None,
            None => file.helper(&self.registry),
        };
        let kept = match helper {
            Some((name, server)) => {
                let account = (user, password);
                credential_helper::store(name, &server, account, &sources.helper_path)
                    .await
                    .map_err(|source| self.helper_failed(path, source))?;
                edit.set(&self.to_string(), None).map_err(failed)?;
                Keeper::Helper(format!("docker-credential-{name}"))
            }
            None => {
                edit.set(&self.to_string(), Some((user, password))).map_err(failed)?;
                Keeper::File(path.clone())
            }
        };
        edit.write().map_err(failed)?;
        Ok(kept)
    }

    fn helper_failed(&self, path: &std::path::Path, source: credential_helper::Error) -> Error {
        Error::Helper { account: self.to_string(), file: path.to_owned(), source }
    }

    /// Takes back what a login kept.
    pub async fn log_out(&self, sources: &CredentialSources) -> Result<LoggedOut, Error> {
        let path = sources.kept_in.as_ref().ok_or(Error::Nowhere)?;
        let failed = |source| Error::File { account: self.to_string(), source };
        let name = self.to_string();
        let mut was_logged_in = false;
        if let Some(file) = credential_file::read(path).map_err(failed)? {
            if self.path.is_none()
                && let Some((helper, server)) = file.helper(&self.registry)
            {
                let known = credential_helper::get(helper, &server, &sources.helper_path).await;
                // One that cannot say what it knows may still be able to forget it.
                was_logged_in = !matches!(known, Ok(None));
                if was_logged_in {
                    credential_helper::erase(helper, &server, &sources.helper_path)
                        .await
                        .map_err(|source| self.helper_failed(path, source))?;
                }
            }
            let mut edit = Edit::open(path).map_err(failed)?;
            if edit.remove(&name).map_err(failed)? {
                was_logged_in = true;
                edit.write().map_err(failed)?;
            }
        }
        let mut left = Vec::new();
        for other in sources.files.iter().filter(|other| *other != path) {
            let file = credential_file::read(other).map_err(failed)?;
            if file.is_some_and(|file| file.of(&name).is_some()) {
                left.push(other.clone());
            }
        }
        Ok(LoggedOut { was_logged_in, left })
    }
}

impl Client {
    /// Asks a registry for nothing, as someone. Whether it wanted to know who.
    async fn show(
        &self,
        repository: &Repository,
        credentials: Credentials,
    ) -> Result<bool, error::Error> {
        self.authority().give(repository, credentials).await;
        let request = request::nothing();
        self.retrying(Step::LogIn, repository, async || {
            let reply = self.once(repository, &request, &Body::Empty).await?;
            match reply.response.status() {
                StatusCode::OK => Ok(()),
                _ => Err(self.refused(repository, reply).await),
            }
        })
        .await?;
        Ok(self.authority().has_challenged(repository.registry()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_named_as_docker_and_podman_name_it() {
        for (text, read) in [
            ("ghcr.io", "ghcr.io"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("http://localhost:5000/v2/", "localhost:5000"),
            ("localhost", "localhost"),
            ("[::1]:5000", "[::1]:5000"),
            ("quay.io/team/app", "quay.io/team/app"),
        ] {
            assert_eq!(text.parse::<Account>().unwrap().to_string(), read, "{text}");
        }
        for text in ["", "team", "https://", "a b.io", "r.io/Team", "r.io:x", "u@r.io", "-.io"] {
            assert!(text.parse::<Account>().is_err(), "{text}");
        }
    }
}
