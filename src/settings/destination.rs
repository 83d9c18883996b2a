//! Where images should go, their names there, and the compression of their layers, as asked for.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::complete::cores;
use super::error::Error;
use super::sources::Sources;
use super::table::Key;
use crate::daemon;
use crate::oci::{Compression, Tag};
use crate::publish::{self, Asked, AskedCompression, LocalNames};

/// The profile of minikube whose engine `minikube docker-env` has set.
const ACTIVE: &str = "MINIKUBE_ACTIVE_DOCKERD";
use crate::reference::NameStyle;

impl Sources {
    pub(super) fn publish(&self, several_platforms: bool) -> Result<publish::Settings, Error> {
        let repo = self.text(Key::Repo);
        if let Some((text, origin)) = &repo
            && (text.contains("://") || text.ends_with('/'))
        {
            return Err(origin.error(format!(
                "expected a repository such as `registry.example/team`, without `https://` and \
                 without a trailing slash, found `{text}`"
            )));
        }
        let tags = match self.texts(Key::Tags) {
            None => vec![Tag::latest()],
            // `--tags=`: by digest alone.
            Some((texts, _)) if texts.iter().all(String::is_empty) => Vec::new(),
            Some(_) => self.parse_all(Key::Tags)?.unwrap_or_default(),
        };
        let tag_only = self.switch(Key::TagOnly, false)?;
        if tag_only && !matches!(tags.as_slice(), [tag] if *tag != Tag::latest()) {
            return Err(Error::Together(
                "--tag-only requires --tags with one tag other than `latest`".to_owned(),
            ));
        }
        Ok(publish::Settings {
            asked: Asked {
                repo: repo.map(|(repo, _)| repo),
                clusters: LocalNames {
                    kind: self.text(Key::KindCluster).map(|(name, _)| name),
                    k3d: self.text(Key::K3dCluster).map(|(name, _)| name),
                    minikube: self.text(Key::MinikubeProfile).map(|(name, _)| name),
                },
                minikube: self.minikube_over_ssh(),
                push: self.switch(Key::Push, true)?,
                local: self.switch(Key::Local, false)?,
                layout: self.path(Key::OciLayoutPath),
                archive: self.path(Key::Tarball),
                compression: self.compression()?,
                several_platforms,
            },
            style: self.name_style()?,
            tags,
            tag_only,
            threads: cores(),
            sbom: self.sbom()?,
            engine: self.daemon(),
            host_engine: self.host_daemon(),
        })
    }

    fn name_style(&self) -> Result<NameStyle, Error> {
        // As in ko: -P before -B before --bare.
        Ok(if self.switch(Key::PreserveImportPaths, false)? {
            NameStyle::Preserved
        } else if self.switch(Key::BaseImportPaths, false)? {
            NameStyle::Base
        } else if self.switch(Key::Bare, false)? {
            NameStyle::Bare
        } else {
            NameStyle::Hashed
        })
    }

    fn compression(&self) -> Result<AskedCompression, Error> {
        let level = self.number(Key::LayerCompressionLevel)?;
        let (how, origin) = match self.text(Key::LayerCompression) {
            Some((how, origin)) => (how, Some(origin)),
            None => ("auto".to_owned(), None),
        };
        let level_in = |range: RangeInclusive<u8>, default: u8| match level.map(u8::try_from) {
            None => Ok(default),
            Some(Ok(level)) if range.contains(&level) => Ok(level),
            Some(_) => Err(Error::Together(format!(
                "the level of `{how}` must be between {} and {}, found {}",
                range.start(),
                range.end(),
                level.unwrap_or_default()
            ))),
        };
        match how.as_str() {
            "none" => Ok(AskedCompression::Always(Compression::None)),
            "gzip" => {
                let level = level_in(1..=9, 2)?;
                Ok(AskedCompression::Always(Compression::Gzip { level }))
            }
            "zstd" => {
                let level = level_in(1..=19, 3)?;
                Ok(AskedCompression::Always(Compression::Zstd { level }))
            }
            "auto" => Ok(AskedCompression::Auto { level: level_in(1..=9, 2)? }),
            _ => {
                let reason = format!("expected `auto`, `gzip`, `zstd` or `none`, found `{how}`");
                Err(origin.map_or(Error::Together(reason.clone()), |origin| origin.error(reason)))
            }
        }
    }

    pub(super) fn daemon(&self) -> daemon::Settings {
        let environment = &self.environment;
        let home = environment.home();
        let runtime = environment.path("XDG_RUNTIME_DIR");
        let sockets = [
            runtime.as_ref().map(|folder| folder.join("docker.sock")),
            home.as_ref().map(|folder| folder.join(".docker/run/docker.sock")),
            runtime.as_ref().map(|folder| folder.join("podman/podman.sock")),
            Some(PathBuf::from("/run/podman/podman.sock")),
        ];
        let text = |name: &str| environment.get(name).map(str::to_owned);
        daemon::Settings {
            host: text("DOCKER_HOST"),
            context: text("DOCKER_CONTEXT"),
            tls_verify: environment.get("DOCKER_TLS_VERIFY").is_some(),
            certificates: environment.path("DOCKER_CERT_PATH"),
            folder: environment
                .path("DOCKER_CONFIG")
                .or_else(|| home.map(|folder| folder.join(".docker"))),
            sockets: sockets.into_iter().flatten().collect(),
        }
    }

    /// The engine of this machine, whatever `minikube docker-env` has set.
    fn host_daemon(&self) -> daemon::Settings {
        let environment = &self.environment;
        if environment.get(ACTIVE).is_none() {
            return self.daemon();
        }
        daemon::Settings {
            host: environment.get("MINIKUBE_EXISTING_DOCKER_HOST").map(str::to_owned),
            tls_verify: environment.get("MINIKUBE_EXISTING_DOCKER_TLS_VERIFY").is_some(),
            certificates: environment.path("MINIKUBE_EXISTING_DOCKER_CERT_PATH"),
            ..self.daemon()
        }
    }

    /// The profile of minikube whose nodes are reached by ssh, as `minikube docker-env` sets it for
    /// those that run containerd.
    fn minikube_over_ssh(&self) -> Option<String> {
        let host = self.environment.get("DOCKER_HOST")?;
        let profile = self.environment.get(ACTIVE)?;
        host.starts_with("ssh://").then(|| profile.to_owned())
    }
}
