//! Where an engine listens.

use std::fmt;
use std::path::PathBuf;

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
