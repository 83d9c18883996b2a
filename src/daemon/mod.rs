//! A client of the [Docker Engine API][api], as Docker Engine and podman serve it: what an engine
//! is and has, and images that are loaded and exported.
//!
//! Does not use registries or the environment: [`Settings`] contains the variables.
//!
//! [api]: https://docs.docker.com/reference/api/engine/

pub(crate) mod archive;
mod address;
mod answer;
mod choose;
pub(crate) mod codes;
mod container;
mod context;
mod endpoint;
mod error;
mod host;
mod transport;
mod upload;

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use reqwest::{Body, RequestBuilder, Response};
use serde::de::DeserializeOwned;

pub(crate) use address::Address;
pub(crate) use choose::Settings;
pub(crate) use container::{Container, Finished};
pub(crate) use endpoint::Endpoint;
pub(crate) use error::{Cause, Error};

use crate::oci::{Digest, ImageReference, Platform, Repository, Tag};
use crate::report::Reporter;
use answer::{ANSWER_BYTES, Info, Inspected, LoadAnswer, Version};
use archive::BoxError;
use upload::Upload;

/// How long an engine may be silent: unpacking a large layer takes minutes.
const PATIENCE: Duration = Duration::from_secs(180);

/// An engine. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Daemon {
    address: Address,
    client: reqwest::Client,
    base: String,
    reporter: Reporter,
    patience: Duration,
}

/// How an engine keeps its images, which decides what an archive for it may leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Layers unpacked by a graph driver: Docker Engine up to 28 unless set otherwise. An image's
    /// ID is its configuration's digest. Layers that are there, counted from the lowest, may be
    /// left out of an archive.
    GraphDriver,
    /// containerd's content store: Docker Engine 29 unless set otherwise. An image's ID is the
    /// digest of its manifest or index. An archive must be whole.
    Containerd,
    /// podman. An image's ID is its configuration's digest. An archive must be whole.
    Podman,
}

/// An image that an engine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineImage {
    /// Its ID; see [`Store`].
    pub id: Digest,
    /// The digests of its layers' tars, lowest first.
    pub diff_ids: Vec<Digest>,
    /// Its platform.
    pub platform: Platform,
}

/// The images that an engine loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Names as the engine writes them, or IDs of images without a name. Never empty.
    pub names: Vec<String>,
}

impl Daemon {
    /// A client for an engine; reads certificates if there are any, sends nothing yet.
    pub fn new(address: Address, reporter: Reporter) -> Result<Self, Error> {
        let (client, base) = transport::connect(&address)?;
        Ok(Self { address, client, base, reporter, patience: PATIENCE })
    }

    /// Where the engine is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether the engine is there and answers.
    pub async fn reach(&self) -> Result<(), Error> {
        self.json::<Version>(&Endpoint::version()).await.map(drop)
    }

    /// The platform of the engine's containers.
    pub async fn platform(&self) -> Result<Platform, Error> {
        let endpoint = Endpoint::version();
        let version: Version = self.json(&endpoint).await?;
        format!("{}/{}", version.os, version.arch)
            .parse()
            .map_err(|error| self.misunderstood(&endpoint, error))
    }

    /// How the engine keeps its images.
    pub async fn store(&self) -> Result<Store, Error> {
        let version: Version = self.json(&Endpoint::version()).await?;
        match version.is_podman() {
            true => Ok(Store::Podman),
            false => Ok(self.json::<Info>(&Endpoint::info()).await?.store()),
        }
    }

    /// The image with a name, or `None` if the engine does not have it.
    pub async fn image(&self, name: &ImageReference) -> Result<Option<EngineImage>, Error> {
        let endpoint = Endpoint::image(name);
        match self.json::<Inspected>(&endpoint).await {
            Ok(found) => {
                found.image().map(Some).map_err(|error| self.misunderstood(&endpoint, error))
            }
            Err(Error::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends an archive, named [`Once`](archive::Naming::Once), and waits until the engine has its
    /// images. Fails only if nothing is transferred for too long.
    ///
    /// An [`Error::Load`] or [`Error::Refused`] may mean that a layer was left out that is not there
    /// after all: send all of them then.
    pub async fn load<S, E>(&self, archive: S) -> Result<Loaded, Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let endpoint = Endpoint::load();
        let what = format!("image to {}", self.address);
        let (upload, progress) = Upload::new(archive, what, self.reporter.clone());
        let request = self
            .request(&endpoint)
            .header(http::header::CONTENT_TYPE, "application/x-tar")
            .body(Body::wrap_stream(upload));
        let answered = tokio::select! {
            answered = request.send() => answered.map_err(|error| self.failed(&endpoint, error)),
            () = progress.stalled(self.patience) => Err(self.stalled(&endpoint)),
        };
        let outcome = match answered {
            Ok(response) => self.loaded(&endpoint, response).await,
            Err(error) => Err(error),
        };
        // An error of the engine is caused by the truncated archive.
        match progress.failure() {
            Some(source) => Err(Error::Archive { address: self.address.clone(), source }),
            None => outcome,
        }
    }

    /// Adds a name to an image.
    pub async fn tag(
        &self,
        name: &ImageReference,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<(), Error> {
        self.done(&Endpoint::tag(name, repository, tag)).await
    }

    /// An image as a docker-archive, layers and all. An error after its first byte is one of the
    /// stream's items, or, from some engines, JSON where a tar header should be.
    pub async fn export(
        &self,
        name: &ImageReference,
    ) -> Result<impl Stream<Item = Result<Bytes, Error>> + Send + use<>, Error> {
        let endpoint = Endpoint::export(name);
        let response = self.accepted(&endpoint, self.request(&endpoint)).await?;
        let start = (self.clone(), endpoint, response);
        Ok(stream::try_unfold(start, |(daemon, endpoint, mut response)| async move {
            let bytes = daemon.chunk(&endpoint, &mut response).await?;
            Ok(bytes.map(|bytes| (bytes, (daemon, endpoint, response))))
        }))
    }

    /// Removes a name, and the image if it has no other.
    pub async fn remove(&self, name: &ImageReference) -> Result<(), Error> {
        self.done(&Endpoint::remove(name)).await
    }

    async fn loaded(&self, endpoint: &Endpoint, response: Response) -> Result<Loaded, Error> {
        let mut response = self.checked(endpoint, response).await?;
        let mut answer = LoadAnswer::default();
        while let Some(bytes) = self.chunk(endpoint, &mut response).await? {
            answer.push(&bytes).map_err(|error| self.misunderstood(endpoint, error))?;
        }
        let failed = match answer.finish() {
            Ok(Ok(loaded)) => return Ok(loaded),
            Ok(Err(failed)) => failed,
            Err(error) => return Err(self.misunderstood(endpoint, error)),
        };
        // Otherwise it would be listed like any other image.
        for name in &failed.broken {
            if let Err(error) = self.remove(name).await {
                self.reporter.detail(format!("could not remove the broken image {name}: {error}"));
            }
        }
        Err(Error::Load { address: self.address.clone(), message: failed.message })
    }

    async fn done(&self, endpoint: &Endpoint) -> Result<(), Error> {
        let mut response = self.accepted(endpoint, self.request(endpoint)).await?;
        self.whole(endpoint, &mut response).await.map(|_| ())
    }

    async fn json<T: DeserializeOwned>(&self, endpoint: &Endpoint) -> Result<T, Error> {
        self.parsed(endpoint, self.request(endpoint)).await
    }

    async fn parsed<T: DeserializeOwned>(
        &self,
        endpoint: &Endpoint,
        request: RequestBuilder,
    ) -> Result<T, Error> {
        let mut response = self.accepted(endpoint, request).await?;
        let body = self.whole(endpoint, &mut response).await?;
        serde_json::from_slice(&body).map_err(|error| self.misunderstood(endpoint, error))
    }

    fn request(&self, endpoint: &Endpoint) -> RequestBuilder {
        self.client.request(endpoint.method(), format!("{}{}", self.base, endpoint.path()))
    }

    /// Sends a request, and fails unless the response has a successful status.
    async fn accepted(
        &self,
        endpoint: &Endpoint,
        request: RequestBuilder,
    ) -> Result<Response, Error> {
        let response = tokio::time::timeout(self.patience, request.send())
            .await
            .map_err(|_| self.stalled(endpoint))?
            .map_err(|error| self.failed(endpoint, error))?;
        self.checked(endpoint, response).await
    }

    async fn checked(
        &self,
        endpoint: &Endpoint,
        mut response: Response,
    ) -> Result<Response, Error> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = self.whole(endpoint, &mut response).await.unwrap_or_default();
        Err(Error::Refused {
            endpoint: endpoint.clone(),
            address: self.address.clone(),
            status: status.as_u16(),
            message: answer::message(&body),
        })
    }

    async fn whole(&self, endpoint: &Endpoint, response: &mut Response) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(bytes) = self.chunk(endpoint, response).await? {
            if body.len() + bytes.len() > ANSWER_BYTES {
                return Err(self.misunderstood(endpoint, "it is too long"));
            }
            body.extend_from_slice(&bytes);
        }
        Ok(body)
    }

    async fn chunk(
        &self,
        endpoint: &Endpoint,
        response: &mut Response,
    ) -> Result<Option<Bytes>, Error> {
        tokio::time::timeout(self.patience, response.chunk())
            .await
            .map_err(|_| self.stalled(endpoint))?
            .map_err(|error| self.failed(endpoint, error))
    }

    fn failed(&self, endpoint: &Endpoint, error: reqwest::Error) -> Error {
        let (address, connecting) = (self.address.clone(), error.is_connect());
        let source = Cause::new(error);
        match connecting {
            true => Error::Connect { address, source },
            false => Error::Request { endpoint: endpoint.clone(), address, source },
        }
    }

    fn stalled(&self, endpoint: &Endpoint) -> Error {
        let (endpoint, address) = (endpoint.clone(), self.address.clone());
        Error::Stalled { endpoint, address, seconds: self.patience.as_secs() }
    }

    fn misunderstood(&self, endpoint: &Endpoint, error: impl Into<BoxError>) -> Error {
        let (endpoint, address) = (endpoint.clone(), self.address.clone());
        Error::Answer { endpoint, address, source: error.into() }
    }
}

#[cfg(all(test, unix))]
mod tests;
