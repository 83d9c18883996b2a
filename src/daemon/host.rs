//! Reads the address of an engine as DOCKER_HOST and Docker contexts write it.

use std::path::PathBuf;

use http::uri::Authority;

use super::{Address, Error};

/// The socket of Docker Engine by default.
#[cfg(unix)]
pub(super) const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// Reads `unix://`, `npipe://`, `tcp://` or, as the `docker` command does, a bare `host:port`.
pub(super) fn parse(
    text: &str,
    tls: bool,
    certificates: impl FnOnce() -> Option<PathBuf>,
) -> Result<Address, Error> {
    let refuse = |reason| Err(Error::Host { host: without_user(text), reason });
    let (scheme, rest) = text.split_once("://").unwrap_or(("tcp", text));
    match scheme {
        #[cfg(unix)]
        "unix" if rest.is_empty() => Ok(Address::Unix(DEFAULT_SOCKET.into())),
        #[cfg(unix)]
        "unix" => Ok(Address::Unix(rest.into())),
        #[cfg(windows)]
        "npipe" => Ok(Address::NamedPipe(rest.replace('/', "\\").into())),
        "tcp" => match host_and_port(rest, tls) {
            Ok(host) if tls => match certificates() {
                Some(folder) => Ok(Address::Tcp { host, tls: Some(folder) }),
                None => Err(Error::NoCertificates { address: format!("tcp://{host}") }),
            },
            Ok(host) => Ok(Address::Tcp { host, tls: None }),
            Err(reason) => refuse(reason),
        },
        "ssh" => Err(Error::Ssh { host: without_user(text) }),
        "http" | "https" => refuse("write tcp:// (DOCKER_TLS_VERIFY chooses TLS)"),
        _ if cfg!(windows) => refuse("expected npipe:// or tcp://"),
        _ => refuse("expected unix:// or tcp://"),
    }
}

/// What is missing is as in the `docker` command: `localhost`, and 2375 or, with TLS, 2376.
fn host_and_port(text: &str, tls: bool) -> Result<String, &'static str> {
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.contains('@') {
        return Err("a user and password are not supported");
    }
    if text.contains(['/', '?', '#']) {
        return Err("nothing may follow the port");
    }
    let text = if text.is_empty() || text.starts_with(':') {
        format!("localhost{text}")
    } else {
        text.to_owned()
    };
    let authority: Authority = text.parse().map_err(|_| "expected a host and a port")?;
    let port = match (authority.port_u16(), authority.as_str().len() > authority.host().len()) {
        (Some(port), _) => port,
        (None, true) => return Err("the port is not a number up to 65535"),
        (None, false) if tls => 2376,
        (None, false) => 2375,
    };
    Ok(format!("{}:{port}", authority.host()))
}

/// The text without user and password, and without anything after 200 characters.
fn without_user(text: &str) -> String {
    let shown = match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => text.to_owned(),
    };
    shown.chars().take(200).collect()
}
