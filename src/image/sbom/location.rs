//! The public origin of a package: no path of this machine, no user and no password.

use std::collections::BTreeMap;

use super::component::{Component, purl};
use crate::cargo::{Dependency, Origin};
use crate::report::public_url;

/// Sets the origin of a component.
pub(super) fn locate(component: &mut Component, dependency: &Dependency) {
    let Dependency { name, version, .. } = dependency;
    let cargo = |key: &'static str, value: &str| {
        Some(purl("cargo", "", name, Some(version), &BTreeMap::from([(key, value)])))
    };
    match &dependency.origin {
        Origin::CratesIo => {
            component.purl = cargo("", "");
            component.download =
                Some(format!("https://static.crates.io/crates/{name}/{version}/download"));
        }
        Origin::Registry(url) => {
            let kind = url.split_once('+').map_or(url.as_str(), |(_, url)| url);
            match public(kind) {
                Some(url) => component.purl = cargo("repository_url", &url),
                None => component.note = Some("from a registry on the machine that built".into()),
            }
        }
        Origin::Git { url, revision } => match public(url) {
            Some(url) => {
                let place = format!("git+{url}@{revision}");
                component.purl = cargo("vcs_url", &place);
                component.download = Some(place);
            }
            None => {
                let note = format!("from a Git repository on the machine that built, {revision}");
                component.note = Some(note);
            }
        },
        Origin::Folder(Some(folder)) => {
            let folder = if folder.is_empty() { "." } else { folder.as_str() };
            component.note = Some(format!("folder of the workspace: {folder}"));
        }
        Origin::Folder(None) => {
            component.note = Some("folder outside of the workspace".to_owned());
        }
    }
}

/// A URL without user, password, query and fragment, or `None` for anything that is not valid on
/// other machines.
pub(super) fn public(url: &str) -> Option<String> {
    let url = public_url(url);
    let (scheme, rest) = url.split_once("://")?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let named = host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]_".contains(c));
    let known = matches!(scheme, "http" | "https" | "ssh" | "git");
    let plain = path.chars().all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c));
    (known && named && plain && !host.is_empty()).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_stranger_could_open_is_public() {
        for (url, expected) in [
            ("https://me:secret@example.org:8443/a?token=x#y", Some("https://example.org:8443/a")),
            ("ssh://git@example.org/a.git", Some("ssh://example.org/a.git")),
            ("https://me:se/cret@example.org/a", None),
            ("file:///home/me/a", None),
            ("/home/me/a", None),
            ("me:secret@example.org/a", None),
            ("https:///a", None),
            ("https://example.org/a b", None),
        ] {
            let found = public(url);
            assert!(!found.as_ref().is_some_and(|url| url.contains("secret")), "{url}");
            if !url.contains("se/cret") {
                assert_eq!(found.as_deref(), expected, "{url}");
            }
        }
    }
}
