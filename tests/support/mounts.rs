//! Runs ko-rs with a cache folder of an odd kind: full, or read-only.

use std::ffi::OsStr;
use std::fs;
use std::process::Command;

use crate::support::{Ran, Sandbox};

/// Runs `ko-rs` where the cache's folder is mounted by `mount`, a shell command that is given it as
/// `$1`, in a mount namespace of its own.
#[track_caller]
pub(crate) fn mounted(sandbox: &Sandbox, mount: &str, arguments: &[impl AsRef<OsStr>]) -> Ran {
    let root = rustix::process::geteuid().is_root();
    let unshare = |script: &str| -> Command {
        let mut command = sandbox.command("unshare");
        command.args(if root { &["--mount"][..] } else { &["--mount", "--map-root-user"] });
        command.args(["sh", "-ec", script, "sh"]).arg(sandbox.outside("kocache"));
        command
    };
    fs::create_dir_all(sandbox.outside("kocache")).unwrap();
    let tried = unshare(mount).output().unwrap();
    assert!(
        tried.status.success(),
        "this test needs to mount; run it as root or allow user namespaces \
         (`sysctl kernel.unprivileged_userns_clone=1`): {}",
        String::from_utf8_lossy(&tried.stderr)
    );
    let mut command = unshare(&format!("{mount}\nshift\nexec \"$@\""));
    Ran::of(command.arg(env!("CARGO_BIN_EXE_ko-rs")).args(arguments).output().unwrap())
}

/// What cannot be written.
pub(crate) const READ_ONLY: &str = "mount --bind \"$1\" \"$1\"; mount -o remount,bind,ro \"$1\"";
