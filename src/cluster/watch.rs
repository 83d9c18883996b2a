//! Follows the objects of a collection: a list, then a watch that is resumed wherever it ends.

use std::time::Duration;

use futures_util::stream::{self, Stream};
use serde_json::Value;

use super::client::{Client, Lines, RequestError};
use super::refusal::Refusal;
use super::request::{self, Collection, WATCH_SECONDS};

/// What happened to the objects of a collection.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Update {
    /// All objects: at the beginning, and whenever changes may have been missed.
    Listed(Vec<Value>),
    /// One object was created or changed.
    Changed(Value),
    /// One object was deleted.
    Deleted(Value),
}

/// The number of failures in a row after which a watch gives up.
const FAILURES: u32 = 5;
/// The pause before a watch is resumed, multiplied by the number of failures.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a watch may be silent; the server should have ended it by then.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS + 30);

/// A watch of a collection.
struct Watch<'a> {
    client: &'a Client,
    collection: Collection,
    state: State<'a>,
    failures: u32,
}

enum State<'a> {
    /// The objects must be listed.
    Unlisted,
    /// The changes since a resource version must be requested.
    Listed(String),
    /// The changes are being received; all of them up to a resource version have been.
    Open(String, Lines<'a>),
    Failed,
}

/// The updates of a collection. The first one lists all objects; the stream ends after an error.
pub(super) fn watch(
    client: &Client,
    collection: Collection,
) -> impl Stream<Item = Result<Update, RequestError>> + Send {
    let watch = Watch { client, collection, state: State::Unlisted, failures: 0 };
    stream::unfold(watch, async |mut watch| {
        if matches!(watch.state, State::Failed) {
            return None;
        }
        let update = watch.next().await;
        if update.is_err() {
            watch.state = State::Failed;
        }
        Some((update, watch))
    })
}

impl Watch<'_> {
    async fn next(&mut self) -> Result<Update, RequestError> {
        loop {
            match &mut self.state {
                State::Unlisted => match list(self.client, &self.collection).await {
                    Ok((objects, version)) => {
                        self.state = State::Listed(version);
                        return Ok(Update::Listed(objects));
                    }
                    Err(error) => self.failed(error).await?,
                },
                State::Listed(version) => {
                    let request = request::watch(&self.collection, version);
                    match self.client.stream(&request).await {
                        Ok(stream) => {
                            self.state = State::Open(std::mem::take(version), stream.lines());
                        }
                        Err(error) => self.failed(error).await?,
                    }
                }
                State::Open(version, lines) => {
                    let line = tokio::time::timeout(SILENCE, lines.next()).await;
                    let line = match line {
                        Ok(Ok(Some(line))) => line,
                        Ok(Err(error)) if !error.is_transient() => return Err(error),
                        // The server ends every watch after a while.
                        Ok(Ok(None) | Err(_)) | Err(_) => {
                            self.state = State::Listed(std::mem::take(version));
                            tokio::time::sleep(PAUSE).await;
                            continue;
                        }
                    };
                    match event(&line) {
                        Some(Event::Update(update, new)) => {
                            self.failures = 0;
                            *version = new.unwrap_or_else(|| std::mem::take(version));
                            if let Some(update) = update {
                                return Ok(update);
                            }
                        }
                        Some(Event::Refused(refusal)) => {
                            let refused = RequestError::Refused(Box::new(refusal));
                            self.state = State::Listed(std::mem::take(version));
                            self.failed(refused).await?;
                        }
                        None => return Err(self.client.malformed("a watch event is malformed")),
                    }
                }
                State::Failed => return Err(self.client.malformed("the watch has ended")),
            }
        }
    }

    /// Pauses after a failure that may be temporary. Objects are listed again if the server no
    /// longer has the changes since the resource version.
    async fn failed(&mut self, error: RequestError) -> Result<(), RequestError> {
        let is_expired = error.refusal().is_some_and(Refusal::is_expired);
        self.failures += 1;
        if self.failures > FAILURES || !(is_expired || error.is_transient()) {
            return Err(error);
        }
        if is_expired {
            self.state = State::Unlisted;
        }
        tokio::time::sleep(PAUSE * self.failures).await;
        Ok(())
    }
}

/// All objects of a collection.
pub(super) async fn all(
    client: &Client,
    collection: &Collection,
) -> Result<Vec<Value>, RequestError> {
    list(client, collection).await.map(|(objects, _)| objects)
}

/// All objects, and the resource version from which on changes must be requested.
async fn list(
    client: &Client,
    collection: &Collection,
) -> Result<(Vec<Value>, String), RequestError> {
    let mut objects = Vec::new();
    let mut from: Option<String> = None;
    loop {
        let mut page = client.send(&request::list(collection, from.as_deref())).await?;
        match page.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => objects.extend(items),
            // An empty list of Go's.
            Some(Value::Null) => {}
            _ => return Err(client.malformed("a list has no items")),
        }
        let text = |key| page.get("metadata")?.get(key)?.as_str().map(str::to_owned);
        match text("continue").filter(|next| !next.is_empty()) {
            Some(next) => from = Some(next),
            None => return Ok((objects, text("resourceVersion").unwrap_or_default())),
        }
    }
}

/// A line of a watch.
enum Event {
    /// An update, unless it is a bookmark, and the resource version of its object.
    Update(Option<Update>, Option<String>),
    Refused(Refusal),
}

fn event(line: &[u8]) -> Option<Event> {
    let mut event: Value = serde_json::from_slice(line).ok()?;
    let object = event.get_mut("object").map(Value::take)?;
    let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    let version = version.map(str::to_owned);
    let update = match event.get("type")?.as_str()? {
        "ADDED" | "MODIFIED" => Some(Update::Changed(object)),
        "DELETED" => Some(Update::Deleted(object)),
        "ERROR" => {
            let code = object.get("code").and_then(Value::as_u64);
            let code = code.and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
            return Some(Event::Refused(Refusal::parse(code, object.to_string().as_bytes())));
        }
        // `BOOKMARK`
        _ => None,
    };
    Some(Event::Update(update, version))
}

#[cfg(test)]
mod tests;
