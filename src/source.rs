//! A named text, and the places of byte spans in it as lines and columns.
//!
//! Manifests and settings use it to point into their texts. It does not depend on YAML.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Serialize;

/// A text with its name: a path as given, `<stdin>` or a URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    name: String,
    text: String,
}

/// A span of a [`Source`] as a value: what a message points at. It contains the line, so that it can
/// be drawn without the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Spot {
    /// The name of the text: a path as given, `<stdin>`, a URL.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// The span in bytes.
    pub span: Range<usize>,
    /// A few words about the span; may be empty.
    pub label: String,
    /// The line, cropped around the span where it is long.
    pub text: String,
    /// The span within `text`, in bytes.
    pub highlight: Range<usize>,
}

/// A place in a [`Source`]: both count from 1; the column counts characters, not bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).field("bytes", &self.text.len()).finish()
    }
}

/// Escapes a text so that a message can quote it: invisible characters, line breaks and characters
/// that change the direction of text are written as in Rust, `\n` or `\u{202e}`.
#[must_use]
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_invisible(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Whether a character is invisible: a control character, a line break, a mark of direction, or one
/// without width.
#[must_use]
pub(crate) fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Counts line breaks: LF, CR, or CR LF.
#[must_use]
pub(crate) fn line_breaks(text: &[u8]) -> usize {
    let count = |end: u8| text.iter().filter(|&&byte| byte == end).count();
    let (feeds, returns) = (count(b'\n'), count(b'\r'));
    if returns == 0 {
        return feeds;
    }
    feeds + returns - text.windows(2).filter(|pair| pair == b"\r\n").count()
}

/// The maximum length of a line in a [`Spot`]; minified JSON has lines of megabytes.
const LINE_BYTES: usize = 240;

impl Source {
    /// Names a text.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The name of the text.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line and column of a byte offset; an offset past the end is the end.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.floor(offset);
        let line_start = self.line_start(offset);
        Position {
            line: line_breaks(&self.text.as_bytes()[..line_start]) + 1,
            column: self.text[line_start.min(offset)..offset].chars().count() + 1,
        }
    }

    /// The start of the line of a character. As in YAML, a line ends with LF, CR or CR LF. A byte order
    /// mark is not part of the first line.
    fn line_start(&self, offset: usize) -> usize {
        let mut before = &self.text[..offset];
        if self.text[offset..].starts_with('\n') {
            before = before.strip_suffix('\r').unwrap_or(before);
        }
        let mark = if self.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        before.rfind(['\n', '\r']).map_or(mark, |end| end + 1)
    }

    /// `name:line:column` of a byte offset, as editors and compilers write it.
    #[must_use]
    pub fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.name, self.position(offset))
    }

    /// A span as a [`Spot`] with a label.
    #[must_use]
    pub fn spot(&self, span: Range<usize>, label: impl Into<String>) -> Spot {
        let start = self.floor(span.start);
        let line_start = self.line_start(start);
        let start = start.max(line_start);
        let line_end = self.text[start..].find(['\n', '\r']).map_or(self.text.len(), |n| start + n);
        let end = self.floor(span.end.min(start + LINE_BYTES)).clamp(start, line_end);
        let shown_start = self.floor(line_start.max(start.saturating_sub(LINE_BYTES / 2)));
        let shown_end = self.floor(line_end.min(end.max(start + LINE_BYTES))).max(end);
        let cropped = |is_cropped: bool| if is_cropped { "…" } else { "" };
        let before = cropped(shown_start > line_start);
        let after = cropped(shown_end < line_end);
        let Position { line, column } = self.position(start);
        Spot {
            file: self.name.clone(),
            line,
            column,
            span,
            label: label.into(),
            text: format!("{before}{}{after}", &self.text[shown_start..shown_end]),
            highlight: Range {
                start: before.len() + start - shown_start,
                end: before.len() + end - shown_start,
            },
        }
    }

    /// The nearest character boundary at or before an offset.
    fn floor(&self, offset: usize) -> usize {
        self.text.floor_char_boundary(offset.min(self.text.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_characters_and_lines_from_one() {
        let source = Source::new("a.yaml", "é: x\nimage: ko://a\n");
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
        assert_eq!(source.position(2), Position { line: 1, column: 2 });
        assert_eq!(source.place(source.text().find("ko").unwrap()), "a.yaml:2:8");
        assert_eq!(source.place(usize::MAX), "a.yaml:3:1");
    }

    #[test]
    fn a_line_ends_in_lf_or_cr_and_a_byte_order_mark_is_in_none() {
        let source = Source::new("a.yaml", "\u{feff}a: 1\rb: 2\r\nc: 3\n\rd: 4\n");
        let place = |text: &str| source.place(source.text().find(text).unwrap());
        for (text, expected) in [
            ("\u{feff}", "a.yaml:1:1"),
            ("a", "a.yaml:1:1"),
            ("1", "a.yaml:1:4"),
            ("\r", "a.yaml:1:5"),
            ("b", "a.yaml:2:1"),
            ("\r\n", "a.yaml:2:5"),
            ("\nc", "a.yaml:2:6"),
            ("3", "a.yaml:3:4"),
            ("\rd", "a.yaml:4:1"),
            ("d", "a.yaml:5:1"),
        ] {
            assert_eq!(place(text), expected, "{text:?}");
        }
        assert_eq!(source.place(usize::MAX), "a.yaml:6:1");
        let two = source.text().find('2').unwrap();
        for (span, line, highlight) in [(6..7, "a: 1", 3..4), (two..two + 1, "b: 2", 3..4)] {
            let spot = source.spot(span, "here");
            assert_eq!((spot.text.as_str(), spot.highlight), (line, highlight));
        }
        assert_eq!(source.spot(0..4, "").highlight, 0..1);
    }

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        assert_eq!(visible("ko://é 'a\"\\"), "ko://é 'a\"\\");
        assert_eq!(
            visible("a\nb\r\t\u{202e}c\u{200b}\u{1b}[1m"),
            "a\\nb\\r\\t\\u{202e}c\\u{200b}\\u{1b}[1m"
        );
    }

    #[test]
    fn a_spot_has_the_line_and_the_span_in_it() {
        let source = Source::new("a.yaml", "kind: Pod\nimage: ko://a\n");
        let start = source.text().find("ko").unwrap();
        let spot = source.spot(start..start + 6, "no such package");
        assert_eq!((spot.file.as_str(), spot.line, spot.column), ("a.yaml", 2, 8));
        assert_eq!((spot.text.as_str(), spot.highlight), ("image: ko://a", 7..13));
    }

    #[test]
    fn the_text_of_a_spot_in_a_line_of_megabytes_is_short() {
        let source =
            Source::new("a.json", format!("{}ko://a{}", "x".repeat(1 << 20), "é".repeat(1 << 20)));
        assert!(source.spot(1 << 20..(1 << 20) + 6, "").text.len() < 2000);
        assert!(source.spot(9..3 << 20, "").text.len() < 2000);
    }

    #[test]
    fn a_cropped_line_is_marked_and_keeps_its_columns() {
        let source =
            Source::new("a.json", format!("1\n{}ko://a{}", "é".repeat(500), "x".repeat(300)));
        let start = source.text().find("ko").unwrap();
        let spot = source.spot(start..start + 6, "here");
        assert_eq!((spot.line, spot.column), (2, 501));
        assert!(spot.text.starts_with("…ééé") && spot.text.ends_with("xxx…"), "{}", spot.text);
        assert_eq!(&spot.text[spot.highlight], "ko://a");
    }
}
