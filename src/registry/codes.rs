//! The codes of errors and warnings about registries and their credentials.

use crate::report::codes;

codes! {
    REGISTRY_REFUSED = "registry-refused", Failure,
        "A registry responded with an error.",
        "The error contains the status and the registry's own message. Responses that may be temporary (429, 500, 502, \
         503, 504) are retried for `--registry-timeout` first.";
    LOGIN_REQUIRED = "login-required", Failure,
        "A registry requires a login, or rejects the credentials.",
        "`docs/registries.md` describes where credentials are read from. The hint contains the command that logs in \
         to this registry, or says which right is missing.";
    IMAGE_NOT_FOUND = "image-not-found", Failure,
        "A registry does not have an image.",
        "The repository, tag or digest does not exist. Some registries respond in the same way to users who may not \
         see the image.";
    REPOSITORY_NOT_FOUND = "repository-not-found", Failure,
        "A registry does not have the repository that an image is pushed to.",
        "Some registries do not create repositories or projects when an image is pushed.";
    NOT_A_REGISTRY = "not-a-registry", Failure,
        "The response of a host violates the OCI distribution specification.",
        "Something else than a registry listens at the address, or a proxy responds in its place.";
    BLOB_MISSING = "blob-missing", Failure,
        "A registry does not have a blob that it had before.",
        "The registry may have removed unused blobs during the push. The push is repeated once with all blobs; if this \
         fails too, run the command again.";
    CREDENTIALS_NOT_READABLE = "credentials-not-readable", Failure,
        "A file of credentials cannot be read, or is not in the format of Docker's `config.json`.",
        "Its contents are never part of a message.";
    CREDENTIALS_NOT_STORED = "credentials-not-stored", Failure,
        "Credentials cannot be stored or removed.",
        "`ko-rs login` writes to `REGISTRY_AUTH_FILE` or Docker's `config.json`, or calls the credential helper that is \
         configured there.";
    INVALID_CREDENTIALS = "invalid-credentials", Usage,
        "The user name or password for `ko-rs login` is not valid.",
        "A user name cannot contain a colon or a line break, and a password cannot be empty.";
    CREDENTIAL_HELPER = "credential-helper", Warning,
        "A credential helper does not return credentials.",
        "The program `docker-credential-NAME` is missing, failed, or did not answer within 30 seconds. This is a \
         warning: other sources of credentials are used.";
    INVALID_REGISTRIES_CONF = "invalid-registries-conf", Failure,
        "`registries.conf` cannot be read, or does not permit pulling an image.",
        "The registry is blocked, a short name is ambiguous, or the file is not valid. `docs/registries.md` describes \
         the supported keys.";
}
