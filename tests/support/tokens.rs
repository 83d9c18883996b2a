//! A token server: checks passwords and identity tokens, grants what an account may do, and signs
//! tokens that a real registry verifies ([token protocol][tokens]).
//!
//! [tokens]: https://distribution.github.io/distribution/spec/auth/jwt/

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::SigningKey as _;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::faulty::runtime;
use super::wire::{Message, Reader};

/// For how many seconds a registry takes a token that has expired.
const LEEWAY: i64 = 60;

/// Who may ask for tokens, and what they live.
#[derive(Clone, Default)]
pub(crate) struct Rules {
    /// User names and passwords.
    pub(crate) users: Vec<(String, String)>,
    /// Identity tokens (OAuth 2 refresh tokens).
    pub(crate) identities: Vec<String>,
    /// For how many seconds the registry takes a token.
    pub(crate) life: i64,
    /// Whether the answer says so.
    pub(crate) says_life: bool,
    /// The start of the paths that nobody may push to.
    pub(crate) read_only: Option<&'static str>,
}

/// A token server on loopback, for as long as the tests run.
pub(crate) struct TokenServer {
    /// `localhost:PORT`.
    pub(crate) host: String,
    /// The certificate by which a registry verifies tokens, PEM.
    pub(crate) certificate: PathBuf,
    shared: Arc<Shared>,
    _folder: tempfile::TempDir,
}

struct Shared {
    key: rcgen::KeyPair,
    chain: String,
    rules: Mutex<Rules>,
    issued: Mutex<Vec<String>>,
    asked: Mutex<Vec<Message>>,
}

impl TokenServer {
    pub(crate) fn start(rules: Rules) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["tokens.test".to_owned()]).unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.pem");
        std::fs::write(&path, certificate.pem()).unwrap();
        let shared = Arc::new(Shared {
            key,
            chain: STANDARD.encode(certificate.der()),
            rules: Mutex::new(rules),
            issued: Mutex::default(),
            asked: Mutex::default(),
        });
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let host = format!("localhost:{}", listener.local_addr().unwrap().port());
        let own = shared.clone();
        runtime().spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let shared = own.clone();
                tokio::spawn(async move {
                    loop {
                        let mut reader = Reader::new(&mut stream);
                        let head = reader.head().await?;
                        let request = reader.body(head).await?;
                        let mut answer = shared.answer(&request);
                        answer.set("Content-Length", answer.body.len().to_string());
                        shared.asked.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                        stream.write_all(&answer.bytes()).await.ok()?;
                    }
                    #[expect(unreachable_code, reason = "gives the block its type")]
                    Some(())
                });
            }
        });
        Self { host, certificate: path, shared, _folder: folder }
    }

    /// The URL that a registry names in its challenge.
    pub(crate) fn realm(&self) -> String {
        format!("http://{}/token", self.host)
    }

    /// Changes what is granted from now on.
    pub(crate) fn rules(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.shared.rules.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Every token so far.
    pub(crate) fn issued(&self) -> Vec<String> {
        self.shared.issued.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Message> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    fn answer(&self, request: &Message) -> Message {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let query = match request.method() {
            "POST" => form,
            _ => request.target().split_once('?').map_or("", |(_, query)| query).to_owned(),
        };
        let url = reqwest::Url::parse(&format!("http://x/?{query}")).unwrap();
        let values = |name: &str| -> Vec<String> {
            let pairs = url.query_pairs().filter(|(key, _)| key == name);
            pairs.map(|(_, value)| value.into_owned()).collect()
        };
        let known = match request.method() {
            "POST" => values("refresh_token").iter().any(|one| rules.identities.contains(one)),
            _ => rules.users.iter().any(|(user, password)| {
                let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
                request.header("authorization") == Some(&basic)
            }),
        };
        let json = &[("Content-Type", "application/json")];
        if !known {
            return Message::answer(401, json, r#"{"details":"who are you?"}"#);
        }
        let scopes = values("scope");
        let access: Vec<Value> = scopes
            .iter()
            .flat_map(|scopes| scopes.split(' '))
            .filter_map(|scope| {
                let (kind, rest) = scope.split_once(':')?;
                let (name, actions) = rest.rsplit_once(':')?;
                let guarded = rules.read_only.is_some_and(|start| name.starts_with(start));
                let granted: Vec<&str> = actions
                    .split(',')
                    .filter(|action| *action == "pull" || (*action == "push" && !guarded))
                    .collect();
                Some(json!({"type": kind, "name": name, "actions": granted}))
            })
            .collect();
        let token = self.sign(&access, rules.life);
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).push(token.clone());
        let name = if request.method() == "POST" { "access_token" } else { "token" };
        let mut body = json!({name: token});
        if rules.says_life {
            body["expires_in"] = rules.life.into();
        }
        Message::answer(200, json, body.to_string())
    }

    fn sign(&self, access: &[Value], life: i64) -> String {
        // Times are whole seconds: a token lives no shorter than it is said to.
        let now = jiff::Timestamp::now().as_second() + 1;
        let serial = self.issued.lock().unwrap_or_else(PoisonError::into_inner).len();
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [self.chain]});
        let claims = json!({
            "iss": "tokens", "sub": "somebody", "aud": "registry", "jti": serial.to_string(),
            "nbf": now - LEEWAY, "iat": now - 1, "exp": now + life - LEEWAY, "access": access,
        });
        let encoded = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = encoded.join(".");
        let signature = self.key.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(raw(&signature)))
    }
}

/// An ECDSA signature on P-256 as JWT has it, two numbers of 32 bytes, from ASN.1.
fn raw(der: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = &der[2..];
    for _ in 0..2 {
        let length = usize::from(rest[1]);
        let number = &rest[2..2 + length];
        let number = &number[number.len().saturating_sub(32)..];
        out.extend(std::iter::repeat_n(0, 32 - number.len()));
        out.extend_from_slice(number);
        rest = &rest[2 + length..];
    }
    out
}
