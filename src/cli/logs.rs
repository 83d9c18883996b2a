//! `ko-rs logs`: prints the logs of all pods of objects.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;

use annotate_snippets::renderer::AnsiColor;
use clap::Args;

use super::context::Context;
use super::exit::Failure;
use super::flags::{FlagsOf, Viewing};
use super::inputs;
use super::result::LogLineResult;
use crate::cluster::{LogLine, LogOptions, Workload, WorkloadName};
use crate::manifests::Parse;
use crate::pipeline::Session;
use crate::settings::Complete;

/// The options of `logs`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Objects with pods, as `deployment/link`, `svc/link` or `link-0` (a pod), instead of `-f`
    #[arg(value_name = "TYPE/NAME")]
    names: Vec<WorkloadName>,
    /// Follow new lines, restarts and new pods (`-f` names manifests)
    #[arg(long)]
    follow: bool,
    /// Number of last lines of each container; by default all
    #[arg(long, value_name = "N")]
    tail: Option<u64>,
    /// Only the container with this name
    #[arg(long, short = 'c', value_name = "NAME")]
    container: Option<String>,
    /// Print the time of each line
    #[arg(long)]
    timestamps: bool,
    #[command(flatten)]
    flags: FlagsOf<Viewing>,
}

/// Runs `logs`.
pub(super) async fn run(options: Options, context: &Context) -> Result<(), Failure> {
    let Options { names, follow, tail, container, timestamps, flags } = options;
    let logs = LogOptions { follow, tail, container };
    let work = async |complete: &Complete, session: &Session| {
        refuse_follow(&complete.filenames)?;
        let mut workloads = session.named_workloads(&names).await?;
        if workloads.is_empty()
            || !complete.filenames.is_empty()
            || complete.kustomization.is_some()
        {
            let (manifests, _) = inputs::read(complete, session, Parse::Everything).await?;
            workloads.extend(session.workloads(&manifests).await?);
        }
        print(session, &workloads, &logs, timestamps, context).await
    };
    context.with_session(flags, work).await
}

/// Prints the logs of objects until they end.
pub(super) async fn print(
    session: &Session,
    workloads: &[Workload],
    options: &LogOptions,
    timestamps: bool,
    context: &Context,
) -> Result<(), Failure> {
    let mut colors = Colors::default();
    let mut printed = Ok(());
    let show = |line: LogLine| {
        let color = colors.of(&line.pod).on_default();
        let prefix = format!("[pod/{}/{}]", line.pod, line.container);
        let prefix = context.stdout.paint(&prefix, color);
        match context.results.print(&LogLineResult { line, prefix, timestamps }) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                printed = Err(error);
                ControlFlow::Break(())
            }
        }
    };
    session.logs(workloads, options, show).await?;
    match printed {
        // A reader such as `head` has seen enough.
        Err(Failure::Stdout(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Fails for `-f deployment/link`, kubectl's way to follow a log, unless such a file exists.
fn refuse_follow(filenames: &[String]) -> Result<(), Failure> {
    let is_object = |name: &&String| {
        name.contains('/')
            && name.parse::<WorkloadName>().is_ok()
            && !std::path::Path::new(name.as_str()).exists()
    };
    match filenames.iter().find(is_object) {
        Some(name) => Err(Failure::FollowFlag(name.clone())),
        None => Ok(()),
    }
}

/// The colours of pods, in the order in which they are seen.
#[derive(Debug, Default)]
struct Colors(BTreeMap<String, usize>);

const COLORS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Yellow,
    AnsiColor::Blue,
    AnsiColor::Red,
];

impl Colors {
    fn of(&mut self, pod: &str) -> AnsiColor {
        let next = self.0.len();
        COLORS[*self.0.entry(pod.to_owned()).or_insert(next) % COLORS.len()]
    }
}
