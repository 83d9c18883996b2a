//! HTTP/1.1 as bytes on a connection: just what a proxy needs that is to break it in any place.

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The most that is read of one message; what tests send is far smaller.
const LARGEST: usize = 64 << 20;

/// A request or an answer, whole: the body is not framed any more.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// `GET /v2/ HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub(crate) start: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// An answer.
    pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            start: format!("HTTP/1.1 {status} Because"),
            headers: headers.iter().map(own).collect(),
            body: body.into(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.into()));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    }

    /// The method of a request.
    pub(crate) fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// Path and query of a request.
    pub(crate) fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The status of an answer.
    pub(crate) fn status(&self) -> u16 {
        self.target().parse().unwrap_or(0)
    }

    /// What stands before the body.
    pub(crate) fn head(&self) -> Vec<u8> {
        let lines = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("{}\r\n{}\r\n", self.start, lines.collect::<String>()).into_bytes()
    }

    /// All of it, as it is sent.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [self.head(), self.body.clone()].concat()
    }

    /// Everything that was said, for a search.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

/// A connection, and what was read of it too early.
pub(crate) struct Reader<R> {
    pub(crate) inner: R,
    ahead: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, ahead: Vec::new() }
    }

    async fn more(&mut self) -> Option<()> {
        let mut piece = [0; 16 << 10];
        let count = self.inner.read(&mut piece).await.ok().filter(|&count| count > 0)?;
        self.ahead.extend_from_slice(&piece[..count]);
        (self.ahead.len() <= LARGEST).then_some(())
    }

    async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.ahead.windows(end.len()).position(|part| part == end) {
                return Some(self.ahead.drain(..at + end.len()).collect());
            }
            self.more().await?;
        }
    }

    async fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.ahead.len() < count {
            self.more().await?;
        }
        Some(self.ahead.drain(..count).collect())
    }

    /// The next message's start and headers; nothing at the end of the connection.
    pub(crate) async fn head(&mut self) -> Option<Message> {
        let text = String::from_utf8_lossy(&self.until(b"\r\n\r\n").await?).into_owned();
        let mut lines = text.lines();
        let start = lines.next()?.to_owned();
        let pair = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_owned(), value.trim().to_owned()))
        };
        Some(Message { start, headers: lines.filter_map(pair).collect(), body: Vec::new() })
    }

    /// So many bytes of a request's body, or all if it is shorter, framing included.
    pub(crate) async fn some(&mut self, count: usize) {
        while self.ahead.len() < count && self.more().await.is_some() {}
        self.ahead.clear();
    }

    /// The body that belongs to a head that was just read; the message is framed by its length then.
    pub(crate) async fn body(&mut self, mut message: Message) -> Option<Message> {
        if message.header("transfer-encoding").is_some() {
            loop {
                let line = self.until(b"\r\n").await?;
                let line = String::from_utf8_lossy(&line);
                let size = usize::from_str_radix(line.trim(), 16).ok()?;
                message.body.extend(self.exactly(size).await?);
                self.exactly(2).await?;
                if size == 0 {
                    break;
                }
            }
            message.remove("transfer-encoding");
            message.set("Content-Length", message.body.len().to_string());
        } else if let Some(length) = message.header("content-length") {
            message.body = self.exactly(length.parse().ok()?).await?;
        }
        Some(message)
    }
}
