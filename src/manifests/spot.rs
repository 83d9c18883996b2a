//! A span of a source: where something was written, and how it is shown.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::source::Source;

/// A place in a manifest. Line, column and excerpt are worked out when they are asked for.
#[derive(Clone)]
pub struct Spot {
    source: Arc<Source>,
    span: Range<usize>,
}

impl Spot {
    pub(super) fn new(source: &Arc<Source>, span: Range<usize>) -> Self {
        Self { source: Arc::clone(source), span }
    }

    /// The bytes of the source that are meant.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The text that the span is of.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What stands there.
    pub(super) fn text(&self) -> &str {
        self.source.text().get(self.span()).unwrap_or_default()
    }

    /// What stands before the line that it starts in, and the rest from there on.
    pub(super) fn around(&self) -> (&str, &str) {
        let text = self.source.text();
        let start = text.floor_char_boundary(self.span.start.min(text.len()));
        text.split_at(text[..start].rfind('\n').map_or(0, |newline| newline + 1))
    }

    /// Whether it is in a source, and not in another one of the same name.
    pub(super) fn is_in(&self, source: &Arc<Source>) -> bool {
        Arc::ptr_eq(&self.source, source)
    }

    /// `name:line:column`.
    #[must_use]
    pub fn place(&self) -> String {
        self.source.place(self.span.start)
    }

    /// The line with carets under the span and a label behind them.
    #[must_use]
    pub fn excerpt(&self, label: &str) -> String {
        self.source.excerpt(self.span.clone(), label)
    }
}

impl fmt::Debug for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}
