//! containerd without Kubernetes, and ctr to look at it.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::instance::{Instance, text};
use super::tool;

/// Debian's containerd, with a folder of its own. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Containerd {
    socket: PathBuf,
    _instance: Instance,
}

impl Containerd {
    /// Starts one for one test alone. It holds nothing.
    pub(crate) fn start_private() -> Self {
        let (instance, facts) = Instance::start("containerd", &[]);
        Self { socket: text(&facts, "socket").into(), _instance: instance }
    }

    /// Runs the ctr command against it.
    pub(crate) fn ctr<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        Command::new(tool("ctr"))
            .arg("--address")
            .arg(&self.socket)
            .args(arguments)
            .output()
            .expect("ctr runs")
    }
}
