//! Prefixes of references that stand where no reference is read.

use std::ops::Range;
use std::sync::Arc;

use super::{Finding, Lint};
use crate::manifests::outline::Outline;
use crate::manifests::{Rules, Spot};
use crate::source::Source;

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
    let scalars: Vec<(Range<usize>, bool)> = outline
        .nodes()
        .filter_map(|node| Some((node.span(), rules.reference(node.text()?).is_some())))
        .collect();
    for (at, prefix) in places {
        let before = scalars.partition_point(|(span, _)| span.start <= at);
        let around = before.checked_sub(1).map(|last| &scalars[last]);
        let span = at..end(text, at + prefix.len());
        if !is_named(text, &span, prefix) {
            continue;
        }
        let in_comment = match around {
            Some((_, true)) if is_first(text, around.map(|(span, _)| span.start), at) => continue,
            Some((scalar, _)) if scalar.contains(&at) && !is_comment(text, scalar.start, at) => {
                false
            }
            _ if stands_for_value(text, at, outline) => true,
            _ => continue,
        };
        embedded.push(Embedded { span: offset + span.start..offset + span.end, in_comment });
    }
}

/// Whether only quotes stand between the start of a reference's scalar and its prefix.
fn is_first(text: &str, start: Option<usize>, at: usize) -> bool {
    start.and_then(|start| text.get(start..at)).is_some_and(|text| matches!(text, "" | "'" | "\""))
}

/// The end of what could be a reference.
fn end(text: &str, start: usize) -> usize {
    let is_part =
        |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '#' | '@' | ':');
    text[start..].find(|c| !is_part(c)).map_or(text.len(), |length| start + length)
}

/// Whether something follows the prefix that a crate could be called.
fn is_named(text: &str, span: &Range<usize>, prefix: &str) -> bool {
    text[span.start + prefix.len()..span.end].starts_with(|c: char| c.is_alphanumeric())
}

/// Whether a place is in a comment behind a scalar: the span of a block scalar takes in those that
/// follow it.
fn is_comment(text: &str, scalar: usize, at: usize) -> bool {
    let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    line > scalar && text[line..at].trim_start().starts_with('#')
}

/// Whether a comment stands where the value of a key should, on the key's own line.
fn stands_for_value(text: &str, at: usize, outline: &Outline<'_>) -> bool {
    let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let Some((before, _)) = text[line..at].split_once('#') else { return false };
    let Some(key) = before.trim_end().strip_suffix(':') else { return false };
    let end = line + key.trim_end().len();
    let mut nodes = outline.nodes().skip_while(|node| node.span().end != end);
    nodes.next().is_some() && nodes.next().is_some_and(|value| value.is_left_out())
}
