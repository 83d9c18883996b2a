//! A proxy before a real registry and its token server that fails in one way at one kind of request,
//! and sees all that is said. It closes connections, breaks them and keeps them waiting where a
//! library for servers would not let it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::fault::{Early, Fault};
use super::wire::{Message, Reader};

/// For how long connections are refused after one was, if the fault passes.
const REFUSING: Duration = Duration::from_millis(400);

/// What is done, and when.
pub(crate) struct Plan {
    /// Which requests are meant.
    pub(crate) step: fn(&Message) -> bool,
    pub(crate) fault: Option<Fault>,
    /// How often it fails.
    pub(crate) times: u32,
    /// Requests that are always refused so.
    pub(crate) refuses: fn(&Message) -> Option<u16>,
    /// `HOST:PORT` of the registry and of its token server.
    pub(crate) registry: String,
    pub(crate) tokens: String,
    /// Whether the registry takes tokens, and not passwords.
    pub(crate) takes_tokens: bool,
    /// `HOST:PORT` of a host that has nothing to do with it.
    pub(crate) elsewhere: String,
    /// What each answer sets as a cookie.
    pub(crate) cookie: String,
}

/// A proxy on a port of its own. Dropping it closes the port and every connection.
pub(crate) struct Faulty {
    /// `localhost:PORT`, as image references have it.
    pub(crate) host: String,
    shared: Arc<Shared>,
    _stop: oneshot::Sender<()>,
}

struct Shared {
    plan: Plan,
    host: String,
    struck: AtomicU32,
    seen: Mutex<Vec<Message>>,
    refuse: tokio::sync::Notify,
}

/// One runtime for all proxies: most of them wait most of the time.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let make =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    RUNTIME.get_or_init(|| make().unwrap())
}

impl Faulty {
    pub(crate) fn start(plan: Plan) -> Self {
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let host = format!("localhost:{}", address.port());
        let shared = Arc::new(Shared {
            plan,
            host: host.clone(),
            struck: AtomicU32::new(0),
            seen: Mutex::default(),
            refuse: tokio::sync::Notify::new(),
        });
        let (stop, mut stopped) = oneshot::channel();
        let own = shared.clone();
        runtime().spawn(async move {
            let mut listener = Some(listener);
            // Ends with the task, and each connection with it.
            let mut connections = JoinSet::new();
            loop {
                let Some(open) = &listener else {
                    let pause = match own.plan.times {
                        u32::MAX => Duration::from_secs(3600),
                        _ => REFUSING,
                    };
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        _ = &mut stopped => return,
                    }
                    listener = TcpListener::bind(address).await.ok();
                    continue;
                };
                tokio::select! {
                    accepted = open.accept() => if let Ok((stream, _)) = accepted {
                        connections.spawn(serve(stream, own.clone()));
                    },
                    () = own.refuse.notified() => {
                        connections.abort_all();
                        listener = None;
                    }
                    _ = &mut stopped => return,
                }
            }
        });
        Self { host, shared, _stop: stop }
    }

    /// Whether it has failed at least once.
    pub(crate) fn has_struck(&self) -> bool {
        self.shared.struck.load(Ordering::Relaxed) > 0
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Message> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether a connection goes on.
type Goes = Option<()>;

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) -> Goes {
    let _ = stream.set_nodelay(true);
    loop {
        let (reading, mut writing) = stream.split();
        let mut reader = Reader::new(reading);
        let head = reader.head().await?;
        let fault = shared.strikes(&head);
        match fault {
            Some(Fault::Refused) => shared.refuse.notify_one(),
            Some(Fault::CutRequest) => reader.some(1000).await,
            Some(Fault::CloseAfterContinue) => {
                let _ = writing.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
                return None;
            }
            Some(Fault::StallRequest) => std::future::pending().await,
            _ => {}
        }
        if matches!(fault, Some(Fault::Refused | Fault::ResetAtOnce | Fault::CutRequest)) {
            return reset(stream);
        }
        let mut request = reader.body(head).await?;
        shared.note(&request);
        match fault {
            Some(Fault::Closed) => return None,
            Some(Fault::StallAnswer) => std::future::pending().await,
            Some(Fault::NoHttp) => {
                let _ = writing.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
                return None;
            }
            Some(Fault::Endless) => {
                let _ = writing.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                while writing.write_all(&[0; 4096]).await.is_ok() {}
                return None;
            }
            Some(Fault::SpoiltRequest) => {
                let middle = request.body.len() / 2;
                request.body.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 1);
            }
            _ => {}
        }
        let answer = shared.answer(&request, fault).await?;
        let bytes = answer.bytes();
        let (head, half) = (answer.head().len(), answer.head().len() + answer.body.len() / 2);
        let send = match fault {
            Some(Fault::LostAnswer) => return reset(stream),
            Some(Fault::CutHeaders | Fault::StallHeaders) => &bytes[..head / 2],
            Some(Fault::CutBody | Fault::StallBody | Fault::Truncated) => {
                // Something has to be missing.
                &bytes[..half.min(bytes.len().saturating_sub(1))]
            }
            Some(Fault::Drip) => {
                for byte in bytes {
                    writing.write_all(&[byte]).await.ok()?;
                    tokio::time::sleep(Duration::from_millis(40)).await;
                }
                continue;
            }
            _ => &bytes,
        };
        writing.write_all(send).await.ok()?;
        match fault {
            Some(Fault::CutHeaders | Fault::CutBody) => {
                // Let what was sent arrive, or the reset overtakes it.
                tokio::time::sleep(Duration::from_millis(20)).await;
                return reset(stream);
            }
            Some(Fault::Truncated) => return None,
            Some(Fault::StallHeaders | Fault::StallBody) => std::future::pending().await,
            Some(Fault::GarbageChunks | Fault::DuplicateHeaders | Fault::HugeHeaders) => {
                return None;
            }
            _ => {}
        }
    }
}

/// Closes a connection so that the other side sees a reset.
fn reset(stream: TcpStream) -> Goes {
    let _ = stream.set_zero_linger();
    None
}

impl Shared {
    fn note(&self, message: &Message) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(message.clone());
    }

    /// The fault, if it is this request's turn.
    fn strikes(&self, request: &Message) -> Option<Fault> {
        let fault = self.plan.fault.filter(|_| (self.plan.step)(request))?;
        let before = self.struck.fetch_add(1, Ordering::Relaxed);
        (before < self.plan.times).then_some(fault)
    }

    async fn answer(&self, request: &Message, fault: Option<Fault>) -> Option<Message> {
        let plan = &self.plan;
        if let Some(status) = (plan.refuses)(request) {
            return Some(framed(request, Message::answer(status, &[], "")));
        }
        if let Some(Early::Answer(mut answer)) =
            fault.map(|fault| fault.early(request, &self.host, &plan.elsewhere))
        {
            if answer.status() == 401 {
                answer.set("WWW-Authenticate", self.challenge());
            }
            answer.set("Set-Cookie", plan.cookie.clone());
            return Some(framed(request, answer));
        }
        let mut answer = self.ask(request).await?;
        if let Some(challenge) = answer.header("www-authenticate").map(str::to_owned) {
            let real = format!("http://{}/", plan.tokens);
            answer.set(
                "WWW-Authenticate",
                challenge.replace(&real, &format!("http://{}/", self.host)),
            );
        }
        answer.set("Set-Cookie", plan.cookie.clone());
        if let Some(fault) = fault {
            fault.late(&mut answer, &plan.elsewhere);
            if fault == Fault::GarbageChunks {
                answer.remove("content-length");
                answer.set("Transfer-Encoding", "chunked");
                answer.body.splice(..0, b"zz\r\n".iter().copied());
            }
        }
        Some(answer)
    }

    /// A challenge as the registry would make it.
    fn challenge(&self) -> String {
        match self.plan.takes_tokens {
            true => format!("Bearer realm=\"http://{}/token\",service=\"registry\"", self.host),
            false => "Basic realm=\"x\"".to_owned(),
        }
    }

    /// The server's own answer.
    async fn ask(&self, request: &Message) -> Option<Message> {
        let plan = &self.plan;
        let upstream =
            if request.target().starts_with("/token") { &plan.tokens } else { &plan.registry };
        let mut onward = request.clone();
        onward.set("Connection", "close");
        let mut stream = TcpStream::connect(upstream).await.ok()?;
        stream.write_all(&onward.bytes()).await.ok()?;
        let mut reader = Reader::new(&mut stream);
        let head = reader.head().await?;
        let framed_answer = match request.method() == "HEAD" {
            true => head,
            false => {
                let open = head.header("transfer-encoding").is_none()
                    && head.header("content-length").is_none();
                if open { framed(request, head) } else { reader.body(head).await? }
            }
        };
        let mut answer = framed_answer;
        answer.remove("connection");
        Some(answer)
    }
}

/// The same with the length that the client needs to find its end.
fn framed(request: &Message, mut answer: Message) -> Message {
    if answer.status() != 204 {
        answer.set("Content-Length", answer.body.len().to_string());
    }
    if request.method() == "HEAD" {
        answer.body.clear();
    }
    answer
}

/// A host that has nothing to do with any registry: it answers 404 and keeps what it was told.
pub(crate) struct Elsewhere {
    /// `localhost:PORT`.
    pub(crate) host: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Elsewhere {
    pub(crate) fn start() -> Self {
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let host = format!("localhost:{}", listener.local_addr().unwrap().port());
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = heard.clone();
        runtime().spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let log = log.clone();
                tokio::spawn(async move {
                    let mut reader = Reader::new(&mut stream);
                    let head = reader.head().await?;
                    let request = reader.body(head).await?;
                    log.lock().unwrap_or_else(PoisonError::into_inner).push(request.text());
                    let answer = Message::answer(404, &[("Content-Length", "0")], "");
                    stream.write_all(&answer.bytes()).await.ok()?;
                    let _ = stream.read(&mut [0; 1]).await;
                    Some(())
                });
            }
        });
        Self { host, heard }
    }

    /// All that it was told.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
