//! Failures of connections. None contains a URL, which may be signed.

use std::time::Duration;

use super::codes;
use super::distrust::{Distrust, identity};
use super::transport;
use crate::report::{Details, Diagnose};

/// Why a request had no response, or not all of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// No connection could be made.
    #[error("could not connect to `{host}`")]
    Unreachable {
        /// The host and port.
        host: String,
        /// The cause.
        source: Transport,
    },
    /// The certificate of a host is not trusted, or TLS failed otherwise.
    #[error("could not make a trusted connection to `{host}`")]
    Untrusted {
        /// The host and port.
        host: String,
        /// What is wrong with the certificate or the handshake.
        source: Distrust,
    },
    /// What was received is not HTTP.
    #[error("`{host}` does not speak HTTP")]
    NoHttp {
        /// The host and port.
        host: String,
        /// What is wrong with it.
        source: Transport,
    },
    /// A connection broke.
    #[error("the connection to `{host}` was interrupted")]
    Interrupted {
        /// The host and port.
        host: String,
        /// The cause.
        source: Transport,
    },
    /// Nothing was received or accepted for too long.
    #[error("`{host}` did not respond for {:.0?}", .after)]
    Silent {
        /// The host and port.
        host: String,
        /// The time limit.
        after: Duration,
    },
    /// A response is larger than announced or accepted.
    #[error("the response of `{host}` is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The host and port.
        host: String,
        /// The limit.
        limit: u64,
    },
    /// No client can be made from the settings: certificates or a proxy.
    #[error(transparent)]
    Connections(#[from] transport::Error),
}

/// An error of the HTTP layer, without the URL that it was about.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Transport(pub(crate) String);

impl Failure {
    /// Whether the same request may succeed a moment later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Interrupted { .. } | Self::Silent { .. } => true,
            Self::NoHttp { .. }
            | Self::Untrusted { .. }
            | Self::TooLarge { .. }
            | Self::Connections(_) => false,
        }
    }

    /// Whether time was lost by waiting for a host that did not respond.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, Self::Silent { .. } | Self::Unreachable { .. })
    }
}

impl Diagnose for Failure {
    fn details(&self) -> Details {
        match self {
            Self::Unreachable { host, .. } => {
                Details::new(&codes::CONNECTION_FAILED).hint(format!(
                    "check the name `{host}`, the network, and HTTPS_PROXY if there is a proxy"
                ))
            }
            Self::Untrusted { host, source } => {
                Details::new(&codes::UNTRUSTED_CERTIFICATE).hint(source.hint(host))
            }
            // HTTP/2 keeps only the text of a TLS error.
            Self::Interrupted { host, source } if source.0.contains("received fatal alert") => {
                Details::new(&codes::CONNECTION_FAILED).hint(identity(host))
            }
            Self::NoHttp { .. } | Self::Interrupted { .. } | Self::Silent { .. } => {
                Details::new(&codes::CONNECTION_FAILED)
            }
            Self::TooLarge { .. } => Details::new(&codes::URL_NOT_FETCHED),
            Self::Connections(_) => Details::new(&codes::INVALID_CONNECTION_SETTINGS),
        }
    }
}
