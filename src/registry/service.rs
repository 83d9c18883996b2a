//! What the registries that many people use want: how to log in to each, which names it takes, and
//! what has to be there before a push. Told by the host's name alone.

use crate::oci::Repository;

/// Whose registry a repository is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service<'a> {
    /// Amazon's, private.
    Ecr { region: &'a str },
    /// Amazon's, public.
    PublicEcr,
    /// Google's; what is left of `gcr.io` is served by it.
    ArtifactRegistry { location: Option<&'a str> },
    /// Microsoft's.
    Acr { name: &'a str },
    /// GitHub's.
    GitHub,
    /// GitLab's own.
    GitLab,
    /// Docker Hub.
    Hub,
    /// Red Hat's.
    Quay,
    /// A Harbor, as far as its name says so.
    Harbor,
    /// Some other.
    Other,
}

/// Whether a repository's registry makes none by a push, so that each has to be there.
#[must_use]
pub fn makes_no_repository(repository: &Repository) -> bool {
    matches!(Service::of(repository), Service::Ecr { .. } | Service::PublicEcr)
}

impl<'a> Service<'a> {
    pub(super) fn of(repository: &'a Repository) -> Self {
        let host = repository.registry().host();
        let parts: Vec<&str> = host.split('.').collect();
        match parts.as_slice() {
            [_, "dkr", "ecr" | "ecr-fips", region, "amazonaws", "com"]
            | [_, "dkr", "ecr" | "ecr-fips", region, "amazonaws", "com", "cn"]
            | [_, "dkr-ecr" | "dkr-ecr-fips", region, "on", "aws"]
            | [_, "dkr-ecr", region, "on", "amazonwebservices", "com", "cn"] => {
                Self::Ecr { region }
            }
            ["public", "ecr", "aws"] => Self::PublicEcr,
            ["ecr-public", "aws", "com"] => Self::PublicEcr,
            [first, "pkg", "dev"] => {
                Self::ArtifactRegistry { location: first.strip_suffix("-docker") }
            }
            ["gcr", "io"] | [_, "gcr", "io"] => Self::ArtifactRegistry { location: None },
            [name, "azurecr", "io" | "cn" | "us"] => Self::Acr { name },
            ["ghcr", "io"] => Self::GitHub,
            ["registry", "gitlab", "com"] => Self::GitLab,
            ["docker", "io"] => Self::Hub,
            ["quay", "io"] => Self::Quay,
            [first, ..] if first.contains("harbor") => Self::Harbor,
            _ => Self::Other,
        }
    }

    /// The command that logs in.
    pub(super) fn log_in(self, repository: &Repository) -> String {
        let registry = repository.registry();
        match self {
            Self::Ecr { region } => format!(
                "aws ecr get-login-password --region {region} | ko-rs login --username AWS --password-stdin {registry}"
            ),
            Self::PublicEcr => format!(
                "aws ecr-public get-login-password --region us-east-1 | ko-rs login --username AWS --password-stdin {registry}"
            ),
            Self::ArtifactRegistry { .. } => format!(
                "gcloud auth configure-docker {registry}, or: gcloud auth print-access-token | ko-rs login --username oauth2accesstoken --password-stdin {registry}"
            ),
            Self::Acr { name } => format!(
                "az acr login --name {name}, or without Docker: az acr login --name {name} --expose-token --output tsv --query accessToken | ko-rs login --username 00000000-0000-0000-0000-000000000000 --password-stdin {registry}"
            ),
            Self::GitHub => format!(
                "gh auth token | ko-rs login --username USER --password-stdin {registry} (a token with `write:packages`: gh auth refresh --scopes write:packages), or set GITHUB_TOKEN"
            ),
            Self::GitLab | Self::Hub | Self::Quay | Self::Harbor | Self::Other => {
                format!("ko-rs login {registry}")
            }
        }
    }

    /// What is taken as a password where the user's own is refused.
    pub(super) fn password(self, repository: &Repository) -> String {
        match self {
            Self::Ecr { .. } | Self::PublicEcr | Self::ArtifactRegistry { .. } | Self::Acr { .. } => {
                format!("passwords here are tokens of a few hours: {}", self.log_in(repository))
            }
            Self::GitHub => "GitHub takes a personal access token (classic) with `write:packages` as the password: https://github.com/settings/tokens".to_owned(),
            Self::GitLab => "with two-factor authentication, GitLab takes a personal access token with `read_registry` and `write_registry`".to_owned(),
            Self::Hub => "with two-factor authentication, Docker Hub takes an access token: https://app.docker.com/settings/personal-access-tokens".to_owned(),
            Self::Quay => "quay.io takes an encrypted password or a robot account (`ORGANISATION+NAME` and its token)".to_owned(),
            Self::Harbor => "where Harbor logs in by OIDC, the CLI secret of the user's profile is the password".to_owned(),
            Self::Other => "a password that was right may have expired, or the registry may want a token in its place".to_owned(),
        }
    }

    /// What may be wrong where someone who is known may not do this.
    pub(super) fn allow(self, repository: &Repository, pulls: bool) -> String {
        let path = repository.path();
        let what = if pulls { "pull from" } else { "push to" };
        if !pulls && let Some(shape) = self.shape(repository) {
            return shape;
        }
        match self {
            Self::Ecr { .. } => format!(
                "a login lasts 12 hours ({}); the IAM policy must allow to {what} `{path}`",
                self.log_in(repository)
            ),
            Self::PublicEcr => format!(
                "a login lasts 12 hours ({}); the account must own the alias that `{path}` starts with",
                self.log_in(repository)
            ),
            Self::ArtifactRegistry { .. } => format!(
                "the account needs the role `roles/artifactregistry.{}` on the repository that holds `{path}`, and that has to exist",
                if pulls { "reader" } else { "writer" }
            ),
            Self::Acr { name } => format!(
                "the account needs the role `{}` on the registry: az role assignment list --scope $(az acr show --name {name} --query id --output tsv)",
                if pulls { "AcrPull" } else { "AcrPush" }
            ),
            Self::GitHub => format!(
                "the token needs `write:packages`, in a workflow `permissions: packages: write`, and access to the package `{path}`"
            ),
            Self::GitLab => format!(
                "the token needs `{}_registry`, and the project that `{path}` starts with has to exist",
                if pulls { "read" } else { "write" }
            ),
            Self::Quay => format!(
                "the account, or robot account, needs the permission to {what} `{path}`; a robot account may not make repositories unless its organisation lets it"
            ),
            Self::Hub => format!(
                "`{}` has to be the account that is logged in, or an organisation that lets it {what} `{path}`",
                first(path)
            ),
            Self::Harbor => harbor(repository),
            Self::Other => format!(
                "the credentials are not allowed to {what} `{path}`, or it does not exist there"
            ),
        }
    }

    /// What has to be there before this is pushed to.
    pub(super) fn create(self, repository: &Repository) -> String {
        let path = repository.path();
        if let Some(shape) = self.shape(repository) {
            return shape;
        }
        let bare =
            "; or push every image to one repository that exists, with --bare and --repo naming it";
        match self {
            Self::Ecr { region } => format!(
                "ECR makes no repository by itself: aws ecr create-repository --region {region} --repository-name {path}{bare}"
            ),
            Self::PublicEcr => format!(
                "ECR makes no repository by itself: aws ecr-public create-repository --region us-east-1 --repository-name {}{bare}",
                path.split_once('/').map_or(path, |(_, name)| name)
            ),
            Self::ArtifactRegistry { location } => {
                let mut parts = path.split('/');
                let project = parts.next().unwrap_or(path);
                match location {
                    Some(location) => format!(
                        "create the repository first: gcloud artifacts repositories create {} --repository-format=docker --location={location} --project={project}",
                        parts.next().unwrap_or("REPOSITORY")
                    ),
                    None => format!(
                        "create the repository `{}` of project `{project}` first: gcloud artifacts repositories create {} --repository-format=docker --location={} --project={project}",
                        repository.registry(),
                        repository.registry(),
                        match repository.registry().host().split('.').next() {
                            Some("eu") => "europe",
                            Some("asia") => "asia",
                            _ => "us",
                        }
                    ),
                }
            }
            Self::GitHub => {
                format!("does the user or organisation `{}` exist on GitHub?", first(path))
            }
            Self::GitLab => format!(
                "the project that `{path}` starts with has to exist, with its container registry on"
            ),
            Self::Hub | Self::Quay => format!(
                "does the user or organisation `{}` exist on {}?",
                first(path),
                repository.registry()
            ),
            Self::Acr { name } => format!("does the registry exist? az acr show --name {name}"),
            Self::Harbor => harbor(repository),
            Self::Other => format!(
                "check that `{}` exists at `{}`: some registries require that a project is created first",
                first(path),
                repository.registry()
            ),
        }
    }

    /// What is wrong with a name that the registry never takes.
    fn shape(self, repository: &Repository) -> Option<String> {
        let path = repository.path();
        let levels = path.split('/').count();
        match self {
            Self::Hub if levels > 2 => Some(format!(
                "Docker Hub has one level below the account: set --repo to `docker.io/{}`, and -B instead of -P",
                first(path)
            )),
            Self::Quay if levels > 2 => Some(format!(
                "quay.io has one level below the organisation: set --repo to `quay.io/{}`, and -B instead of -P",
                first(path)
            )),
            Self::Quay | Self::GitHub if levels < 2 => Some(format!(
                "a user or an organisation comes first: --repo {}/NAME",
                repository.registry()
            )),
            Self::ArtifactRegistry { location: Some(_) } if levels < 3 => Some(format!(
                "a name there is PROJECT/REPOSITORY/IMAGE: --repo {}/PROJECT/REPOSITORY",
                repository.registry()
            )),
            _ => None,
        }
    }
}

/// What Harbor wants.
pub(super) fn harbor(repository: &Repository) -> String {
    let (registry, path) = (repository.registry(), repository.path());
    if !path.contains('/') {
        return format!("a project comes first in Harbor: --repo {registry}/PROJECT");
    }
    format!(
        "Harbor makes no project by itself: `{}` has to exist at `{registry}`, with the account as a developer of it",
        first(path)
    )
}

fn first(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(text: &str) -> Repository {
        text.parse().unwrap()
    }

    #[test]
    fn a_service_is_known_by_its_host() {
        for (name, service) in [
            ("1.dkr.ecr.eu-west-1.amazonaws.com/x", Service::Ecr { region: "eu-west-1" }),
            ("1.dkr.ecr-fips.us-east-1.amazonaws.com/x", Service::Ecr { region: "us-east-1" }),
            ("1.dkr.ecr.cn-north-1.amazonaws.com.cn/x", Service::Ecr { region: "cn-north-1" }),
            ("1.dkr-ecr.eu-west-1.on.aws/x", Service::Ecr { region: "eu-west-1" }),
            ("public.ecr.aws/a/x", Service::PublicEcr),
            ("europe-docker.pkg.dev/p/r/x", Service::ArtifactRegistry { location: Some("europe") }),
            ("eu.gcr.io/p/x", Service::ArtifactRegistry { location: None }),
            ("team.azurecr.io/x", Service::Acr { name: "team" }),
            ("ghcr.io/o/x", Service::GitHub),
            ("registry.gitlab.com/g/p", Service::GitLab),
            ("alpine", Service::Hub),
            ("quay.io/o/x", Service::Quay),
            ("harbor.example/p/x", Service::Harbor),
            ("localhost:5000/x", Service::Other),
            ("dkr.ecr.amazonaws.com.evil.example/x", Service::Other),
            ("ghcr.io.evil.example/x", Service::Other),
        ] {
            assert_eq!(Service::of(&repository(name)), service, "{name}");
        }
    }

    #[test]
    fn only_amazon_s_want_each_repository_made() {
        let makes_none = |name| makes_no_repository(&repository(name));
        assert!(
            makes_none("1.dkr.ecr.eu-west-1.amazonaws.com/x") && makes_none("public.ecr.aws/a/x")
        );
        assert!(!makes_none("ghcr.io/o/x") && !makes_none("localhost:5000/x"));
    }

    #[test]
    fn each_service_says_how_to_log_in() {
        for (name, command) in [
            (
                "1.dkr.ecr.eu-west-1.amazonaws.com/x",
                "aws ecr get-login-password --region eu-west-1 | ko-rs login --username AWS --password-stdin 1.dkr.ecr.eu-west-1.amazonaws.com",
            ),
            (
                "public.ecr.aws/a/x",
                "aws ecr-public get-login-password --region us-east-1 | ko-rs login --username AWS --password-stdin public.ecr.aws",
            ),
            (
                "europe-docker.pkg.dev/p/r/x",
                "gcloud auth configure-docker europe-docker.pkg.dev, or: gcloud auth print-access-token | ko-rs login --username oauth2accesstoken --password-stdin europe-docker.pkg.dev",
            ),
            (
                "team.azurecr.io/x",
                "az acr login --name team, or without Docker: az acr login --name team --expose-token --output tsv --query accessToken | ko-rs login --username 00000000-0000-0000-0000-000000000000 --password-stdin team.azurecr.io",
            ),
            ("docker.io/a/x", "ko-rs login docker.io"),
            ("localhost:5000/x", "ko-rs login localhost:5000"),
        ] {
            let repository = repository(name);
            assert_eq!(Service::of(&repository).log_in(&repository), command);
        }
    }

    #[test]
    fn what_has_to_exist_first_is_named_with_the_command_that_makes_it() {
        for (name, part) in [
            (
                "1.dkr.ecr.eu-west-1.amazonaws.com/team/app-1",
                "aws ecr create-repository --region eu-west-1 --repository-name team/app-1; or push every image to one repository that exists, with --bare",
            ),
            (
                "public.ecr.aws/a/team/x",
                "ecr-public create-repository --region us-east-1 --repository-name team/x;",
            ),
            (
                "europe-west1-docker.pkg.dev/p/r/x",
                "gcloud artifacts repositories create r --repository-format=docker --location=europe-west1 --project=p",
            ),
            (
                "eu.gcr.io/p/x",
                "create eu.gcr.io --repository-format=docker --location=europe --project=p",
            ),
            ("europe-docker.pkg.dev/p/x", "--repo europe-docker.pkg.dev/PROJECT/REPOSITORY"),
            ("ghcr.io/o/x", "does the user or organisation `o` exist"),
            ("ghcr.io/x", "--repo ghcr.io/NAME"),
            ("quay.io/o/a/x", "set --repo to `quay.io/o`, and -B"),
            ("docker.io/o/a/x", "set --repo to `docker.io/o`, and -B"),
            ("harbor.example/p/x", "`p` has to exist at `harbor.example`"),
            ("harbor.example/x", "--repo harbor.example/PROJECT"),
            ("r.example/p/x", "check that `p` exists at `r.example`"),
        ] {
            let repository = repository(name);
            let hint = Service::of(&repository).create(&repository);
            assert!(hint.contains(part), "{name}: {hint}");
        }
    }

    #[test]
    fn what_is_not_allowed_is_named_as_the_service_names_it() {
        for (name, pulls, part) in [
            (
                "1.dkr.ecr.eu-west-1.amazonaws.com/x",
                false,
                "the IAM policy must allow to push to `x`",
            ),
            ("europe-docker.pkg.dev/p/r/x", false, "roles/artifactregistry.writer"),
            ("europe-docker.pkg.dev/p/r/x", true, "roles/artifactregistry.reader"),
            ("team.azurecr.io/x", false, "`AcrPush`"),
            ("team.azurecr.io/x", true, "`AcrPull`"),
            ("ghcr.io/o/x", false, "`permissions: packages: write`"),
            ("registry.gitlab.com/g/p", false, "`write_registry`"),
            ("quay.io/o/a/x", false, "one level"),
            ("quay.io/o/a/x", true, "permission to pull from `o/a/x`"),
            ("docker.io/o/x", false, "`o` has to be the account"),
            ("harbor.example/p/x", false, "`p` has to exist"),
            ("r.example/x", true, "not allowed to pull from `x`"),
        ] {
            let repository = repository(name);
            let hint = Service::of(&repository).allow(&repository, pulls);
            assert!(hint.contains(part), "{name}: {hint}");
        }
    }
}
