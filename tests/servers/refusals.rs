//! Registries and engines that refuse, break off, lie or are gone: each is a clear error, and nothing
//! is left half-pushed.
//!
//! * `access`: credentials and certificates.
//! * `registries`: refusals, failures and broken connections.
//! * `engines`: the same for a Docker Engine.
//! * `interrupted`: Ctrl-C while something is sent.

mod access;
mod engines;
mod interrupted;
mod registries;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Child;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::publish::{NAME, hello};
use crate::support::{Ran, Sandbox};

/// The error, its causes and the way out: what follows the progress.
#[track_caller]
fn error(ran: &Ran) -> &str {
    assert_eq!(ran.stdout(), "");
    let stderr = ran.stderr();
    let start = if stderr.starts_with("error") { Some(0) } else { None };
    let start = start.or_else(|| Some(stderr.find("\nerror")? + 1));
    &stderr[start.unwrap_or_else(|| panic!("no error in: {stderr}"))..]
}

/// `hello` with data that fits into no buffer on its way.
fn large_hello() -> Sandbox {
    let sandbox = hello();
    let folder = sandbox.directory().join("kodata");
    std::fs::create_dir(&folder).unwrap();
    File::create(folder.join("data")).unwrap().set_len(32 << 20).unwrap();
    sandbox
}

/// Waits until a run ends; one that hangs is killed, which is not what any test expects.
pub(crate) fn end(child: Child) -> Ran {
    let process = Pid::from_child(&child);
    let (ended, ends) = channel::<()>();
    let watch = std::thread::spawn(move || {
        if ends.recv_timeout(Duration::from_secs(90)) == Err(RecvTimeoutError::Timeout) {
            let _ = kill_process(process, Signal::KILL);
        }
    });
    let ran = Ran::of(child.wait_with_output().unwrap());
    drop(ended);
    watch.join().unwrap();
    ran
}

/// The image's name in a repository.
fn named(repo: &str) -> String {
    format!("{repo}/{NAME}")
}

/// A port on which every request is answered with `bytes`, for as long as the tests run.
fn answers_with(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("localhost:{}", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(bytes);
        }
    });
    host
}
