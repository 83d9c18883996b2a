//! `ko-rs port-forward`: makes ports of an object available on this machine.

use clap::Args;

use super::context::Context;
use super::exit::Failure;
use super::flags::{Clusters, FlagsOf};
use super::result::PortForwardResult;
use crate::cluster::{PortMapping, WorkloadName};

/// The options of `port-forward`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Object with pods, as `deployment/link`, `svc/link` or `link-0` (a pod)
    #[arg(value_name = "TYPE/NAME")]
    name: WorkloadName,
    /// Local and remote port, as `8080:80`, `:80` (any free port), `80` or `8080:http`
    #[arg(value_name = "PORTS", required = true)]
    ports: Vec<PortMapping>,
    #[command(flatten)]
    flags: FlagsOf<Clusters>,
}

/// Runs `port-forward`.
pub(super) async fn run(options: Options, context: &Context) -> Result<(), Failure> {
    let Options { name, ports, flags } = options;
    let work = async |_: &_, session: &crate::pipeline::Session| {
        let forwarding = session.listen(&name, &ports).await?;
        let forwarded = forwarding.forwarded.clone();
        context.results.print(&PortForwardResult { forwarded })?;
        forwarding.forward().await;
        Ok(())
    };
    context.with_session(flags, work).await
}
