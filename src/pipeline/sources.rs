//! Manifests that are not files: fetched by URL, or built by kustomize.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::error::{Error, SourceError};
use super::session::Session;
use crate::cargo;
use crate::manifests;
use crate::registry;
use crate::source::Source;

/// How many bytes of a failed program's output are shown.
const COMPLAINT: u64 = 64 << 10;

impl Session {
    /// Fetches manifests by http or https; the second value is the file's name, if it has one.
    pub async fn fetch(&self, url: &str) -> Result<(Source, Option<String>), Error> {
        let fetched =
            registry::fetch(&self.settings.registry, &self.report, url, manifests::LARGEST);
        let fetched = fetched.await;
        let bytes = fetched.map_err(|error| Error::Source(SourceError::Fetch(error)))?;
        let shown = registry::shown_url(url);
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
            .find_map(|(name, verb)| Some((cargo::on_path(name, environment)?, name, verb)));
        let (program, name, verb) =
            found.ok_or_else(|| Error::Source(SourceError::NoKustomize(folder.to_owned())))?;
        let shown = shell_words::join([name, verb, folder]);
        let text = run(&program, &[verb, "--", folder], &shown, &self.settings.cargo).await;
        let text = text.map_err(Error::Source)?;
        manifests::read_from(format!("<{shown}>"), text.as_slice())
            .map_err(|error| Error::Manifests(error.into()))
    }
}

/// The output of a program, up to slightly more than the size limit of manifests.
async fn run(
    program: &Path,
    args: &[&str],
    shown: &str,
    settings: &cargo::Settings,
) -> Result<Vec<u8>, SourceError> {
    let failed = |source| SourceError::Run { command: shown.to_owned(), source };
    let mut child = tokio::process::Command::new(program)
        .args(args)
        .env_clear()
        .envs(&settings.environment)
        .current_dir(&settings.directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (text, complaint, status) = tokio::join!(
        bounded(stdout, manifests::LARGEST + 1),
        bounded(stderr, COMPLAINT),
        child.wait()
    );
    let (text, status) = (text.map_err(failed)?, status.map_err(failed)?);
    // A program that prints too much fails because its output is closed; the size is the error.
    if status.success() || text.len() as u64 > manifests::LARGEST {
        return Ok(text);
    }
    let complaint = complaint.map_err(failed)?;
    Err(SourceError::Failed {
        command: shown.to_owned(),
        status,
        complaint: String::from_utf8_lossy(&complaint).into_owned(),
    })
}

/// Reads up to a limit, and closes the stream there.
async fn bounded(stream: Option<impl AsyncRead + Unpin>, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(limit).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}
