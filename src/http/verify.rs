//! Which certificates of registries are believed: those that the system's roots and the given ones
//! vouch for, those that are themselves among the given ones, as Docker has it, or, where the user
//! said so, any.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::certificate::Facts;
use super::distrust::diagnose;

/// Where systems without an interface for it keep their roots; the first that exists counts.
#[cfg(not(any(windows, target_os = "macos")))]
const SYSTEM: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// What is told of keys that are not supported, so that whoever has one shows its certificate, and
/// the error can name that.
const UNSUPPORTED: [SignatureScheme; 1] = [SignatureScheme::ECDSA_NISTP521_SHA512];

/// Believes what `given` vouches for, and nothing else.
pub(super) fn with_roots(
    provider: Arc<CryptoProvider>,
    given: Vec<CertificateDer<'static>>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(given.iter().cloned());
    let chains: Option<Arc<dyn ServerCertVerifier>> = if roots.is_empty() {
        None
    } else {
        let builder =
            WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
        Some(builder.build().map_err(|error| Error::General(error.to_string()))?)
    };
    Ok(Arc::new(Believing { provider, chains, given }))
}

/// Believes what the system believes, and what `given` vouches for. A system without roots, or
/// with some that cannot be read, is no reason not to speak to registries with roots of their own.
#[cfg(not(any(windows, target_os = "macos")))]
pub(super) fn with_system_roots(
    provider: Arc<CryptoProvider>,
    given: Vec<CertificateDer<'static>>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let system = SYSTEM.iter().map(std::path::Path::new).find(|path| path.is_file());
    let system = system.and_then(|path| super::pem::certificates(path).ok());
    with_roots(provider, given.into_iter().chain(system.into_iter().flatten()).collect())
}

/// Believes what the system believes, and what `given` vouches for.
#[cfg(any(windows, target_os = "macos"))]
pub(super) fn with_system_roots(
    provider: Arc<CryptoProvider>,
    given: Vec<CertificateDer<'static>>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let roots = given.clone();
    let system =
        rustls_platform_verifier::Verifier::new_with_extra_roots(roots, Arc::clone(&provider))?;
    Ok(Arc::new(Believing { provider, chains: Some(Arc::new(system)), given }))
}

#[derive(Debug)]
struct Believing {
    provider: Arc<CryptoProvider>,
    /// Who follows a chain to its root, if there are roots.
    chains: Option<Arc<dyn ServerCertVerifier>>,
    /// Certificates that are believed themselves.
    given: Vec<CertificateDer<'static>>,
}

impl Believing {
    /// Whether this very certificate is among the given ones, in its time and for this host. It
    /// may then be what it says: an authority that names hosts, or signed by whomever.
    fn is_given(&self, shown: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> bool {
        self.given.iter().any(|given| given.as_ref() == shown.as_ref())
            && Facts::read(shown).is_some_and(|facts| facts.is_valid_at(now))
            && ParsedCertificate::try_from(shown)
                .is_ok_and(|parsed| rustls::client::verify_server_name(&parsed, name).is_ok())
    }
}

impl ServerCertVerifier for Believing {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // Nothing that is signed by such a key could be verified afterwards.
        let is_odd = Facts::read(shown).is_some_and(|facts| facts.odd_curve.is_some());
        let refused = match &self.chains {
            _ if is_odd => Error::InvalidCertificate(CertificateError::BadSignature),
            None => Error::InvalidCertificate(CertificateError::UnknownIssuer),
            Some(chains) => {
                match chains.verify_server_cert(shown, intermediates, name, ocsp_response, now) {
                    Ok(verified) => return Ok(verified),
                    Err(error) => error,
                }
            }
        };
        if !is_odd && self.is_given(shown, name, now) {
            return Ok(ServerCertVerified::assertion());
        }
        let Error::InvalidCertificate(bad) = &refused else { return Err(refused) };
        Err(match diagnose(bad, shown, &name.to_str(), self.chains.is_some()) {
            Some(distrust) => {
                Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(distrust))))
            }
            None => refused,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.provider.signature_verification_algorithms.supported_schemes();
        schemes.extend(UNSUPPORTED);
        schemes
    }
}

/// Believes anyone: that a handshake is signed by a certificate says nothing where that may be any.
pub(super) fn anything(provider: Arc<CryptoProvider>) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Anything(provider))
}

#[derive(Debug)]
struct Anything(Arc<CryptoProvider>);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.0.signature_verification_algorithms.supported_schemes();
        schemes.extend(UNSUPPORTED);
        schemes.extend([SignatureScheme::RSA_PKCS1_SHA1, SignatureScheme::ECDSA_SHA1_Legacy]);
        schemes
    }
}
