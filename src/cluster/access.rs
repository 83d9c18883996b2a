//! Selects cluster, user and namespace from kubeconfig files or a pod's service account.
//!
//! Everything is passed as values. kube itself would read `KUBECONFIG`, which it is never asked to,
//! and `HTTPS_PROXY`, which an explicit proxy prevents.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

use crate::report::{Details, Diagnose, public_url};

use super::codes;
use super::stopping::Stopping;

/// How the cluster is selected and accessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The kubeconfig files, merged as kubectl does: the first file with an entry wins, and files
    /// that do not exist are skipped.
    pub kubeconfig: Vec<PathBuf>,
    /// The service account to use if no kubeconfig file exists.
    pub in_cluster: Option<ServiceAccount>,
    /// The context; default is the kubeconfig's `current-context`.
    pub context: Option<String>,
    /// The requested namespace (`-n`); default is the one of the context, else `default`.
    pub namespace: Option<String>,
    /// The field manager.
    pub field_manager: String,
    /// The time limit for one request.
    pub timeout: Duration,
    /// The contexts that are allowed, with `*` for any text; empty allows all.
    pub allow_contexts: Vec<String>,
    /// Whether the context was named for this run, which allows it.
    pub is_context_named: bool,
    /// Stops changes between two writes.
    pub stopping: Stopping,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kubeconfig: Vec::new(),
            in_cluster: None,
            context: None,
            namespace: None,
            field_manager: "ko-rs".to_owned(),
            timeout: Duration::from_secs(30),
            allow_contexts: Vec::new(),
            is_context_named: false,
            stopping: Stopping::default(),
        }
    }
}

/// The access of a pod to the cluster that it runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccount {
    /// The URL of the API server: `https://10.96.0.1:443`.
    pub server: String,
    /// The file with the bearer token.
    pub token_file: PathBuf,
    /// The file with the certificate authorities.
    pub authority_file: PathBuf,
    /// The pod's own namespace.
    pub namespace: Option<String>,
}

/// The name of the context for a pod's service account.
const IN_CLUSTER: &str = "in-cluster";

/// The time limit for connecting to the server.
const CONNECT: Duration = Duration::from_secs(5);

/// The cluster that the settings select.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) config: kube::Config,
    pub(super) context: String,
    pub(super) server: String,
    pub(super) namespace: String,
    /// The namespace of `-n`.
    pub(super) requested_namespace: Option<String>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("context", &self.context).finish_non_exhaustive()
    }
}

/// An error of selecting a cluster. It never quotes a kubeconfig, which contains credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// None of the files exists.
    #[error("no kubeconfig found: {}", paths(.0))]
    NoKubeconfig(Vec<PathBuf>),
    /// A file cannot be read.
    #[error("could not read kubeconfig {}: {reason}", .path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// The reason, without a quotation.
        reason: String,
    },
    /// No context is selected.
    #[error("no context selected: the kubeconfig has no `current-context`")]
    NoContext {
        /// The existing contexts.
        known: Vec<String>,
    },
    /// The selected context does not exist.
    #[error("context `{context}` does not exist in the kubeconfig")]
    UnknownContext {
        /// The selected context.
        context: String,
        /// The existing contexts.
        known: Vec<String>,
    },
    /// The selected context is not allowed.
    #[error("context `{context}` is not in `allowContexts`")]
    NotAllowed {
        /// The selected context.
        context: String,
        /// The allowed contexts.
        allowed: Vec<String>,
    },
    /// The selected context is broken.
    #[error("could not use context `{context}`: {reason}")]
    Context {
        /// The selected context.
        context: String,
        /// The reason, without a credential.
        reason: String,
    },
}

fn paths(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "none is configured".to_owned();
    }
    let paths: Vec<_> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
    format!("{} does not exist", paths.join(", "))
}

impl Diagnose for AccessError {
    fn details(&self) -> Details {
        match self {
            Self::NoKubeconfig(_) => Details::new(&codes::NO_KUBECONFIG).hint(
                "pass its path with --kubeconfig or KUBECONFIG; `ko-rs resolve` does not need one",
            ),
            Self::NoContext { known } | Self::UnknownContext { known, .. } => {
                let hint = match known.as_slice() {
                    [] => "the kubeconfig has no contexts".to_owned(),
                    known => format!("pass one of {} with --context", known.join(", ")),
                };
                Details::new(&codes::UNKNOWN_CONTEXT).hint(hint)
            }
            Self::NotAllowed { context, allowed } => {
                Details::new(&codes::CONTEXT_NOT_ALLOWED).hint(format!(
                    "pass `--context={context}` to use it this time, or add it to `allowContexts` (now {})",
                    allowed.join(", ")
                ))
            }
            Self::Kubeconfig { .. } | Self::Context { .. } => {
                Details::new(&codes::INVALID_KUBECONFIG)
            }
        }
    }
}

impl Access {
    /// Reads the files of the settings; no request is sent.
    pub(super) async fn new(settings: &Settings) -> Result<Self, AccessError> {
        let found = read(&settings.kubeconfig)?;
        let mut access = match (found, &settings.in_cluster) {
            (Some(kubeconfig), _) => from_kubeconfig(kubeconfig, settings.context.as_ref()).await?,
            (None, Some(account)) => from_service_account(account)?,
            (None, None) => return Err(AccessError::NoKubeconfig(settings.kubeconfig.clone())),
        };
        let allowed = &settings.allow_contexts;
        let is_allowed = |context: &str| allowed.iter().any(|pattern| matches(pattern, context));
        if !allowed.is_empty() && !settings.is_context_named && !is_allowed(&access.context) {
            let context = access.context;
            return Err(AccessError::NotAllowed { context, allowed: allowed.clone() });
        }
        if let Some(namespace) = &settings.namespace {
            access.namespace.clone_from(namespace);
            access.requested_namespace = Some(namespace.clone());
        }
        access.config.connect_timeout = Some(CONNECT.min(settings.timeout));
        access.config.default_retry = false;
        Ok(access)
    }
}

/// Whether a text is that of a pattern, in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    (0..=text.len()).any(|at| text.get(at..).is_some_and(|text| matches(rest, text)))
}

/// The merged files; nothing if none of them exists.
fn read(paths: &[PathBuf]) -> Result<Option<Kubeconfig>, AccessError> {
    let mut merged: Option<Kubeconfig> = None;
    for path in paths.iter().filter(|path| !path.as_os_str().is_empty()) {
        let failed = |error: &KubeconfigError| AccessError::Kubeconfig {
            path: path.clone(),
            reason: reason(error),
        };
        let next = match Kubeconfig::read_from(path) {
            Ok(next) => next,
            Err(KubeconfigError::ReadConfig(error, _))
                if error.kind() == std::io::ErrorKind::NotFound =>
            {
                continue;
            }
            Err(error) => return Err(failed(&error)),
        };
        merged = Some(match merged {
            Some(merged) => merged.merge(next).map_err(|error| failed(&error))?,
            None => next,
        });
    }
    Ok(merged)
}

/// The message of a kube error without credentials: kube's YAML errors quote the file.
fn reason(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => error.location().map_or_else(
            || "it is not a kubeconfig".to_owned(),
            |at| format!("it is not a kubeconfig (line {}, column {})", at.line(), at.column()),
        ),
        KubeconfigError::ReadConfig(error, _) => error.to_string(),
        other => other.to_string(),
    }
}

async fn from_kubeconfig(
    mut kubeconfig: Kubeconfig,
    requested: Option<&String>,
) -> Result<Access, AccessError> {
    let known = || kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
    let current = kubeconfig.current_context.as_ref().filter(|name| !name.is_empty());
    let Some(context) = requested.or(current).cloned() else {
        return Err(AccessError::NoContext { known: known() });
    };
    if !kubeconfig.contexts.iter().any(|named| named.name == context) {
        return Err(AccessError::UnknownContext { context, known: known() });
    }
    let unusable = |reason| AccessError::Context { context: context.clone(), reason };
    // An explicit proxy keeps kube from looking for one in the environment.
    let mut proxied = Vec::new();
    for named in &mut kubeconfig.clusters {
        let Some(cluster) = &mut named.cluster else { continue };
        match cluster.proxy_url.as_deref() {
            Some(url) if !url.is_empty() => proxied.push(named.name.clone()),
            _ => cluster.proxy_url = Some("http://proxy.invalid".to_owned()),
        }
    }
    let cluster = kubeconfig
        .contexts
        .iter()
        .find(|named| named.name == context)
        .and_then(|named| named.context.as_ref())
        .map(|context| context.cluster.clone());
    let options = KubeConfigOptions { context: Some(context.clone()), ..Default::default() };
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| unusable(reason(&error)))?;
    if !cluster.is_some_and(|cluster| proxied.contains(&cluster)) {
        config.proxy_url = None;
    }
    let namespace = match config.default_namespace.as_str() {
        "" => "default".to_owned(),
        namespace => namespace.to_owned(),
    };
    let server = shown(&config.cluster_url);
    Ok(Access { config, context, server, namespace, requested_namespace: None })
}

fn from_service_account(account: &ServiceAccount) -> Result<Access, AccessError> {
    let context = IN_CLUSTER.to_owned();
    let unusable = |reason| AccessError::Context { context: context.clone(), reason };
    let url: http::Uri =
        account.server.parse().map_err(|_| unusable("its server is not a URL".to_owned()))?;
    let Some(token_file) = account.token_file.to_str() else {
        return Err(unusable("the path of its token is not UTF-8".to_owned()));
    };
    let mut config = kube::Config::new(url);
    config.auth_info.token_file = Some(token_file.to_owned());
    config.root_cert_file = Some(account.authority_file.clone());
    let server = shown(&config.cluster_url);
    let namespace = account.namespace.clone().unwrap_or_else(|| "default".to_owned());
    Ok(Access { config, context, server, namespace, requested_namespace: None })
}

/// A server's URL without user, password and trailing slash.
fn shown(url: &http::Uri) -> String {
    public_url(&url.to_string()).trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str = "apiVersion: v1
kind: Config
current-context: here
clusters: [{name: c, cluster: {server: 'https://u:p@127.0.0.1:8443/'}}]
users: [{name: u, user: {token: s3cret}}]
contexts:
- {name: here, context: {cluster: c, user: u}}
- {name: there, context: {cluster: c, user: u, namespace: shop}}
";

    fn written(files: &[(&str, &str)]) -> (tempfile::TempDir, Settings) {
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = files
            .iter()
            .map(|(name, text)| {
                let path = folder.path().join(name);
                std::fs::write(&path, text).unwrap();
                path
            })
            .collect();
        (folder, Settings { kubeconfig, ..Settings::default() })
    }

    #[tokio::test]
    async fn a_context_gives_server_and_namespace() {
        let (_folder, mut settings) = written(&[("a", KUBECONFIG)]);
        let access = Access::new(&settings).await.unwrap();
        assert_eq!((access.context.as_str(), access.namespace.as_str()), ("here", "default"));
        assert_eq!(access.server, "https://127.0.0.1:8443");
        assert_eq!(access.config.proxy_url, None);
        settings.context = Some("there".to_owned());
        assert_eq!(Access::new(&settings).await.unwrap().namespace, "shop");
        settings.namespace = Some("mine".to_owned());
        let access = Access::new(&settings).await.unwrap();
        assert_eq!(
            (access.namespace.as_str(), access.requested_namespace.as_deref()),
            ("mine", Some("mine"))
        );
    }

    #[tokio::test]
    async fn the_first_of_several_files_wins_and_missing_ones_are_skipped() {
        let second = KUBECONFIG.replace("127.0.0.1", "other").replace("here", "elsewhere");
        let (folder, mut settings) = written(&[("a", KUBECONFIG), ("b", &second)]);
        settings.kubeconfig.insert(0, folder.path().join("none"));
        settings.kubeconfig.insert(0, PathBuf::new());
        assert_eq!(Access::new(&settings).await.unwrap().server, "https://127.0.0.1:8443");
        settings.context = Some("elsewhere".to_owned());
        assert_eq!(Access::new(&settings).await.unwrap().context, "elsewhere");
        settings.kubeconfig.truncate(2);
        let error = Access::new(&settings).await.unwrap_err();
        assert!(error.to_string().contains("none` does not exist"), "{error}");
    }

    #[tokio::test]
    async fn a_wrong_context_is_an_error_with_the_existing_ones_and_only_allowed_ones_are_used() {
        let (_folder, mut settings) = written(&[("a", KUBECONFIG)]);
        settings.context = Some("gone".to_owned());
        let error = Access::new(&settings).await.unwrap_err();
        assert!(
            format!("{:?}", error.details()).contains("pass one of here, there with --context")
        );
        settings.context = None;
        settings.allow_contexts = vec!["there".to_owned()];
        let error = Access::new(&settings).await.unwrap_err();
        assert_eq!(error.to_string(), "context `here` is not in `allowContexts`");
        for allowed in ["here", "h*", "*re", "*", "h*r*"] {
            settings.allow_contexts = vec!["there".to_owned(), allowed.to_owned()];
            assert!(Access::new(&settings).await.is_ok(), "{allowed}");
        }
        settings.allow_contexts = vec!["h*t".to_owned()];
        assert!(Access::new(&settings).await.is_err());
        settings.is_context_named = true;
        assert!(Access::new(&settings).await.is_ok());
    }

    #[tokio::test]
    async fn a_broken_kubeconfig_is_never_quoted() {
        let broken = KUBECONFIG.replace("{token: s3cret}", "{token: {s3cret}");
        let (_folder, settings) = written(&[("a", &broken)]);
        let error = Access::new(&settings).await.unwrap_err();
        assert!(error.to_string().contains("it is not a kubeconfig (line"), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }

    #[tokio::test]
    async fn the_service_account_is_used_if_no_kubeconfig_exists() {
        let settings = Settings {
            in_cluster: Some(ServiceAccount {
                server: "https://10.96.0.1:443".to_owned(),
                token_file: "/token".into(),
                authority_file: "/ca.crt".into(),
                namespace: Some("builds".to_owned()),
            }),
            ..Settings::default()
        };
        let access = Access::new(&settings).await.unwrap();
        assert_eq!((access.context.as_str(), access.namespace.as_str()), ("in-cluster", "builds"));
    }
}
