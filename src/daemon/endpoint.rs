//! The requests that ko-rs makes of an engine ([Engine API][api]), as values.
//!
//! Paths have no version of the API, so engines use their latest: these requests are the same from
//! Engine 20.10 (1.41) to Engine 29, which refuses versions below 1.44, and in podman.
//!
//! [api]: https://docs.docker.com/reference/api/engine/

use std::fmt;

use reqwest::Method;

use crate::oci::{ImageReference, Repository, Tag};

/// A method and a path with its query, without the engine's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    method: Method,
    path: String,
}

// Names of images go into paths as they are: they are made of letters, digits and `._-/:@[]`, which
// a path and a query may hold, and engines expect the slashes bare.
impl Endpoint {
    pub(super) fn version() -> Self {
        Self { method: Method::GET, path: "/version".to_owned() }
    }

    pub(super) fn info() -> Self {
        Self { method: Method::GET, path: "/info".to_owned() }
    }

    pub(super) fn image(name: &ImageReference) -> Self {
        Self { method: Method::GET, path: format!("/images/{name}/json") }
    }

    /// Not quiet: an engine that unpacks prints progress, so it is not considered stalled.
    pub(super) fn load() -> Self {
        Self { method: Method::POST, path: "/images/load?quiet=0".to_owned() }
    }

    pub(super) fn tag(name: &ImageReference, repository: &Repository, tag: &Tag) -> Self {
        Self {
            method: Method::POST,
            path: format!("/images/{name}/tag?repo={repository}&tag={tag}"),
        }
    }

    pub(super) fn export(name: &ImageReference) -> Self {
        Self { method: Method::GET, path: format!("/images/{name}/get") }
    }

    pub(super) fn remove(name: &ImageReference) -> Self {
        Self { method: Method::DELETE, path: format!("/images/{name}") }
    }

    pub(super) fn containers() -> Self {
        Self { method: Method::GET, path: "/containers/json".to_owned() }
    }

    pub(super) fn exec(container: &str) -> Self {
        Self { method: Method::POST, path: format!("/containers/{container}/exec") }
    }

    pub(super) fn exec_start(exec: &str) -> Self {
        Self { method: Method::POST, path: format!("/exec/{exec}/start") }
    }

    pub(super) fn exec_inspect(exec: &str) -> Self {
        Self { method: Method::GET, path: format!("/exec/{exec}/json") }
    }

    pub(super) fn method(&self) -> Method {
        self.method.clone()
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split('?').next().unwrap_or(&self.path);
        write!(f, "{} {path}", self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_paths_as_they_are() {
        let name: ImageReference = "ko.local/link-1:v1".parse().unwrap();
        let tag = Endpoint::tag(&name, &"ko.local/other".parse().unwrap(), &Tag::latest());
        assert_eq!(tag.path(), "/images/ko.local/link-1:v1/tag?repo=ko.local/other&tag=latest");
        assert_eq!(tag.to_string(), "POST /images/ko.local/link-1:v1/tag");
        let name: ImageReference = "[::1]:5000/a".parse().unwrap();
        let url = format!("http://localhost{}", Endpoint::image(&name).path());
        assert_eq!(reqwest::Url::parse(&url).unwrap().as_str(), url);
    }
}
