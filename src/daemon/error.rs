//! Failures to find an engine, to connect to it, and of the engine itself.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::archive::BoxError;
use super::endpoint::Endpoint;
use super::{Address, codes};
use crate::report::{Details, Diagnose};

/// A failure to find an engine, to speak to it, or of the engine itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `DOCKER_HOST`, or the host of a context, is not a valid address.
    #[error("`{host}` is not the address of a Docker Engine: {reason}")]
    Host {
        /// What was given, without user and password.
        host: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The address uses ssh, which ko-rs does not support.
    #[error("the Docker Engine at `{host}` uses ssh, which ko-rs does not support")]
    Ssh {
        /// What was given, without user and password.
        host: String,
    },
    /// The selected Docker context does not exist.
    #[error("there is no Docker context `{name}`{}", place(.path.as_ref()))]
    NoContext {
        /// The context's name.
        name: String,
        /// Where it would be, if there is a configuration folder.
        path: Option<PathBuf>,
    },
    /// The selected Docker context cannot be used.
    #[error("the Docker context `{name}` {reason}")]
    Context {
        /// The context's name.
        name: String,
        /// Why, after its name.
        reason: &'static str,
    },
    /// A file of Docker's configuration folder could not be read.
    #[error("could not read `{path}`")]
    Configuration {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// TLS is required, but no folder of certificates is set.
    #[error("the Docker Engine at {address} requires TLS, but no folder of certificates is set")]
    NoCertificates {
        /// The engine.
        address: String,
    },
    /// A certificate or key cannot be used.
    #[error("could not use the certificate or key `{path}`")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: BoxError,
    },
    /// The HTTP client could not be created.
    #[error("could not create an HTTP client for the Docker Engine at {address}")]
    Client {
        /// The engine.
        address: Address,
        /// Why.
        source: reqwest::Error,
    },
    /// There is no connection to the address.
    #[error("could not reach the Docker Engine at {address}")]
    Connect {
        /// The engine.
        address: Address,
        /// Why.
        source: Cause,
    },
    /// The connection was closed during a request.
    #[error("{endpoint}: the connection to the Docker Engine at {address} was lost")]
    Request {
        /// The request.
        endpoint: Endpoint,
        /// The engine.
        address: Address,
        /// Why.
        source: Cause,
    },
    /// The engine neither received nor sent anything for too long.
    #[error("{endpoint}: the Docker Engine at {address} did not respond for {seconds} seconds")]
    Stalled {
        /// The request.
        endpoint: Endpoint,
        /// The engine.
        address: Address,
        /// How long ko-rs waited.
        seconds: u64,
    },
    /// The engine responded with an error.
    #[error("{endpoint}: the Docker Engine at {address} responded with {status}: {message}")]
    Refused {
        /// The request.
        endpoint: Endpoint,
        /// The engine.
        address: Address,
        /// The status of its response.
        status: u16,
        /// Its message.
        message: String,
    },
    /// The response of the engine is not valid.
    #[error("{endpoint}: the response of the Docker Engine at {address} is not valid")]
    Answer {
        /// The request.
        endpoint: Endpoint,
        /// The engine.
        address: Address,
        /// Why.
        source: BoxError,
    },
    /// The engine received an archive but could not load it.
    #[error("the Docker Engine at {address} could not load the image: {message}")]
    Load {
        /// The engine.
        address: Address,
        /// Its message.
        message: String,
    },
    /// The archive could not be read to its end.
    #[error("could not read the archive of the image for the Docker Engine at {address}")]
    Archive {
        /// The engine.
        address: Address,
        /// Why.
        source: BoxError,
    },
}

fn place(path: Option<&PathBuf>) -> String {
    path.map_or(String::new(), |path| format!(" (`{}` does not exist)", path.display()))
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        let hosts = Details::new(&codes::INVALID_DOCKER_HOST);
        let contexts = Details::new(&codes::UNUSABLE_DOCKER_CONTEXT);
        let certificates = Details::new(&codes::UNUSABLE_DOCKER_CERTIFICATE);
        let unreachable = Details::new(&codes::ENGINE_UNREACHABLE);
        let failed = Details::new(&codes::ENGINE_FAILED);
        match self {
            Self::Host { .. } => {
                hosts.hint("DOCKER_HOST is `unix:///path/to.sock` or `tcp://host:port`")
            }
            Self::Ssh { .. } => hosts.hint(
                "forward its socket (`ssh -NL /tmp/docker.sock:/var/run/docker.sock HOST`) and set DOCKER_HOST=unix:///tmp/docker.sock",
            ),
            Self::NoContext { .. } => contexts.hint(
                "`docker context ls` lists the contexts; DOCKER_CONTEXT and `docker context use` select one",
            ),
            Self::Context { .. } => contexts.hint(
                "`docker context update` sets its address and, with `ca=FILE`, the certificate authority",
            ),
            Self::Configuration { .. } => contexts,
            Self::NoCertificates { .. } | Self::Certificate { .. } => certificates.hint(
                "ca.pem, cert.pem and key.pem are in the folder that DOCKER_CERT_PATH names (`minikube docker-env` prints it), or in the Docker context",
            ),
            Self::Connect { source, .. } if source.is_tls() => certificates.hint(
                "DOCKER_CERT_PATH must name the folder whose ca.pem signed the engine's certificate, and DOCKER_HOST a name in that certificate",
            ),
            Self::Request { source, .. } if source.is_tls() => certificates.hint(
                "the engine requires another client certificate: DOCKER_CERT_PATH names the folder with ca.pem, cert.pem and key.pem",
            ),
            Self::Connect { source, address } => {
                unreachable.hint(connect_hint(source.io_kind(), address))
            }
            Self::Client { .. } => unreachable,
            Self::Request { .. } | Self::Stalled { .. } => {
                unreachable.hint("is the engine still running, and is there space on its disk?")
            }
            Self::Refused { status: 400, message, .. } if message.contains("HTTPS server") => {
                failed.hint("the engine requires TLS: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH")
            }
            Self::Refused { .. }
            | Self::Answer { .. }
            | Self::Load { .. }
            | Self::Archive { .. } => failed,
        }
    }
}

fn connect_hint(cause: Option<io::ErrorKind>, address: &Address) -> String {
    match cause {
        Some(io::ErrorKind::PermissionDenied) => format!(
            "{address} belongs to another user: `sudo usermod -aG docker $USER` and log in again, or set DOCKER_HOST to an engine of your own"
        ),
        _ => "is Docker running? DOCKER_HOST says where it is; for minikube, `eval $(minikube docker-env)`".to_owned(),
    }
}

/// Why a connection failed: the innermost cause, without the URL.
#[derive(Debug)]
pub struct Cause(reqwest::Error);

impl Cause {
    pub(super) fn new(error: reqwest::Error) -> Self {
        Self(error.without_url())
    }

    fn chain(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        std::iter::successors(self.0.source(), |&error| error.source())
    }

    /// The error of the operating system.
    fn io_kind(&self) -> Option<io::ErrorKind> {
        self.chain().find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind)
    }

    /// Whether TLS failed. With TLS 1.3 the client's certificate is only checked after the handshake, so
    /// any request may fail like this.
    fn is_tls(&self) -> bool {
        self.chain().any(|error| {
            let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            error.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>())
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.chain().last() {
            Some(root) => fmt::Display::fmt(root, f),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl StdError for Cause {}
