//! Draws diagnostics as text: for a terminal in colour and wrapped at its width, plain otherwise.

use std::borrow::Cow;

use annotate_snippets::renderer::{AnsiColor, Effects, Style};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::report::{Diagnostic, Severity};
use crate::source::{Spot, visible};

/// The indentation of a hint's lines after the first.
const INDENT: &str = "      ";

/// The most places without a label that are listed.
const PLACES: usize = 10;

/// How diagnostics are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// Whether escape sequences for colours are written.
    pub(super) color: bool,
    /// The width at which lines are wrapped; lines of a log are not.
    pub(super) width: Option<usize>,
}

impl Look {
    /// A diagnostic with its causes, the lines that it points at and its hints, without a newline at
    /// the end. Characters that a terminal would obey are escaped.
    pub(super) fn diagnostic(&self, diagnostic: &Diagnostic) -> String {
        let Diagnostic { severity, code, message, causes, spots, hints } = diagnostic;
        let (name, color) = match severity {
            Severity::Error => ("error", AnsiColor::BrightRed),
            Severity::Warning => ("warning", AnsiColor::BrightYellow),
            Severity::Note => ("note", AnsiColor::BrightGreen),
        };
        let code = code.map(|code| format!("[{code}]")).unwrap_or_default();
        let bold = Style::new().effects(Effects::BOLD);
        let mut text = self.labelled(&format!("{name}{code}"), color, message, bold);
        for cause in causes {
            text.push('\n');
            text += &self.labelled("caused by", AnsiColor::BrightRed, cause, Style::new());
        }
        let (drawn, listed): (Vec<_>, Vec<_>) =
            spots.iter().enumerate().partition(|(at, spot)| *at == 0 || !spot.label.is_empty());
        for (_, spot) in &drawn {
            text.push('\n');
            text += &self.excerpt(spot, *severity);
        }
        let indent = spots.first().map(margin).unwrap_or_default();
        for (_, Spot { file, line, column, .. }) in listed.iter().take(PLACES) {
            text += &format!("\n{indent}::: {}:{line}:{column}", visible(file));
        }
        if listed.len() > PLACES {
            text += &format!("\n{indent}::: {} more places", listed.len() - PLACES);
        }
        for hint in hints {
            text.push('\n');
            text += &self.labelled("hint", AnsiColor::BrightCyan, hint, Style::new());
        }
        text
    }

    /// `label: text`; lines of the text after the first are indented.
    fn labelled(&self, label: &str, color: AnsiColor, text: &str, style: Style) -> String {
        let label_style = color.on_default().effects(Effects::BOLD);
        let indent = if label == "hint" { INDENT } else { "" };
        let lines = text.lines().enumerate().map(|(at, line)| {
            let line = escaped(line);
            // A line that begins with a blank is laid out already.
            let Some(width) = self.width.filter(|_| !line.starts_with(' ')) else { return line };
            let taken = if at == 0 { label.len() + 2 } else { indent.len() };
            let options = textwrap::Options::new(width)
                .break_words(false)
                .word_splitter(textwrap::WordSplitter::NoHyphenation)
                .initial_indent(&BLANKS[..taken.min(BLANKS.len())])
                .subsequent_indent(if indent.is_empty() { "  " } else { indent });
            let wrapped = textwrap::fill(&line, options);
            Cow::Owned(wrapped.get(taken..).unwrap_or_default().to_owned())
        });
        let text = lines.collect::<Vec<_>>().join(&format!("\n{indent}"));
        format!("{}: {}", self.paint(label, label_style), self.paint(&text, style))
    }

    /// The place, its line, carets under the span and the label behind them, as rustc draws them.
    fn excerpt(&self, spot: &Spot, severity: Severity) -> String {
        let Spot { file, line, column, text, highlight, .. } = spot;
        let level = match severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let parts = [&text[..highlight.start], &text[highlight.clone()], &text[highlight.end..]];
        let [before, marked, after] = parts.map(escaped);
        let label = escaped(&spot.label);
        let annotation = AnnotationKind::Primary
            .span(before.len()..before.len() + marked.len())
            .label(label.as_ref());
        let snippet = Snippet::source(format!("{before}{marked}{after}"))
            .line_start(*line)
            .annotation(annotation);
        let renderer = if self.color { Renderer::styled() } else { Renderer::plain() };
        let renderer = match self.width {
            Some(width) => renderer.term_width(width),
            None => renderer,
        };
        let rendered = renderer.render(&[Group::with_level(level).element(snippet)]);
        let arrow =
            Style::new().effects(Effects::BOLD).fg_color(Some(AnsiColor::BrightBlue.into()));
        let arrow = self.paint(&format!("{}-->", margin(spot)), arrow);
        let lines = rendered.lines().map(str::trim_end).filter(|line| !line.is_empty());
        let header = format!("{arrow} {}:{line}:{column}", visible(file));
        std::iter::once(header.as_str()).chain(lines).collect::<Vec<_>>().join("\n")
    }

    /// A text in a style where there are colours.
    pub(super) fn paint(&self, text: &str, style: Style) -> String {
        if self.color && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

/// As many blanks as a label is long, at most.
const BLANKS: &str =
    "                                                                                ";

/// The blanks before an arrow: as wide as the line's number.
fn margin(spot: &Spot) -> String {
    " ".repeat(spot.line.to_string().len())
}

/// A text in which everything but tabs can be seen.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\t') {
        return visible(text);
    }
    Cow::Owned(text.split('\t').map(visible).collect::<Vec<_>>().join("\t"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    fn plain(diagnostic: &Diagnostic) -> String {
        Look::default().diagnostic(diagnostic)
    }

    fn pointing(source: &Source, spans: &[(std::ops::Range<usize>, &str)]) -> Diagnostic {
        let mut diagnostic = Diagnostic::note("this");
        for (span, label) in spans {
            diagnostic = diagnostic.spot(source.spot(span.clone(), *label));
        }
        diagnostic
    }

    #[test]
    fn causes_places_and_hints_follow_the_message() {
        let source = Source::new("a.yaml", "kind: Pod\nimage: ko://a\n");
        let start = source.text().find("ko").unwrap();
        let mut diagnostic = pointing(&source, &[(start..start + 6, "no such package")]);
        diagnostic.causes = vec!["first".into(), "second".into()];
        insta::assert_snapshot!(plain(&diagnostic.hint("create it\nor do not").hint("or this")), @"
        note: this
        caused by: first
        caused by: second
         --> a.yaml:2:8
          |
        2 | image: ko://a
          |        ^^^^^^ no such package
        hint: create it
              or do not
        hint: or this
        ");
    }

    #[test]
    fn places_without_a_label_after_the_first_are_listed() {
        let source = Source::new("a.yaml", "a\n".repeat(14));
        let spans: Vec<_> = (0..14).map(|line| (line * 2..line * 2 + 1, "")).collect();
        let mut spans = spans;
        spans[0].1 = "here";
        insta::assert_snapshot!(plain(&pointing(&source, &spans[..3])), @"
        note: this
         --> a.yaml:1:1
          |
        1 | a
          | ^ here
         ::: a.yaml:2:1
         ::: a.yaml:3:1
        ");
        assert!(plain(&pointing(&source, &spans)).ends_with(":11:1\n ::: 3 more places"));
    }

    #[test]
    fn lines_are_wrapped_at_the_width_of_a_terminal() {
        let words = "some words that are more than fit into one line";
        let diagnostic = Diagnostic::note(words).hint(format!("{words}\n  a  list   of   {words}"));
        let look = Look { color: false, width: Some(30) };
        insta::assert_snapshot!(look.diagnostic(&diagnostic), @"
        note: some words that are more
          than fit into one line
        hint: some words that are more
              than fit into one line
                a  list   of   some words that are more than fit into one line
        ");
    }

    #[test]
    fn colours_are_drawn_where_they_are_asked_for() {
        let source = Source::new("a.yaml", "a: b\n");
        let look = Look { color: true, width: Some(80) };
        let drawn = look.diagnostic(&pointing(&source, &[(3..4, "here")]).hint("x"));
        assert!(drawn.starts_with("\u{1b}[1m\u{1b}[92mnote\u{1b}[0m: "), "{drawn:?}");
        assert!(drawn.contains("\u{1b}[1m\u{1b}[94m -->\u{1b}[0m a.yaml:1:4\n"), "{drawn:?}");
        let stripped = anstream::adapter::strip_str(&drawn).to_string();
        let trimmed: Vec<_> = stripped.lines().map(str::trim_end).collect();
        assert_eq!(trimmed.join("\n"), plain(&pointing(&source, &[(3..4, "here")]).hint("x")));
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_drawn() {
        let text = "\u{1b}[31ma: \u{202e}b\u{1b}[0m\tc";
        let source = Source::new("\u{1b}[1m.yaml", text);
        let at = text.find('b').unwrap();
        let diagnostic = pointing(&source, &[(at..at + 1, "\u{1b}[2m"), (0..1, "")]);
        let drawn = plain(&Diagnostic { message: text.into(), ..diagnostic.hint(text) });
        assert!(drawn.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()), "{drawn:?}");
        assert!(!drawn.contains('\u{202e}'), "{drawn:?}");
        let lines: Vec<&str> = drawn.lines().collect();
        let column = |line: &str, text: &str| line[..line.find(text).unwrap()].chars().count();
        assert_eq!(column(lines[4], "^"), column(lines[3], "b\\u"), "{drawn}");
    }

    #[test]
    fn a_cropped_line_is_marked_and_keeps_its_columns() {
        let long = format!("1\n{}ko://a{}", "é".repeat(500), "x".repeat(300));
        let source = Source::new("a.json", long);
        let start = source.text().find("ko").unwrap();
        let drawn = plain(&pointing(&source, &[(start..start + 6, "here")]));
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines[1], " --> a.json:2:501", "{drawn}");
        assert!(lines[3].starts_with("2 | …ééé"), "{drawn}");
        let column = |line: &str, text: &str| line[..line.find(text).unwrap()].chars().count();
        assert_eq!(column(lines[4], "^^^^^^ here"), column(lines[3], "ko://a"), "{drawn}");
    }
}
