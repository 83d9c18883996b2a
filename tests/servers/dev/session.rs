//! A running `ko-rs dev`.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::scene::Scene;

/// How long a line is waited for: a first build compiles every dependency.
const LATEST: Duration = Duration::from_secs(400);

/// A `ko-rs dev` that ends when this is dropped.
pub(super) struct Session {
    child: Child,
    lines: Receiver<String>,
    printed: String,
}

impl Session {
    pub(super) fn start(scene: &Scene, arguments: &str) -> Self {
        let words = ["dev"].into_iter().chain(arguments.split_whitespace());
        let mut child = scene.sandbox.start(words);
        let stderr = child.stderr.take().unwrap();
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, printed: String::new() }
    }

    /// Reads lines up to the next one that has these words.
    #[track_caller]
    pub(super) fn until(&mut self, words: &str) -> String {
        let end = Instant::now() + LATEST;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("no line with `{words}`:\n{}", self.printed);
            };
            self.printed.push_str(&line);
            self.printed.push('\n');
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Asserts that nothing more is printed for a while.
    #[track_caller]
    pub(super) fn is_quiet(&mut self) {
        let line = self.lines.recv_timeout(Duration::from_secs(1));
        assert!(line.is_err(), "{line:?} after\n{}", self.printed);
    }

    /// Ends it by SIGTERM, and returns its exit status and its last lines.
    pub(super) fn stop(mut self) -> (Option<i32>, String) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        let mut last: Vec<String> = Vec::new();
        last.extend(self.lines.iter());
        let mut stdout = String::new();
        let _ = self.child.stdout.take().map(|mut out| out.read_to_string(&mut stdout));
        (status.code(), last.join("\n"))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
