//! The errors of kube in words for a user: the innermost reason, without credentials.

use std::error::Error as StdError;

/// An error and its sources.
pub(super) fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (**error).source())
}

/// The message of the last error of a chain, and whether a connection broke, so that another try
/// may succeed.
pub(super) fn innermost(error: &(dyn StdError + 'static)) -> (String, bool) {
    use std::io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut, UnexpectedEof,
    };
    let chain: Vec<_> = chain(error).collect();
    let kind = chain.iter().rev().find_map(|error| error.downcast_ref::<std::io::Error>());
    let broke = match kind {
        Some(error) => matches!(
            error.kind(),
            BrokenPipe | ConnectionAborted | ConnectionRefused | ConnectionReset | UnexpectedEof
        ),
        // hyper's "connection closed before message completed" has no source.
        None => chain.iter().any(|error| error.to_string().contains("closed before")),
    };
    let words = match kind.map(std::io::Error::kind) {
        Some(TimedOut) => "the connection timed out".to_owned(),
        _ => chain.last().map_or_else(|| error.to_string(), ToString::to_string),
    };
    (words, broke)
}

/// The reason why kube's client could not be created.
pub(super) fn login(error: &kube::Error, plugin: &str) -> String {
    match error {
        kube::Error::Auth(error) => self::plugin(error, plugin),
        kube::Error::ProxyProtocolDisabled { .. }
        | kube::Error::ProxyProtocolUnsupported { .. } => {
            "proxies (`proxy-url`) are not supported".to_owned()
        }
        other => innermost(other).0,
    }
}

/// The reason why authentication failed, without the output of a credential plugin, which is the
/// credential.
pub(super) fn plugin(error: &kube::client::AuthError, name: &str) -> String {
    use kube::client::AuthError;
    match error {
        // `cmd` contains environment variables, which may be secret.
        AuthError::AuthExecRun { cmd: _, out } => {
            let complaint = String::from_utf8_lossy(&out.stderr);
            let complaint = complaint.trim().lines().next_back().unwrap_or_default();
            let complaint: String = complaint.chars().take(300).collect();
            match complaint.as_str() {
                "" => format!("`{name}` failed ({})", out.status),
                complaint => format!("`{name}` failed ({}): {complaint}", out.status),
            }
        }
        AuthError::AuthExecParse(_) | AuthError::ParseTokenKey(_) => {
            "the credential plugin did not print credentials".to_owned()
        }
        AuthError::InvalidBasicAuth(_) | AuthError::InvalidBearerToken(_) => {
            "the credentials have characters that are not allowed in an HTTP header".to_owned()
        }
        AuthError::AuthExec(_) => {
            "the authentication method is not supported, or failed".to_owned()
        }
        other => other.to_string(),
    }
}
