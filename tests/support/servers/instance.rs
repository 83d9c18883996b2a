//! One running script of `tests/servers/start`: what all servers have in common.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;

use super::{scripts, tool};

/// How long a server may take to start. They take seconds; a busy machine may take many of them.
const START_LIMIT: Duration = Duration::from_secs(180);

/// One running script of `tests/servers/start`.
#[derive(Debug)]
pub(super) struct Instance {
    name: &'static str,
    child: Child,
    conversation: Mutex<Conversation>,
}

#[derive(Debug)]
struct Conversation {
    /// Closing it is what stops the servers.
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    log: File,
}

impl Instance {
    /// Starts the script and waits for its JSON line.
    pub(super) fn start(name: &'static str, arguments: &[&str]) -> (Self, Value) {
        for (program, _) in NEEDED.iter().filter(|(_, servers)| servers.contains(&name)) {
            tool(program);
        }
        let log = tempfile::tempfile().expect("a temporary file can be made");
        let mut child = Command::new(scripts().join("start").join(name))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.try_clone().expect("a file descriptor can be had"))
            // Ctrl-C in the terminal is for the tests; the script sees them end.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("tests/servers/start/{name} does not run: {error}"));
        let lines = lines_of(child.stdout.take().expect("it is piped"));
        let conversation = Mutex::new(Conversation { stdin: child.stdin.take(), lines, log });
        let instance = Self { name, child, conversation };
        let facts = instance.answer("start");
        (instance, facts)
    }

    /// Has the script carry out `command`.
    #[track_caller]
    pub(super) fn command(&self, command: &str) {
        {
            let mut conversation = self.conversation.lock().expect("no test panicked in here");
            let stdin = conversation.stdin.as_mut().expect("it is closed only when dropped");
            // A script that has ended is reported by `answer`, with its log.
            let _ = writeln!(stdin, "{command}");
        }
        self.answer(command);
    }

    #[track_caller]
    fn answer(&self, command: &str) -> Value {
        let mut conversation = self.conversation.lock().expect("no test panicked in here");
        let line = conversation.lines.recv_timeout(START_LIMIT);
        let why = match line {
            Ok(line) => match serde_json::from_str(&line) {
                Ok(value) => return value,
                Err(_) => format!("answered {line:?}"),
            },
            Err(RecvTimeoutError::Timeout) => format!("took more than {START_LIMIT:?}"),
            Err(RecvTimeoutError::Disconnected) => "has ended".to_owned(),
        };
        let log = read_back(&mut conversation.log);
        drop(conversation);
        panic!(
            "`{command}` of the real server {name} failed: tests/servers/start/{name} {why}; \
             `make servers` installs what it needs\n{log}",
            name = self.name
        );
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Ok(conversation) = self.conversation.get_mut() {
            drop(conversation.stdin.take());
        }
        let _ = self.child.wait();
    }
}

/// Which programs each script of `start` runs, so that one that is missing is named.
const NEEDED: [(&str, &[&str]); 11] = [
    ("docker-registry", &["registry"]),
    ("olareg", &["olareg"]),
    ("dockerd", &["docker-engine", "cluster"]),
    ("docker", &["docker-engine", "cluster"]),
    ("runc", &["docker-engine", "cluster"]),
    ("musl-gcc", &["docker-engine", "cluster"]),
    ("containerd", &["cluster", "containerd"]),
    ("etcd", &["cluster"]),
    ("kube-apiserver", &["cluster"]),
    ("kubelet", &["cluster"]),
    ("cri-dockerd", &["cluster"]),
];

/// Reads lines in a thread of their own, so that waiting for one can have a limit.
pub(super) fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // Nobody may be listening any more; the pipe is read to its end all the same.
            let _ = sender.send(line);
        }
    });
    lines
}

pub(super) fn read_back(log: &mut File) -> String {
    let mut text = Vec::new();
    let _ = log.seek(SeekFrom::Start(0)).and_then(|_| log.read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

pub(super) fn text(facts: &Value, key: &str) -> String {
    facts[key].as_str().unwrap_or_else(|| panic!("`{key}` is a string in {facts}")).to_owned()
}
