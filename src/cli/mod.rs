//! Subcommands, exit codes, and all that is printed.

mod arguments;
mod base;
mod cache;
pub(crate) mod codes;
mod deps;
mod draw;
mod exit;
mod files;
mod inputs;
mod login;
mod outputs;
mod overwrite;
mod print;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::ExitCode;

use arguments::Subcommand;
use exit::{Failure, Stop};
use print::Console;

use crate::cluster::{self, Outcome};
use crate::image;
use crate::manifests::Parse;
use crate::pipeline::{self, Changed, Checked, Request, Session};
use crate::publish;
use crate::report::{Exit, Reporter};
use crate::settings::table::Key;
use crate::settings::{self, Complete, Environment, Flags, Loudness, Presentation};

/// Runs the command line; `args` start with the program's name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match arguments::command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => {
            // What was asked for goes to stdout, what was wrong to stderr, as clap knows.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.status().into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let (subcommand, flags) = arguments::read(&matches);
    let presentation = presentation(&flags);
    let console = Console::new(presentation.as_ref().unwrap_or(&Presentation::default()));
    let reporter = Reporter::new();
    let printer = console.events(reporter.reader());
    let done = match (arguments::foreign_flag(&matches), presentation) {
        (Some((flag, instead)), _) => Err(Failure::ForeignFlag { flag, instead }),
        (None, Err(failure)) => Err(failure),
        (None, Ok(presentation)) => perform(subcommand, flags, presentation, reporter.clone()),
    };
    reporter.close();
    let _ = printer.join();
    match done {
        Ok(stop) => stop.status().into(),
        Err(failure) => {
            let (diagnostics, status) = failure.end();
            console.diagnostics(diagnostics);
            status.into()
        }
    }
}

fn presentation(flags: &Flags) -> Result<Presentation, Failure> {
    let environment = Environment::current().map_err(Failure::WorkingDirectory)?;
    Ok(Presentation::of(flags, &environment)?)
}

fn perform(
    subcommand: Subcommand,
    flags: Flags,
    presentation: Presentation,
    reporter: Reporter,
) -> Result<Stop, Failure> {
    match subcommand {
        Subcommand::Version => {
            return print(&version(presentation.loudness == Loudness::Verbose))
                .map(|()| Stop::Done);
        }
        Subcommand::Completion(shell) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut arguments::command(), "ko-rs", &mut script);
            return print(&String::from_utf8_lossy(&script)).map(|()| Stop::Done);
        }
        _ => {}
    }
    if let Some(directory) = flags.0.get(&Key::Directory).and_then(|values| values.first()) {
        std::env::set_current_dir(directory)
            .map_err(|source| Failure::Directory { path: directory.into(), source })?;
    }
    let environment = Environment::current().map_err(Failure::WorkingDirectory)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    runtime.block_on(async {
        let signals = exit::signalled().map_err(Failure::Runtime)?;
        tokio::select! {
            done = execute(subcommand, flags, &environment, reporter) => done.map(|()| Stop::Done),
            stop = signals => Ok(stop),
        }
    })
}

async fn execute(
    subcommand: Subcommand,
    flags: Flags,
    environment: &Environment,
    report: Reporter,
) -> Result<(), Failure> {
    let registries = || settings::registries(flags.clone(), environment, &report);
    match subcommand {
        Subcommand::Login(login) => {
            let settings = registries().map_err(Failure::Settings)?;
            return login::log_in(login, settings, report).await;
        }
        Subcommand::Logout { registry } => {
            let settings = registries().map_err(Failure::Settings)?;
            return login::log_out(&registry, settings, report).await;
        }
        Subcommand::Deps(wanted) => {
            let settings = registries().map_err(Failure::Settings)?;
            return deps::deps(&wanted, settings, report).await;
        }
        Subcommand::PushBase(name) => {
            let settings = registries().map_err(Failure::Settings)?;
            return base::push(&name, settings, report).await;
        }
        _ => {}
    }
    let complete = settings::complete(flags, environment, &report).map_err(Failure::Settings)?;
    let session = Session::new(complete.settings.clone(), report);
    let done = stages(subcommand, &complete, &session).await;
    session.close();
    done
}

/// The subcommands that need all settings.
async fn stages(
    subcommand: Subcommand,
    complete: &Complete,
    session: &Session,
) -> Result<(), Failure> {
    match subcommand {
        Subcommand::Build { crates, workspace, verify, dry_run } => {
            let here = [".".to_owned()];
            let request = match (workspace, crates.as_slice()) {
                (true, _) => Request::Workspace,
                (false, []) => Request::Crates(&here),
                (false, crates) => Request::Crates(crates),
            };
            overwrite::check(complete, &[], None)?;
            let plan = session.plan(request).await?;
            if dry_run {
                return print(&plan.to_string());
            }
            if verify {
                session.verify(&plan).await?;
            }
            let images = session.build(&plan, &complete.rules.images).await?;
            write(outputs::images(complete, &images)?)?;
            let references = images.published.iter().map(|image| format!("{}\n", image.reference));
            print(&references.collect::<String>())
        }
        Subcommand::Resolve => {
            let (manifests, places) =
                inputs::read(complete, session, Parse::OnlyReferences).await?;
            let targets = outputs::targets(complete, &places)?;
            overwrite::check(complete, &places, Some(&targets))?;
            let (rendered, images) = session.resolve(manifests).await?;
            let (text, mut files) = targets.manifests(rendered, complete.selector.is_some());
            files.extend(outputs::images(complete, &images)?);
            write(files)?;
            print::manifests(&text).map_err(Failure::Stdout)
        }
        Subcommand::Check => {
            let (manifests, places) = inputs::read(complete, session, Parse::Everything).await?;
            let named = places.iter().filter(|(_, place)| !place.is_found);
            let named: BTreeSet<&str> = named.map(|(name, _)| name.as_str()).collect();
            let (manifests, strangers) = manifests.without_strangers(|name| !named.contains(name));
            for name in strangers {
                session.report().note(format!("{name}: no Kubernetes object: passed over"));
            }
            let Checked { references, binaries } = session.check(&manifests)?;
            session.report().note(format!("references: {references}, binaries: {binaries}"));
            Ok(())
        }
        Subcommand::Apply => {
            let (manifests, places) = inputs::read(complete, session, Parse::Everything).await?;
            overwrite::check(complete, &places, None)?;
            changed(complete, session, session.apply(&manifests, &complete.apply).await).await
        }
        Subcommand::Create => {
            let (manifests, places) = inputs::read(complete, session, Parse::Everything).await?;
            overwrite::check(complete, &places, None)?;
            changed(complete, session, session.create(&manifests, &complete.create).await).await
        }
        Subcommand::Delete => {
            let (manifests, _) = inputs::read(complete, session, Parse::Everything).await?;
            changed(complete, session, session.delete(&manifests, &complete.delete).await).await
        }
        Subcommand::Cache(command) => cache::run(&complete.settings.cache, command),
        Subcommand::Deps(_)
        | Subcommand::PushBase(_)
        | Subcommand::Login(_)
        | Subcommand::Logout { .. }
        | Subcommand::Version
        | Subcommand::Completion(_) => Ok(()),
    }
}

fn print(text: &str) -> Result<(), Failure> {
    print::stdout(text.as_bytes()).map_err(Failure::Stdout)
}

fn write(files: Vec<files::File>) -> Result<(), Failure> {
    files::write(files).map_err(Failure::Files)
}

/// Prints what became of the objects, of a run that failed half-way too, then waits if asked to.
async fn changed(
    complete: &Complete,
    session: &Session,
    changed: Result<Changed, pipeline::Error>,
) -> Result<(), Failure> {
    if let Err(pipeline::Error::Cluster(cluster::Error::Partial { done, .. })) = &changed {
        print_outcomes(done)?;
    }
    let changed = changed?;
    print_outcomes(&changed.outcomes)?;
    write(outputs::images(complete, &changed.images)?)?;
    match complete.wait {
        Some(limit) => Ok(session.wait(&changed.outcomes, limit).await?),
        None => Ok(()),
    }
}

fn print_outcomes(outcomes: &[Outcome]) -> Result<(), Failure> {
    print(&outcomes.iter().map(|outcome| format!("{outcome}\n")).collect::<String>())
}

fn version(verbose: bool) -> String {
    let mut text = format!("ko-rs {}\n", env!("CARGO_PKG_VERSION"));
    if verbose {
        let base = publish::static_base().descriptor().digest;
        text.push_str(&format!("base image static: {base} of {}\n", image::embedded_date()));
    }
    text
}
