//! The `ko-rs` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ko_rs::cli::run(std::env::args_os())
}
