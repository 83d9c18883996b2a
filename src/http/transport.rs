//! The HTTP clients: one for HTTP, one for HTTPS, and one for each registry with its own certificates.
//! Each is built when it is first needed, because reading certificates takes time that a registry on
//! loopback does not need.

use std::collections::HashMap;
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Url;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::pem;
use super::settings::{Certificates, Proxies, Settings};
use super::verify;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an unused connection is kept: less than servers and the boxes between keep theirs.
const IDLE: Duration = Duration::from_secs(20);

/// Settings of connections from which no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of certificates could not be read.
    #[error("could not read certificates or keys from `{path}`")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// A folder of certificates could not be listed.
    #[error("could not list `{path}`")]
    List {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A certificate cannot be used.
    #[error("could not use a certificate in `{path}`")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// A client certificate lies there without its key.
    #[error("there is no key for `{path}` (the same name with `.key`)")]
    Key {
        /// The certificate.
        path: PathBuf,
    },
    /// TLS could not be set up.
    #[error("could not set up TLS")]
    Tls {
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// A proxy's URL cannot be used. It is not shown: it may hold a password.
    #[error("the URL of the proxy for {scheme} is not valid")]
    Proxy {
        /// Which proxy.
        scheme: &'static str,
    },
    /// The HTTP layer could not be set up.
    #[error("could not set up the HTTP client: {0}")]
    Client(String),
}

/// The clients made so far, by the folder of certificates that is theirs.
pub(crate) struct Clients {
    user_agent: String,
    insecure: bool,
    certificates: Certificates,
    proxies: Proxies,
    made: Mutex<HashMap<Key, reqwest::Client>>,
    asked: Arc<Asked>,
}

/// Whether some host asked for a client certificate where there is none. It closes the connection
/// then, and not always in a way that says why.
#[derive(Debug, Default)]
struct Asked(AtomicBool);

impl ResolvesClientCert for Asked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Http,
    Https { folders: Vec<PathBuf>, insecure: bool },
}

impl Clients {
    pub(crate) fn new(settings: Settings, insecure: bool) -> Self {
        let Settings { certificates, proxies, user_agent, .. } = settings;
        let (made, asked) = (Mutex::default(), Arc::default());
        Self { user_agent, insecure, certificates, proxies, made, asked }
    }

    /// The client for a URL; `insecure` if its host may show any certificate.
    pub(crate) fn for_url(&self, url: &Url, insecure: bool) -> Result<reqwest::Client, Error> {
        let insecure = insecure || self.insecure;
        let key = match url.scheme() {
            "http" => Key::Http,
            _ => Key::Https { folders: self.folders(url), insecure },
        };
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(&key) {
            return Ok(client.clone());
        }
        let client = self.build(&key)?;
        made.insert(key, client.clone());
        Ok(client)
    }

    /// Whether a host asked for a client certificate and got none.
    pub(crate) fn lacked_identity(&self) -> bool {
        self.asked.0.load(Ordering::Relaxed)
    }

    /// The folders of certificates for a host.
    fn folders(&self, url: &Url) -> Vec<PathBuf> {
        let Some(host) = url.host_str() else { return Vec::new() };
        let names = match url.port_or_known_default() {
            Some(443) => vec![host.to_owned(), format!("{host}:443")],
            Some(port) => vec![format!("{host}:{port}")],
            None => vec![host.to_owned()],
        };
        let folders = &self.certificates.folders;
        let each = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
        each.filter(|folder| folder.is_dir()).collect()
    }

    fn build(&self, key: &Key) -> Result<reqwest::Client, Error> {
        let mut builder = reqwest::Client::builder()
            .user_agent(&self.user_agent)
            .tls_backend_preconfigured(self.tls(key)?)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .no_proxy();
        for (scheme, url) in [("http", &self.proxies.http), ("https", &self.proxies.https)] {
            let Some(url) = url.as_ref().filter(|url| !url.is_empty()) else { continue };
            let make = if scheme == "http" { reqwest::Proxy::http } else { reqwest::Proxy::https };
            let proxy = make(url.as_str()).map_err(|_| Error::Proxy { scheme })?;
            let except = self.proxies.except.as_deref().unwrap_or_default();
            let except = format!("{except},localhost,127.0.0.0/8,::1");
            builder = builder.proxy(proxy.no_proxy(reqwest::NoProxy::from_string(&except)));
        }
        builder.build().map_err(|error| Error::Client(describe(&error)))
    }

    fn tls(&self, key: &Key) -> Result<rustls::ClientConfig, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|source| Error::Tls { source })?;
        let Key::Https { folders, insecure } = key else {
            // The client for http never speaks TLS, but is not made without knowing how.
            let nothing = rustls::RootCertStore::empty();
            return Ok(builder.with_root_certificates(nothing).with_no_client_auth());
        };
        let mut extra = Vec::new();
        for file in &self.certificates.extra {
            extra.extend(read(file)?);
        }
        let mut identity = None;
        for folder in folders {
            let own = Folder::read(folder)?;
            extra.extend(own.roots);
            identity = identity.or(own.identity);
        }
        let stores = &self.certificates.stores;
        let verifier = if *insecure {
            verify::anything(provider)
        } else if stores.is_empty() {
            verify::with_system_roots(provider, extra).map_err(|source| Error::Tls { source })?
        } else {
            for store in stores {
                extra.extend(read_store(store)?);
            }
            verify::with_roots(provider, extra).map_err(|source| Error::Tls { source })?
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let mut config = match identity {
            None => builder.with_client_cert_resolver(self.asked.clone()),
            Some((path, chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|source| Error::Certificate { path, source })?,
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// The innermost cause of an error of the HTTP layer: the outer ones repeat the URL, which may be
/// signed, or only say "error sending request".
pub(super) fn describe(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = match error.source() {
        Some(source) => source,
        None if error.is_timeout() => return "it took too long".to_owned(),
        None => return "the request could not be made".to_owned(),
    };
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// The certificates in a PEM file.
fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    pem::certificates(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// The certificates of a store: a file, or the files of a folder, of which some may be none.
fn read_store(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    if !path.is_dir() {
        return read(path);
    }
    let failed = |source| Error::List { path: path.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.is_file() {
            found.extend(read(&file).unwrap_or_default());
        }
    }
    Ok(found)
}

/// What `certs.d/HOST` holds.
struct Folder {
    roots: Vec<CertificateDer<'static>>,
    identity: Option<(PathBuf, Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl Folder {
    fn read(folder: &Path) -> Result<Self, Error> {
        let failed = |source| Error::List { path: folder.to_owned(), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            files.push(entry.map_err(failed)?.path());
        }
        files.sort();
        let mut found = Self { roots: Vec::new(), identity: None };
        for path in files {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => found.roots.extend(read(&path)?),
                Some("cert") if found.identity.is_none() => {
                    let key = path.with_extension("key");
                    if !key.is_file() {
                        return Err(Error::Key { path });
                    }
                    let chain = read(&path)?;
                    let key = PrivateKeyDer::from_pem_file(&key)
                        .map_err(|source| Error::Read { path: key, source })?;
                    found.identity = Some((path, chain, key));
                }
                _ => {}
            }
        }
        Ok(found)
    }
}
