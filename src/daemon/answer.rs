//! The responses of engines. Sizes are limited, because any program may be at the address.

use std::str::FromStr;

use serde::Deserialize;

use super::{EngineImage, Loaded, Store};
use crate::oci::{Digest, ImageReference, Platform};

/// The size limit of a response that is kept in memory.
pub(super) const ANSWER_BYTES: usize = 8 << 20;
/// The size limit of a line of a response.
const LINE_BYTES: usize = 1 << 20;
/// How much of a message is shown.
const MESSAGE_CHARACTERS: usize = 600;
/// How many names of loaded images are kept.
const NAMES: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Version {
    #[serde(default)]
    pub(super) os: String,
    #[serde(default)]
    pub(super) arch: String,
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Component {
    #[serde(default)]
    name: String,
}

impl Version {
    pub(super) fn is_podman(&self) -> bool {
        self.components.iter().any(|component| component.name.starts_with("Podman"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Info {
    driver_status: Option<Vec<Vec<String>>>,
}

impl Info {
    /// How an engine that is not podman keeps its images.
    pub(super) fn store(&self) -> Store {
        let snapshotter = |row: &Vec<String>| {
            row.iter().map(String::as_str).eq(["driver-type", "io.containerd.snapshotter.v1"])
        };
        match self.driver_status.iter().flatten().any(snapshotter) {
            true => Store::Containerd,
            false => Store::GraphDriver,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Inspected {
    id: String,
    os: String,
    architecture: String,
    variant: Option<String>,
    #[serde(rename = "RootFS")]
    rootfs: Option<RootFs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RootFs {
    layers: Option<Vec<Digest>>,
}

impl Inspected {
    pub(super) fn image(self) -> Result<EngineImage, <Digest as FromStr>::Err> {
        // podman leaves the algorithm out in some versions.
        let id = match self.id.contains(':') {
            true => self.id.parse()?,
            false => format!("sha256:{}", self.id).parse()?,
        };
        let variant = self.variant.filter(|variant| !variant.is_empty());
        let platform = Platform { os: self.os, variant, ..Platform::linux(&self.architecture) };
        let diff_ids = self.rootfs.and_then(|rootfs| rootfs.layers).unwrap_or_default();
        Ok(EngineImage { id, diff_ids, platform })
    }
}

/// The message of an error response: `message` of its JSON, else its text.
pub(super) fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Message {
        message: String,
    }
    match serde_json::from_slice::<Message>(body) {
        Ok(json) => shown(&json.message),
        Err(_) => shown(&String::from_utf8_lossy(body)),
    }
}

/// A text on one line, without control characters.
fn shown(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut plain = one_line.chars().filter(|c| !c.is_control());
    let mut shown: String = plain.by_ref().take(MESSAGE_CHARACTERS).collect();
    match (plain.next(), shown.is_empty()) {
        (Some(_), _) => shown.push('…'),
        (None, true) => shown.push_str("(no message)"),
        (None, false) => {}
    }
    shown
}

#[derive(Deserialize)]
struct Line {
    stream: Option<String>,
    error: Option<String>,
    #[serde(rename = "errorDetail")]
    detail: Option<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    message: String,
}

/// Reads the response to a load: JSON values, one on each line.
#[derive(Default)]
pub(super) struct LoadAnswer {
    unread: Vec<u8>,
    loaded: Loaded,
    error: Option<String>,
    broken: Vec<ImageReference>,
}

/// Why an engine loaded nothing, and the names of images that it listed but could not unpack.
#[derive(Debug)]
pub(super) struct LoadFailed {
    pub(super) message: String,
    pub(super) broken: Vec<ImageReference>,
}

/// A response to a load that is not valid.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("a line of it is longer than {LINE_BYTES} bytes")]
    Long,
    #[error("a line of it is not JSON")]
    Json(#[source] serde_json::Error),
    #[error("it names no image that was loaded")]
    Nothing,
}

impl LoadAnswer {
    /// Adds the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), NoAnswer> {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            if self.unread.len() + piece.len() > LINE_BYTES {
                return Err(NoAnswer::Long);
            }
            self.unread.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.line()?;
            }
        }
        Ok(())
    }

    fn line(&mut self) -> Result<(), NoAnswer> {
        let line = std::mem::take(&mut self.unread);
        // Newlines between values are optional.
        for value in serde_json::Deserializer::from_slice(&line).into_iter::<Line>() {
            self.value(value.map_err(NoAnswer::Json)?);
        }
        Ok(())
    }

    fn value(&mut self, line: Line) {
        let error = line.detail.map(|detail| detail.message).filter(|text| !text.is_empty());
        if let Some(error) = error.or(line.error) {
            self.error.get_or_insert(shown(&error));
        }
        for text in line.stream.iter().flat_map(|text| text.lines()) {
            // With containerd's store this is not reported as an error.
            if let Some((name, _)) =
                text.strip_prefix("Error unpacking image ").and_then(|text| text.split_once(": "))
            {
                self.broken.extend(name.parse::<ImageReference>().ok());
                self.error.get_or_insert(shown(text));
            }
            let Some((_, names)) = text.split_once("Loaded image") else { continue };
            let Some((_, names)) = names.split_once(": ") else { continue };
            let room = NAMES.saturating_sub(self.loaded.names.len());
            let names = names.split(',').map(|name| name.trim().to_owned());
            self.loaded.names.extend(names.filter(|name| !name.is_empty()).take(room));
        }
    }

    /// What was loaded, or why nothing was.
    pub(super) fn finish(mut self) -> Result<Result<Loaded, LoadFailed>, NoAnswer> {
        self.line()?;
        match self.error {
            Some(message) => Ok(Err(LoadFailed { message, broken: self.broken })),
            None if self.loaded.names.is_empty() => Err(NoAnswer::Nothing),
            None => Ok(Ok(self.loaded)),
        }
    }
}

#[cfg(test)]
mod tests;
