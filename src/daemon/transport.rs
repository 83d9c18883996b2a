//! The HTTP client for an address: a socket, a pipe, a port, or a port with TLS and a client
//! certificate. It uses no proxy, no redirects and no root certificates of the
//! system: only the certificates of the engine's own folder.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect};
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

use super::archive::BoxError;
use super::{Address, Error};

const CONNECT: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(30);
/// The size limit of a file of certificates.
const FILE_BYTES: u64 = 4 << 20;

/// A client, and the URL before the path of an endpoint.
pub(super) fn connect(address: &Address) -> Result<(Client, String), Error> {
    let tls = match address {
        Address::Tcp { tls: Some(folder), .. } => mutual(folder)?,
        // Never used; without it reqwest would require a global provider.
        _ => trusting(RootCertStore::empty())
            .map_err(|error| unusable(Path::new(""), error))?
            .with_no_client_auth(),
    };
    let builder = Client::builder()
        .user_agent(concat!("ko-rs/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .http1_only()
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE);
    let (builder, base) = reach(builder, address);
    let client =
        builder.build().map_err(|source| Error::Client { address: address.clone(), source })?;
    Ok((client, base))
}

fn reach(builder: ClientBuilder, address: &Address) -> (ClientBuilder, String) {
    match address {
        #[cfg(unix)]
        Address::Unix(path) => (builder.unix_socket(path.clone()), "http://localhost".to_owned()),
        #[cfg(windows)]
        Address::NamedPipe(path) => {
            (builder.windows_named_pipe(path.clone()), "http://localhost".to_owned())
        }
        Address::Tcp { host, tls: None } => (builder, format!("http://{host}")),
        Address::Tcp { host, tls: Some(_) } => (builder, format!("https://{host}")),
    }
}

/// TLS by a folder's `ca.pem`, and by its `cert.pem` and `key.pem` unless both are missing:
/// not every engine requires client certificates.
fn mutual(folder: &Path) -> Result<ClientConfig, Error> {
    let ca = folder.join("ca.pem");
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&ca)? {
        roots.add(certificate).map_err(|error| unusable(&ca, error))?;
    }
    let config = trusting(roots).map_err(|error| unusable(&ca, error))?;
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    if !cert.exists() && !key.exists() {
        return Ok(config.with_no_client_auth());
    }
    let chain = certificates(&cert)?;
    let private = PrivateKeyDer::from_pem_slice(&read(&key)?)
        .map_err(|error| unusable(&key, plain(&error, "private key")))?;
    config.with_client_auth_cert(chain, private).map_err(|error| unusable(&cert, error))
}

fn trusting(
    roots: RootCertStore,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider);
    Ok(config.with_safe_default_protocol_versions()?.with_root_certificates(roots))
}

/// The certificates in a PEM file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bytes = read(path)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(path, plain(&error, "certificate")))?;
    match found.is_empty() {
        true => Err(unusable(path, "it contains no PEM certificate")),
        false => Ok(found),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|error| unusable(path, error))
}

/// The reason without an excerpt of the file, which may be a private key.
fn plain(error: &pem::Error, what: &str) -> BoxError {
    match error {
        pem::Error::NoItemsFound => format!("it contains no PEM {what}").into(),
        _ => format!("it is not a {what} in PEM").into(),
    }
}

fn unusable(path: &Path, error: impl Into<BoxError>) -> Error {
    Error::Certificate { path: path.to_owned(), source: error.into() }
}
