//! How connections are made, as settings say.

use std::path::PathBuf;
use std::time::Duration;

/// How connections are made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which certificates are trusted and shown.
    pub certificates: Certificates,
    /// The proxies to use.
    pub proxies: Proxies,
    /// For how long in all a request is retried, and how long a silent host is waited for.
    pub patience: Duration,
    /// The name of the client: `ko-rs/VERSION`.
    pub user_agent: String,
}

/// Which certificates are trusted, and which are sent.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    /// PEM files of roots, and folders of such, in place of the system's, as `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` name them.
    pub stores: Vec<PathBuf>,
    /// PEM files of roots beside the system's.
    pub extra: Vec<PathBuf>,
    /// Folders as `/etc/docker/certs.d`: in `HOST[:PORT]/`, `*.crt` are roots for that registry
    /// beside the others, and `NAME.cert` with `NAME.key` is shown to it.
    pub folders: Vec<PathBuf>,
}

/// The proxies, as in the variables of that name. Loopback addresses are never accessed through one.
#[derive(Clone, Default)]
pub struct Proxies {
    /// For http.
    pub http: Option<String>,
    /// For https.
    pub https: Option<String>,
    /// Hosts that are reached without, as in `NO_PROXY`.
    pub except: Option<String>,
}

impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Their URLs may hold a password.
        f.debug_struct("Proxies").field("except", &self.except).finish_non_exhaustive()
    }
}
