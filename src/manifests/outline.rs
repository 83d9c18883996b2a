//! A document as a list of its nodes with their places: what lints look at. Aliases stand for
//! themselves, so that an outline is never larger than the text.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{Event, ScalarStyle};

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
enum Kind<'a> {
    Scalar { text: Cow<'a, str>, plain: bool },
    Sequence,
    Mapping,
    Alias,
}

#[derive(Clone, Debug)]
struct Entry<'a> {
    kind: Kind<'a>,
    /// Of a collection only its start.
    span: Range<usize>,
    /// The number of the node behind this one and all that is in it.
    behind: usize,
}

/// The nodes of a document in the order of their text.
#[derive(Debug, Default)]
pub(super) struct Outline<'a> {
    entries: Vec<Entry<'a>>,
    open: Vec<usize>,
}

/// One node of an outline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'o, 'a> {
    outline: &'o Outline<'a>,
    number: usize,
}

impl<'a> Outline<'a> {
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.open.clear();
    }

    /// Adds what an event begins, or ends it.
    pub(super) fn add(&mut self, event: &Event<'a>, span: Range<usize>) {
        let behind = self.entries.len() + 1;
        let add = |kind| self.entries.push(Entry { kind, span, behind });
        match event {
            Event::Scalar(text, style, ..) => {
                add(Kind::Scalar { text: text.clone(), plain: *style == ScalarStyle::Plain });
            }
            Event::Alias(_) => add(Kind::Alias),
            Event::SequenceStart(..) => {
                add(Kind::Sequence);
                self.open.push(behind - 1);
            }
            Event::MappingStart(..) => {
                add(Kind::Mapping);
                self.open.push(behind - 1);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(start) = self.open.pop() {
                    self.entries[start].behind = behind - 1;
                }
            }
            _ => {}
        }
    }

    /// Every node.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node<'_, 'a>> {
        (0..self.entries.len()).map(|number| Node { outline: self, number })
    }
}

impl<'o, 'a> Node<'o, 'a> {
    fn entry(self) -> &'o Entry<'a> {
        &self.outline.entries[self.number]
    }

    /// Its bytes, of a collection the first only.
    pub(super) fn span(self) -> Range<usize> {
        self.entry().span.clone()
    }

    /// Which of a document's nodes it is.
    pub(super) fn number(self) -> usize {
        self.number
    }

    /// The text of a scalar. What is left out has none.
    pub(super) fn text(self) -> Option<&'o str> {
        match &self.entry().kind {
            Kind::Scalar { text, plain } if !(*plain && self.entry().span.is_empty()) => Some(text),
            _ => None,
        }
    }

    /// Whether it is a value that is left out, as behind `a:` at the end of a line.
    pub(super) fn is_left_out(self) -> bool {
        matches!(self.entry().kind, Kind::Scalar { plain: true, .. })
            && self.entry().span.is_empty()
    }

    pub(super) fn is_mapping(self) -> bool {
        self.entry().kind == Kind::Mapping
    }

    fn children(self) -> impl Iterator<Item = Node<'o, 'a>> {
        let end = self.entry().behind;
        let mut next = self.number + 1;
        std::iter::from_fn(move || {
            (next < end).then(|| {
                let child = Node { outline: self.outline, number: next };
                next = child.entry().behind;
                child
            })
        })
    }

    /// The items of a sequence; of anything else none.
    pub(super) fn items(self) -> impl Iterator<Item = Node<'o, 'a>> {
        let is_sequence = self.entry().kind == Kind::Sequence;
        self.children().filter(move |_| is_sequence)
    }

    /// The keys of a mapping with their values; of anything else none.
    pub(super) fn pairs(self) -> impl Iterator<Item = (Node<'o, 'a>, Node<'o, 'a>)> {
        let is_mapping = self.is_mapping();
        let mut children = self.children().filter(move |_| is_mapping);
        std::iter::from_fn(move || Some((children.next()?, children.next()?)))
    }

    /// The value of a key of a mapping.
    pub(super) fn get(self, key: &str) -> Option<Node<'o, 'a>> {
        self.pairs().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// The text of the value of a key of a mapping.
    pub(super) fn get_text(self, key: &str) -> Option<&'o str> {
        self.get(key)?.text()
    }
}
