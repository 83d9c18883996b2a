//! Why a registry's certificate is not believed, in words, and how to get one that is. What Docker
//! takes and this does not is told by what the certificate itself says.

use std::net::IpAddr;

use rustls::CertificateError as Bad;
use rustls::pki_types::{CertificateDer, UnixTime};

use super::certificate::Facts;

/// Why no trusted connection was made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Distrust {
    /// The certificate that the host showed.
    #[error("the certificate `{subject}` {problem}")]
    Certificate {
        /// Whose it says it is.
        subject: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// The host asked for a certificate of ours, got none, and broke off.
    #[error("it asks for a client certificate, and there is none for it")]
    NoIdentity,
    /// Something else about TLS.
    #[error(transparent)]
    Tls(rustls::Error),
}

/// What is wrong with a certificate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It is signed by someone who is not known.
    #[error("is signed by `{issuer}`, which is not trusted here")]
    Issuer {
        /// Who signed it.
        issuer: String,
    },
    /// It is signed by its own key, and is not itself among those that are trusted.
    #[error("is signed by its own key, and is not trusted here")]
    Itself,
    /// Nobody is trusted.
    #[error("is signed by `{issuer}`, and no authorities at all are trusted here")]
    NoAuthorities {
        /// Who signed it.
        issuer: String,
    },
    /// It is of a version without names.
    #[error("is of X.509 version {0}, which has no place for the names of hosts")]
    Version(u8),
    /// Its key cannot be used.
    #[error("has a key on the curve {0}, which is not supported")]
    Curve(&'static str),
    /// A key that vouches for it cannot be used.
    #[error("is signed with a key or an algorithm that is not supported")]
    Signature,
    /// It names no host.
    #[error("names no host (it has no subjectAltName)")]
    Nameless,
    /// It names others.
    #[error("is not for `{host}` but for {names}")]
    Name {
        /// Who was asked.
        host: String,
        /// For whom it is.
        names: String,
    },
    /// It is too old.
    #[error("has expired on {0}")]
    Expired(jiff::civil::Date),
    /// It is too new.
    #[error("is not valid before {0}")]
    NotYet(jiff::civil::Date),
    /// Who signed it may not sign others.
    #[error("is signed by `{issuer}`, which is no authority (CA:FALSE)")]
    NoAuthority {
        /// Who signed it.
        issuer: String,
    },
    /// Something else.
    #[error("cannot be verified: {0}")]
    Other(String),
}

/// Finds out what is wrong with a certificate that was refused.
pub(super) fn diagnose(
    error: &Bad,
    shown: &CertificateDer<'_>,
    host: &str,
    trusts_anyone: bool,
) -> Option<Distrust> {
    let facts = Facts::read(shown)?;
    let issuer = facts.issuer.clone();
    let day = |time: &UnixTime| {
        let second = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let time = jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::MAX);
        time.to_zoned(jiff::tz::TimeZone::UTC).date()
    };
    let problem = match error {
        _ if facts.version < 3 => Problem::Version(facts.version),
        _ if facts.odd_curve.is_some() => Problem::Curve(facts.odd_curve.unwrap_or_default()),
        Bad::ExpiredContext { not_after, .. } => Problem::Expired(day(not_after)),
        Bad::NotValidYetContext { not_before, .. } => Problem::NotYet(day(not_before)),
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } if !facts.has_names => {
            Problem::Nameless
        }
        Bad::NotValidForNameContext { presented, .. } => {
            let host = host.to_owned();
            Problem::Name { host, names: names(presented) }
        }
        Bad::UnsupportedSignatureAlgorithmContext { .. }
        | Bad::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => Problem::Signature,
        Bad::UnknownIssuer if !trusts_anyone => Problem::NoAuthorities { issuer },
        // That it says that it is an authority is of no weight: if it is trusted, it is taken.
        Bad::UnknownIssuer if facts.signs_itself => Problem::Itself,
        Bad::UnknownIssuer => Problem::Issuer { issuer },
        Bad::Other(other) => match other.0.to_string().as_str() {
            "CaUsedAsEndEntity" if !trusts_anyone => Problem::NoAuthorities { issuer },
            "CaUsedAsEndEntity" if facts.signs_itself => Problem::Itself,
            "CaUsedAsEndEntity" => Problem::Issuer { issuer },
            "EndEntityUsedAsCa" => Problem::NoAuthority { issuer },
            other => Problem::Other(other.to_owned()),
        },
        other => Problem::Other(other.to_string()),
    };
    Some(Distrust::Certificate { subject: facts.subject, problem })
}

/// The names in a certificate: rustls gives them as `DnsName("r.example")`.
fn names(presented: &[String]) -> String {
    let inner = |name: &String| {
        let text = name.split_once('(').map_or(name.as_str(), |(_, rest)| rest);
        format!("`{}`", text.trim_end_matches(')').trim_matches('"'))
    };
    presented.iter().take(5).map(inner).collect::<Vec<_>>().join(", ")
}

impl Distrust {
    /// What to do about it.
    pub(super) fn hint(&self, host: &str) -> String {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
        let folder = format!("/etc/docker/certs.d/{host}");
        match self {
            Self::Certificate { problem, .. } => match problem {
                Problem::Issuer { issuer } | Problem::NoAuthority { issuer } => format!(
                    "if `{issuer}` is your own, put its certificate into a PEM file that SSL_CERT_FILE names, or into {folder}/ca.crt; --insecure-registry takes any certificate"
                ),
                Problem::Itself => format!(
                    "if it is your own, put it into a PEM file that SSL_CERT_FILE names, or into {folder}/ca.crt; --insecure-registry takes any certificate"
                ),
                Problem::NoAuthorities { .. } => format!(
                    "install the package `ca-certificates`, or set SSL_CERT_FILE; an authority of your own goes into {folder}/ca.crt"
                ),
                Problem::Expired(_) => {
                    "the certificate has to be renewed, or this machine's clock is wrong".to_owned()
                }
                Problem::NotYet(_) => "this machine's clock may be wrong".to_owned(),
                Problem::Version(_)
                | Problem::Curve(_)
                | Problem::Signature
                | Problem::Nameless
                | Problem::Name { .. }
                | Problem::Other(_) => format!(
                    "a certificate that is taken, once it is trusted, is made by: {}",
                    command(name)
                ),
            },
            Self::Tls(rustls::Error::InvalidMessage(_)) => {
                format!("if `{host}` speaks http only, --insecure-registry allows that")
            }
            Self::NoIdentity | Self::Tls(rustls::Error::AlertReceived(_)) => identity(host),
            Self::Tls(_) => "--insecure-registry takes any certificate".to_owned(),
        }
    }
}

/// What to do if a host broke off because it wanted to see a certificate.
pub(super) fn identity(host: &str) -> String {
    format!(
        "if `{host}` wants to see a client certificate, put it into /etc/docker/certs.d/{host}/client.cert, its key into client.key beside it"
    )
}

/// The command that makes a certificate for a host.
fn command(name: &str) -> String {
    let kind = if name.parse::<IpAddr>().is_ok() { "IP" } else { "DNS" };
    format!(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -keyout registry.key -out registry.crt -subj /CN={name} -addext subjectAltName={kind}:{name} -addext basicConstraints=critical,CA:FALSE"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(host: &str, problem: Problem) -> String {
        Distrust::Certificate { subject: "CN=x".to_owned(), problem }.hint(host)
    }

    #[test]
    fn a_certificate_that_is_refused_comes_with_the_way_to_a_good_one() {
        let host = "10.0.0.1:5000";
        let own = hint(host, Problem::Itself);
        assert!(own.contains("/etc/docker/certs.d/10.0.0.1:5000/ca.crt"), "{own}");
        let version = hint(host, Problem::Version(1));
        assert!(version.contains("subjectAltName=IP:10.0.0.1 -addext"), "{version}");
        assert!(hint("[::1]:5000", Problem::Nameless).contains("subjectAltName=IP:::1 -addext"));
        assert!(hint("r.io", Problem::Curve("P-521")).contains("DNS:r.io"));
        let tls = |error| Distrust::Tls(error).hint(host);
        let alert =
            tls(rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired));
        assert!(alert.contains("10.0.0.1:5000/client.cert"), "{alert}");
        let http = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        assert!(tls(http).contains("http only"));
    }

    #[test]
    fn names_are_shown_as_they_are_written() {
        let names = names(&["DnsName(\"a.io\")".to_owned(), "IpAddress(10.0.0.1)".to_owned()]);
        assert_eq!(names, "`a.io`, `10.0.0.1`");
    }
}
