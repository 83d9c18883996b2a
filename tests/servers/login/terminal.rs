//! A password that is typed at a terminal is not shown there, and the terminal is as it was
//! afterwards, after Ctrl-C too.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::{PASSWORD, USER, guarded, trusting};
use crate::servers::tool;
use crate::support::Sandbox;

/// A terminal, and what is typed and shown there.
struct Terminal {
    master: File,
    slave: File,
    pieces: Receiver<Vec<u8>>,
    shown: String,
}

impl Terminal {
    fn open() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let path = Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()));
        let slave = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let master = File::from(master);
        let mut reader = master.try_clone().unwrap();
        let (sender, pieces) = channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut piece) {
                if sender.send(piece[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { master, slave, pieces, shown: String::new() }
    }

    /// Runs `ko-rs` as the only program of this terminal.
    fn run(&self, sandbox: &Sandbox, arguments: &[&str]) -> Child {
        let end = || Stdio::from(self.slave.try_clone().unwrap());
        let mut command = sandbox.command(tool("setsid"));
        command.args(["--ctty", "--wait", env!("CARGO_BIN_EXE_ko-rs")]).args(arguments);
        command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap()
    }

    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.shown.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            let piece = self.pieces.recv_timeout(left);
            let piece = piece.unwrap_or_else(|_| panic!("no `{text}` in: {}", self.shown));
            self.shown.push_str(&String::from_utf8_lossy(&piece));
        }
    }

    fn type_in(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    fn shows_what_is_typed(&self) -> bool {
        tcgetattr(&self.slave).unwrap().local_modes.contains(LocalModes::ECHO)
    }
}

#[test]
fn a_typed_password_is_not_shown() {
    let registry = guarded();
    let (sandbox, config) = trusting(Sandbox::new(), &registry);
    let mut terminal = Terminal::open();
    let mut child = terminal.run(&sandbox, &["login", &registry.host]);
    terminal.wait_for("Username: ");
    assert!(terminal.shows_what_is_typed());
    terminal.type_in(&format!("{USER}\n"));
    terminal.wait_for("Password: ");
    assert!(!terminal.shows_what_is_typed());
    terminal.type_in(&format!("{PASSWORD}\n"));
    terminal.wait_for("Login Succeeded");
    assert!(child.wait().unwrap().success());
    assert!(terminal.shows_what_is_typed());
    assert!(terminal.shown.contains(USER), "{}", terminal.shown);
    assert!(!terminal.shown.contains("wörd"), "{}", terminal.shown);
    assert!(config.exists());
}

#[test]
fn ctrl_c_leaves_the_terminal_as_it_was() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open();
    let mut child = terminal.run(&sandbox, &["login", "-u", USER, "registry.example"]);
    terminal.wait_for("Password: ");
    assert!(!terminal.shows_what_is_typed());
    terminal.type_in("half\x03");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(terminal.shows_what_is_typed());
    assert!(!terminal.shown.contains("half"), "{}", terminal.shown);
}
