//! Where the documents of a stream begin and end, without parsing them.
//!
//! A line that starts with `---` or `...` in column 0, followed by a blank or its end, is a marker
//! wherever it stands: YAML forbids it inside every scalar, though not behind a byte order mark
//! ([YAML 1.2.2, 9.1.2](https://yaml.org/spec/1.2.2/#912-document-markers)). JSON objects may also
//! follow one another without any marker, as kubectl reads them.

use std::ops::Range;

use serde::de::IgnoredAny;

/// The byte order mark.
pub(crate) const BOM: char = '\u{feff}';

/// Cuts a stream into its documents; put together again, they are the stream. A document owns its
/// `---` and the directives and comments before it, and its `...`.
pub(crate) fn documents(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    // The end of what lies between two markers, in which there may be several JSON objects.
    let mut marked = 0;
    std::iter::from_fn(move || {
        (start < text.len()).then(|| {
            if start == marked {
                marked = document_end(text, start);
            }
            let end = json_end(&text[start..marked]).map_or(marked, |end| start + end);
            std::mem::replace(&mut start, end)..end
        })
    })
}

/// Where the first of several JSON objects ends; none where a text is anything else.
fn json_end(text: &str) -> Option<usize> {
    let blanks = [' ', '\t', '\n', '\r'];
    let start = text.strip_prefix(BOM).unwrap_or(text);
    if !start.trim_start_matches(blanks).starts_with('{') {
        return None;
    }
    let mut objects = serde_json::Deserializer::from_str(start).into_iter::<IgnoredAny>();
    objects.next()?.ok()?;
    let end = text.len() - start.len() + objects.byte_offset();
    text[end..].trim_start_matches(blanks).starts_with('{').then_some(end)
}

/// The end of the document that starts at an offset.
fn document_end(text: &str, start: usize) -> usize {
    let mut line_start = start;
    let mut begun = false;
    while line_start < text.len() {
        let line_end = next_line(text, line_start);
        let mut line = &text[line_start..line_end];
        if !begun {
            line = line.strip_prefix(BOM).unwrap_or(line);
        }
        match marker(line) {
            Some(Marker::End) => return line_end,
            Some(Marker::Start) if begun => return line_start,
            Some(Marker::Start) => begun = true,
            None => begun = begun || !is_prefix(line),
        }
        line_start = line_end;
    }
    text.len()
}

/// The offset behind a line's break, or the end. A lone carriage return breaks a line too.
fn next_line(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    match bytes[start..].iter().position(|&byte| byte == b'\n' || byte == b'\r') {
        None => text.len(),
        Some(at) => {
            let at = start + at;
            at + if bytes[at..].starts_with(b"\r\n") { 2 } else { 1 }
        }
    }
}

/// Whether a line may stand before a document without being part of its content.
fn is_prefix(line: &str) -> bool {
    line.starts_with('%') || {
        let rest = line.trim_start_matches([' ', '\t']);
        rest.is_empty() || rest.starts_with(['#', '\n', '\r'])
    }
}

/// A line that ends a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marker {
    /// `---`, which starts the next one.
    Start,
    /// `...`.
    End,
}

/// The marker that a line is.
pub(crate) fn marker(line: &str) -> Option<Marker> {
    let (marker, rest) = match line.as_bytes() {
        [b'-', b'-', b'-', rest @ ..] => (Marker::Start, rest),
        [b'.', b'.', b'.', rest @ ..] => (Marker::End, rest),
        _ => return None,
    };
    matches!(rest.first(), None | Some(b' ' | b'\t' | b'\n' | b'\r')).then_some(marker)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        documents(text).map(|range| &text[range]).collect()
    }

    #[test]
    fn a_document_owns_its_markers_directives_and_comments() {
        for (text, parts) in [
            ("", vec![]),
            ("a: 1", vec!["a: 1"]),
            ("a: 1\n---\nb: 2\n", vec!["a: 1\n", "---\nb: 2\n"]),
            ("---\na: 1\n---\n", vec!["---\na: 1\n", "---\n"]),
            ("# c\n\n%YAML 1.2\n---\na\n", vec!["# c\n\n%YAML 1.2\n---\na\n"]),
            ("a\n...\n# c\n--- b\n", vec!["a\n...\n", "# c\n--- b\n"]),
            ("a\r\n---\r\nb", vec!["a\r\n", "---\r\nb"]),
            ("a\r---\rb", vec!["a\r", "---\rb"]),
            ("\u{feff}---\na\n\u{feff}---\nb", vec!["\u{feff}---\na\n\u{feff}---\nb"]),
            ("a\n...\n\u{feff}---\nb", vec!["a\n...\n", "\u{feff}---\nb"]),
            ("a: ---\n ---\n----\n---x\n....\n", vec!["a: ---\n ---\n----\n---x\n....\n"]),
            (
                "{\"a\": \"}{\"} {}\n{}\n---\n{}",
                vec!["{\"a\": \"}{\"}", " {}", "\n{}\n", "---\n{}"],
            ),
            ("{a: 1}\n{b: 2}", vec!["{a: 1}\n{b: 2}"]),
            ("{\"a\": 1} # {\n", vec!["{\"a\": 1} # {\n"]),
            ("a: |\n  x\n---\t# c\nb", vec!["a: |\n  x\n", "---\t# c\nb"]),
        ] {
            assert_eq!(split(text), parts, "{text:?}");
        }
    }
}
