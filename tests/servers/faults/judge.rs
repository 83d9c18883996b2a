//! Reads what a registry has stored, past the registry: every digest is computed anew, and what a
//! repository may serve is looked up in its links.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::oci::hex;

/// What a tag leads to: the digests of configurations and layers, whichever way they are indexed.
pub(super) type Content = BTreeSet<String>;

/// A repository in the storage of a docker-registry.
pub(super) struct Stored<'a> {
    pub(super) storage: &'a Path,
    pub(super) repository: &'a str,
}

impl Stored<'_> {
    fn path(&self, rest: &str) -> PathBuf {
        self.storage.join("repositories").join(self.repository).join(rest)
    }

    /// What a tag points to, if it exists.
    pub(super) fn tag(&self, tag: &str) -> Option<String> {
        fs::read_to_string(self.path(&format!("_manifests/tags/{tag}/current/link"))).ok()
    }

    fn bytes(&self, digest: &str, link: &str) -> Result<Vec<u8>, String> {
        let hexadecimal = digest.strip_prefix("sha256:").ok_or("a digest of another kind")?;
        let linked = fs::read_to_string(self.path(&format!("{link}/sha256/{hexadecimal}/link")));
        if linked.ok().as_deref() != Some(digest) {
            return Err(format!("the repository does not have {digest}"));
        }
        let data = format!("blobs/sha256/{}/{hexadecimal}/data", &hexadecimal[..2]);
        let bytes =
            fs::read(self.storage.join(data)).map_err(|error| format!("{digest}: {error}"))?;
        match hex(&bytes) == hexadecimal {
            true => Ok(bytes),
            false => Err(format!("{digest} holds other bytes")),
        }
    }

    fn json(&self, digest: &str, link: &str) -> Result<Value, String> {
        let bytes = self.bytes(digest, link)?;
        serde_json::from_slice(&bytes).map_err(|error| format!("{digest}: {error}"))
    }

    /// All that a manifest or index leads to, or what of it is missing or wrong.
    pub(super) fn content(&self, digest: &str) -> Result<Content, String> {
        let document = self.json(digest, "_manifests/revisions")?;
        let mut content = Content::new();
        if let Some(children) = document["manifests"].as_array() {
            for child in children {
                content.extend(self.content(child["digest"].as_str().unwrap_or_default())?);
            }
            return Ok(content);
        }
        let layers = document["layers"].as_array().ok_or("a manifest without layers")?;
        for blob in layers.iter().chain([&document["config"]]) {
            let digest = blob["digest"].as_str().unwrap_or_default();
            let bytes = self.bytes(digest, "_layers")?;
            if blob["size"].as_u64() != Some(bytes.len() as u64) {
                return Err(format!("{digest} has another size"));
            }
            content.insert(digest.to_owned());
        }
        Ok(content)
    }
}
