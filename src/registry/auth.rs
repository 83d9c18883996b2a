//! Proves who is asking: Basic with each request, or Bearer with tokens that are kept until they
//! expire ([token protocol][tokens]). One store for all registries; two requests that need the same
//! token fetch it once.
//!
//! Nothing is known of a registry until it challenges, so one that never does is never told anything
//! and no helper program is run for it.
//!
//! [tokens]: https://distribution.github.io/distribution/spec/auth/token/

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::http::HeaderValue;
use bytes::Bytes;
use reqwest::Url;
use serde::Deserialize;

use super::challenge::Challenge;
use super::credentials::{CredentialSources, Found};
use super::error::Failure;
use super::refusal::Refusal;
use super::request::Access;
use super::secret::{Credentials, Secret, pair};
use crate::http::{self, Sender, authority};
use crate::oci::{Registry, Repository};
use crate::report::Reporter;

/// How long a token lives that does not say so (the token protocol's own default).
const LIFE: Duration = Duration::from_secs(60);

/// The longest life that is believed.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// What each registry is known to want, and what has been obtained for it.
pub(super) struct Authority {
    sources: CredentialSources,
    report: Reporter,
    wanted: Mutex<HashMap<Registry, Challenge>>,
    accounts: tokio::sync::Mutex<Accounts>,
}

#[derive(Default)]
struct Accounts {
    found: Found,
    by_repository: HashMap<Repository, Arc<Account>>,
    shared: HashMap<(Registry, Option<Credentials>), Arc<Account>>,
}

/// One identity at one registry.
struct Account {
    credentials: Option<Credentials>,
    /// Locked while a token is fetched, so that whoever else needs it waits for it.
    tokens: tokio::sync::Mutex<Vec<Token>>,
}

struct Token {
    access: Access,
    secret: Secret,
    expires: Instant,
}

/// What is sent with a request, and what became of it is told by [`Authority::challenged`].
#[derive(Clone)]
pub(super) struct Ticket {
    pub(super) header: HeaderValue,
    secret: Secret,
    /// Whether there is something newer to be had: not for a password, nor for a token that was
    /// fetched for this very request.
    renewable: bool,
}

#[derive(Deserialize)]
struct Answer {
    token: Option<Secret>,
    access_token: Option<Secret>,
    expires_in: Option<f64>,
}

impl Authority {
    pub(super) fn new(sources: CredentialSources, report: Reporter) -> Self {
        Self { sources, report, wanted: Mutex::default(), accounts: tokio::sync::Mutex::default() }
    }

    fn wanted(&self) -> std::sync::MutexGuard<'_, HashMap<Registry, Challenge>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn account(&self, repository: &Repository) -> Result<Arc<Account>, Failure> {
        let mut accounts = self.accounts.lock().await;
        if let Some(account) = accounts.by_repository.get(repository) {
            return Ok(Arc::clone(account));
        }
        let credentials = self
            .sources
            .find(repository, &mut accounts.found, &self.report)
            .await
            .map_err(Failure::Credentials)?;
        let key = (repository.registry().clone(), credentials.clone());
        let account = accounts.shared.entry(key).or_insert_with(|| {
            Arc::new(Account { credentials, tokens: tokio::sync::Mutex::default() })
        });
        let account = Arc::clone(account);
        accounts.by_repository.insert(repository.clone(), Arc::clone(&account));
        Ok(account)
    }

    /// Has someone be this for a repository, whatever the sources say.
    pub(super) async fn give(&self, repository: &Repository, credentials: Credentials) {
        let account =
            Account { credentials: Some(credentials), tokens: tokio::sync::Mutex::default() };
        let mut accounts = self.accounts.lock().await;
        accounts.by_repository.insert(repository.clone(), Arc::new(account));
    }

    /// Whether a registry ever wanted to know who asks.
    pub(super) fn has_challenged(&self, registry: &Registry) -> bool {
        self.wanted().contains_key(registry)
    }

    /// What to send with a request: nothing to a registry that never asked.
    pub(super) async fn ticket(
        &self,
        sender: &Sender,
        repository: &Repository,
        (at, insecure): (&Url, bool),
        access: &Access,
        more: &[String],
    ) -> Result<Option<Ticket>, Failure> {
        let Some(challenge) = self.wanted().get(repository.registry()).cloned() else {
            return Ok(None);
        };
        let account = self.account(repository).await?;
        match (challenge, &account.credentials) {
            (_, Some(Credentials::RegistryToken(token))) => Ok(Some(bearer(token, false))),
            (Challenge::Basic, Some(Credentials::Password { user, password })) => {
                Ok(Some(Ticket {
                    header: basic(user, password),
                    secret: password.clone(),
                    renewable: false,
                }))
            }
            (Challenge::Basic, _) => Ok(None),
            (Challenge::Bearer { realm, service, .. }, credentials) => {
                let mut tokens = account.tokens.lock().await;
                let now = Instant::now();
                tokens.retain(|token| token.expires > now);
                if let Some(token) = tokens.iter().find(|token| token.access.covers(access)) {
                    return Ok(Some(bearer(&token.secret, true)));
                }
                let mut scopes = access.scopes();
                for scope in more {
                    if !scopes.contains(scope) {
                        scopes.push(scope.clone());
                    }
                }
                let realm = realm_url(&realm, at)?;
                // Who takes any certificate takes it from that host alone.
                let insecure = insecure && authority(&realm) == authority(at);
                let ask = Ask { realm, service, scopes, insecure };
                let answer = ask.send(sender, credentials.as_ref()).await?;
                let host = authority(&ask.realm);
                let life = life(answer.expires_in);
                let secret = answer
                    .token
                    .or(answer.access_token)
                    .filter(|token| !token.reveal().is_empty())
                    .ok_or_else(|| Failure::protocol(&host, "it holds no token"))?;
                if HeaderValue::from_str(secret.reveal()).is_err() {
                    return Err(Failure::protocol(&host, "its token does not fit into a header"));
                }
                let ticket = bearer(&secret, false);
                tokens.push(Token {
                    access: access.clone(),
                    secret,
                    expires: Instant::now() + life,
                });
                Ok(Some(ticket))
            }
        }
    }

    /// Takes note of a 401. Whether the request should be made again: not if what was sent with it
    /// is the best there is.
    pub(super) async fn challenged(
        &self,
        repository: &Repository,
        challenges: &[Challenge],
        sent: Option<&Ticket>,
    ) -> Result<bool, Failure> {
        let account = self.account(repository).await?;
        let password = matches!(account.credentials, Some(Credentials::Password { .. }));
        // A token is worth less to a thief than the password, so Bearer goes first.
        let bearer = challenges.iter().find(|one| matches!(one, Challenge::Bearer { .. }));
        let basic = challenges.iter().find(|one| **one == Challenge::Basic && password);
        let Some(challenge) = bearer.or(basic) else { return Ok(false) };
        self.wanted().insert(repository.registry().clone(), challenge.clone());
        let Some(sent) = sent else { return Ok(true) };
        if sent.renewable {
            account.tokens.lock().await.retain(|token| token.secret != sent.secret);
        }
        Ok(sent.renewable)
    }

    /// Whether there are no credentials for a repository, and what must not be shown of those that
    /// there are.
    pub(super) async fn secrets(&self, repository: &Repository) -> (bool, Vec<Secret>) {
        let accounts = self.accounts.lock().await;
        let Some(account) = accounts.by_repository.get(repository) else {
            return (true, Vec::new());
        };
        let tokens = account.tokens.lock().await;
        let mut secrets: Vec<Secret> = tokens.iter().map(|token| token.secret.clone()).collect();
        secrets.extend(account.credentials.iter().flat_map(Credentials::secrets));
        (account.credentials.is_none(), secrets)
    }
}

/// What a token server is asked.
struct Ask {
    realm: Url,
    service: Option<String>,
    scopes: Vec<String>,
    /// Whether any certificate is taken.
    insecure: bool,
}

impl Ask {
    async fn send(
        &self,
        sender: &Sender,
        credentials: Option<&Credentials>,
    ) -> Result<Answer, Failure> {
        let client = sender
            .clients
            .for_url(&self.realm, self.insecure)
            .map_err(http::Failure::Connections)?;
        let request = match credentials {
            Some(Credentials::IdentityToken(token)) => client
                .post(self.realm.clone())
                .header(::http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(self.grant(token)),
            Some(Credentials::Password { user, password }) => client
                .get(self.url(Some(user)))
                .header(::http::header::AUTHORIZATION, basic(user, password)),
            Some(Credentials::RegistryToken(_)) | None => client.get(self.url(None)),
        };
        let host = authority(&self.realm);
        let reply = sender.exchange(&host, request, None).await?;
        let secrets = credentials.map(Credentials::secrets).unwrap_or_default();
        if !reply.status().is_success() {
            let refusal = Refusal::read(sender, Bytes::new(), reply, &secrets).await;
            return Err(Failure::Token {
                host,
                status: refusal.status,
                answer: refusal.answer,
                retry_after: refusal.retry_after,
                anonymous: credentials.is_none(),
            });
        }
        let body = sender.body(&host, reply, super::answer::LARGEST).await?;
        // The parser's own words would repeat what stands there, and a token may.
        serde_json::from_slice(&body)
            .map_err(|_| Failure::protocol(&host, "it is not the JSON of a token"))
    }

    /// The way of those who have a password or nothing.
    fn url(&self, user: Option<&str>) -> Url {
        let mut url = self.realm.clone();
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(self.service.iter().map(|service| ("service", service)));
            query.extend_pairs(self.scopes.iter().map(|scope| ("scope", scope)));
            query.extend_pairs(user.map(|user| ("account", user)));
        }
        url
    }

    /// The way of those who have an identity token (OAuth 2 refresh token).
    fn grant(&self, token: &Secret) -> String {
        let mut form = self.realm.clone();
        form.set_query(None);
        form.query_pairs_mut()
            .append_pair("grant_type", "refresh_token")
            .append_pair("service", self.service.as_deref().unwrap_or_default())
            .append_pair("client_id", "ko-rs")
            .append_pair("scope", &self.scopes.join(" "))
            .append_pair("refresh_token", token.reveal());
        form.query().unwrap_or_default().to_owned()
    }
}

/// Where a registry says that tokens are to be had. A password goes there, so it must be as safe
/// as the registry itself, and a registry elsewhere has no business with this machine's ports.
fn realm_url(realm: &str, registry: &Url) -> Result<Url, Failure> {
    let host = authority(registry);
    let refuse = |what: &str| Failure::protocol(&host, format!("its token server {what}"));
    let url = Url::parse(realm).map_err(|_| refuse("is not a URL"))?;
    match url.scheme() {
        "https" => {}
        "http" if registry.scheme() == "http" => {}
        "http" => return Err(refuse("does not speak https, as the registry does")),
        _ => return Err(refuse("speaks neither http nor https")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("has a user name in its URL"));
    }
    let local = |url: &Url| {
        url.host_str()
            .is_some_and(|host| host.parse().is_ok_and(|host: Registry| host.is_loopback()))
    };
    if local(&url) && !local(registry) {
        return Err(refuse("is said to be this machine"));
    }
    Ok(url)
}

/// How long a token is used: a little less than it lives.
fn life(expires_in: Option<f64>) -> Duration {
    let life = expires_in
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|life| !life.is_zero())
        .unwrap_or(LIFE)
        .min(LONGEST_LIFE);
    life - (life / 4).min(Duration::from_secs(10))
}

fn sensitive(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

fn basic(user: &str, password: &Secret) -> HeaderValue {
    sensitive(&format!("Basic {}", pair(user, password).reveal()))
}

fn bearer(token: &Secret, renewable: bool) -> Ticket {
    let header = sensitive(&format!("Bearer {}", token.reveal()));
    Ticket { header, secret: token.clone(), renewable }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_server_is_as_safe_as_its_registry() {
        let url = |text: &str| text.parse::<Url>().unwrap();
        let (public, local) = (url("https://r.io/v2/"), url("http://localhost:5000/v2/"));
        for realm in ["https://auth.r.io/token", "https://other.io/t?x=1"] {
            assert!(realm_url(realm, &public).is_ok(), "{realm}");
            assert!(realm_url(realm, &local).is_ok(), "{realm}");
        }
        assert!(realm_url("http://127.0.0.1:1/t", &local).is_ok());
        for realm in [
            "http://r.io/t",
            "https://localhost/t",
            "https://127.0.0.1:9/t",
            "https://[::1]/t",
            "file:///etc/passwd",
            "https://u:p@r.io/t",
            "/token",
            "",
        ] {
            assert!(matches!(realm_url(realm, &public), Err(Failure::Protocol { .. })), "{realm}");
        }
    }

    #[test]
    fn a_token_is_used_a_little_shorter_than_it_lives() {
        assert_eq!(life(Some(300.0)), Duration::from_secs(290));
        assert_eq!(life(Some(2.0)), Duration::from_millis(1500));
        for odd in [None, Some(0.0), Some(-1.0), Some(f64::NAN), Some(f64::INFINITY)] {
            assert_eq!(life(odd), Duration::from_secs(50), "{odd:?}");
        }
        assert!(life(Some(1e15)) < LONGEST_LIFE);
    }

    #[test]
    fn a_token_server_is_asked_for_each_scope_and_an_identity_token_is_posted() {
        let ask = Ask {
            realm: "https://t.io/token?a=b".parse().unwrap(),
            service: Some("r.io".to_owned()),
            scopes: vec!["repository:a:pull,push".to_owned(), "repository:b:pull".to_owned()],
            insecure: false,
        };
        assert_eq!(
            ask.url(Some("me@x")).as_str(),
            "https://t.io/token?a=b&service=r.io&scope=repository%3Aa%3Apull%2Cpush\
             &scope=repository%3Ab%3Apull&account=me%40x"
        );
        assert_eq!(
            ask.grant(&Secret::new("r&t")),
            "grant_type=refresh_token&service=r.io&client_id=ko-rs\
             &scope=repository%3Aa%3Apull%2Cpush+repository%3Ab%3Apull&refresh_token=r%26t"
        );
    }

    #[test]
    fn headers_hide_what_they_hold() {
        assert_eq!(basic("u", &Secret::new("p")), "Basic dTpw");
        assert!(!format!("{:?}", basic("u", &Secret::new("p"))).contains("dTpw"));
        assert!(!format!("{:?}", bearer(&Secret::new("tok"), true).header).contains("tok"));
    }
}
