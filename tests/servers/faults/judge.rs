//! Reads what a registry has stored: every digest is computed anew. A docker-registry is read past
//! it, and what a repository may serve is looked up in its links; olareg is asked.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::oci::hex;
use crate::servers::tool;

/// What a tag leads to: the digests of configurations, layers and bills of materials, whichever way
/// they are indexed.
pub(super) type Content = BTreeSet<String>;

/// A repository.
pub(super) enum Kept<'a> {
    Stored(Stored<'a>),
    Served(Served<'a>),
}

/// In the storage of a docker-registry.
pub(super) struct Stored<'a> {
    pub(super) storage: &'a Path,
    pub(super) repository: &'a str,
}

/// At a registry that keeps lists of referrers.
pub(super) struct Served<'a> {
    pub(super) host: &'a str,
    pub(super) repository: &'a str,
}

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(bytes))
}

impl Stored<'_> {
    fn path(&self, rest: &str) -> PathBuf {
        self.storage.join("repositories").join(self.repository).join(rest)
    }

    fn tag(&self, tag: &str) -> Option<String> {
        fs::read_to_string(self.path(&format!("_manifests/tags/{tag}/current/link"))).ok()
    }

    fn bytes(&self, digest: &str, link: &str) -> Result<Vec<u8>, String> {
        let hexadecimal = digest.strip_prefix("sha256:").ok_or("a digest of another kind")?;
        let linked = fs::read_to_string(self.path(&format!("{link}/sha256/{hexadecimal}/link")));
        if linked.ok().as_deref() != Some(digest) {
            return Err(format!("the repository does not have {digest}"));
        }
        let data = format!("blobs/sha256/{}/{hexadecimal}/data", &hexadecimal[..2]);
        fs::read(self.storage.join(data)).map_err(|error| format!("{digest}: {error}"))
    }
}

impl Served<'_> {
    fn get(&self, path: &str) -> Option<Vec<u8>> {
        let url = format!("http://{}/v2/{}/{path}", self.host, self.repository);
        let wanted =
            ["manifest", "index"].map(|kind| format!("application/vnd.oci.image.{kind}.v1+json"));
        let accept = format!("Accept: {}, */*", wanted.join(", "));
        let arguments = ["--silent", "--fail", "--header", &accept, &url];
        let asked = Command::new(tool("curl")).args(arguments).output();
        asked.ok().filter(|asked| asked.status.success()).map(|asked| asked.stdout)
    }
}

impl Kept<'_> {
    /// What a tag points to, if it exists.
    pub(super) fn tag(&self, tag: &str) -> Option<String> {
        match self {
            Self::Stored(stored) => stored.tag(tag),
            Self::Served(served) => {
                served.get(&format!("manifests/{tag}")).as_deref().map(digest_of)
            }
        }
    }

    fn verified(&self, digest: &str, is_blob: bool) -> Result<Vec<u8>, String> {
        let bytes = match self {
            Self::Stored(stored) if is_blob => stored.bytes(digest, "_layers")?,
            Self::Stored(stored) => stored.bytes(digest, "_manifests/revisions")?,
            Self::Served(served) => {
                let kind = if is_blob { "blobs" } else { "manifests" };
                let bytes = served.get(&format!("{kind}/{digest}"));
                bytes.ok_or(format!("the repository does not have {digest}"))?
            }
        };
        if digest_of(&bytes) == digest {
            Ok(bytes)
        } else {
            Err(format!("{digest} holds other bytes"))
        }
    }

    fn manifest(&self, digest: &str) -> Result<Value, String> {
        let bytes = self.verified(digest, false)?;
        serde_json::from_slice(&bytes).map_err(|error| format!("{digest}: {error}"))
    }

    /// What refers to an image, as lists have it.
    fn referrers(&self, digest: &str) -> Result<Vec<String>, String> {
        let list = match self {
            Self::Stored(stored) => match stored.tag(&digest.replace(':', "-")) {
                Some(list) => self.manifest(&list)?,
                None => return Ok(Vec::new()),
            },
            Self::Served(served) => {
                let list = served.get(&format!("referrers/{digest}")).unwrap_or_default();
                serde_json::from_slice(&list).map_err(|error| format!("referrers: {error}"))?
            }
        };
        let entries = list["manifests"].as_array().ok_or("a list without entries")?;
        let digests = entries.iter().map(|entry| entry["digest"].as_str().unwrap_or_default());
        Ok(digests.map(str::to_owned).collect())
    }

    /// All that a manifest or index leads to, with what refers to it if it `has_bill`, or what of it
    /// is missing or wrong.
    pub(super) fn content(&self, digest: &str, has_bill: bool) -> Result<Content, String> {
        let document = self.manifest(digest)?;
        let mut content = Content::new();
        if let Some(children) = document["manifests"].as_array() {
            for child in children {
                let child = child["digest"].as_str().unwrap_or_default();
                content.extend(self.content(child, has_bill)?);
            }
            return Ok(content);
        }
        let layers = document["layers"].as_array().ok_or("a manifest without layers")?;
        for blob in layers.iter().chain([&document["config"]]) {
            let digest = blob["digest"].as_str().unwrap_or_default();
            let bytes = self.verified(digest, true)?;
            if blob["size"].as_u64() != Some(bytes.len() as u64) {
                return Err(format!("{digest} has another size"));
            }
            content.insert(digest.to_owned());
        }
        if has_bill {
            let bills = self.referrers(digest)?;
            if bills.len() != 1 || self.manifest(&bills[0])?["subject"]["digest"] != *digest {
                return Err(format!("what refers to it is {bills:?}"));
            }
            content.extend(self.content(&bills[0], false)?);
        }
        Ok(content)
    }
}
