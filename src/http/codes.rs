//! The codes of errors about connections.

use crate::report::codes;

codes! {
    HOST_UNREACHABLE = "host-unreachable", Failure,
        "No connection to a host can be made.",
        "The name does not resolve, nothing listens at the port, or the network or a proxy is down. Connections \
         are retried for `--registry-timeout`.";
    UNTRUSTED_CERTIFICATE = "untrusted-certificate", Failure,
        "The certificate of a host is not trusted, or the TLS handshake failed.",
        "The cause names what is wrong with the certificate. `SSL_CERT_FILE`, `SSL_CERT_DIR` and \
         `/etc/docker/certs.d/HOST/` add trusted certificates; `docs/registries.md` describes them.";
    NOT_HTTP = "not-http", Failure,
        "A host does not speak HTTP.",
        "Another program listens at the port.";
    CONNECTION_INTERRUPTED = "connection-interrupted", Failure,
        "A connection was interrupted, or a host did not respond in time.",
        "Requests are retried for `--registry-timeout`, and downloads resume where they stopped. Run the command \
         again once the host responds.";
    RESPONSE_TOO_LARGE = "response-too-large", Failure,
        "A response is larger than the limit.",
        "Manifests, tokens and files by URL have limits, so that a host cannot exhaust the memory.";
    INVALID_CONNECTION_SETTINGS = "invalid-connection-settings", Failure,
        "The settings of connections cannot be used.",
        "A file of certificates or keys cannot be read, or the URL of a proxy is not valid.";
    URL_NOT_FETCHED = "url-not-fetched", Failure,
        "A file cannot be fetched from its URL.",
        "The URL is not one of HTTP, the server responded with an error or a web page, or it redirects too often or \
         from HTTPS to HTTP.";
}
