//! `ko-rs dev`: deploys manifests and brings each change of their sources into the cluster.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use futures_util::future::join_all;

use super::beside::{self, LocalPorts};
use super::context::Context;
use super::exit::{Failure, Stop};
use super::flags::{Developing, FlagsOf};
use super::inputs;
use crate::cluster::Forwarding;
use crate::dev::{Input, Loop, Remains};
use crate::manifests::{self, Parse};
use crate::pipeline::Session;
use crate::process;
use crate::settings::{self, AtEnd, Complete, Dev, Flags};

/// The options of `dev`.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    pub(super) flags: FlagsOf<Developing>,
    /// How progress is shown: `plain` lines, or `json` with one event a line
    #[arg(long, value_name = "UI", default_value = "plain", value_parser = ["plain", "json"])]
    ui: String,
    /// Deploy once, wait until everything is ready, and run the command after `--`, if any
    #[arg(long)]
    once: bool,
    /// With --once, a program to run while the objects are ready, and its arguments; its exit status
    /// is that of ko-rs
    #[arg(last = true, requires = "once", value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Options {
    /// Whether progress is shown as JSON.
    pub(super) fn is_json(&self) -> bool {
        self.ui == "json"
    }
}

/// Runs `dev` until a signal ends it.
pub(super) async fn run(
    options: Options,
    context: &Context,
    signals: impl Future<Output = Stop>,
) -> Result<Stop, Failure> {
    let mut loader = Loader::new(context, context.flags(options.flags)?)?;
    let stop = if options.once {
        tokio::select! {
            ran = once(&mut loader, &options.command, context) => ran?,
            stop = signals => stop,
        }
    } else {
        tokio::select! {
            ended = repeat(&mut loader, context) => return Err(ended),
            stop = signals => stop,
        }
    };
    if loader.dev.at_end == AtEnd::Down {
        let remains = Remains::find(&loader.session).await?;
        for outcome in remains.delete(false).await? {
            context.report.note(outcome.to_string());
        }
    }
    loader.session.close();
    Ok(stop)
}

/// The loop, which only a failure ends.
async fn repeat(loader: &mut Loader<'_>, context: &Context) -> Failure {
    if loader.complete.filenames.iter().any(|name| name == "-") {
        return Failure::Unwatchable;
    }
    let directory = context.environment.directory().to_owned();
    let files = loader.files(&directory);
    let loop_ = Loop::new(context.report.clone(), directory);
    // Without manifests there is nothing to begin with; broken ones can be corrected.
    if let Err(failure @ Failure::NoFilename) = loader.load().await {
        return failure;
    }
    let load = async || loader.load().await.map_err(|failure| failure.end().0);
    let local = LocalPorts::default();
    let (logs, forwards) = (loop_.objects(), loop_.objects());
    let beside = async {
        tokio::join!(
            beside::follow(logs, context),
            beside::forward(forwards, &local, &context.report),
        );
        std::future::pending().await
    };
    let ended = tokio::select! {
        ended = loop_.run(files, load) => ended,
        never = beside => never,
    };
    match ended {
        Ok(never) => match never {},
        Err(error) => error.into(),
    }
}

/// One round, and a command.
async fn once(
    loader: &mut Loader<'_>,
    command: &[OsString],
    context: &Context,
) -> Result<Stop, Failure> {
    let input = loader.load().await?;
    let directory = context.environment.directory().to_owned();
    let loop_ = Loop::new(context.report.clone(), directory.clone());
    let shown = loop_.objects();
    loop_.once(&input).await?;
    let Some((program, arguments)) = command.split_first() else { return Ok(Stop::Done) };
    let mut command = process::command(program, context.environment.variables(), &directory);
    let local = LocalPorts::default();
    let shown = shown.borrow().clone();
    let forwardings = match &shown {
        Some(shown) => beside::listen_for_all(shown, &local, &context.report).await?,
        None => Vec::new(),
    };
    command.args(arguments).envs(local.variables());
    let forward = async {
        join_all(forwardings.iter().map(Forwarding::forward)).await;
        std::future::pending().await
    };
    let status = tokio::select! {
        status = process::attended(command) => status.map_err(Failure::Command)?,
        never = forward => never,
    };
    Ok(Stop::Exited(status))
}

/// Reads settings and manifests anew for each round.
struct Loader<'a> {
    context: &'a Context,
    flags: Flags,
    complete: Complete,
    dev: Dev,
    session: Arc<Session>,
    /// The settings file as it was read.
    text: Option<Vec<u8>>,
}

impl<'a> Loader<'a> {
    fn new(context: &'a Context, flags: Flags) -> Result<Self, Failure> {
        let (complete, dev) =
            settings::complete_dev(flags.clone(), &context.environment, &context.report)?;
        let text = read(dev.file.as_deref());
        let session = Arc::new(Session::new(complete.settings.clone(), context.report.clone()));
        Ok(Self { context, flags, complete, dev, session, text })
    }

    /// The files and folders that settings and manifests are read from.
    fn files(&self, directory: &Path) -> BTreeSet<PathBuf> {
        let mut files: BTreeSet<PathBuf> =
            self.complete.kustomization.iter().map(PathBuf::from).collect();
        for name in self.complete.filenames.iter().flat_map(|written| manifests::names(written)) {
            let path = directory.join(name);
            // What does not exist is a pattern; its folder has the files.
            let existing = path.ancestors().find(|path| path.exists());
            files.extend(existing.map(Path::to_owned));
        }
        files.insert(self.dev.file.clone().unwrap_or_else(|| directory.join(".ko-rs.yaml")));
        files
    }

    async fn load(&mut self) -> Result<Input, Failure> {
        let text = read(self.dev.file.as_deref());
        if text != self.text {
            let (environment, report) = (&self.context.environment, &self.context.report);
            let (complete, dev) = settings::complete_dev(self.flags.clone(), environment, report)?;
            let settings = complete.settings.clone();
            self.session = Arc::new(Session::new(settings, report.clone()));
            (self.complete, self.dev, self.text) = (complete, dev, text);
        }
        let (manifests, places) =
            inputs::read(&self.complete, &self.session, Parse::Everything).await?;
        Ok(Input {
            session: Arc::clone(&self.session),
            manifests,
            sources: places.len(),
            apply: self.complete.apply.clone(),
            creates_namespace: self.dev.creates_namespace,
            user: self.dev.user.clone(),
            now: self.dev.now,
        })
    }
}

fn read(file: Option<&Path>) -> Option<Vec<u8>> {
    std::fs::read(file?).ok()
}
