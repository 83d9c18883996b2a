//! What is said where a document is no YAML: the parser's words, and better ones where those are not
//! true of what stands there, or point elsewhere.

use std::ops::Range;
use std::sync::Arc;

use granit_parser::{ErrorKind, Options, Parser, ScanError};

use crate::manifests::{Error, Location};
use crate::source::{Source, visible};

/// The error of a document that starts at `offset`.
pub(crate) fn error(source: &Arc<Source>, offset: usize, error: &ScanError) -> Error {
    let text = source.text().get(offset..).unwrap_or_default();
    let (span, reason) = explained(text, error);
    Error::Syntax {
        location: Location::new(source, offset + span.start..offset + span.end),
        reason,
    }
}

/// The longest key that is read without a `?`; YAML's own limit of 1024 is too short for some JSON.
const KEY_LIMIT: usize = 64 << 10;

/// The options with which every document is parsed.
pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.emit_anchor_events = true;
    // kubectl ends every line before it reads it, the last one too.
    options.block_scalar_eof_without_line_feed = false;
    options.simple_key_max_lookahead = KEY_LIMIT;
    options
}

/// Where a text stops being YAML, and why.
#[must_use]
pub(crate) fn why_no_yaml(text: &str) -> Option<(Range<usize>, String)> {
    let mut events = Parser::new_from_str_with_options(text, options());
    events.find_map(|event| event.err().map(|error| explained(text, &error)))
}

fn explained(text: &str, error: &ScanError) -> (Range<usize>, String) {
    let at = error.marker().byte_offset().unwrap_or(0);
    let rest = text.get(at..).unwrap_or_default();
    let first = rest.chars().next();
    let mut span = at..at + first.map_or(0, char::len_utf8);
    let mut reason = error.kind().to_string();
    match error.kind() {
        // Said of whatever cannot start a value; the end of the text is only one of these.
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::UnexpectedEofBlockSequence
        | ErrorKind::UnexpectedEofBlockMapping
        | ErrorKind::UnexpectedEof => {
            if let Some(first) = first.filter(|_| !rest.trim().is_empty()) {
                reason = format!("expected a value, found `{}`", visible(&first.to_string()));
            }
        }
        ErrorKind::UnknownAnchor => {
            let name = alias(rest);
            let shown: String = name.chars().take(100).collect();
            reason = format!("found unknown anchor `{}`", visible(&shown));
            if name.ends_with(':') {
                reason.push_str("; a `:` directly after an alias is part of its name");
            }
            span.end = at + rest.find(name).map_or(0, |start| start + name.len());
        }
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidLowSurrogateHexEscape
        | ErrorKind::InvalidLowSurrogate
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate
        | ErrorKind::InvalidUnicodeEscape => {
            // They are all said of the quote in front.
            if let Some(escape) = wrong_escape(rest) {
                span = at + escape.start..at + escape.end;
            }
        }
        _ => {}
    }
    (span, reason)
}

/// The name of the alias that a text starts with.
fn alias(text: &str) -> &str {
    let name = text.strip_prefix('*').unwrap_or(text);
    let end = name.find(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}'));
    &name[..end.unwrap_or(name.len())]
}

/// The first escape that stands for nothing, of a text that starts with a quoted scalar.
fn wrong_escape(text: &str) -> Option<Range<usize>> {
    let mut at = 1;
    // The half of a character that an escape began, as JSON writes it.
    let mut high: Option<usize> = None;
    loop {
        let rest = text.get(at..)?;
        if let Some(start) = high.filter(|_| !rest.starts_with('\\')) {
            return Some(start..at);
        }
        at += rest.find('\\')?;
        let letter = text[at + 1..].chars().next()?;
        let digits = match letter {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let is_known = "0abtnvfreNLP_ \t\r\n\"/\\".contains(letter) || digits > 0;
        let start = at + 1 + letter.len_utf8();
        let hex = text[start..].chars().take(digits).take_while(char::is_ascii_hexdigit).count();
        let escape = at..start + hex;
        if !is_known || hex < digits {
            return Some(high.unwrap_or(at)..escape.end);
        }
        let value = u32::from_str_radix(&text[start..escape.end], 16).unwrap_or(0);
        match (letter, value) {
            ('u', 0xd800..=0xdbff) if high.is_none() => high = Some(at),
            ('u', 0xdc00..=0xdfff) if high.is_some() => high = None,
            ('U' | 'u', _) if char::from_u32(value).is_none() || high.is_some() => {
                return Some(high.unwrap_or(at)..escape.end);
            }
            _ if high.is_some() => return Some(high.unwrap_or(at)..at),
            _ => {}
        }
        at = escape.end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests::{Parse, Rules, parse};

    /// The message, its label left out, and the text that is pointed at.
    fn said(text: &str) -> (String, String) {
        let source = Source::new("a.yaml", format!("{text}# ko://a\n"));
        let errors =
            parse(vec![source], &Rules::default(), Parse::OnlyReferences).checked().unwrap_err();
        let error = errors.iter().next().unwrap();
        let location = error.location().unwrap();
        (error.to_string(), location.source().text()[location.span()].to_owned())
    }

    #[test]
    fn the_end_is_only_said_to_be_where_it_is() {
        for (text, expected, at) in [
            ("b: [1, , 2]\n", "expected a value, found `,`", ","),
            ("b: [, 2]\n", "expected a value, found `,`", ","),
        ] {
            assert_eq!(said(text), (expected.to_owned(), at.to_owned()), "{text}");
        }
        let (open, _) = said("b: {a: [1, 2\n");
        assert!(open.contains("[") && !open.contains("expected"), "{open}");
    }

    #[test]
    fn an_alias_of_nothing_is_named() {
        for (text, expected, at) in [
            ("a: *nope\n", "found unknown anchor `nope`", "*nope"),
            ("a: [*nope, 1]\n", "found unknown anchor `nope`", "*nope"),
            ("a: *no\u{202e}pe\n", r"found unknown anchor `no\u{202e}pe`", "*no\u{202e}pe"),
        ] {
            assert_eq!(said(text), (expected.to_owned(), at.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_wrong_escape_is_pointed_at() {
        for (text, at) in [
            (r#"a: "x\n\q y""#, r"\q"),
            (r#"a: "é\\\q""#, r"\q"),
            ("a: \"x\n  \\\n  \\'\"", r"\'"),
            (r#"a: "\x4g""#, r"\x4"),
            (r#"a: "\u00e9\u12""#, r"\u12"),
            (r#"a: "\ud83d\ude00 \ud83d!""#, r"\ud83d"),
            (r#"a: "\ud83d\u0041""#, r"\ud83d\u0041"),
            (r#"a: "\ud83d\n""#, r"\ud83d"),
            (r#"a: "\ude00""#, r"\ude00"),
            (r#"a: "\UFFFFFFFF""#, r"\UFFFFFFFF"),
        ] {
            let (message, pointed) = said(&format!("{text}\n"));
            assert_eq!(pointed, at, "{text}: {message}");
        }
    }
}
