//! What can go wrong between ko-rs and an engine, and the ways out.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::Address;
use super::archive::BoxError;
use super::endpoint::Endpoint;

/// A failure to find an engine, to speak to it, or of the engine itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `DOCKER_HOST`, or a context's host, is nothing a request can be sent to.
    #[error("`{host}` is not the address of a Docker Engine: {reason}")]
    Host {
        /// What was given, without user and password.
        host: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The address is reached through ssh, which ko-rs does not speak.
    #[error("the Docker Engine at `{host}` is reached through ssh, which ko-rs does not speak")]
    Ssh {
        /// What was given, without user and password.
        host: String,
    },
    /// The Docker context in force does not exist.
    #[error("there is no Docker context `{name}`{}", place(.path.as_ref()))]
    NoContext {
        /// The context's name.
        name: String,
        /// Where it would be, if there is a configuration folder.
        path: Option<PathBuf>,
    },
    /// The Docker context in force asks for what ko-rs does not do.
    #[error("the Docker context `{name}` {reason}")]
    Context {
        /// The context's name.
        name: String,
        /// What it asks for.
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
    /// TLS was asked for without saying where the certificates are.
    #[error("no folder of certificates is known for the Docker Engine at {address}")]
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
    /// The HTTP client could not be made.
    #[error("could not make an HTTP client for the Docker Engine at {address}")]
    Client {
        /// The engine.
        address: Address,
        /// Why.
        source: reqwest::Error,
    },
    /// Nobody answers at the address.
    #[error("could not reach the Docker Engine at {address}")]
    Connect {
        /// The engine.
        address: Address,
        /// Why.
        source: Cause,
    },
    /// The connection broke during a request.
    #[error("{endpoint} at the Docker Engine {address} was cut off")]
    Request {
        /// What was asked.
        endpoint: Endpoint,
        /// The engine.
        address: Address,
        /// Why.
        source: Cause,
    },
    /// The engine took nothing and said nothing for too long.
    #[error("{endpoint}: the Docker Engine at {address} has not moved for {seconds} seconds")]
    Stalled {
        /// What was asked.
        endpoint: Endpoint,
        /// The engine.
        address: Address,
        /// How long was waited.
        seconds: u64,
    },
    /// The engine answered with an error.
    #[error("{endpoint}: the Docker Engine at {address} answered {status}: {message}")]
    Refused {
        /// What was asked.
        endpoint: Endpoint,
        /// The engine.
        address: Address,
        /// The status of its answer.
        status: u16,
        /// Its words.
        message: String,
    },
    /// The engine answered something that cannot be understood.
    #[error("{endpoint}: the answer of the Docker Engine at {address} cannot be understood")]
    Answer {
        /// What was asked.
        endpoint: Endpoint,
        /// The engine.
        address: Address,
        /// Why.
        source: BoxError,
    },
    /// The engine took an archive and then found it wanting.
    #[error("the Docker Engine at {address} could not load the image: {message}")]
    Load {
        /// The engine.
        address: Address,
        /// Its words.
        message: String,
    },
    /// The archive could not be read to its end, so what the engine got is worthless.
    #[error("the image's archive broke off on its way to the Docker Engine at {address}")]
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

impl Error {
    /// The way out, where one is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Host { .. } => {
                "DOCKER_HOST is written `unix:///path/to.sock` or `tcp://host:port`"
            }
            Self::Ssh { .. } => {
                "forward its socket (`ssh -NL /tmp/docker.sock:/var/run/docker.sock HOST`) and set DOCKER_HOST=unix:///tmp/docker.sock"
            }
            Self::NoContext { .. } => {
                "`docker context ls` lists the contexts; DOCKER_CONTEXT and `docker context use` choose one"
            }
            Self::Context { .. } => {
                "`docker context update` sets its address and, with `ca=FILE`, who vouches for the engine"
            }
            Self::NoCertificates { .. } | Self::Certificate { .. } => {
                "ca.pem, cert.pem and key.pem lie in the folder that DOCKER_CERT_PATH names (`minikube docker-env` prints it), or in the Docker context"
            }
            Self::Connect { source, address } => return Some(connect_hint(source, address)),
            Self::Request { source, .. } if source.is_tls() => {
                "the engine wants another client certificate: DOCKER_CERT_PATH names the folder with ca.pem, cert.pem and key.pem"
            }
            Self::Request { .. } | Self::Stalled { .. } => {
                "is the engine still running, and is there room on its disk?"
            }
            Self::Refused { status: 400, message, .. } if message.contains("HTTPS server") => {
                "the engine speaks TLS: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

fn connect_hint(cause: &Cause, address: &Address) -> String {
    if cause.is_tls() {
        return "DOCKER_CERT_PATH names the folder whose ca.pem signed the engine's certificate, and DOCKER_HOST has to be a name in that".to_owned();
    }
    match cause.io_kind() {
        Some(io::ErrorKind::PermissionDenied) => format!(
            "{address} belongs to another user: `sudo usermod -aG docker $USER` and log in again, or set DOCKER_HOST to an engine of your own"
        ),
        _ => "is Docker running? DOCKER_HOST says where it is; for minikube, `eval $(minikube docker-env)`".to_owned(),
    }
}

/// Why a connection failed: what the system or the other side said, without the words of the layers
/// between, and without the URL.
#[derive(Debug)]
pub struct Cause(reqwest::Error);

impl Cause {
    pub(super) fn new(error: reqwest::Error) -> Self {
        Self(error.without_url())
    }

    fn chain(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        std::iter::successors(self.0.source(), |&error| error.source())
    }

    /// What the system said.
    fn io_kind(&self) -> Option<io::ErrorKind> {
        self.chain().find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind)
    }

    /// Whether TLS failed. With TLS 1.3 a client's certificate is judged only after the client has
    /// begun to speak, so this may come with any request.
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
