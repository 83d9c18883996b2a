//! What kube's errors say, in words for a user: the innermost reason, and never a credential.

use std::error::Error as StdError;

/// An error and its sources.
pub(super) fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (**error).source())
}

/// The last error of a chain in words, and whether it is a connection that broke rather than one
/// that cannot be.
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
        // hyper's "connection closed before message completed", which has no source.
        None => chain.iter().any(|error| error.to_string().contains("closed before")),
    };
    let words = match kind.map(std::io::Error::kind) {
        Some(TimedOut) => "it takes no connection".to_owned(),
        _ => chain.last().map_or_else(|| error.to_string(), ToString::to_string),
    };
    (words, broke)
}

/// Why kube's client could not be made.
pub(super) fn login(error: &kube::Error, plugin: &str) -> String {
    match error {
        kube::Error::Auth(error) => self::plugin(error, plugin),
        kube::Error::ProxyProtocolDisabled { .. }
        | kube::Error::ProxyProtocolUnsupported { .. } => {
            "its `proxy-url` asks for a proxy, which is not supported".to_owned()
        }
        other => innermost(other).0,
    }
}

/// Why a login failed, without what a credential plugin printed: that is the credential.
pub(super) fn plugin(error: &kube::client::AuthError, name: &str) -> String {
    use kube::client::AuthError;
    match error {
        // Its `cmd` shows the variables that it was given, and they may be secret.
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
            "its credential plugin printed something else than credentials".to_owned()
        }
        AuthError::InvalidBasicAuth(_) | AuthError::InvalidBearerToken(_) => {
            "its credentials hold characters that a header cannot".to_owned()
        }
        AuthError::AuthExec(_) => "its way to log in is not supported, or failed".to_owned(),
        other => other.to_string(),
    }
}
