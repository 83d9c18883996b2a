//! A document as a list of its nodes with their places: what lints look at. Aliases stand for
//! themselves, so that an outline is never larger than a multiple of the text, and are followed when
//! a node is looked into.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, ScalarStyle};

use crate::manifests::yaml::scalar;

/// The longest text that is kept of a scalar that does not stand in the document as it is: no name
/// that lints compare is longer.
const LONGEST: usize = 4 << 10;

/// How deep merge keys are followed into what is merged.
const DEEPEST: usize = 20;

/// How many nodes may be visited behind aliases, as a multiple of all nodes. A few lines of aliases
/// lead to more of them than there is time for.
const VISITS: usize = 64;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Quoted,
    Sequence,
    Mapping,
    Alias,
}

/// Where the text of a scalar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    /// In the document.
    Written,
    /// In the outline.
    Kept,
    /// In the outline, as far as it is kept.
    Cut,
}

/// A node, as small as can be: a document has one in every few bytes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Of a collection only its start.
    span: (u32, u32),
    /// The number of the node behind this one and all that is in it.
    behind: u32,
    /// Where the text of a scalar begins. Of an alias the number of the node that it stands for.
    at: u32,
    length: u32,
    kind: Kind,
    text: Text,
}

/// The nodes of a document in the order of their text.
#[derive(Debug, Default)]
pub(crate) struct Outline<'a> {
    document: &'a str,
    entries: Vec<Entry>,
    open: Vec<usize>,
    /// Texts that are not in the document as they are.
    kept: String,
    /// The nodes that have anchors, where there are aliases.
    anchors: HashMap<usize, usize>,
    has_aliases: bool,
    visits: Cell<usize>,
}

/// One node of an outline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'o, 'a> {
    outline: &'o Outline<'a>,
    number: usize,
    /// Whether an alias led to it.
    is_behind: bool,
}

/// A value that was looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'o, 'a> {
    /// The value, behind its alias where it is one.
    pub(crate) value: Node<'o, 'a>,
    /// What stands for it where it was looked for: an alias of it or of what it is merged from, or
    /// itself.
    pub(crate) written: Node<'o, 'a>,
}

/// An offset or a number, of which a document has fewer than four billions.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl<'a> Outline<'a> {
    /// Begins the outline of a document.
    pub(crate) fn start(&mut self, document: &'a str) {
        self.clear();
        self.document = document;
        self.has_aliases = document.contains('*');
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.open.clear();
        self.kept.clear();
        self.anchors.clear();
    }

    /// Adds what an event begins, or ends it.
    pub(crate) fn add(&mut self, event: &Event<'_>, span: Range<usize>) {
        let number = self.entries.len();
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let is_plain = *style == ScalarStyle::Plain;
                let kind = if is_plain { Kind::Plain } else { Kind::Quoted };
                self.anchored(*anchor, number);
                let (at, length, where_) = self.place(text, span.start + usize::from(!is_plain));
                self.push(kind, span, (at, length), where_);
            }
            Event::Alias(anchor) => {
                // An alias of nothing, or of what it is in itself, stands for itself.
                let target = self.anchors.get(anchor).copied().unwrap_or(number);
                self.push(Kind::Alias, span, (target, 0), Text::Written);
            }
            Event::SequenceStart(_, anchor, _) => self.begin(Kind::Sequence, *anchor, span),
            Event::MappingStart(_, anchor, _) => self.begin(Kind::Mapping, *anchor, span),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(start) = self.open.pop() {
                    self.entries[start].behind = small(number);
                }
            }
            _ => {}
        }
        self.visits.set(self.entries.len().saturating_mul(VISITS));
    }

    fn begin(&mut self, kind: Kind, anchor: usize, span: Range<usize>) {
        let number = self.entries.len();
        self.anchored(anchor, number);
        self.open.push(number);
        self.push(kind, span, (0, 0), Text::Written);
    }

    fn anchored(&mut self, anchor: usize, number: usize) {
        if anchor != 0 && self.has_aliases {
            self.anchors.insert(anchor, number);
        }
    }

    fn push(&mut self, kind: Kind, span: Range<usize>, (at, length): (usize, usize), text: Text) {
        self.entries.push(Entry {
            span: (small(span.start), small(span.end)),
            behind: small(self.entries.len() + 1),
            at: small(at),
            length: small(length),
            kind,
            text,
        });
    }

    /// Where the text of a scalar is that begins at an offset, if it stands there as it is.
    fn place(&mut self, text: &str, start: usize) -> (usize, usize, Text) {
        if self.document.get(start..start + text.len()) == Some(text) {
            return (start, text.len(), Text::Written);
        }
        let kept = &text[..text.floor_char_boundary(LONGEST)];
        let at = self.kept.len();
        self.kept.push_str(kept);
        let is_whole = kept.len() == text.len();
        (at, kept.len(), if is_whole { Text::Kept } else { Text::Cut })
    }

    /// Every node.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = Node<'_, 'a>> {
        (0..self.entries.len()).map(|number| Node { outline: self, number, is_behind: false })
    }

    /// Counts a visit behind an alias, and tells whether there may be one.
    fn visit(&self) -> bool {
        let left = self.visits.get();
        self.visits.set(left.saturating_sub(1));
        left > 0
    }
}

impl<'o, 'a> Node<'o, 'a> {
    fn entry(self) -> &'o Entry {
        &self.outline.entries[self.number]
    }

    /// Its bytes, of a collection the first only.
    pub(crate) fn span(self) -> Range<usize> {
        let (start, end) = self.entry().span;
        start as usize..end as usize
    }

    /// Which of a document's nodes it is.
    pub(crate) fn number(self) -> usize {
        self.number
    }

    /// Whether an alias led to it.
    pub(crate) fn is_behind_alias(self) -> bool {
        self.is_behind
    }

    /// The node that an alias stands for; any other node itself.
    pub(crate) fn target(self) -> Self {
        match self.entry().kind {
            Kind::Alias if self.outline.visit() => {
                Node { number: self.entry().at as usize, is_behind: true, ..self }
            }
            _ => self,
        }
    }

    /// The text of a scalar. What is left out has none, nor has a text of which only the beginning
    /// is kept.
    pub(crate) fn text(self) -> Option<&'o str> {
        self.beginning().filter(|_| self.entry().text != Text::Cut)
    }

    /// What a scalar means to kubectl, as a text: `8080` for `0x1F90`, `true` for `yes`. Null has
    /// none. Tags are not looked at.
    pub(crate) fn meaning(self) -> Option<Cow<'o, str>> {
        let text = self.text()?;
        if self.entry().kind == Kind::Plain { scalar::text(text) } else { Some(text.into()) }
    }

    /// The text of a scalar, or the beginning of a long one.
    pub(crate) fn beginning(self) -> Option<&'o str> {
        let Entry { kind, at, length, text, .. } = *self.entry();
        if !matches!(kind, Kind::Plain | Kind::Quoted) || self.is_left_out() {
            return None;
        }
        let outline: &'o Outline<'a> = self.outline;
        let text = if text == Text::Written { outline.document } else { &outline.kept };
        text.get(at as usize..at as usize + length as usize)
    }

    /// Whether it is a value that is left out, as behind `a:` at the end of a line.
    pub(crate) fn is_left_out(self) -> bool {
        self.entry().kind == Kind::Plain && self.span().is_empty()
    }

    pub(crate) fn is_mapping(self) -> bool {
        self.entry().kind == Kind::Mapping
    }

    pub(crate) fn is_collection(self) -> bool {
        matches!(self.entry().kind, Kind::Mapping | Kind::Sequence)
    }

    /// The number of the node behind it and all that is in it.
    pub(crate) fn behind(self) -> usize {
        self.entry().behind as usize
    }

    fn children(self) -> impl Iterator<Item = Node<'o, 'a>> {
        let end = self.entry().behind as usize;
        let mut next = self.number + 1;
        std::iter::from_fn(move || {
            (next < end && (!self.is_behind || self.outline.visit())).then(|| {
                let child = Node { number: next, ..self };
                next = child.entry().behind as usize;
                child
            })
        })
    }

    /// The items of a sequence, aliases as they are; of anything else none.
    pub(crate) fn items(self) -> impl Iterator<Item = Node<'o, 'a>> {
        let is_sequence = self.entry().kind == Kind::Sequence;
        self.children().filter(move |_| is_sequence)
    }

    /// The keys of a mapping with their values as they are written; of anything else none.
    pub(crate) fn pairs(self) -> impl Iterator<Item = (Node<'o, 'a>, Node<'o, 'a>)> {
        let is_mapping = self.is_mapping();
        let mut children = self.children().filter(move |_| is_mapping);
        std::iter::from_fn(move || Some((children.next()?, children.next()?)))
    }

    /// The value that a key of a mapping has in the end, be it merged from elsewhere.
    pub(crate) fn find(self, key: &str) -> Option<Found<'o, 'a>> {
        self.find_within(key, DEEPEST)
    }

    fn find_within(self, key: &str, depth: usize) -> Option<Found<'o, 'a>> {
        let mut found = None;
        for (name, value) in self.pairs() {
            match name.text() {
                // The last of several equal keys counts, a merged one too.
                Some(name) if name == key => {
                    found = Some(Found { value: value.target(), written: value });
                }
                Some("<<") if depth > 0 && name.entry().kind == Kind::Plain => {
                    let merged = value.target();
                    // Of several mappings that are merged the first counts.
                    let first = if merged.is_mapping() {
                        value.merged(key, depth - 1)
                    } else {
                        merged.items().find_map(|item| item.merged(key, depth - 1))
                    };
                    let written = |found: Found<'o, 'a>| found.seen_from(value);
                    found = first.map(written).or(found);
                }
                _ => {}
            }
        }
        found
    }

    /// What a key has in a mapping, or in the one that an alias stands for.
    fn merged(self, key: &str, depth: usize) -> Option<Found<'o, 'a>> {
        self.target().find_within(key, depth).map(|found| found.seen_from(self))
    }

    /// The value of a key of a mapping.
    pub(crate) fn get(self, key: &str) -> Option<Node<'o, 'a>> {
        self.find(key).map(|found| found.value)
    }

    /// The text of the value of a key of a mapping.
    pub(crate) fn get_text(self, key: &str) -> Option<&'o str> {
        self.get(key)?.text()
    }
}

impl<'o, 'a> Found<'o, 'a> {
    /// The same, looked for behind a node, which is what is written for it if it is an alias.
    pub(crate) fn seen_from(self, node: Node<'o, 'a>) -> Self {
        if node.entry().kind == Kind::Alias { Self { written: node, ..self } } else { self }
    }
}

#[cfg(test)]
mod tests {
    use granit_parser::Parser;

    use super::*;

    fn outline(text: &str) -> Outline<'_> {
        let mut outline = Outline::default();
        outline.start(text);
        for event in Parser::new_from_str(text) {
            let (event, span) = event.unwrap();
            outline.add(&event, span.byte_range().unwrap());
        }
        outline
    }

    /// What a key of the last value of a document is, and what is written for it.
    fn find(text: &str, key: &str) -> Option<(String, String)> {
        let outline = outline(text);
        let root = outline.nodes().find(|node| node.is_mapping())?;
        let (_, last) = root.pairs().last()?;
        let found = last.target().find(key)?;
        let written = text[found.written.span()].to_owned();
        Some((found.value.text()?.to_owned(), written))
    }

    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<Entry>(), 24);
    }

    #[test]
    fn values_are_found_behind_aliases_and_merge_keys() {
        let found = |value: &str, written: &str| Some((value.to_owned(), written.to_owned()));
        let base = "x: &x {a: 1, b: &b '2'}\ny: &y {a: 3}\nz: ";
        for (last, key, expected) in [
            ("{a: 5}", "a", found("5", "5")),
            ("{a: 5, a: 6}", "a", found("6", "6")),
            ("*x", "a", found("1", "1")),
            ("{c: *b}", "c", found("2", "*b")),
            ("{<<: *x}", "b", found("2", "*x")),
            ("{a: 5, <<: *x}", "a", found("1", "*x")),
            ("{<<: *x, a: 5}", "a", found("5", "5")),
            ("{<<: [*y, *x]}", "a", found("3", "*y")),
            ("{<<: [*y, *x]}", "b", found("2", "*x")),
            ("{<<: {a: 7, <<: *x}}", "a", found("1", "*x")),
            ("{<<: {<<: *x, a: 7}}", "a", found("7", "7")),
            ("{<<: *b}", "a", None),
            ("{<<: *x}", "c", None),
        ] {
            let text = format!("{base}{last}\n");
            assert_eq!(find(&text, key), expected, "{last} {key}");
        }
    }

    #[test]
    fn texts_are_those_of_the_parser() {
        let long = "x".repeat(LONGEST);
        let text =
            format!("a: \"\\u0041\"\nb: 'it''s'\nc: plain\nd: |\n  block\ne: \"\\x41{long}\"");
        let outline = outline(&text);
        let texts: Vec<_> = outline.nodes().filter_map(Node::text).collect();
        assert_eq!(texts, ["a", "A", "b", "it's", "c", "plain", "d", "block\n", "e"]);
        let last = outline.nodes().last().and_then(Node::beginning).unwrap();
        assert_eq!(last, &format!("A{long}")[..LONGEST]);
    }

    #[test]
    fn a_plain_scalar_means_what_kubectl_reads() {
        let text = "[0x1F90, 8_080, '0x1F90', yes, ~, null, '~', a, 2001-01-01]";
        let outline = outline(text);
        let meanings: Vec<_> = outline.nodes().skip(1).map(Node::meaning).collect();
        let meanings: Vec<_> = meanings.iter().map(Option::as_deref).collect();
        let expected = ["8080", "8080", "0x1F90", "true", "", "", "~", "a", "2001-01-01"];
        assert_eq!(meanings, expected.map(|text| Some(text).filter(|text| !text.is_empty())));
    }

    #[test]
    fn what_leads_to_itself_ends() {
        let mut text = "a0: &a0 {x: 1}\n".to_owned();
        for level in 1..40 {
            let below = level - 1;
            text.push_str(&format!("a{level}: &a{level} {{<<: [*a{below}, *a{below}]}}\n"));
        }
        assert_eq!(find(&text, "y"), None);
    }
}
