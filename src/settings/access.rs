//! How registries and clusters are spoken to, and as whom.

use std::path::{Path, PathBuf};

use super::error::Error;
use super::sources::Sources;
use crate::cluster::{self, ServiceAccount};
use crate::image::BaseName;
use crate::oci::Repository;
use crate::registry::{self, CredentialSources, GitHub, LocationFiles, Secret};

impl Sources {
    pub(super) fn registry(&self) -> Result<registry::Settings, Error> {
        let environment = &self.environment;
        let home = environment.home();
        let below = |folder: &Option<PathBuf>, path: &str| folder.as_ref().map(|f| f.join(path));
        let docker = environment.path("DOCKER_CONFIG").or_else(|| below(&home, ".docker"));
        let config_home = environment.path("XDG_CONFIG_HOME").or_else(|| below(&home, ".config"));
        // The most deliberate first: one that a variable names for just this.
        let own = environment.path("REGISTRY_AUTH_FILE");
        let docker = below(&docker, "config.json");
        let files = [
            own.clone(),
            docker.clone(),
            below(&environment.path("XDG_RUNTIME_DIR"), "containers/auth.json"),
            below(&config_home, "containers/auth.json"),
        ];
        let github = environment.get("GITHUB_TOKEN").map(|token| GitHub {
            actor: environment.get("GITHUB_ACTOR").unwrap_or("unset").to_owned(),
            token: Secret::new(token),
        });
        let either = |upper: &str, lower: &str| {
            environment.get(lower).or_else(|| environment.get(upper)).map(str::to_owned)
        };
        Ok(registry::Settings {
            insecure: self.switch("insecureRegistry", false)?,
            credentials: CredentialSources {
                files: files.into_iter().flatten().collect(),
                kept_in: own.or(docker),
                helper_path: environment.get_os("PATH").unwrap_or_default().to_owned(),
                github,
            },
            locations: self.locations(),
            certificates: registry::Certificates {
                stores: environment
                    .path("SSL_CERT_FILE")
                    .into_iter()
                    .chain(
                        environment
                            .get_os("SSL_CERT_DIR")
                            .into_iter()
                            .flat_map(std::env::split_paths),
                    )
                    .collect(),
                extra: Vec::new(),
                folders: [
                    Some(PathBuf::from("/etc/docker/certs.d")),
                    Some(PathBuf::from("/etc/containers/certs.d")),
                    below(&config_home, "containers/certs.d"),
                    below(&home, ".docker/certs.d"),
                ]
                .into_iter()
                .flatten()
                .collect(),
            },
            proxies: registry::Proxies {
                http: either("HTTP_PROXY", "http_proxy"),
                https: either("HTTPS_PROXY", "https_proxy"),
                except: either("NO_PROXY", "no_proxy"),
            },
            user_agent: concat!("ko-rs/", env!("CARGO_PKG_VERSION")).to_owned(),
            temporary: environment.temporary_folder(),
        })
    }

    /// The files that say where pulls go, as podman and skopeo look for them.
    pub(super) fn locations(&self) -> LocationFiles {
        let environment = &self.environment;
        if let Some(only) = environment.path("CONTAINERS_REGISTRIES_CONF") {
            return LocationFiles { main: vec![only], ..LocationFiles::default() };
        }
        let home = environment.home().map(|home| home.join(".config"));
        let own = environment.path("XDG_CONFIG_HOME").or(home).map(|own| own.join("containers"));
        let system = PathBuf::from("/etc/containers");
        let own_file = own.as_ref().map(|own| own.join("registries.conf"));
        let own_folder = own.as_ref().map(|own| own.join("registries.conf.d"));
        LocationFiles {
            main: own_file.into_iter().chain([system.join("registries.conf")]).collect(),
            folders: [system.join("registries.conf.d")].into_iter().chain(own_folder).collect(),
            aliases: environment
                .cache_folder()
                .map(|cache| cache.join("containers/short-name-aliases.conf")),
        }
    }

    /// A base as it is meant: a short name stands for what `registries.conf` says.
    pub(super) fn meant(
        &self,
        base: BaseName,
        written: &str,
    ) -> Result<BaseName, registry::LocationsError> {
        meant(&self.locations(), base, written)
    }

    pub(super) fn cluster(&self) -> Result<cluster::Settings, Error> {
        let environment = &self.environment;
        let kubeconfig = match (self.flags.0.get("kubeconfig"), environment.get_os("KUBECONFIG")) {
            (Some(_), _) => self.path("kubeconfig").into_iter().collect(),
            (None, Some(list)) => std::env::split_paths(list)
                .filter(|path| path != Path::new(""))
                .map(|path| self.directory.join(path))
                .collect(),
            (None, None) => {
                environment.home().map(|home| home.join(".kube/config")).into_iter().collect()
            }
        };
        let account = Path::new("/var/run/secrets/kubernetes.io/serviceaccount");
        let server = environment
            .get("KUBERNETES_SERVICE_HOST")
            .zip(environment.get("KUBERNETES_SERVICE_PORT"));
        let in_cluster = server.map(|(host, port)| ServiceAccount {
            server: match host.contains(':') {
                true => format!("https://[{host}]:{port}"),
                false => format!("https://{host}:{port}"),
            },
            token_file: account.join("token"),
            authority_file: account.join("ca.crt"),
            namespace: std::fs::read_to_string(account.join("namespace")).ok(),
        });
        Ok(cluster::Settings {
            kubeconfig,
            in_cluster,
            context: self.text("context").map(|(context, _)| context),
            namespace: self.text("namespace").map(|(namespace, _)| namespace),
            allow_contexts: self.texts("allowContexts").map(|(names, _)| names).unwrap_or_default(),
            ..cluster::Settings::default()
        })
    }
}

/// A base as it is meant by whoever wrote it.
pub(super) fn meant(
    locations: &LocationFiles,
    base: BaseName,
    written: &str,
) -> Result<BaseName, registry::LocationsError> {
    match base {
        BaseName::Registry(name) if !Repository::names_registry(written) => {
            Ok(BaseName::Registry(locations.read()?.short(&name, written)?))
        }
        other => Ok(other),
    }
}
