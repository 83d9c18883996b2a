//! All that is printed: events as lines on standard error, errors with their causes and hints.

use std::error::Error as StdError;
use std::io::{IsTerminal as _, StdoutLock, Write as _};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;

use crate::manifests::Text;
use crate::report::{Diagnostic, Event, Severity};
use crate::source::visible;

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Loudness {
    /// Warnings and errors.
    Quiet,
    /// What is done, and choices made.
    Normal,
    /// Details too.
    Verbose,
}

/// Prints events until the last sender is gone.
pub(super) fn events(receiver: Receiver<Event>, loudness: Loudness) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut printer = Printer { loudness, drawn: false };
        for event in receiver {
            printer.print(&event);
        }
        printer.clear();
    })
}

struct Printer {
    loudness: Loudness,
    /// Whether a progress line stands at the bottom of the terminal.
    drawn: bool,
}

impl Printer {
    fn print(&mut self, event: &Event) {
        if let Event::Transfer { what, done, total } = event {
            return self.progress(what, *done, *total);
        }
        if let Some(line) = line(event, self.loudness) {
            self.clear();
            stderr(&line);
        }
    }

    /// Progress is drawn for people only: a log has no use for it.
    fn progress(&mut self, what: &str, done: u64, total: Option<u64>) {
        if self.loudness == Loudness::Quiet || !std::io::stdin().is_terminal() {
            return;
        }
        let error = anstream::stderr();
        if !error.is_terminal() {
            return;
        }
        let megabytes = |bytes: u64| format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10);
        let of = total.map(|total| format!(" of {}", megabytes(total))).unwrap_or_default();
        let _ = write!(error.lock(), "\r\x1b[K    Sending {what}: {}{of}", megabytes(done));
        self.drawn = total != Some(done);
        if !self.drawn {
            let _ = write!(anstream::stderr().lock(), "\r\x1b[K");
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(anstream::stderr().lock(), "\r\x1b[K");
        }
    }
}

/// What is printed for an event, if anything.
fn line(event: &Event, loudness: Loudness) -> Option<String> {
    let is_quiet = loudness == Loudness::Quiet;
    match event {
        Event::Diagnostic(told) if told.severity == Severity::Note && is_quiet => None,
        Event::Diagnostic(told) => Some(diagnostic(told)),
        _ if is_quiet => None,
        Event::Compiling { binaries, target } => {
            Some(format!("{:>12} {} for {target}", "Building", binaries.join(", ")))
        }
        Event::Publishing { destination } => Some(format!("{:>12} {destination}", "Publishing")),
        Event::Published { reference } => Some(format!("{:>12} {reference}", "Published")),
        Event::Retrying { what, why, after } => {
            Some(format!("{:>12} {what} in {:.1} s: {why}", "Retrying", after.as_secs_f64()))
        }
        Event::Waiting { object, reason, .. } => Some(format!("note: {object}: {reason}")),
        Event::Detail { message } if loudness == Loudness::Verbose => {
            Some(format!("{:>12} {message}", ""))
        }
        _ => None,
    }
}

/// A diagnostic with its causes, the lines that it points at and its hints.
pub(super) fn diagnostic(diagnostic: &Diagnostic) -> String {
    let Diagnostic { severity, code, message, causes, spots, hints } = diagnostic;
    let severity = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let code = code.map(|code| format!("[{code}]")).unwrap_or_default();
    let mut text = format!("{severity}{code}: {message}");
    causes.iter().for_each(|cause| text.push_str(&format!("\ncaused by: {cause}")));
    spots.iter().for_each(|spot| text.push_str(&format!("\n{}", spot.excerpt())));
    hints.iter().for_each(|text_of_hint| text.push_str(&hint(text_of_hint)));
    text
}

/// An error with what caused it, and the way out.
pub(super) fn error(error: &dyn StdError, hint: Option<String>) -> String {
    let mut text = format!("error: {error}");
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(&format!("\ncaused by: {source}"));
        cause = source.source();
    }
    text.extend(hint.as_deref().map(self::hint));
    text
}

/// The way out, on lines of its own; those behind the first stand under it.
pub(super) fn hint(hint: &str) -> String {
    format!("\nhint: {}", hint.replace('\n', "\n      "))
}

/// Prints lines on standard error, without what a terminal would obey. A reader that is gone is no
/// reason to fail.
pub(super) fn stderr(lines: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{}", harmless(lines));
}

/// A text with nothing in it but lines, tabs and what can be seen: messages quote manifests, and
/// what servers answer.
fn harmless(lines: &str) -> String {
    lines.split_inclusive(['\n', '\t']).fold(String::with_capacity(lines.len()), |text, part| {
        let words = part.trim_end_matches(['\n', '\t']);
        text + &visible(words) + &part[words.len()..]
    })
}

/// Asks something on the line where it is answered.
pub(super) fn prompt(text: &str) {
    let mut error = anstream::stderr().lock();
    let _ = write!(error, "{text}");
    let _ = error.flush();
}

/// Prints the result, byte for byte.
pub(super) fn stdout(bytes: &[u8]) -> std::io::Result<()> {
    let mut stdout = result();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Prints manifests, which may be large.
pub(super) fn manifests(text: &Text) -> std::io::Result<()> {
    text.write_to(result())
}

#[expect(clippy::disallowed_methods, reason = "the result leaves here and nowhere else")]
fn result() -> StdoutLock<'static> {
    std::io::stdout().lock()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not read `a`")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn an_error_is_followed_by_its_causes_and_the_way_out() {
        let text =
            error(&Outer(std::io::Error::other("no such file")), Some("make it\nor not".into()));
        assert_eq!(
            text,
            "error: could not read `a`\ncaused by: no such file\nhint: make it\n      or not"
        );
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_printed() {
        let text = "error: `a\u{202e}b\u{1b}[1m`\n\n\tcaused by:\r\n é\n";
        let expected = "error: `a\\u{202e}b\\u{1b}[1m`\n\n\tcaused by:\\r\n é\n";
        assert_eq!(harmless(text), expected);
    }

    #[test]
    fn quiet_leaves_warnings_and_verbose_adds_details() {
        let mut warning = Diagnostic::note("old").hint("renew");
        warning.severity = Severity::Warning;
        let warning = Event::Diagnostic(warning);
        assert_eq!(line(&warning, Loudness::Quiet).unwrap(), "warning: old\nhint: renew");
        let note = Event::Diagnostic(Diagnostic::note("x"));
        assert_eq!(line(&note, Loudness::Quiet), None);
        assert!(line(&note, Loudness::Normal).is_some());
        let detail = Event::Detail { message: "x".into() };
        assert_eq!(line(&detail, Loudness::Normal), None);
        assert!(line(&detail, Loudness::Verbose).is_some());
    }
}
