//! Containers of an engine, and commands that run in them: the nodes of kind, k3d and minikube are
//! containers.
//!
//! [Exec](https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Exec): the connection of
//! `POST /exec/{id}/start` becomes a stream to the command's standard input, and back a stream of
//! frames, each with a header of eight bytes: 1 for standard output or 2 for standard error, three
//! zeros, and the length in big endian.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::header::{CONNECTION, UPGRADE};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Daemon;
use super::archive::BoxError;
use super::endpoint::Endpoint;
use super::error::Error;
use super::upload::Upload;

/// The length of a frame's header.
const HEADER: usize = 8;
/// How much output of a command is kept, each of standard output and standard error.
const OUTPUT_BYTES: usize = 16 << 20;
const PIECE: usize = 64 << 10;

/// A running container.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Container {
    /// Its ID.
    pub id: String,
    #[serde(default)]
    names: Vec<String>,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl Container {
    /// Its name, without the leading slash of the API; the ID if it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.names.first().map_or(&self.id, |name| name.trim_start_matches('/'))
    }
}

/// A command that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Its exit status.
    pub status: i64,
    /// The beginning of its standard output, up to 16 MiB.
    pub stdout: Vec<u8>,
    /// The beginning of its standard error, up to 16 MiB.
    pub stderr: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    #[serde(default)]
    exit_code: Option<i64>,
}

impl Daemon {
    /// The running containers that have these labels.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn containers(&self, labels: &[(&str, &str)]) -> Result<Vec<Container>, Error> {
        let endpoint = Endpoint::containers();
        let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let filters = json!({"label": labels, "status": ["running"]}).to_string();
        let request = self.request(&endpoint).query(&[("filters", filters)]);
        self.parsed(&endpoint, request).await
    }

    /// Runs a command in a container as root and waits until it ends.
    ///
    /// # Errors
    /// If the engine does not answer or cannot start the command. A command that fails is no error.
    pub async fn exec(&self, container: &Container, command: &[&str]) -> Result<Finished, Error> {
        let none = None::<futures_util::stream::Empty<Result<Bytes, BoxError>>>;
        self.exec_with(container, command, none).await
    }

    /// The same with a stream as the command's standard input.
    ///
    /// # Errors
    /// As [`exec`](Self::exec), and [`Error::Archive`] if the stream fails.
    pub async fn exec_with<S, E>(
        &self,
        container: &Container,
        command: &[&str],
        input: Option<S>,
    ) -> Result<Finished, Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let endpoint = Endpoint::exec(&container.id);
        let options = json!({
            "AttachStdin": input.is_some(), "AttachStdout": true, "AttachStderr": true,
            "Cmd": command, "User": "0",
        });
        let request = self.request(&endpoint).json(&options);
        let Created { id } = self.parsed(&endpoint, request).await?;
        let endpoint = Endpoint::exec_start(&id);
        let request = self.request(&endpoint).json(&json!({"Detach": false, "Tty": false}));
        let request = request.header(CONNECTION, "Upgrade").header(UPGRADE, "tcp");
        let response = self.upgraded(&endpoint, request).await?;
        let upgraded = response.upgrade().await.map_err(|error| self.failed(&endpoint, error))?;
        let (mut output, mut stdin) = tokio::io::split(upgraded);
        let write = async {
            let Some(input) = input else { return Ok(()) };
            let what = format!("image to {}", container.name());
            let (upload, progress) = Upload::new(input, what, self.reporter.clone());
            tokio::select! {
                written = feed(&mut stdin, upload) => match progress.failure() {
                    Some(source) => {
                        Err(Error::Archive { address: self.address.clone(), source })
                    }
                    // A command that ends early closes its input; its output says why.
                    None => { written.ok(); Ok(()) }
                },
                () = progress.stalled(self.patience) => Err(self.stalled(&endpoint)),
            }
        };
        let read = async {
            frames(&mut output).await.map_err(|error| self.misunderstood(&endpoint, error))
        };
        let (mut finished, ()) = tokio::try_join!(read, write)?;
        let endpoint = Endpoint::exec_inspect(&id);
        let inspected: Inspected = self.json(&endpoint).await?;
        finished.status = inspected
            .exit_code
            .ok_or_else(|| self.misunderstood(&endpoint, "it has no exit code"))?;
        Ok(finished)
    }

    /// The response to a request that switches protocols.
    async fn upgraded(
        &self,
        endpoint: &Endpoint,
        request: reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, Error> {
        let response = tokio::time::timeout(self.patience, request.send())
            .await
            .map_err(|_| self.stalled(endpoint))?
            .map_err(|error| self.failed(endpoint, error))?;
        match response.status() {
            http::StatusCode::SWITCHING_PROTOCOLS => Ok(response),
            _ => {
                self.checked(endpoint, response).await?;
                Err(self.misunderstood(endpoint, "the engine did not switch protocols"))
            }
        }
    }
}

/// Writes a stream to a command and closes its input.
async fn feed<S, E>(stdin: &mut (impl AsyncWrite + Unpin), mut input: S) -> std::io::Result<()>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    while let Some(Ok(bytes)) = input.next().await {
        stdin.write_all(&bytes).await?;
    }
    stdin.shutdown().await
}

/// Reads the output of a command until it ends.
async fn frames(output: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Finished> {
    let mut finished = Finished::default();
    let mut unread = BytesMut::with_capacity(PIECE);
    let mut frame: Option<(u8, usize)> = None;
    loop {
        match frame {
            None if unread.len() >= HEADER => {
                let stream = unread[0];
                unread.advance(HEADER / 2);
                frame = Some((stream, unread.get_u32() as usize));
            }
            Some((_, 0)) => frame = None,
            Some((stream, left)) if !unread.is_empty() => {
                let piece = unread.split_to(left.min(unread.len()));
                let kept = match stream {
                    2 => &mut finished.stderr,
                    _ => &mut finished.stdout,
                };
                let room = OUTPUT_BYTES.saturating_sub(kept.len());
                kept.extend_from_slice(&piece[..piece.len().min(room)]);
                frame = Some((stream, left - piece.len()));
            }
            _ => {
                unread.reserve(PIECE);
                if output.read_buf(&mut unread).await? == 0 {
                    return Ok(finished);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn output_is_read_in_frames_of_any_length_however_they_are_cut() {
        let mut sent = Vec::new();
        for (stream, text) in [(1, "one"), (2, "wrong"), (1, ""), (1, " two")] {
            sent.extend([stream, 0, 0, 0, 0, 0, 0, text.len() as u8]);
            sent.extend(text.as_bytes());
        }
        for cut in 1..sent.len() {
            let (first, second) = sent.split_at(cut);
            let mut output = AsyncReadExt::chain(first, second);
            let finished = frames(&mut output).await.unwrap();
            assert_eq!(finished.stdout, b"one two");
            assert_eq!(finished.stderr, b"wrong");
        }
        // What is cut off is kept as far as it came.
        let finished = frames(&mut &sent[..10]).await.unwrap();
        assert_eq!(finished.stdout, b"on");
    }

    #[test]
    fn a_container_is_named_without_the_slash_of_the_api() {
        let read = |json| serde_json::from_value::<Container>(json).unwrap();
        let named = read(json!({"Id": "a1", "Names": ["/kind-control-plane"], "Labels": {}}));
        assert_eq!(named.name(), "kind-control-plane");
        assert_eq!(read(json!({"Id": "a1"})).name(), "a1");
    }
}
