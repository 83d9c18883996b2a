//! A port of a pod, on loopback.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::instance::{lines_of, read_back};

/// A port of a pod that can be reached on loopback until this is dropped.
#[derive(Debug)]
pub(crate) struct PortForward {
    /// The port on 127.0.0.1.
    pub(crate) local_port: u16,
    /// kubectl and its arguments, with both ports.
    command: Vec<OsString>,
    child: Mutex<Child>,
}

impl PortForward {
    /// Forwards some port of loopback to `port` by `command`, which lacks the ports alone.
    #[track_caller]
    pub(super) fn start(command: &Command, port: u16) -> Self {
        let mut command: Vec<OsString> = std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(OsString::from)
            .collect();
        command.push(format!(":{port}").into());
        let (child, local_port) = forward(&command);
        command.pop();
        command.push(format!("{local_port}:{port}").into());
        Self { local_port, command, child: Mutex::new(child) }
    }

    /// Gets `path` over plain HTTP and returns the body of a 200 answer; tries for 30 seconds, as a
    /// pod that runs may not listen yet.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let failure = match self.try_get(path) {
                Ok(answer) => match answer.split_once("\r\n\r\n") {
                    Some((head, body)) if head.split(' ').nth(1) == Some("200") => {
                        return body.to_owned();
                    }
                    _ => answer,
                },
                Err(error) => error.to_string(),
            };
            assert!(Instant::now() < deadline, "GET {path}: {failure}");
            self.start_again_if_ended();
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// kubectl ends when it cannot connect to the pod, which may only not listen yet.
    #[track_caller]
    fn start_again_if_ended(&self) {
        let mut child = self.child.lock().expect("no test panicked in here");
        if !matches!(child.try_wait(), Ok(None)) {
            *child = forward(&self.command).0;
        }
    }

    fn try_get(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.local_port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        // 1.0, so that the answer ends with the connection and is not chunked.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for PortForward {
    fn drop(&mut self) {
        if let Ok(child) = self.child.get_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts kubectl and waits until it forwards; returns the local port too.
#[track_caller]
fn forward(command: &[OsString]) -> (Child, u16) {
    let mut log = tempfile::tempfile().expect("a temporary file can be made");
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .env_remove("KUBECONFIG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log.try_clone().expect("a file descriptor can be had"))
        .spawn()
        .expect("kubectl runs");
    let lines = lines_of(child.stdout.take().expect("it is piped"));
    // `Forwarding from 127.0.0.1:40001 -> 8080`
    let local_port = lines.recv_timeout(Duration::from_secs(30)).ok().and_then(|line| {
        line.strip_prefix("Forwarding from 127.0.0.1:")?.split(' ').next()?.parse().ok()
    });
    match local_port {
        Some(local_port) => (child, local_port),
        None => {
            let _ = child.kill();
            let _ = child.wait();
            panic!("`kubectl port-forward` failed: {}", read_back(&mut log));
        }
    }
}
