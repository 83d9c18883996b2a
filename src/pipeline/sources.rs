//! Manifests that are not files: fetched by URL, or built by kustomize.

use super::error::{Error, SourceError};
use super::session::Session;
use crate::http;
use crate::manifests;
use crate::process::{self, Limits};
use crate::report::public_url;
use crate::source::Source;

impl Session {
    /// Fetches manifests by http or https; the second value is the file's name, if it has one.
    pub async fn fetch(&self, url: &str) -> Result<(Source, Option<String>), Error> {
        let fetched =
            http::fetch(&self.settings.registry.connections, &self.report, url, manifests::LARGEST);
        let fetched = fetched.await;
        let bytes = fetched.map_err(|error| Error::Source(SourceError::Fetch(error)))?;
        let shown = public_url(url);
        let path = shown.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        let name = path
            .and_then(|(_, path)| path.rsplit('/').next())
            .filter(|name| !matches!(*name, "" | "." | "..") && !name.contains('\\'))
            .map(str::to_owned);
        let source = manifests::read_from(shown, bytes.as_ref());
        Ok((source.map_err(|error| Error::Manifests(error.into()))?, name))
    }

    /// Builds a kustomization with whichever program is installed.
    pub async fn kustomize(&self, folder: &str) -> Result<Source, Error> {
        let environment = &self.settings.cargo.environment;
        let found = [("kustomize", "build"), ("kubectl", "kustomize")]
            .into_iter()
            .find_map(|(name, verb)| Some((process::find(name, environment)?, name, verb)));
        let (program, name, verb) =
            found.ok_or_else(|| Error::Source(SourceError::NoKustomize(folder.to_owned())))?;
        let mut command = process::command(&program, environment, &self.settings.cargo.directory);
        command.args([verb, "--", folder]);
        let limits = Limits { stdout: manifests::LARGEST + 1, ..Limits::default() };
        let failed = |source| Error::Source(SourceError::Kustomize(source));
        let output = process::output(command, limits).await.map_err(failed)?;
        // A program that prints too much fails because its output is closed; the size is the error.
        let is_cut = output.stdout.len() as u64 > manifests::LARGEST;
        let text = if is_cut { output.stdout } else { output.checked().map_err(failed)?.stdout };
        let shown = shell_words::join([name, verb, folder]);
        manifests::read_from(format!("<{shown}>"), text.as_slice())
            .map_err(|error| Error::Manifests(error.into()))
    }
}
