//! The codes of errors about connections.

use crate::report::codes;

codes! {
    CONNECTION_FAILED = "connection-failed", Failure,
        "A host cannot be reached, does not respond in time, interrupts the connection, or does not speak HTTP.",
        "The name does not resolve, nothing or something else listens at the port, or the network or a proxy is down. \
         Requests are retried for `--registry-timeout`, and downloads resume where they stopped.";
    UNTRUSTED_CERTIFICATE = "untrusted-certificate", Failure,
        "The certificate of a host is not trusted, or the TLS handshake failed.",
        "The cause names what is wrong with the certificate. `SSL_CERT_FILE`, `SSL_CERT_DIR` and \
         `/etc/docker/certs.d/HOST/` add trusted certificates; `docs/registries.md` describes them.";
    INVALID_CONNECTION_SETTINGS = "invalid-connection-settings", Failure,
        "The settings of connections cannot be used.",
        "A file of certificates or keys cannot be read, or the URL of a proxy is not valid.";
    URL_NOT_FETCHED = "url-not-fetched", Failure,
        "A file cannot be fetched from its URL.",
        "The URL is not one of HTTP, the server responded with an error, a web page or more than 256 MiB, or it redirects \
         too often or from HTTPS to HTTP.";
}
