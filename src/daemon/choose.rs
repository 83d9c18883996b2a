//! Where the engine is, by the rules of the `docker` command: DOCKER_HOST, else the context that
//! DOCKER_CONTEXT or `config.json` names, else a socket of this machine.
//!
//! Reads Docker's configuration folder, but opens no connection.

use std::path::PathBuf;

#[cfg(unix)]
use super::host::DEFAULT_SOCKET;
use super::{Address, Error, context, host};

/// The variables that say where the engine is. As for the `docker` command, an empty one is not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// DOCKER_HOST.
    pub host: Option<String>,
    /// DOCKER_CONTEXT, which DOCKER_HOST overrides.
    pub context: Option<String>,
    /// Whether DOCKER_TLS_VERIFY is not empty; `0` too means yes.
    pub tls_verify: bool,
    /// DOCKER_CERT_PATH.
    pub certificates: Option<PathBuf>,
    /// DOCKER_CONFIG, else `~/.docker`: holds `config.json`, contexts, and certificates where
    /// DOCKER_CERT_PATH is absent.
    pub folder: Option<PathBuf>,
    /// Sockets to look for by default, after `/var/run/docker.sock`: rootless Docker's
    /// `$XDG_RUNTIME_DIR/docker.sock`, Docker Desktop's `~/.docker/run/docker.sock`, podman's
    /// `$XDG_RUNTIME_DIR/podman/podman.sock` and `/run/podman/podman.sock`.
    pub sockets: Vec<PathBuf>,
}

impl Settings {
    /// The engine that the `docker` command would use.
    pub fn address(&self) -> Result<Address, Error> {
        if let Some(host) = given(self.host.as_ref()) {
            let certificates = || self.certificates.as_ref().or(self.folder.as_ref());
            return host::parse(host, self.tls_verify, || certificates().cloned());
        }
        let folder = self.folder.as_deref();
        let name = match given(self.context.as_ref()) {
            Some(name) => Some(name.to_owned()),
            None => folder.map(context::current).transpose()?.flatten(),
        };
        let address = match name.as_deref() {
            None | Some("default") => None,
            Some(name) => context::address(folder, name)?,
        };
        Ok(address.unwrap_or_else(|| local(&self.sockets)))
    }
}

#[cfg(unix)]
fn local(sockets: &[PathBuf]) -> Address {
    let default = PathBuf::from(DEFAULT_SOCKET);
    Address::Unix(first_existing(&default, sockets).clone())
}

#[cfg(windows)]
fn local(_: &[PathBuf]) -> Address {
    Address::NamedPipe(r"\\.\pipe\docker_engine".into())
}

/// The first socket that exists, else the first of all: the error then names the usual place.
#[cfg(unix)]
fn first_existing<'a>(default: &'a PathBuf, others: &'a [PathBuf]) -> &'a PathBuf {
    std::iter::once(default).chain(others).find(|socket| socket.exists()).unwrap_or(default)
}

fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

#[cfg(all(test, unix))]
mod tests;
