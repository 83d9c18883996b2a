//! A text as pieces of what was read and of what was put between them, so that a large manifest is
//! not there twice while it is written.

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::sync::Arc;

use crate::manifests::yaml::split::BOM;
use crate::source::Source;

/// A text in pieces. Cheap to clone beside what it is of.
#[derive(Clone, Default)]
pub struct Text {
    pieces: Vec<Piece>,
}

#[derive(Clone)]
enum Piece {
    /// As it was read.
    Kept(Arc<Source>, Range<usize>),
    New(Arc<str>),
    /// What stands between documents, or in the header of a scalar.
    Mark(&'static str),
    /// Nothing, where one JSON object follows another.
    Seam,
}

impl Piece {
    fn as_str(&self) -> &str {
        match self {
            Self::Kept(source, span) => &source.text()[span.clone()],
            Self::New(text) => text,
            Self::Mark(text) => text,
            Self::Seam => "",
        }
    }
}

impl Text {
    /// The pieces, in their order.
    pub fn pieces(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.pieces.iter().map(Piece::as_str).filter(|piece| !piece.is_empty())
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces().map(str::len).sum()
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Writes it in few calls, however many pieces there are.
    pub fn write_to(&self, into: impl Write) -> io::Result<()> {
        let mut into = BufWriter::with_capacity(64 << 10, into);
        self.pieces().try_for_each(|piece| into.write_all(piece.as_bytes()))?;
        into.flush()
    }

    /// Adds a span of what was read.
    pub(crate) fn keep(&mut self, source: &Arc<Source>, span: Range<usize>) {
        self.push(Piece::Kept(Arc::clone(source), span));
    }

    /// Adds what was not read.
    pub(crate) fn put(&mut self, text: Arc<str>) {
        self.push(Piece::New(text));
    }

    /// Adds what stands between documents, or in the header of a scalar.
    pub(crate) fn mark(&mut self, mark: &'static str) {
        self.push(Piece::Mark(mark));
    }

    /// Notes that one JSON object ends here and the next begins.
    pub(crate) fn seam(&mut self) {
        self.pieces.push(Piece::Seam);
    }

    /// The text with `---` between JSON objects that follow one another: beside other documents they
    /// are no stream any more.
    pub(crate) fn apart(mut self) -> Self {
        let mut next_breaks = false;
        for piece in self.pieces.iter_mut().rev() {
            match piece {
                Piece::Seam => *piece = Piece::Mark(if next_breaks { "\n---" } else { "\n---\n" }),
                piece => next_breaks = piece.as_str().starts_with(['\n', '\r']),
            }
        }
        self
    }

    pub(crate) fn append(&mut self, other: Self) {
        if self.pieces.is_empty() {
            *self = other;
        } else {
            self.pieces.extend(other.pieces);
        }
    }

    /// The text without the byte order mark that it may start with.
    pub(crate) fn without_mark(mut self) -> Self {
        if let Some(Piece::Kept(source, span)) = self.pieces.first_mut()
            && source.text()[span.clone()].starts_with(BOM)
        {
            span.start += BOM.len_utf8();
            if span.start == span.end {
                self.pieces.remove(0);
            }
        }
        self
    }

    fn push(&mut self, piece: Piece) {
        if !piece.as_str().is_empty() {
            self.pieces.push(piece);
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        let mut whole = Self::default();
        whole.put(text.into());
        whole
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.pieces().flat_map(str::bytes).eq(other.pieces().flat_map(str::bytes))
    }
}

impl Eq for Text {}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces().try_for_each(|piece| f.write_str(piece))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").field("bytes", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_text_is_cut_is_nothing_to_who_reads_it() {
        let source = Arc::new(Source::new("a", "\u{feff}one two three"));
        let mut text = Text::default();
        text.keep(&source, 0..6);
        text.put(Arc::from(""));
        text.keep(&source, 6..11);
        text.mark("three");
        let whole = Text::from(source.text().to_owned());
        assert_eq!((text.pieces().count(), text.len()), (3, source.text().len()));
        assert_eq!(text, whole);
        assert_eq!(text.to_string(), source.text());
        assert_eq!(text.clone().without_mark().to_string(), "one two three");
        text.mark("!");
        assert_ne!(text, whole);

        let mut mark = Text::default();
        mark.keep(&source, 0..3);
        assert!(!mark.is_empty() && mark.without_mark().is_empty());
    }
}
