//! The ground floor of everything that speaks HTTP: clients with TLS and proxies, requests with
//! limits on silence and size, the rule for retries, and files by URL.
//!
//! Does not know registries, credentials or manifests. Reads no environment: [`Settings`] contains what
//! the environment says. The Docker Engine's client does not use it, since an engine is reached
//! without proxies, redirects and the system's certificates.

mod certificate;
pub(crate) mod codes;
mod distrust;
mod error;
mod fetch;
mod pem;
mod retry;
mod sender;
mod settings;
mod transport;
mod url;
mod verify;

#[cfg(any(fuzzing, test))]
pub mod fuzzing;

pub use distrust::{Distrust, Problem};
pub use error::{Failure, Transport};
pub use fetch::{FetchError, fetch};
pub use retry::PATIENCE;
pub(crate) use retry::{Patience, is_passing, retry_after};
pub(crate) use sender::{Moved, Pace, Sender, Silence};
pub use settings::{Certificates, Proxies, Settings};
pub(crate) use transport::Clients;
pub use transport::Error as TransportError;
pub(crate) use url::authority;
