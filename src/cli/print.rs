//! Everything that is printed: events and diagnostics on standard error, results on standard output.

use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::sync::OnceLock;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;

use annotate_snippets::renderer::{AnsiColor, Effects};
use serde::Serialize;

use super::draw::Look;
use crate::report::{API_VERSION, Diagnostic, Event, Severity};
use crate::settings::{Color, Format, Loudness, Presentation};
use crate::source::visible;

/// Where standard error goes while what programs print on it is turned into events.
pub(super) static TERMINAL: OnceLock<File> = OnceLock::new();

/// Standard error as events and diagnostics see it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Console {
    look: Look,
    format: Format,
    loudness: Loudness,
    is_terminal: bool,
}

/// A line of `--progress json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct EventLine<'a> {
    /// The version of this format: `ko-rs/v1`.
    api_version: &'static str,
    #[serde(flatten)]
    event: &'a Event,
}

impl Console {
    pub(super) fn new(presentation: &Presentation) -> Self {
        let is_terminal = stderr().is_terminal();
        let color = match presentation.color {
            Color::Auto => is_terminal,
            Color::Always => true,
            Color::Never => false,
        };
        let width = is_terminal.then(|| terminal_size::terminal_size_of(stderr())).flatten();
        let width = width.map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0);
        let (format, loudness) = (presentation.progress, presentation.loudness);
        Self { look: Look { color, width }, format, loudness, is_terminal }
    }

    /// Prints events until the last sender is dropped.
    pub(super) fn events(self, receiver: Receiver<Event>) -> JoinHandle<()> {
        std::thread::spawn(move || {
            let mut printer = Printer { console: self, drawn: false };
            for event in receiver {
                printer.print(&event);
            }
            printer.clear();
        })
    }

    /// Prints what a run ended with.
    pub(super) fn diagnostics(&self, diagnostics: Vec<Diagnostic>) {
        for diagnostic in diagnostics {
            let line = self.line(&Event::Diagnostic(diagnostic));
            line.into_iter().for_each(|line| print(&line));
        }
    }

    /// What is printed for an event, if anything.
    fn line(&self, event: &Event) -> Option<String> {
        let (is_quiet, is_verbose) =
            (self.loudness == Loudness::Quiet, self.loudness == Loudness::Verbose);
        let is_hidden = match event {
            Event::Diagnostic(found) => found.severity == Severity::Note && is_quiet,
            Event::Detail { .. } => !is_verbose,
            Event::Output { .. } => false,
            _ => is_quiet,
        };
        if is_hidden {
            return None;
        }
        if self.format == Format::Json {
            return serde_json::to_string(&EventLine { api_version: API_VERSION, event }).ok();
        }
        match event {
            Event::Diagnostic(found) => Some(self.look.diagnostic(found)),
            Event::Compiling { binaries, target } => {
                Some(self.status("Building", &format!("{} for {target}", binaries.join(", "))))
            }
            Event::Publishing { destination } => Some(self.status("Publishing", destination)),
            Event::Published { reference } => Some(self.status("Published", reference)),
            Event::Waiting { object, reason, .. } => {
                Some(self.look.diagnostic(&Diagnostic::note(format!("{object}: {reason}"))))
            }
            Event::Watching { crates, files, folders, manifests } => {
                let text = format!(
                    "{} ({}, {}), {}",
                    count(*crates, "crate"),
                    count(*files, "file"),
                    count(*folders, "folder"),
                    count(*manifests, "manifest"),
                );
                Some(self.status("Watching", &text))
            }
            Event::Changed { files } => Some(self.status("Changed", &listed(files))),
            Event::Updated { object, way, duration, parts } => {
                let parts: Vec<_> = parts
                    .iter()
                    .map(|part| format!("{} {:.2}", part.name, part.duration.as_secs_f64()))
                    .collect();
                let parts = if parts.is_empty() {
                    String::new()
                } else {
                    format!(": {}", parts.join(", "))
                };
                let text = format!("{object} by {way} in {:.2} s{parts}", duration.as_secs_f64());
                Some(self.status("Updated", &text))
            }
            Event::Forwarding { address, target, port } => {
                Some(self.status("Forwarding", &format!("{address} to {target} {port}")))
            }
            Event::Removed { object } => Some(self.status("Deleted", object)),
            Event::Retrying { what, why, after } => {
                let text = format!("{what} in {:.1} s: {why}", after.as_secs_f64());
                Some(self.status("Retrying", &text))
            }
            Event::Detail { message } => Some(self.status("", message)),
            Event::Finished { stage, duration } if is_verbose => {
                let text = format!("{stage} in {:.2} s", duration.as_secs_f64());
                Some(self.status("Finished", &text))
            }
            Event::Output { line } => Some(harmless(line)),
            Event::Started { .. }
            | Event::Finished { .. }
            | Event::Transfer { .. }
            | Event::Applied { .. } => None,
        }
    }

    /// A line as Cargo prints it: a word that ends in the twelfth column, and what it is about.
    fn status(&self, word: &str, text: &str) -> String {
        let style = AnsiColor::BrightGreen.on_default().effects(Effects::BOLD);
        format!("{} {}", self.look.paint(&format!("{word:>12}"), style), harmless(text))
    }
}

/// Writes events to a file, one a line, until the last sender is dropped.
pub(super) fn record(events: Receiver<Event>, mut file: File) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for event in events {
            let line =
                serde_json::to_string(&EventLine { api_version: API_VERSION, event: &event });
            // A full disk does not end the loop.
            let _ = line.map(|line| writeln!(file, "{line}"));
        }
    })
}

/// A number of things.
fn count(number: usize, name: &str) -> String {
    if number == 1 { format!("1 {name}") } else { format!("{number} {name}s") }
}

/// The first of some files, and how many there are besides.
fn listed(files: &[String]) -> String {
    const SHOWN: usize = 3;
    let first = files.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match files.len().checked_sub(SHOWN) {
        None | Some(0) => first,
        Some(more) => format!("{first} and {} more", count(more, "file")),
    }
}

struct Printer {
    console: Console,
    /// Whether the terminal shows a progress line.
    drawn: bool,
}

impl Printer {
    fn print(&mut self, event: &Event) {
        if let (Event::Transfer { what, done, total }, Format::Text) = (event, self.console.format)
        {
            return self.progress(what, *done, *total);
        }
        if let Some(line) = self.console.line(event) {
            self.clear();
            print(&line);
        }
    }

    /// Draws progress on a terminal only; it is of no use in a log.
    fn progress(&mut self, what: &str, done: u64, total: Option<u64>) {
        let Console { loudness, is_terminal, .. } = self.console;
        if loudness == Loudness::Quiet || !is_terminal || !std::io::stdin().is_terminal() {
            return;
        }
        let megabytes = |bytes: u64| format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10);
        let of = total.map(|total| format!(" of {}", megabytes(total))).unwrap_or_default();
        let line = self.console.status("Sending", &format!("{what}: {}{of}", megabytes(done)));
        let _ = write!(stderr(), "\r\x1b[K{line}");
        self.drawn = true;
        if total == Some(done) {
            self.clear();
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

/// A text with nothing in it but lines, tabs and visible characters: messages quote manifests and
/// the answers of servers.
fn harmless(lines: &str) -> String {
    lines.split_inclusive(['\n', '\t']).fold(String::with_capacity(lines.len()), |text, part| {
        let words = part.trim_end_matches(['\n', '\t']);
        text + &visible(words) + &part[words.len()..]
    })
}

/// Prints lines on standard error. A reader that has gone away is not a reason to fail.
fn print(lines: &str) {
    if let Some(mut own) = TERMINAL.get() {
        let _ = writeln!(own, "{lines}");
        return;
    }
    let _ = writeln!(anstream::AutoStream::always(stderr()).lock(), "{lines}");
}

#[expect(clippy::disallowed_methods, reason = "the only place that writes to standard error")]
pub(super) fn stderr() -> std::io::Stderr {
    std::io::stderr()
}

/// How text on standard output is drawn.
pub(super) fn stdout_look(color: Color) -> Look {
    #[expect(clippy::disallowed_methods, reason = "only asks whether it is a terminal")]
    let is_terminal = std::io::stdout().is_terminal();
    let color = match color {
        Color::Auto => is_terminal,
        Color::Always => true,
        Color::Never => false,
    };
    Look { color, width: None }
}

/// Prints a question on the line on which it is answered.
pub(super) fn prompt(text: &str) {
    let mut error = stderr().lock();
    let _ = write!(error, "{text}");
    let _ = error.flush();
}

/// Prints a result on standard output.
#[expect(clippy::disallowed_methods, reason = "the only place that writes to standard output")]
pub(super) fn result(
    write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
    write(&mut stdout)?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_printed() {
        let text = "`a\u{202e}b\u{1b}[1m`\n\n\tcaused by:\r\n é\n";
        let expected = "`a\\u{202e}b\\u{1b}[1m`\n\n\tcaused by:\\r\n é\n";
        assert_eq!(harmless(text), expected);
    }

    #[test]
    fn quiet_leaves_warnings_and_verbose_adds_details() {
        let mut warning = Diagnostic::note("old").hint("renew");
        warning.severity = Severity::Warning;
        let warning = Event::Diagnostic(warning);
        let line = |event: &Event, loudness| Console { loudness, ..Console::default() }.line(event);
        assert_eq!(line(&warning, Loudness::Quiet).unwrap(), "warning: old\nhint: renew");
        let note = Event::Diagnostic(Diagnostic::note("x"));
        assert_eq!(line(&note, Loudness::Quiet), None);
        assert!(line(&note, Loudness::Normal).is_some());
        let detail = Event::Detail { message: "x".into() };
        assert_eq!(line(&detail, Loudness::Normal), None);
        assert!(line(&detail, Loudness::Verbose).is_some());
    }

    #[test]
    fn json_has_one_event_a_line_with_the_version() {
        let console = Console { format: Format::Json, ..Console::default() };
        let line = console.line(&Event::Published { reference: "a\nb".into() }).unwrap();
        assert_eq!(line, r#"{"apiVersion":"ko-rs/v1","event":"published","reference":"a\nb"}"#);
        let line = console.line(&Event::Diagnostic(Diagnostic::note("x"))).unwrap();
        assert_eq!(
            line,
            r#"{"apiVersion":"ko-rs/v1","event":"diagnostic","severity":"note","message":"x"}"#
        );
    }
}
