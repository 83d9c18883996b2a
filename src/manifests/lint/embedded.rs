//! References in places where they are not replaced.

use std::ops::Range;
use std::sync::Arc;

use super::{Finding, KEPT, Lint};
use crate::manifests::yaml::outline::Outline;
use crate::manifests::{Location, Rules};
use crate::source::Source;

/// The maximum number of bytes of a reference that are shown.
const LONGEST: usize = 300;

/// A prefix that is not part of a reference.
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
            ("this reference is in a comment, and its key has no value", "after the `#`")
        } else {
            ("this reference is inside longer text and is not replaced", "not replaced")
        };
        Finding {
            lint: Lint::EmbeddedReference,
            message: message.to_owned(),
            location: Location::new(source, self.span.clone()),
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
                if !stands_for_value(text, line, at, &scalars) {
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
    /// Whether it is null or has no letters.
    is_empty: bool,
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
            let is_empty = node.meaning().is_none_or(|text| text.is_empty());
            let span = node.span();
            scalars.push(Scalar { span, is_reference, is_empty, is_alone: false });
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

/// Whether a comment stands where the value of a key should: behind the `:` of a key without one, on
/// its line or alone on the next, or behind a value that says nothing. `line` is where the line
/// starts that the place is in.
fn stands_for_value(text: &str, line: usize, at: usize, scalars: &[Scalar]) -> bool {
    let Some((before, comment)) = text[line..at].split_once('#') else { return false };
    let is_all = comment.trim().trim_matches(['"', '\'']).is_empty();
    let ending = |end: usize| {
        let behind = scalars.partition_point(|scalar| scalar.span.start < end);
        let last = behind.checked_sub(1)?;
        Some(last).filter(|last| scalars[*last].span.end == end)
    };
    // A key that ends with its `:` where a text does that starts at an offset.
    let key = |text: &str, start: usize| {
        let key = text.trim_end().strip_suffix(':')?.trim_end();
        ending(start + key.len())
    };
    let is_alone = |text: &str, start| key(text, start).is_some_and(|key| scalars[key].is_alone);
    if before.trim().is_empty() {
        // What stands farther left is said of what follows.
        let above = text[..line].strip_suffix('\n').unwrap_or_default();
        let start = above.rfind('\n').map_or(0, |newline| newline + 1);
        let above = &above[start..];
        let blanks = |line: &str| line.len() - line.trim_start_matches(' ').len();
        return is_all && blanks(before) > blanks(above) && is_alone(above, start);
    }
    if is_alone(before, line) {
        return true;
    }
    let value = ending(line + before.trim_end().len()).map(|value| &scalars[value]);
    is_all
        && value.is_some_and(|value| {
            let before = text.get(line..value.span.start).unwrap_or_default();
            value.is_empty && key(before, line).is_some()
        })
}
