//! Names of images: `registry/repository[:tag][@digest]`.
//!
//! The conventions of Docker apply: a name whose first part is not a host is on `docker.io`; there,
//! a name without a folder is in `library/`.

use std::fmt;
use std::str::FromStr;

use super::Digest;

/// A registry, by its host and port: `ghcr.io`, `localhost:5000`, `[::1]:5000`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Registry(String);

/// A repository of a registry: `docker.io/library/alpine`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    registry: Registry,
    path: String,
}

/// A tag: up to 128 of `[A-Za-z0-9_.-]`, not starting with `.` or `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

/// A repository, optionally with a tag, a digest or both. Without either, the tag is `latest`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference {
    /// The repository.
    pub repository: Repository,
    /// The tag as given.
    pub tag: Option<Tag>,
    /// The digest as given. It takes precedence over the tag.
    pub digest: Option<Digest>,
}

/// A text that is not the name of an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an image name: {reason}")]
pub struct InvalidName {
    text: String,
    reason: &'static str,
}

fn invalid(text: &str, reason: &'static str) -> InvalidName {
    InvalidName { text: text.chars().take(300).collect(), reason }
}

impl Registry {
    /// Docker Hub, whose name is `docker.io` and whose host is another one.
    pub const DOCKER_HUB: &'static str = "docker.io";

    /// The name of the registry: host and port.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host and port that requests go to.
    #[must_use]
    pub fn api_host(&self) -> &str {
        if self.0 == Self::DOCKER_HUB { "registry-1.docker.io" } else { &self.0 }
    }

    /// The host, without port and brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        match self.0.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or(rest),
            None => self.0.split(':').next().unwrap_or(&self.0),
        }
    }

    /// A repository of this registry.
    pub fn repository(&self, path: &str) -> Result<Repository, InvalidName> {
        // The path is parsed with a registry that is always valid.
        let text = format!("{}/{path}", Self::DOCKER_HUB);
        let read: Repository = text.parse()?;
        let path = if self.0 == Self::DOCKER_HUB { read.path } else { path.to_owned() };
        Ok(Repository { registry: self.clone(), path })
    }

    /// Whether the host is this machine: `localhost`, `*.localhost` or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost"
            || host.ends_with(".localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl FromStr for Registry {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, rest) =
                    rest.split_once(']').ok_or_else(|| invalid(text, "`[` without `]`"))?;
                if address.parse::<std::net::Ipv6Addr>().is_err() {
                    return Err(invalid(text, "`[]` must contain an IPv6 address"));
                }
                match rest.strip_prefix(':') {
                    Some(port) => (None, Some(port)),
                    None if rest.is_empty() => (None, None),
                    None => return Err(invalid(text, "only a port may follow `]`")),
                }
            }
            None => match text.split_once(':') {
                Some((host, port)) => (Some(host), Some(port)),
                None => (Some(text), None),
            },
        };
        let label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if host.is_some_and(|host| !host.split('.').all(label)) {
            return Err(invalid(text, "the registry is not a host name or address"));
        }
        if port.is_some_and(|port| port.parse::<u16>().is_err() || port.starts_with('+')) {
            return Err(invalid(text, "the registry's port is not a number up to 65535"));
        }
        let text = text.to_ascii_lowercase();
        match text.as_str() {
            "index.docker.io" | "registry-1.docker.io" => Ok(Self(Self::DOCKER_HUB.to_owned())),
            _ => Ok(Self(text)),
        }
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Repository {
    /// The registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The path in the registry: `library/alpine`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether a name contains a registry; otherwise it is on Docker Hub.
    #[must_use]
    pub fn names_registry(text: &str) -> bool {
        text.split_once('/').is_some_and(|(first, _)| is_host(first))
    }

    /// An image of this repository by tag.
    #[must_use]
    pub fn tagged(&self, tag: Tag) -> ImageReference {
        ImageReference { repository: self.clone(), tag: Some(tag), digest: None }
    }

    /// An image of this repository by digest.
    #[must_use]
    pub fn at(&self, digest: Digest) -> ImageReference {
        ImageReference { repository: self.clone(), tag: None, digest: Some(digest) }
    }
}

/// Whether the first part of a name is a registry, not a folder on Docker Hub.
fn is_host(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.starts_with('[')
}

/// Distribution spec: `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` between slashes.
fn is_path(path: &str) -> bool {
    path.split('/').all(|part| {
        let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = part.as_bytes();
        let separators = bytes.split(|&b| alphanumeric(b)).filter(|s| !s.is_empty());
        bytes.first().is_some_and(|&b| alphanumeric(b))
            && bytes.last().is_some_and(|&b| alphanumeric(b))
            && separators
                .into_iter()
                .all(|s| matches!(s, b"." | b"_" | b"__") || s.iter().all(|&b| b == b'-'))
    })
}

impl FromStr for Repository {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (registry, path) = match text.split_once('/') {
            Some((first, rest)) if is_host(first) => {
                (first.parse().map_err(|error: InvalidName| invalid(text, error.reason))?, rest)
            }
            _ => (Registry(Registry::DOCKER_HUB.to_owned()), text),
        };
        if path.is_empty() {
            return Err(invalid(text, "no repository follows the registry"));
        }
        if path.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(invalid(text, "a repository must be in lower case"));
        }
        if !is_path(path) {
            return Err(invalid(
                text,
                "a repository can contain a-z, 0-9, `.`, `_`, `-` and `/`, with separators between letters or digits",
            ));
        }
        let hub = registry.0 == Registry::DOCKER_HUB && !path.contains('/');
        let path = if hub { format!("library/{path}") } else { path.to_owned() };
        if path.len() > 255 {
            return Err(invalid(text, "a repository has at most 255 characters"));
        }
        Ok(Self { registry, path })
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

impl Tag {
    /// The default tag.
    #[must_use]
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }

    /// The tag's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let valid = text.len() <= 128
            && text.bytes().next().is_some_and(word)
            && text.bytes().all(|b| word(b) || b == b'.' || b == b'-');
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(invalid(
                text,
                "a tag is up to 128 of A-Z, a-z, 0-9, `_`, `.` and `-`, and starts with none of the last two",
            ))
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ImageReference {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (
                name,
                Some(digest.parse().map_err(|_| {
                    invalid(text, "`sha256:` and 64 hexadecimal digits must follow `@`")
                })?),
            ),
            None => (text, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains(['/', ']']) => {
                (name, Some(tag.parse().map_err(|error: InvalidName| invalid(text, error.reason))?))
            }
            _ => (name, None),
        };
        let repository = name.parse().map_err(|error: InvalidName| invalid(text, error.reason))?;
        Ok(Self { repository, tag, digest })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.repository.fmt(f)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_docker_reads_them() {
        for (text, read) in [
            ("alpine", "docker.io/library/alpine"),
            ("the-gigi/delinkcious:0.3", "docker.io/the-gigi/delinkcious:0.3"),
            ("index.docker.io/a/b", "docker.io/a/b"),
            ("localhost/a", "localhost/a"),
            ("localhost:5000/a/b:v1", "localhost:5000/a/b:v1"),
            ("[::1]:5000/a", "[::1]:5000/a"),
            ("GHCR.io/a/b__c", "ghcr.io/a/b__c"),
            ("ko.local", "docker.io/library/ko.local"),
        ] {
            assert_eq!(text.parse::<ImageReference>().unwrap().to_string(), read, "{text}");
        }
        let digest = Digest::of(b"").to_string();
        let both = format!("ghcr.io/a/b:v1@{digest}");
        assert_eq!(both.parse::<ImageReference>().unwrap().to_string(), both);
    }

    #[test]
    fn what_is_no_name_says_why() {
        for (text, reason) in [
            ("", "no repository follows the registry"),
            ("ghcr.io/", "no repository follows the registry"),
            ("ghcr.io/Team/x", "a repository must be in lower case"),
            ("a//b", "with separators between letters"),
            ("a/b@sha256:1", "must follow `@`"),
            ("a:b:c", "a repository can contain"),
            ("localhost:99999/a", "port"),
            ("a.b:/x", "port"),
            ("[::1/a", "`[` without `]`"),
            ("-a.b/x", "not a host name"),
            ("a/b:.x", "a tag"),
        ] {
            let error = text.parse::<ImageReference>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        // The implied `library/` counts.
        assert!("a".repeat(247).parse::<ImageReference>().is_ok());
        assert!("a".repeat(248).parse::<ImageReference>().is_err());
    }

    #[test]
    fn a_repository_is_made_of_a_registry_and_a_path() {
        let made = |registry: &str, path: &str| {
            let registry: Registry = registry.parse().unwrap();
            registry.repository(path).map(|repository| repository.to_string())
        };
        assert_eq!(made("mirror", "library/x").unwrap(), "mirror/library/x");
        assert_eq!(made("docker.io", "x").unwrap(), "docker.io/library/x");
        assert_eq!(made("r.io", "x").unwrap(), "r.io/x");
        assert!(made("r.io", "X").is_err() && made("r.io", "").is_err());
        for (text, names) in [("a/b", false), ("a", false), ("a.b/c", true), ("localhost/a", true)]
        {
            assert_eq!(Repository::names_registry(text), names, "{text}");
        }
    }

    #[test]
    fn loopback_is_told_from_the_rest() {
        let registry = |text: &str| text.parse::<Registry>().unwrap();
        for text in
            ["localhost:5000", "127.0.0.1:5000", "127.8.0.1", "[::1]:5000", "kind.localhost"]
        {
            assert!(registry(text).is_loopback(), "{text}");
        }
        for text in ["ghcr.io", "10.0.0.1:5000", "localhost.example.com", "registry.local:5000"] {
            assert!(!registry(text).is_loopback(), "{text}");
        }
    }
}
