//! The codes of errors of Docker Engines, and in the settings that say where one is.

use crate::report::codes;

codes! {
    INVALID_DOCKER_HOST = "invalid-docker-host", Failure,
        "The address of the Docker Engine is not valid or not supported.",
        "`DOCKER_HOST`, or the host of a Docker context, must be `unix:///path/to.sock` or `tcp://host:port`. \
         ko-rs does not support `ssh://`: the hint says how to forward the socket.";
    UNUSABLE_DOCKER_CONTEXT = "unusable-docker-context", Failure,
        "The Docker context does not exist or cannot be used.",
        "`DOCKER_CONTEXT`, or `docker context use`, selects a context of the folder `DOCKER_CONFIG` or \
         `~/.docker`. `DOCKER_HOST` overrides it. ko-rs always verifies certificates, so it does not use contexts \
         that skip this.";
    UNUSABLE_DOCKER_CERTIFICATE = "unusable-docker-certificate", Failure,
        "A certificate for the Docker Engine is missing, not readable or not accepted.",
        "With TLS, `DOCKER_CERT_PATH` names a folder with `ca.pem`, which signs the certificate of the engine, and \
         `cert.pem` and `key.pem`, with which ko-rs authenticates.";
    ENGINE_UNREACHABLE = "engine-unreachable", Failure,
        "The Docker Engine cannot be reached, or it stopped responding.",
        "Check that it is running, and that `DOCKER_HOST` or the Docker context is correct: `docker version` uses \
         the same settings.";
    ENGINE_FAILED = "engine-failed", Failure,
        "The Docker Engine responded with an error, or it could not load an image.",
        "The message of the engine is printed. Typical reasons are a full disk, an engine that is too old, and an \
         address of a server that is not a Docker Engine.";
}
