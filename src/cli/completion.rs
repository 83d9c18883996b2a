//! `ko-rs completion`: prints completions for a shell.

use clap::Args;
use clap_complete::Shell;

use super::exit::Failure;
use super::print;

/// The options of `completion`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The shell
    shell: Shell,
}

/// Runs `completion`.
pub(super) fn run(options: Options, mut command: clap::Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut command, "ko-rs", &mut script);
    print::result(|to| to.write_all(&script)).map_err(Failure::Stdout)
}
