//! Reads the manifests that `-f` and `-k` name.

use std::io::IsTerminal as _;

use super::exit::Failure;
use crate::manifests::{self, Input, Manifests, Parse, Place};
use crate::pipeline::Session;
use crate::report::{Reporter, Stage};
use crate::settings::Complete;
use crate::source::Source;

/// Reads and parses manifests, and returns where each was read from. A selector needs labels, so
/// objects are parsed.
pub(super) async fn read(
    complete: &Complete,
    session: &Session,
    depth: Parse,
) -> Result<(Manifests, Vec<(String, Place)>), Failure> {
    session.stage(Stage::Read, load(complete, session, depth)).await
}

async fn load(
    complete: &Complete,
    session: &Session,
    depth: Parse,
) -> Result<(Manifests, Vec<(String, Place)>), Failure> {
    let inputs = inputs(complete, session).await?;
    let search = complete.search.clone();
    let loaded = apart(move || manifests::read(&inputs, &search)).await?;
    let loaded = loaded.map_err(Failure::Manifests)?;
    let (sources, places) = loaded
        .into_iter()
        .map(|loaded| {
            let name = loaded.source.name().to_owned();
            (loaded.source, (name, loaded.place))
        })
        .unzip();
    let depth = if complete.selector.is_some() { Parse::Everything } else { depth };
    let manifests = manifests::parse(sources, &complete.rules, depth);
    let manifests = match &complete.selector {
        Some(selector) => manifests.select(selector).map_err(Failure::Manifests)?,
        None => manifests,
    };
    Ok((manifests, places))
}

async fn inputs(complete: &Complete, session: &Session) -> Result<Vec<Input>, Failure> {
    let mut inputs = Vec::new();
    if let Some(folder) = &complete.kustomization {
        inputs.push(Input::Text(session.kustomize(folder).await?));
    }
    for name in complete.filenames.iter().flat_map(|written| manifests::names(written)) {
        inputs.push(if name == "-" {
            Input::Text(stdin(session.report().clone()).await?)
        } else if name.starts_with("http://") || name.starts_with("https://") {
            match session.fetch(name).await? {
                (source, Some(name)) => Input::Named(source, name),
                (source, None) => Input::Text(source),
            }
        } else {
            Input::Path(name.into())
        });
    }
    if inputs.is_empty() { Err(Failure::NoFilename) } else { Ok(inputs) }
}

async fn stdin(report: Reporter) -> Result<Source, Failure> {
    let read = apart(move || {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            report.note("reading manifests from the terminal; Ctrl-D ends them");
        }
        manifests::read_from("<stdin>", stdin.lock())
    });
    read.await?.map_err(|error| Failure::Manifests(error.into()))
}

/// Reads on a separate thread: reading standard input or a pipe may take forever, and must not delay
/// signals or the end of the process.
async fn apart<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // The receiver is gone if a signal ended the run.
        let _ = sender.send(read());
    });
    receiver.await.map_err(|_| Failure::Stdin)
}
