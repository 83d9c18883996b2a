//! One client of the [OCI distribution spec][spec]: pulls, pushes, mounts, proves who it is, and
//! tries again. Every request to a registry goes through it.
//!
//! What is asked is decided in `request`, apart from the sending, and what a failure means in
//! `error`. The client knows nothing of images beyond manifests' bytes and blobs' digests, of which
//! blobs an image has, or of the environment: all of it is in [`Settings`].
//!
//! [spec]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md

mod request;
mod answer;
mod error;
mod service;
mod hint;
mod retry;
mod challenge;
mod credentials;
mod credential_file;
mod credential_helper;
mod certificate;
mod distrust;
mod verify;
mod transport;
mod sender;
mod auth;
mod body;
mod locations;
mod client;
mod login;
mod pull;
mod upload;
mod push;
mod copy;
mod referrers;
mod fetch;

#[cfg(any(fuzzing, test))]
pub mod fuzzing;
#[cfg(test)]
mod tests;

pub use answer::Answer;
pub use client::{Client, Settings};
pub use credential_helper::Error as HelperError;
pub use credentials::{CredentialSources, Error as CredentialsError, GitHub, Secret};
pub use distrust::{Distrust, Problem};
pub use error::{Error, Failure, Step, Transport};
pub use fetch::{FetchError, fetch};
pub use locations::{Error as LocationsError, LocationFiles, Locations};
pub use login::{Account, Error as LoginError, InvalidAccount, Keeper, LoggedIn, LoggedOut};
pub use pull::RawManifest;
pub use push::{BlobBody, Mounted, Streamed};
pub use retry::PATIENCE;
pub use service::makes_no_repository;
pub use transport::{Certificates, Error as TransportError, Proxies};
