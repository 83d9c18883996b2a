//! Where an engine is, by the rules of the `docker` command: DOCKER_HOST, else the context that
//! DOCKER_CONTEXT or `config.json` names, else a socket of this machine.
//!
//! Decides and reads Docker's configuration folder; opens no connection.

use std::fmt;
use std::path::PathBuf;

use http::uri::Authority;

use super::{Error, context};

/// Where Docker Engine listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// What decides where the engine is, as read from the environment by whoever may read it. Empty
/// texts count as absent, as they do for the `docker` command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// DOCKER_HOST.
    pub host: Option<String>,
    /// DOCKER_CONTEXT. DOCKER_HOST goes before it.
    pub context: Option<String>,
    /// Whether DOCKER_TLS_VERIFY has any text at all: `0` too means yes.
    pub tls_verify: bool,
    /// DOCKER_CERT_PATH.
    pub certificates: Option<PathBuf>,
    /// DOCKER_CONFIG, else `~/.docker`: holds `config.json`, contexts, and certificates where
    /// DOCKER_CERT_PATH is absent.
    pub folder: Option<PathBuf>,
    /// Sockets to look for if nothing else decides, after [`DEFAULT_SOCKET`]: rootless Docker's
    /// `$XDG_RUNTIME_DIR/docker.sock`, Docker Desktop's `~/.docker/run/docker.sock`, podman's
    /// `$XDG_RUNTIME_DIR/podman/podman.sock` and `/run/podman/podman.sock`.
    pub sockets: Vec<PathBuf>,
}

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    #[cfg(unix)]
    Unix(PathBuf),
    /// A named pipe.
    #[cfg(windows)]
    NamedPipe(PathBuf),
    /// A TCP port.
    Tcp {
        /// Host and port: `192.168.49.2:2376`.
        host: String,
        /// The folder with `ca.pem`, `cert.pem` and `key.pem`, where TLS is spoken.
        tls: Option<PathBuf>,
    },
}

impl Address {
    /// Finds the engine as the `docker` command would.
    pub fn choose(settings: &Settings) -> Result<Self, Error> {
        if let Some(host) = given(settings.host.as_ref()) {
            let certificates = || settings.certificates.as_ref().or(settings.folder.as_ref());
            return Self::parse(host, settings.tls_verify, || certificates().cloned());
        }
        let folder = settings.folder.as_deref();
        let name = match given(settings.context.as_ref()) {
            Some(name) => Some(name.to_owned()),
            None => folder.map(context::current).transpose()?.flatten(),
        };
        let address = match name.as_deref() {
            None | Some("default") => None,
            Some(name) => context::address(folder, name)?,
        };
        Ok(address.unwrap_or_else(|| Self::local(&settings.sockets)))
    }

    /// Reads `unix://`, `npipe://`, `tcp://` or, as the `docker` command does, a bare `host:port`.
    pub(super) fn parse(
        text: &str,
        tls: bool,
        certificates: impl FnOnce() -> Option<PathBuf>,
    ) -> Result<Self, Error> {
        let refuse = |reason| Err(Error::Host { host: without_user(text), reason });
        let (scheme, rest) = text.split_once("://").unwrap_or(("tcp", text));
        match scheme {
            #[cfg(unix)]
            "unix" if rest.is_empty() => Ok(Self::Unix(DEFAULT_SOCKET.into())),
            #[cfg(unix)]
            "unix" => Ok(Self::Unix(rest.into())),
            #[cfg(windows)]
            "npipe" => Ok(Self::NamedPipe(rest.replace('/', "\\").into())),
            "tcp" => match host_and_port(rest, tls) {
                Ok(host) if tls => match certificates() {
                    Some(folder) => Ok(Self::Tcp { host, tls: Some(folder) }),
                    None => Err(Error::NoCertificates { address: format!("tcp://{host}") }),
                },
                Ok(host) => Ok(Self::Tcp { host, tls: None }),
                Err(reason) => refuse(reason),
            },
            "ssh" => Err(Error::Ssh { host: without_user(text) }),
            "http" | "https" => refuse("write tcp:// (DOCKER_TLS_VERIFY chooses TLS)"),
            _ if cfg!(windows) => refuse("only npipe:// and tcp:// are known"),
            _ => refuse("only unix:// and tcp:// are known"),
        }
    }

    #[cfg(unix)]
    fn local(sockets: &[PathBuf]) -> Self {
        let default = PathBuf::from(DEFAULT_SOCKET);
        Self::Unix(first_there(&default, sockets).clone())
    }

    #[cfg(windows)]
    fn local(_: &[PathBuf]) -> Self {
        Self::NamedPipe(r"\\.\pipe\docker_engine".into())
    }
}

/// The first socket that is there, else the first of all: the error then names the usual place.
#[cfg(unix)]
fn first_there<'a>(default: &'a PathBuf, others: &'a [PathBuf]) -> &'a PathBuf {
    std::iter::once(default).chain(others).find(|socket| socket.exists()).unwrap_or(default)
}

fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// Docker's defaults fill what is missing: `localhost`, and 2375 or, with TLS, 2376.
fn host_and_port(text: &str, tls: bool) -> Result<String, &'static str> {
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.contains('@') {
        return Err("a user and password have no meaning there");
    }
    if text.contains(['/', '?', '#']) {
        return Err("nothing may follow the port");
    }
    let text = if text.is_empty() || text.starts_with(':') {
        format!("localhost{text}")
    } else {
        text.to_owned()
    };
    let authority: Authority = text.parse().map_err(|_| "it is no host and port")?;
    let port = match (authority.port_u16(), authority.as_str().len() > authority.host().len()) {
        (Some(port), _) => port,
        (None, true) => return Err("its port is not a number up to 65535"),
        (None, false) if tls => 2376,
        (None, false) => 2375,
    };
    Ok(format!("{}:{port}", authority.host()))
}

/// The text without what stands between `://` and the last `@`, and cut to a length one can read.
fn without_user(text: &str) -> String {
    let shown = match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => text.to_owned(),
    };
    shown.chars().take(200).collect()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            #[cfg(windows)]
            Self::NamedPipe(path) => write!(f, "npipe://{}", path.display()),
            Self::Tcp { host, .. } => write!(f, "tcp://{host}"),
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
