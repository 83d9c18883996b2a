//! The way out of a failure, as far as the registry's name and its answer tell.

use super::answer::Answer;
use super::distrust::identity;
use super::error::{Error, Failure, Step};
use super::service::{self, Service};
use crate::cache;
use crate::oci::Repository;

pub(super) fn of(error: &Error) -> Option<String> {
    let repository = &error.repository;
    match &error.failure {
        Failure::Refused { status, anonymous, answer, .. }
        | Failure::Token { status, anonymous, answer, .. } => {
            let service = Service::of(repository);
            let pulls = pulls(error.step);
            match status.as_u16() {
                401 | 403 if error.step == Step::LogIn => Some(format!(
                    "the user name or the password is wrong; {}",
                    service.password(repository)
                )),
                404 if error.step == Step::LogIn => Some(format!(
                    "is `{}` a registry? Its address is what stands before the first `/` of an image's name",
                    repository.registry()
                )),
                // Harbor answers so to whoever is known but pushes to a project that is not there.
                401 | 403 | 404 if !anonymous && !pulls && speaks_of_projects(answer) => {
                    Some(service::harbor(repository))
                }
                401 => Some(log_in(repository, *anonymous)),
                403 if *anonymous => Some(log_in(repository, true)),
                403 => Some(service.allow(repository, pulls)),
                404 if pulls => Some(format!(
                    "is `{repository}` written right, and does it have this tag or digest?"
                )),
                404 => Some(service.create(repository)),
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
        Failure::NoHttp { host, .. } => {
            Some(format!("is what listens at `{host}` a registry, and is the port right?"))
        }
        Failure::Untrusted { host, source } => Some(source.hint(host)),
        // HTTP/2 keeps of a TLS error only its words.
        Failure::Interrupted { host, source } if source.0.contains("received fatal alert") => {
            Some(identity(host))
        }
        Failure::Locations(error) => error.hint(),
        Failure::Cache(cache::Error::Write { .. }) => Some(cache::ANOTHER_FOLDER.to_owned()),
        Failure::MissingBlob { .. } => {
            Some("the registry may have been emptied meanwhile; run the command again".to_owned())
        }
        _ => None,
    }
}

fn log_in(repository: &Repository, anonymous: bool) -> String {
    let begin =
        if anonymous { "no credentials were found" } else { "the credentials were refused" };
    format!("{begin}; log in with: {}", Service::of(repository).log_in(repository))
}

fn speaks_of_projects(answer: &Answer) -> bool {
    let text = answer.to_string();
    text.contains("project") || text.contains("unauthorized to access repository")
}

fn pulls(step: Step) -> bool {
    match step {
        Step::FindManifest
        | Step::PullManifest
        | Step::FindBlob
        | Step::PullBlob
        | Step::FindReferrers => true,
        Step::LogIn
        | Step::AskToPush
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
    fn a_status_leads_to_the_way_out_of_its_service() {
        let ecr = "1234.dkr.ecr.eu-west-1.amazonaws.com/team/app";
        let push = Step::PushBlob;
        assert_eq!(
            hint(ecr, 401, true, push),
            "no credentials were found; log in with: aws ecr get-login-password --region eu-west-1 | ko-rs login --username AWS --password-stdin 1234.dkr.ecr.eu-west-1.amazonaws.com"
        );
        assert!(hint(ecr, 404, false, push).contains("aws ecr create-repository"));
        assert!(hint(ecr, 403, false, push).contains("IAM"));
        assert!(hint(ecr, 403, true, push).starts_with("no credentials were found"));
        assert_eq!(
            hint("localhost:5000/x", 401, false, push),
            "the credentials were refused; log in with: ko-rs login localhost:5000"
        );
        assert!(hint("localhost:5000/x", 404, false, Step::PullManifest).contains("written right"));
        assert!(hint("ghcr.io/any", 403, false, Step::LogIn).contains("personal access token"));
        assert!(hint("r.io/any", 404, false, Step::LogIn).starts_with("is `r.io` a registry?"));
    }

    #[test]
    fn a_harbor_under_any_name_is_known_by_its_words() {
        for (status, body) in [
            (
                401,
                r#"{"errors":[{"code":"UNAUTHORIZED","message":"unauthorized to access repository: p/x, action: push: unauthorized to access repository: p/x, action: push"}]}"#,
            ),
            (404, r#"{"errors":[{"code":"NOT_FOUND","message":"project p not found"}]}"#),
        ] {
            let failure = Failure::Refused {
                host: String::new(),
                status: StatusCode::from_u16(status).unwrap(),
                answer: Answer::read(body.as_bytes(), &[]),
                retry_after: None,
                anonymous: false,
            };
            let repository = "r.example/p/x".parse().unwrap();
            let error = Error { step: Step::AskToPush, repository, failure };
            let hint = error.hint().unwrap();
            assert!(hint.contains("`p` has to exist at `r.example`"), "{hint}");
        }
    }
}
