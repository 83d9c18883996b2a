//! The way out of a failure, as far as the registry's name and its answer tell.

use std::net::IpAddr;

use rustls::{CertificateError as Bad, Error as Tls};

use super::error::{Error, Failure, Step};
use crate::oci::Repository;

pub(super) fn of(error: &Error) -> Option<String> {
    let repository = &error.repository;
    match &error.failure {
        Failure::Refused { status, anonymous, .. } | Failure::Token { status, anonymous, .. } => {
            match status.as_u16() {
                401 => Some(log_in(repository, *anonymous)),
                403 if *anonymous => Some(log_in(repository, true)),
                403 => Some(allow(repository, error.step)),
                404 => Some(create(repository, error.step)),
                429 => Some("the registry limits how often it is asked; with credentials the limit is usually higher".to_owned()),
                200..=399 => Some(format!(
                    "a registry answers otherwise: is `{}` one, and does nothing stand in front of it that wants a login?",
                    repository.registry()
                )),
                413 => Some("the registry, or a proxy in front of it, takes no body of this size".to_owned()),
                _ => None,
            }
        }
        Failure::Unreachable { host, .. } => Some(if repository.registry().is_loopback() {
            format!("is a registry running at `{host}`?")
        } else {
            format!("check the name `{host}`, the network, and HTTPS_PROXY if there is a proxy")
        }),
        Failure::Untrusted { host, source } => Some(trust(host, source)),
        // HTTP/2 keeps of a TLS error only its words.
        Failure::Interrupted { host, source } if source.0.contains("received fatal alert") => {
            Some(identity(host))
        }
        Failure::MissingBlob { .. } => {
            Some("the registry may have been emptied meanwhile; run the command again".to_owned())
        }
        _ => None,
    }
}

/// What to do about a certificate. Docker takes some that are refused here: self-signed ones that
/// are marked as a CA, and X.509 version 1.
fn trust(host: &str, error: &rustls::Error) -> String {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let kind = if name.parse::<IpAddr>().is_ok() { "IP" } else { "DNS" };
    let make = format!(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -keyout registry.key -out registry.crt -subj /CN={name} -addext subjectAltName={kind}:{name} -addext basicConstraints=critical,CA:FALSE"
    );
    match error {
        Tls::InvalidCertificate(Bad::UnknownIssuer) => format!(
            "if its CA is your own, put that into a PEM file that SSL_CERT_FILE names, or into /etc/docker/certs.d/{host}/ca.crt; --insecure-registry takes any certificate"
        ),
        Tls::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
            "the certificate has to be renewed, or this machine's clock is wrong".to_owned()
        }
        Tls::InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. }) => {
            "this machine's clock may be wrong".to_owned()
        }
        Tls::InvalidCertificate(Bad::Revoked) => "the certificate has to be replaced".to_owned(),
        Tls::InvalidCertificate(_) => format!("a certificate that is taken is made by: {make}"),
        Tls::InvalidMessage(_) => {
            format!("if `{host}` speaks http only, --insecure-registry allows that")
        }
        Tls::AlertReceived(_) => identity(host),
        _ => "--insecure-registry takes any certificate".to_owned(),
    }
}

fn identity(host: &str) -> String {
    format!(
        "if `{host}` wants to see a client certificate, put it into /etc/docker/certs.d/{host}/client.cert, its key into client.key beside it"
    )
}

/// The clouds whose registries have commands of their own.
enum Host<'a> {
    Ecr { region: &'a str },
    PublicEcr,
    ArtifactRegistry,
    Acr { name: &'a str },
    GitHub,
    Other,
}

fn host(repository: &Repository) -> Host<'_> {
    let host = repository.registry().host();
    let ecr = host.split_once(".dkr.ecr.").and_then(|(_, rest)| rest.split_once(".amazonaws.com"));
    match (ecr, host.strip_suffix(".azurecr.io")) {
        (Some((region, _)), _) => Host::Ecr { region },
        (None, Some(name)) => Host::Acr { name },
        _ if host == "public.ecr.aws" => Host::PublicEcr,
        _ if host == "ghcr.io" => Host::GitHub,
        _ if host.ends_with(".pkg.dev") || host == "gcr.io" || host.ends_with(".gcr.io") => {
            Host::ArtifactRegistry
        }
        _ => Host::Other,
    }
}

fn log_in(repository: &Repository, anonymous: bool) -> String {
    let registry = repository.registry();
    let begin =
        if anonymous { "no credentials were found" } else { "the credentials were refused" };
    let command = match host(repository) {
        Host::Ecr { region } => format!(
            "aws ecr get-login-password --region {region} | docker login --username AWS --password-stdin {registry}"
        ),
        Host::PublicEcr => format!(
            "aws ecr-public get-login-password --region us-east-1 | docker login --username AWS --password-stdin {registry}"
        ),
        Host::ArtifactRegistry => format!("gcloud auth configure-docker {registry}"),
        Host::Acr { name } => format!("az acr login --name {name}"),
        Host::GitHub => {
            format!("docker login {registry} (a token with `write:packages`), or set GITHUB_TOKEN")
        }
        Host::Other => format!("docker login {registry}"),
    };
    format!("{begin}; log in with: {command}")
}

fn allow(repository: &Repository, step: Step) -> String {
    let path = repository.path();
    let what = if pulls(step) { "pull from" } else { "push to" };
    match host(repository) {
        Host::GitHub => format!(
            "the token needs `write:packages`, in a workflow `permissions: packages: write`, and access to the package `{path}`"
        ),
        Host::ArtifactRegistry => format!(
            "the account needs the role `roles/artifactregistry.{}` on the repository that holds `{path}`",
            if pulls(step) { "reader" } else { "writer" }
        ),
        Host::Ecr { .. } => format!("the IAM policy must allow to {what} `{path}`"),
        _ => format!(
            "the credentials are not allowed to {what} `{path}`, or it does not exist there"
        ),
    }
}

fn create(repository: &Repository, step: Step) -> String {
    let path = repository.path();
    match host(repository) {
        _ if pulls(step) => {
            format!("is `{repository}` written right, and does it have this tag or digest?")
        }
        Host::Ecr { region } => format!(
            "ECR makes no repository by itself: aws ecr create-repository --region {region} --repository-name {path}; or push all to one with --bare"
        ),
        Host::ArtifactRegistry => format!(
            "create the repository first: gcloud artifacts repositories create {}",
            path.split('/').nth(1).unwrap_or(path)
        ),
        _ => format!(
            "does `{}` exist at `{}`? Some registries (Harbor) want a project to be created first",
            path.split('/').next().unwrap_or(path),
            repository.registry()
        ),
    }
}

fn pulls(step: Step) -> bool {
    match step {
        Step::FindManifest
        | Step::PullManifest
        | Step::FindBlob
        | Step::PullBlob
        | Step::FindReferrers => true,
        Step::AskToPush
        | Step::MountBlob
        | Step::PushBlob
        | Step::PushManifest
        | Step::ListReferrer => false,
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn hint(repository: &str, status: u16, anonymous: bool, step: Step) -> String {
        let failure = Failure::Refused {
            host: String::new(),
            status: StatusCode::from_u16(status).unwrap(),
            answer: Default::default(),
            retry_after: None,
            anonymous,
        };
        let error = Error { step, repository: repository.parse().unwrap(), failure };
        error.hint().unwrap()
    }

    #[test]
    fn each_cloud_has_its_own_way_out() {
        let ecr = "1234.dkr.ecr.eu-west-1.amazonaws.com/team/app";
        let push = Step::PushBlob;
        assert_eq!(
            hint(ecr, 401, true, push),
            "no credentials were found; log in with: aws ecr get-login-password --region eu-west-1 | docker login --username AWS --password-stdin 1234.dkr.ecr.eu-west-1.amazonaws.com"
        );
        assert!(
            hint(ecr, 404, false, push)
                .contains("--repository-name team/app; or push all to one with --bare")
        );
        assert!(hint("a.azurecr.io/x", 401, false, push).ends_with("az acr login --name a"));
        assert!(
            hint("europe-docker.pkg.dev/p/r/x", 403, false, push)
                .contains("artifactregistry.writer")
        );
        assert!(hint("ghcr.io/o/x", 403, false, push).contains("packages: write"));
        assert!(
            hint("harbor.io/p/x", 404, false, push).starts_with("does `p` exist at `harbor.io`?")
        );
        assert_eq!(
            hint("localhost:5000/x", 401, false, push),
            "the credentials were refused; log in with: docker login localhost:5000"
        );
        assert!(hint("localhost:5000/x", 404, false, Step::PullManifest).contains("written right"));
    }

    #[test]
    fn a_certificate_that_is_refused_comes_with_the_way_to_a_good_one() {
        let hint = |error| trust("10.0.0.1:5000", &error);
        let own = hint(Tls::InvalidCertificate(Bad::UnknownIssuer));
        assert!(own.contains("/etc/docker/certs.d/10.0.0.1:5000/ca.crt"), "{own}");
        let odd = hint(Tls::InvalidCertificate(Bad::BadEncoding));
        assert!(odd.contains("subjectAltName=IP:10.0.0.1 -addext"), "{odd}");
        assert!(trust("r.io", &Tls::InvalidCertificate(Bad::BadEncoding)).contains("DNS:r.io"));
        let alert = hint(Tls::AlertReceived(rustls::AlertDescription::CertificateRequired));
        assert!(alert.contains("10.0.0.1:5000/client.cert"), "{alert}");
        let http = hint(Tls::InvalidMessage(rustls::InvalidMessage::InvalidContentType));
        assert!(http.contains("http only"), "{http}");
    }
}
