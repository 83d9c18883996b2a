//! Where images go, what they are called there, and how their layers are compressed.

use std::path::PathBuf;

use super::complete::cores;
use super::error::Error;
use super::sources::{Origin, Sources};
use super::table::Key;
use crate::daemon::{self, Daemon};
use crate::oci::{Compression, Registry, Tag};
use crate::pipeline::NoDestination;
use crate::publish::{self, Destination, Naming};
use crate::reference::NameStyle;
use crate::report::Reporter;

impl Sources {
    pub(super) fn publish(
        &self,
        report: &Reporter,
        several_platforms: bool,
    ) -> Result<Result<publish::Settings, NoDestination>, Error> {
        let mut destinations = Vec::new();
        let mut repo = self.text(Key::Repo);
        let push = self.switch(Key::Push, true)?;
        let local = self.switch(Key::Local, false)?
            || repo.as_ref().is_some_and(|(r, _)| is(r, "ko.local"));
        if let Some((text, origin)) = &repo {
            if let Some(instead) = instead_of(text) {
                let (origin, hint) = (origin.to_string(), Some(instead.to_owned()));
                let reason = format!("`{text}` is no destination yet");
                return Err(Error::Value { origin, reason, hint });
            }
            if text.contains("://") || text.ends_with('/') {
                return Err(origin.error(format!(
                    "`{text}` is not a repository: write `registry.example/team`, without `https://` and without a slash at the end"
                )));
            }
        }
        if let Some(folder) = self.path(Key::OciLayoutPath) {
            destinations.push(Destination::Layout(folder));
        }
        if let Some(path) = self.path(Key::Tarball) {
            destinations.push(Destination::Archive(path));
        }
        let kept = !destinations.is_empty();
        if push && local {
            repo = repo.or_else(|| Some(("ko.local".to_owned(), Origin::Flag("local".to_owned()))));
            let address = daemon::Address::choose(&self.daemon());
            let address = address.map_err(|error| self.daemon_error(&error))?;
            let daemon = Daemon::new(address, report.clone());
            destinations
                .push(Destination::Daemon(daemon.map_err(|error| self.daemon_error(&error))?));
        } else if push && repo.is_some() {
            destinations.push(Destination::Registry);
        } else if push && !kept {
            return Ok(Err(NoDestination));
        }
        let repo = repo.map(|(repo, _)| repo).unwrap_or_default();
        let tags = match self.texts(Key::Tags) {
            None => vec![Tag::latest()],
            // `--tags=`: by digest alone.
            Some((texts, _)) if texts.iter().all(String::is_empty) => Vec::new(),
            Some(_) => self.parse_all(Key::Tags)?.unwrap_or_default(),
        };
        let tag_only = self.switch(Key::TagOnly, false)?;
        if tag_only && !matches!(tags.as_slice(), [tag] if *tag != Tag::latest()) {
            return Err(Error::Together(
                "--tag-only needs --tags with one tag that is not `latest`".to_owned(),
            ));
        }
        let compression = self.compression(&repo, several_platforms, &destinations)?;
        Ok(Ok(publish::Settings {
            naming: Naming { repo, style: self.name_style()?, tags, tag_only },
            destinations,
            compression,
            threads: cores(),
            sbom: self.sbom()?,
        }))
    }

    fn daemon_error(&self, error: &daemon::Error) -> Error {
        let mut reason = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(source) = cause {
            reason.push_str(&format!(": {source}"));
            cause = source.source();
        }
        Error::Value { origin: "the Docker Engine".to_owned(), reason, hint: error.hint() }
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

    /// `auto` does not compress what stays on this machine, where time goes into compressing, and
    /// what an engine unpacks. An archive for several platforms is neither: it is carried on to
    /// registries as it is.
    fn compression(
        &self,
        repo: &str,
        several_platforms: bool,
        destinations: &[Destination],
    ) -> Result<Compression, Error> {
        let level = self.number(Key::LayerCompressionLevel)?;
        let (how, origin) = match self.text(Key::LayerCompression) {
            Some((how, origin)) => (how, Some(origin)),
            None => ("auto".to_owned(), None),
        };
        let level_in = |range: std::ops::RangeInclusive<u64>, default: u8| match level {
            None => Ok(default),
            Some(level) if range.contains(&level) => Ok(u8::try_from(level).unwrap_or(default)),
            Some(level) => Err(Error::Together(format!(
                "a level of {level} is outside {} to {} of `{how}`",
                range.start(),
                range.end()
            ))),
        };
        let host = repo.split('/').next().unwrap_or(repo);
        let loopback = host.parse::<Registry>().is_ok_and(|registry| registry.is_loopback());
        match how.as_str() {
            "none" => Ok(Compression::None),
            "gzip" => Ok(Compression::Gzip { level: level_in(1..=9, 2)? }),
            "zstd" => Ok(Compression::Zstd { level: level_in(1..=19, 3)? }),
            "auto" => {
                let pushes = destinations.iter().any(|to| matches!(to, Destination::Registry));
                let stays = |to: &Destination| match to {
                    Destination::Registry => loopback,
                    Destination::Daemon(_) => true,
                    Destination::Archive(_) => !several_platforms,
                    Destination::Layout(_) => pushes && loopback,
                };
                let nowhere_near = destinations.is_empty() && loopback;
                let stays = !destinations.is_empty() && destinations.iter().all(stays);
                if stays || nowhere_near {
                    Ok(Compression::None)
                } else {
                    Ok(Compression::Gzip { level: level_in(1..=9, 2)? })
                }
            }
            _ => {
                let reason = format!("`{how}` is none of `auto`, `gzip`, `zstd`, `none`");
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
}

/// Whether `repo` is a name with a meaning, or below it. `ko.localhost:5000` is a registry.
fn is(repo: &str, name: &str) -> bool {
    repo == name || repo.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
}

/// What to do in the place of a destination of ko's that is none here.
fn instead_of(repo: &str) -> Option<&'static str> {
    let ways = [
        (
            "kind.local",
            "with kind use a registry on this machine, `localhost:5000`, that its nodes know as well\n\
             (kind.sigs.k8s.io/docs/user/local-registry), or `ko.local`, then\n\
             `kind load docker-image IMAGE` for each image",
        ),
        (
            "k3d.local",
            "with k3d use the registry of `k3d cluster create --registry-create NAME:0.0.0.0:5000`,\n\
             or `ko.local`, then `k3d image import IMAGE` for each image",
        ),
        (
            "minikube.local",
            "with minikube run `eval $(minikube docker-env)` and use `ko.local`: its engine is where \
             images go then",
        ),
    ];
    if repo == "auto" {
        return Some("name a registry's repository, `localhost:5000` or `ko.local`");
    }
    ways.into_iter().find(|(name, _)| is(repo, name)).map(|(_, way)| way)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_of_ko_s_that_is_no_destination_has_its_own_way_out() {
        for (name, way) in [
            ("kind.local", "kind load docker-image"),
            ("k3d.local", "k3d image import"),
            ("minikube.local", "minikube docker-env"),
        ] {
            for repo in [name.to_owned(), format!("{name}/team")] {
                let instead = instead_of(&repo).unwrap();
                assert!(instead.contains(way), "{repo}: {instead}");
                let tool = name.trim_end_matches(".local");
                assert!(instead.starts_with(&format!("with {tool} ")), "{repo}: {instead}");
                let others = ["kind", "k3d", "minikube"].into_iter().filter(|other| *other != tool);
                assert!(others.clone().all(|other| !instead.contains(other)), "{repo}: {instead}");
            }
        }
        assert!(instead_of("auto").is_some());
        assert_eq!(instead_of("kind.localhost:5000"), None);
    }

    #[test]
    fn only_the_name_itself_means_the_daemon() {
        assert!(is("ko.local", "ko.local") && is("ko.local/team", "ko.local"));
        assert!(!is("ko.localhost:5000", "ko.local") && !is("ko.local.example/x", "ko.local"));
    }
}
