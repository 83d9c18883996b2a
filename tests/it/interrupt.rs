//! Ctrl-C and SIGTERM leave nothing running and nothing half-written.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Ran, Sandbox};

/// How long an interrupted run may take: Cargo has five seconds, then it is killed.
const PATIENCE: Duration = Duration::from_secs(6);

/// A build script that says that it runs, and then never ends by itself. The connection stays open
/// as long as a process of it lives.
const WAITING: &str = r#"
use std::io::{Read, Write};
fn main() {
    let mut test = std::net::TcpStream::connect(std::env::var("TEST_ADDRESS").unwrap()).unwrap();
    test.write_all(b"waiting\n").unwrap();
    let _ = test.read(&mut [0]);
}
"#;

/// The same, by a shell that does not listen to signals.
const STUBBORN: &str = r#"
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
fn main() {
    let test = std::net::TcpStream::connect(std::env::var("TEST_ADDRESS").unwrap()).unwrap();
    let test = OwnedFd::from(test);
    let out = Stdio::from(test.try_clone().unwrap());
    let script = "trap '' INT TERM HUP; echo waiting; read never";
    let _ = Command::new("sh").args(["-c", script]).stdin(Stdio::from(test)).stdout(out).status();
}
"#;

/// Waits for the build script, interrupts `ko-rs`, and sees that everything ends.
#[track_caller]
fn interrupted(script: &str, signal: Signal, code: i32) -> Ran {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let sandbox = Sandbox::new()
        .env("TEST_ADDRESS", address.to_string())
        .env("KO_DOCKER_REPO", "registry.example/team");
    let sandbox = crate::build::package(sandbox, "", "waiting", "").file("build.rs", script);
    let layout = sandbox.outside("layout");
    let child = sandbox.start([
        "build",
        "--push=false",
        "--image-refs=refs.txt",
        "--tarball=images.tar",
        &format!("--oci-layout-path={}", layout.display()),
    ]);
    let id = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    // A run that ends too early connects in the build script's place, so that nobody waits for ever.
    let ends = std::thread::spawn(move || {
        let output = child.wait_with_output().unwrap();
        let ended = Instant::now();
        let _ = TcpStream::connect(address);
        (output, ended)
    });
    let (connection, _) = listener.accept().unwrap();
    let mut connection = BufReader::new(connection);
    let mut line = String::new();
    connection.read_line(&mut line).unwrap();
    if line == "waiting\n" {
        kill_process(id, signal).unwrap();
    }
    let sent = Instant::now();
    let (output, ended) = ends.join().unwrap();
    let ran = Ran::of(output);
    assert_eq!(line, "waiting\n", "no build script ran: {}", ran.stderr());
    assert!(ended - sent < PATIENCE, "it took {:?}", ended - sent);
    // Nothing of Cargo's outlives ko-rs.
    connection.get_ref().set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let left = connection.read(&mut [0]);
    assert!(!left.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock), "{left:?}");
    let ran = ran.exits(code);
    assert_eq!(ran.stdout(), "");
    let mut here: Vec<_> = std::fs::read_dir(sandbox.directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    here.sort();
    assert_eq!(here, ["Cargo.lock", "Cargo.toml", "build.rs", "src"], "a file was left");
    assert!(!layout.join("index.json").exists());
    ran
}

#[test]
fn ctrl_c_ends_cargo_and_all_that_it_started() {
    let ran = interrupted(WAITING, Signal::INT, 130);
    assert!(!ran.stderr().contains("error: could not compile"), "{}", ran.stderr());
}

#[test]
fn sigterm_ends_also_what_does_not_listen() {
    let _ = interrupted(STUBBORN, Signal::TERM, 143);
}

/// Whoever typed `-f -` by mistake has to get out again.
#[test]
fn ctrl_c_ends_the_wait_for_standard_input() {
    let sandbox = Sandbox::new();
    let mut child = sandbox
        .command(env!("CARGO_BIN_EXE_ko-rs"))
        .args(["resolve", "-v", "-f", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // More than a pipe holds: once it is written, the program is reading.
    let stdin = child.stdin.as_mut().unwrap();
    std::io::Write::write_all(stdin, &vec![b'#'; 1 << 20]).unwrap();
    let id = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(id, Signal::INT).unwrap();
    let held = child.stdin.take();
    let ran = Ran::of(child.wait_with_output().unwrap()).exits(130);
    drop(held);
    assert_eq!((ran.stdout(), ran.stderr()), ("", ""));
}

/// A pipe into which nobody writes is waited for where it is named, and passed over where it is found.
#[test]
fn signals_end_the_wait_for_a_pipe() {
    let sandbox = Sandbox::new().file("k8s/a.yaml", "a: 1\n");
    let pipe = sandbox.directory().join("k8s/p.yaml");
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, mode, 0).unwrap();
    for folder in ["k8s", "k8s/*"] {
        let ran = sandbox.run(["resolve", "-f", folder]).exits(0);
        assert_eq!(ran.stdout(), "a: 1\n");
    }
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut child = sandbox.start(["resolve", "-f", "k8s/p.yaml"]);
        // The other end can be opened once the program waits at this one.
        let started = Instant::now();
        let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
        let writer = loop {
            match rustix::fs::open(&pipe, flags, mode) {
                Ok(writer) => break writer,
                Err(error) => assert!(started.elapsed() < PATIENCE, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let id = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
        let sent = Instant::now();
        while child.try_wait().unwrap().is_none() && sent.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
        // Without a writer a program that listens to no signal ends too.
        assert!(sent.elapsed() < PATIENCE, "it listened to no signal");
        drop(writer);
        let ran = Ran::of(child.wait_with_output().unwrap()).exits(code);
        assert_eq!((ran.stdout(), ran.stderr()), ("", ""));
    }
}
