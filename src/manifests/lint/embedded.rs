//! Prefixes of references that stand where no reference is read.

use std::ops::Range;
use std::sync::Arc;

use super::{Finding, KEPT, Lint};
use crate::manifests::outline::Outline;
use crate::manifests::{Rules, Spot};
use crate::source::Source;

/// The most bytes of a reference that are shown.
const LONGEST: usize = 300;

/// Where a prefix stands that is no reference's, and how.
#[derive(Clone, Debug)]
pub(super) struct Embedded {
    span: Range<usize>,
    in_comment: bool,
}

impl Embedded {
    pub(super) fn start(&self) -> usize {
        self.span.start
    }

    pub(super) fn finding(&self, source: &Arc<Source>) -> Finding {
        let (message, label) = if self.in_comment {
            ("this reference is a comment, and its key has no value", "behind the `#`")
        } else {
            ("this reference is inside longer text and is not replaced", "stays as it is")
        };
        Finding {
            lint: Lint::EmbeddedReference,
            message: message.to_owned(),
            spot: Spot::new(source, self.span.clone()),
            label,
            other: None,
        }
    }
}

/// Finds them in a document of this text that holds `references` references. Places are moved by
/// `offset`.
pub(super) fn read(
    text: &str,
    offset: usize,
    outline: &Outline<'_>,
    references: usize,
    rules: &Rules,
    embedded: &mut Vec<Embedded>,
) {
    let mut places: Vec<(usize, &str)> = Vec::new();
    for prefix in &rules.prefixes {
        places.extend(text.match_indices(prefix.as_str()));
    }
    // Where every prefix is one of a reference, which is nearly always, there is no need to look.
    if places.len() <= references {
        return;
    }
    places.sort_unstable_by_key(|(at, _)| *at);
    let scalars = scalars(outline, rules);
    // Every byte is looked at once, however long a line or a name is.
    let (mut line, mut seen, mut commented) = (0, 0, None);
    for (at, prefix) in places {
        line = text[seen..at].rfind('\n').map_or(line, |newline| seen + newline + 1);
        seen = at;
        let span = at..end(text, at + prefix.len());
        if embedded.len() >= KEPT || commented == Some(line) || !is_named(text, &span, prefix) {
            continue;
        }
        let before = scalars.partition_point(|scalar| scalar.span.start <= at);
        let around = before.checked_sub(1).map(|last| &scalars[last]);
        let is_comment =
            |start: usize| line > start && text[line..at].trim_start().starts_with('#');
        let in_comment = match around {
            Some(scalar) if scalar.is_reference && is_first(text, scalar.span.start, at) => {
                continue;
            }
            Some(scalar) if scalar.span.contains(&at) && !is_comment(scalar.span.start) => false,
            _ => {
                commented = Some(line);
                if !stands_for_value(&text[line..at], line, &scalars) {
                    continue;
                }
                true
            }
        };
        embedded.push(Embedded { span: offset + span.start..offset + span.end, in_comment });
    }
}

/// A scalar that is written out.
struct Scalar {
    span: Range<usize>,
    is_reference: bool,
    /// Whether the node behind it is left out.
    is_alone: bool,
}

fn scalars(outline: &Outline<'_>, rules: &Rules) -> Vec<Scalar> {
    let mut scalars: Vec<Scalar> = Vec::new();
    let mut last = None;
    for node in outline.nodes() {
        let number = node.number();
        if let Some(text) = node.beginning() {
            let is_reference = rules.reference(text).is_some();
            scalars.push(Scalar { span: node.span(), is_reference, is_alone: false });
            last = Some(number);
        } else if node.is_left_out() && last.is_some_and(|last| last + 1 == number) {
            scalars.iter_mut().next_back().into_iter().for_each(|key| key.is_alone = true);
        }
    }
    scalars
}

/// Whether only quotes stand between the start of a reference's scalar and its prefix.
fn is_first(text: &str, start: usize, at: usize) -> bool {
    text.get(start..at).is_some_and(|text| matches!(text, "" | "'" | "\""))
}

/// The end of what could be a reference.
fn end(text: &str, start: usize) -> usize {
    let is_part =
        |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '#' | '@' | ':');
    let rest = &text[start..text.floor_char_boundary(start + LONGEST)];
    start + rest.find(|c| !is_part(c)).unwrap_or(rest.len())
}

/// Whether something follows the prefix that a crate could be called.
fn is_named(text: &str, span: &Range<usize>, prefix: &str) -> bool {
    text[span.start + prefix.len()..span.end].starts_with(|c: char| c.is_alphanumeric())
}

/// Whether a comment stands where the value of a key should: behind the `:` of a key without one.
/// `before` is the line that starts at `line`, up to the place.
fn stands_for_value(before: &str, line: usize, scalars: &[Scalar]) -> bool {
    let key = before.split_once('#').and_then(|(key, _)| key.trim_end().strip_suffix(':'));
    let Some(key) = key.map(str::trim_end) else { return false };
    let end = line + key.len();
    let behind = scalars.partition_point(|scalar| scalar.span.start < end);
    let key = behind.checked_sub(1).map(|last| &scalars[last]);
    key.is_some_and(|key| key.span.end == end && key.is_alone)
}
