//! Standard error of programs such as Cargo as events, for `--progress json`.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use super::print::{TERMINAL, stderr};
use crate::report::{Event, Reporter};
use crate::settings::Format;

/// How long the last lines of programs are waited for.
const LAST_LINES: Duration = Duration::from_secs(1);

/// For JSON, turns what programs such as Cargo print on standard error into events, until the returned
/// value is dropped. Their output would otherwise be among the lines of JSON.
pub(super) fn start(format: Format, reporter: &Reporter) -> io::Result<Option<Capture>> {
    if format == Format::Text {
        return Ok(None);
    }
    let (reader, writer) = io::pipe()?;
    let own = rustix::io::fcntl_dupfd_cloexec(stderr(), 3)?;
    let _ = TERMINAL.set(File::from(own));
    rustix::stdio::dup2_stderr(&writer)?;
    let (sender, end) = mpsc::channel();
    let reporter = reporter.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            reporter.send(Event::Output { line });
        }
        let _ = sender.send(());
    });
    Ok(Some(Capture { end }))
}

/// Standard error is captured as long as this lives.
pub(super) struct Capture {
    end: Receiver<()>,
}

impl Drop for Capture {
    fn drop(&mut self) {
        if TERMINAL.get().is_some_and(|own| rustix::stdio::dup2_stderr(own).is_ok()) {
            // A program that outlives the run may still hold the other end.
            let _ = self.end.recv_timeout(LAST_LINES);
        }
    }
}
