//! The codes of failures, and hints that follow from the name of a registry and its response.

use ::http::StatusCode;

use super::answer::Answer;
use super::codes;
use super::error::{Error, Failure, Step};
use super::service::{self, Service};
use crate::http;
use crate::oci::{self, Repository};
use crate::report::{Details, Diagnose};

impl Diagnose for Error {
    fn details(&self) -> Details {
        let repository = &self.repository;
        match &self.failure {
            Failure::Refused { status, anonymous, answer, .. }
            | Failure::Token { status, anonymous, answer, .. } => {
                refused(self, *status, *anonymous, answer)
            }
            Failure::Http(failure) => of_connection(failure, repository),
            Failure::MissingBlob { .. } => Details::new(&codes::BLOB_MISSING)
                .hint("the registry may have removed it during the push; run the command again"),
            Failure::Locations(error) => error.details(),
            Failure::Cache(error) => error.details(),
            Failure::Credentials(_) => Details::new(&codes::CREDENTIALS_NOT_READABLE),
            Failure::Protocol { .. } | Failure::Host(_) => Details::new(&codes::NOT_A_REGISTRY),
            Failure::WrongBytes { .. } | Failure::WrongFile { .. } => {
                Details::new(&oci::codes::WRONG_DIGEST)
            }
            Failure::File { .. } | Failure::FileChanged(_) | Failure::WrongLength { .. } => {
                Details::new(&oci::codes::LAYER_NOT_PACKED)
            }
        }
    }
}

fn refused(error: &Error, status: StatusCode, anonymous: bool, answer: &Answer) -> Details {
    let repository = &error.repository;
    let service = Service::of(repository);
    let pulls = pulls(error.step);
    let registry = repository.registry();
    let login = Details::new(&codes::LOGIN_REQUIRED);
    match status.as_u16() {
        401 | 403 if error.step == Step::LogIn => login.hint(format!(
            "the user name or the password is wrong; {}",
            service.password(repository)
        )),
        404 if error.step == Step::LogIn => Details::new(&codes::NOT_A_REGISTRY).hint(format!(
            "check that `{registry}` is a registry: its address is the part of an image's name before the first `/`"
        )),
        // Harbor responds in this way to known users who push to a project that does not exist.
        401 | 403 | 404 if !anonymous && !pulls && speaks_of_projects(answer) => {
            Details::new(&codes::REPOSITORY_NOT_FOUND).hint(service::harbor(repository))
        }
        401 => login.hint(log_in(repository, anonymous)),
        403 if anonymous => login.hint(log_in(repository, true)),
        403 => login.hint(service.allow(repository, pulls)),
        404 if pulls => Details::new(&codes::IMAGE_NOT_FOUND).hint(format!(
            "check the name `{repository}`, and whether it has this tag or digest"
        )),
        404 => Details::new(&codes::REPOSITORY_NOT_FOUND).hint(service.create(repository)),
        429 => Details::new(&codes::REGISTRY_REFUSED)
            .hint("the registry limits the number of requests; with credentials the limit is usually higher"),
        200..=399 => Details::new(&codes::NOT_A_REGISTRY).hint(format!(
            "check that `{registry}` is a registry, without a proxy in front of it that requires a login"
        )),
        413 => Details::new(&codes::REGISTRY_REFUSED)
            .hint("the registry, or a proxy in front of it, does not accept bodies of this size"),
        _ => Details::new(&codes::REGISTRY_REFUSED),
    }
}

/// The details of a failed connection, with hints that only apply to registries.
fn of_connection(failure: &http::Failure, repository: &Repository) -> Details {
    let hint = match failure {
        http::Failure::Unreachable { host, .. } if repository.registry().is_loopback() => {
            format!("check that a registry is running at `{host}`")
        }
        http::Failure::NoHttp { host, .. } => {
            format!("check that a registry listens at `{host}`, and that the port is right")
        }
        http::Failure::TooLarge { .. } => return Details::new(&codes::NOT_A_REGISTRY),
        _ => return failure.details(),
    };
    Details::new(failure.details().code()).hint(hint)
}

fn log_in(repository: &Repository, anonymous: bool) -> String {
    let begin =
        if anonymous { "no credentials were found" } else { "the credentials were rejected" };
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
        crate::report::Diagnostic::of(&error).hints.remove(0)
    }

    #[test]
    fn the_hint_follows_from_the_status_and_the_service() {
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
            "the credentials were rejected; log in with: ko-rs login localhost:5000"
        );
        assert!(
            hint("localhost:5000/x", 404, false, Step::PullManifest).starts_with("check the name")
        );
        assert!(hint("ghcr.io/any", 403, false, Step::LogIn).contains("personal access token"));
        assert!(
            hint("r.io/any", 404, false, Step::LogIn)
                .starts_with("check that `r.io` is a registry")
        );
    }

    #[test]
    fn harbor_is_recognised_by_its_message_under_any_name() {
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
            let hint = crate::report::Diagnostic::of(&error).hints.remove(0);
            assert!(hint.contains("`p` has to exist at `r.example`"), "{hint}");
        }
    }
}
