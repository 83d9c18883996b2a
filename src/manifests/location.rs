//! A place in a manifest, as cheap to keep as a span.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::source::{Source, Spot};

/// A span of a source. Line and column are computed only when needed: see [`Location::spot`].
#[derive(Clone)]
pub struct Location {
    source: Arc<Source>,
    span: Range<usize>,
}

impl Location {
    pub(super) fn new(source: &Arc<Source>, span: Range<usize>) -> Self {
        Self { source: Arc::clone(source), span }
    }

    /// The span in bytes.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The source that the span is in.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The place as a value that can be shown, with a label.
    #[must_use]
    pub fn spot(&self, label: impl Into<String>) -> Spot {
        self.source.spot(self.span(), label)
    }

    /// The text of the span.
    pub(super) fn text(&self) -> &str {
        self.source.text().get(self.span()).unwrap_or_default()
    }

    /// The text before the line that the span starts in, and the text from that line on.
    pub(super) fn around(&self) -> (&str, &str) {
        let text = self.source.text();
        let start = text.floor_char_boundary(self.span.start.min(text.len()));
        text.split_at(text[..start].rfind('\n').map_or(0, |newline| newline + 1))
    }

    /// Whether it is in this very source, not just in one with the same name.
    pub(super) fn is_in(&self, source: &Arc<Source>) -> bool {
        Arc::ptr_eq(&self.source, source)
    }

    /// `name:line:column`.
    #[must_use]
    pub fn place(&self) -> String {
        self.source.place(self.span.start)
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}
