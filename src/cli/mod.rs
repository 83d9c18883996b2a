//! Commands, exit statuses, and everything that is printed.

mod apply;
mod arguments;
mod base;
mod beside;
mod build;
mod cache;
#[cfg(unix)]
mod capture;
mod changed;
mod check;
pub(crate) mod codes;
mod completion;
mod context;
mod create;
mod delete;
mod deps;
mod dev;
mod diff;
mod down;
mod draw;
mod exit;
mod files;
mod flags;
mod inputs;
mod login;
mod logout;
mod logs;
mod outputs;
mod overwrite;
mod port_forward;
mod print;
mod resolve;
mod result;
mod unified;
mod version;

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::thread::JoinHandle;

use clap::{CommandFactory as _, Parser as _};

use arguments::{Arguments, Command};
use context::Context;
use exit::{Failure, Stop};
use print::Console;
use result::Results;

use crate::cargo;
use crate::cluster::{self, Stopping};
use crate::image;
use crate::manifests;
use crate::oci;
use crate::pipeline;
use crate::publish;
use crate::reference;
use crate::report::{Code, Exit, Reporter};
use crate::settings::{self, Environment, Flags, Format, Key, Presentation};

/// The codes of all diagnostics, in the order of `docs/errors.md`.
pub fn every_code() -> impl Iterator<Item = &'static Code> {
    let modules = [
        manifests::codes::ALL,
        manifests::lint_codes::ALL,
        reference::codes::ALL,
        cargo::codes::ALL,
        image::codes::ALL,
        oci::codes::ALL,
        crate::cache::codes::ALL,
        crate::daemon::codes::ALL,
        crate::http::codes::ALL,
        crate::registry::codes::ALL,
        publish::codes::ALL,
        cluster::codes::ALL,
        settings::codes::ALL,
        pipeline::codes::ALL,
        crate::dev::codes::ALL,
        codes::ALL,
    ];
    modules.into_iter().flatten().copied()
}

/// Runs the command line; `args` start with the program's name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help goes to standard output, errors to standard error.
            let _ = error.print();
            let is_error = error.use_stderr();
            return if is_error { Exit::Usage.status().into() } else { ExitCode::SUCCESS };
        }
    };
    let failing = arguments.command.failing();
    let presentation = presentation(&arguments);
    let console = Console::new(presentation.as_ref().unwrap_or(&Presentation::default()));
    let reporter = Reporter::new();
    let printer = console.events(reporter.reader());
    let mut recorder = None;
    let done = presentation.and_then(|presentation| {
        recorder = record(&arguments, &reporter)?;
        #[cfg(unix)]
        let _capture =
            capture::start(presentation.progress, &reporter).map_err(Failure::Runtime)?;
        start(arguments, presentation, &reporter)
    });
    reporter.close();
    let _ = printer.join();
    let _ = recorder.map(JoinHandle::join);
    match done {
        Ok(stop) => stop.status().into(),
        Err(failure) => {
            let (diagnostics, status) = failure.end();
            console.diagnostics(diagnostics);
            failing.status(status).into()
        }
    }
}

fn presentation(arguments: &Arguments) -> Result<Presentation, Failure> {
    let environment = Environment::current().map_err(Failure::WorkingDirectory)?;
    let mut presentation = Presentation::of(&arguments.general.flags, &environment)?;
    if let Command::Dev(options) = &arguments.command
        && options.is_json()
    {
        presentation.progress = Format::Json;
    }
    Ok(presentation)
}

/// Writes all events to the file that `--events` names.
fn record(arguments: &Arguments, reporter: &Reporter) -> Result<Option<JoinHandle<()>>, Failure> {
    let Command::Dev(options) = &arguments.command else { return Ok(None) };
    let first = |flags: &Flags, key| Some(flags.0.get(&key)?.first()?.clone());
    let Some(path) = first(&options.flags.flags, Key::Events) else { return Ok(None) };
    let folder = first(&arguments.general.flags, Key::Directory).unwrap_or_default();
    let path = PathBuf::from(folder).join(path);
    let file = File::create(&path).map_err(|source| files::Error::Write { path, source })?;
    Ok(Some(print::record(reporter.reader(), file)))
}

/// Runs a command until it is done or a signal stops it, and prints its result.
fn start(
    arguments: Arguments,
    presentation: Presentation,
    reporter: &Reporter,
) -> Result<Stop, Failure> {
    let Arguments { general, command } = arguments;
    if let Some(directory) = general.flags.0.get(&Key::Directory).and_then(|values| values.first())
    {
        std::env::set_current_dir(directory)
            .map_err(|source| Failure::Directory { path: directory.into(), source })?;
    }
    let context = Context {
        general: general.flags,
        environment: Environment::current().map_err(Failure::WorkingDirectory)?,
        report: reporter.clone(),
        results: Results::new(presentation.output),
        loudness: presentation.loudness,
        stdout: print::stdout_look(presentation.color),
        stopping: Stopping::default(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let done = runtime.block_on(async {
        let signals = exit::signalled().map_err(Failure::Runtime)?;
        // A development loop has something left to do when a signal ends it.
        let is_loop = matches!(command, Command::Dev(_));
        let mut performing = pin!(perform(command, &context));
        let stop = tokio::select! {
            done = &mut performing => return done,
            stop = signals, if !is_loop => stop,
        };
        if !context.stopping.request() {
            return Ok(stop);
        }
        // What is being written to a cluster is completed, unless there is a second signal.
        let again = exit::signalled().map_err(Failure::Runtime)?;
        tokio::select! {
            done = performing => Failure::stopped(done, stop),
            stop = again => Ok(stop),
        }
    });
    let printed = context.results.finish(done.as_ref().is_ok_and(|stop| stop.is_complete()));
    let stop = done?;
    printed.map(|()| stop)
}

async fn perform(command: Command, context: &Context) -> Result<Stop, Failure> {
    match command {
        Command::Diff(options) => return diff::run(options, context).await,
        Command::Build(options) => build::run(options, context).await,
        Command::Resolve(options) => resolve::run(options, context).await,
        Command::Check(options) => check::run(options, context).await,
        Command::Apply(options) => apply::run(options, context).await,
        Command::Create(options) => create::run(options, context).await,
        Command::Delete(options) => delete::run(options, context).await,
        Command::Dev(options) => {
            let signals = exit::signalled().map_err(Failure::Runtime)?;
            return dev::run(options, context, signals).await;
        }
        Command::Down(options) => down::run(options, context).await,
        Command::Logs(options) => logs::run(options, context).await,
        Command::PortForward(options) => port_forward::run(options, context).await,
        Command::Deps(options) => deps::run(options, context).await,
        Command::Login(options) => login::run(options, context).await,
        Command::Logout(options) => logout::run(options, context).await,
        Command::Base(command) => base::run(command, context).await,
        Command::Cache(command) => cache::run(command, context).await,
        Command::Version => version::run(context),
        Command::Completion(options) => completion::run(options, Arguments::command()),
    }?;
    Ok(Stop::Done)
}
