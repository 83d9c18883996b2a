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
pub(crate) mod codes;
mod error;
mod service;
mod details;
mod challenge;
mod secret;
mod credentials;
mod credential_file;
mod credential_helper;
mod auth;
mod body;
mod locations;
mod refusal;
mod session;
mod client;
mod login;
mod follower;
mod pull;
mod upload;
mod push;
mod copy;
mod referrers;

#[cfg(any(fuzzing, test))]
pub mod fuzzing;
#[cfg(test)]
mod tests;

pub use answer::Answer;
pub use client::{Client, Settings};
pub use credential_helper::Error as HelperError;
pub use credentials::{CredentialSources, GitHub};
pub use error::{Error, Failure, Step};
pub use locations::{Error as LocationsError, LocationFiles, Locations};
pub use login::{Account, Error as LoginError, InvalidAccount, Keeper, LoggedIn, LoggedOut};
pub use pull::RawManifest;
pub use push::{BlobBody, Mounted, Streamed};
pub use secret::{Error as CredentialsError, Secret};
pub use service::makes_no_repository;
