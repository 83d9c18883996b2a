//! How registries and clusters are accessed, and with which credentials.

use std::path::{Path, PathBuf};

use super::error::Error;
use super::sources::Sources;
use super::table::Key;
use crate::cluster::{self, ServiceAccount};
use crate::http;
use crate::registry::{self, CredentialSources, GitHub, LocationFiles, Secret};

impl Sources {
    pub(super) fn registry(&self) -> Result<registry::Settings, Error> {
        let environment = &self.environment;
        let home = environment.home();
        let below = |folder: &Option<PathBuf>, path: &str| folder.as_ref().map(|f| f.join(path));
        let docker = environment.path("DOCKER_CONFIG").or_else(|| below(&home, ".docker"));
        let config_home = environment.path("XDG_CONFIG_HOME").or_else(|| below(&home, ".config"));
        // The most specific first: a variable for exactly this purpose.
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
            insecure: self.switch(Key::InsecureRegistry, false)?,
            credentials: CredentialSources {
                files: files.into_iter().flatten().collect(),
                kept_in: own.or(docker),
                helper_path: environment.get_os("PATH").unwrap_or_default().to_owned(),
                github,
            },
            locations: self.locations(),
            connections: http::Settings {
                certificates: http::Certificates {
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
                proxies: http::Proxies {
                    http: either("HTTP_PROXY", "http_proxy"),
                    https: either("HTTPS_PROXY", "https_proxy"),
                    except: either("NO_PROXY", "no_proxy"),
                },
                patience: self.time(Key::RegistryTimeout)?.unwrap_or(http::PATIENCE),
                user_agent: concat!("ko-rs/", env!("CARGO_PKG_VERSION")).to_owned(),
            },
            temporary: environment.temporary_folder(),
        })
    }

    /// The files that redirect pulls, where podman and skopeo look for them.
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

    pub(super) fn cluster(&self) -> Result<cluster::Settings, Error> {
        let environment = &self.environment;
        let kubeconfig =
            match (self.flags.0.get(&Key::Kubeconfig), environment.get_os("KUBECONFIG")) {
                (Some(_), _) => self.path(Key::Kubeconfig).into_iter().collect(),
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
            context: self.text(Key::Context).map(|(context, _)| context),
            is_context_named: self.flags.0.contains_key(&Key::Context),
            namespace: self.text(Key::Namespace).map(|(namespace, _)| namespace),
            allow_contexts: self
                .texts(Key::AllowContexts)
                .map(|(names, _)| names)
                .unwrap_or_default(),
            ..cluster::Settings::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::env::Environment;
    use crate::settings::sources::Flags;

    fn registry(variables: &[(&str, &str)]) -> registry::Settings {
        let environment = Environment::of("/work", variables.iter().copied());
        let flags = Flags::default();
        Sources { flags, environment, file: None, directory: "/work".into() }.registry().unwrap()
    }

    #[test]
    fn credentials_are_looked_for_where_docker_and_podman_keep_them() {
        let home = ("HOME", "/home/me");
        let files = |variables: &[(&str, &str)]| {
            let credentials = registry(variables).credentials;
            let files = credentials.files.iter().map(|path| path.display().to_string());
            let kept_in = credentials.kept_in.map(|path| path.display().to_string());
            (files.collect::<Vec<_>>(), kept_in.unwrap_or_default())
        };
        let (plain, kept_in) = files(&[home]);
        let docker = "/home/me/.docker/config.json";
        assert_eq!(plain, [docker, "/home/me/.config/containers/auth.json"]);
        assert_eq!(kept_in, docker);
        let (all, kept_in) = files(&[
            home,
            ("DOCKER_CONFIG", "/docker"),
            ("REGISTRY_AUTH_FILE", "/auth"),
            ("XDG_RUNTIME_DIR", "/run/me"),
            ("XDG_CONFIG_HOME", "/config"),
        ]);
        let expected = [
            "/auth",
            "/docker/config.json",
            "/run/me/containers/auth.json",
            "/config/containers/auth.json",
        ];
        assert_eq!((all.as_slice(), kept_in.as_str()), (&expected.map(str::to_owned)[..], "/auth"));
        assert_eq!(files(&[]), (Vec::new(), String::new()));
    }

    #[test]
    fn a_workflow_s_token_comes_with_its_actor() {
        assert!(registry(&[("GITHUB_ACTOR", "me")]).credentials.github.is_none());
        let given = registry(&[("GITHUB_TOKEN", "hunter2"), ("GITHUB_ACTOR", "me")]);
        let github = given.credentials.github.unwrap();
        assert_eq!((github.actor.as_str(), github.token), ("me", Secret::new("hunter2")));
    }

    #[test]
    fn authorities_proxies_and_locations_are_those_of_the_environment() {
        let found = registry(&[
            ("HOME", "/h"),
            ("SSL_CERT_FILE", "/ca.pem"),
            ("SSL_CERT_DIR", "/a:/b"),
            ("HTTPS_PROXY", "http://upper"),
            ("https_proxy", "http://lower"),
            ("NO_PROXY", "x"),
        ]);
        let stores: Vec<_> =
            found.connections.certificates.stores.iter().map(|p| p.to_str().unwrap()).collect();
        assert_eq!(stores, ["/ca.pem", "/a", "/b"]);
        assert_eq!(found.connections.proxies.https.as_deref(), Some("http://lower"));
        assert_eq!(
            (found.connections.proxies.http, found.connections.proxies.except),
            (None, Some("x".to_owned()))
        );
        let main: Vec<_> = found.locations.main.iter().map(|p| p.to_str().unwrap()).collect();
        assert_eq!(
            main,
            ["/h/.config/containers/registries.conf", "/etc/containers/registries.conf"]
        );
        let only = registry(&[("HOME", "/h"), ("CONTAINERS_REGISTRIES_CONF", "/r.conf")]).locations;
        assert_eq!(
            (only.main, only.folders.len(), only.aliases),
            (vec!["/r.conf".into()], 0, None)
        );
    }
}
