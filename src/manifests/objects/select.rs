//! Leaving out what a label selector does not choose: documents, and items of a List.

use std::ops::Range;
use std::sync::Arc;

use crate::manifests::objects::contents::Content;
use crate::manifests::references::document;
use crate::manifests::references::file::{Document, File};
use crate::manifests::yaml::value::{Builder, Items};
use crate::manifests::{Error, Errors, Location, Manifests, Object, Selector};
use crate::source::Source;

impl Manifests {
    /// Leaves out every document and every item of a List that a selector does not choose, together
    /// with its references and what is wrong with them. What is chosen keeps its bytes.
    pub fn select(self, selector: &Selector) -> Result<Self, Errors> {
        let Self { files, rules, errors } = self;
        errors.of_documents().check(())?;
        let mut wrong = Errors::none();
        let mut builder = Builder::new();
        let mut chosen = Vec::with_capacity(files.len());
        for file in files {
            chosen.push(file.select(selector, &mut builder, &mut wrong));
        }
        let errors = errors.retain(|error| {
            error.location().is_some_and(|location| chosen.iter().any(|file| file.holds(location)))
        });
        wrong.check(Self { files: chosen, rules, errors })
    }
}

impl File {
    fn select(self, selector: &Selector, builder: &mut Builder, errors: &mut Errors) -> Self {
        let mut kept = Vec::new();
        let mut cuts = Vec::new();
        let mut wrong = Vec::new();
        for (Document { range, .. }, content) in self.contents(builder, errors) {
            let Content { objects, items } = content;
            let flags: Vec<bool> =
                objects.iter().map(|object| is_chosen(object, selector)).collect();
            if !flags.contains(&true) {
                continue;
            }
            if flags.contains(&false) {
                match cuts_of(&self.source, range, items, &flags) {
                    Ok(new) => cuts.extend(new),
                    Err(error) => wrong.push(error),
                }
            }
            let chosen = flags.contains(&false).then(|| flags.into_boxed_slice());
            kept.push(Document { range: range.clone(), chosen });
        }
        wrong.into_iter().for_each(|error| errors.push(error));
        let Self { source, mut occurrences, mut notes, has_objects, .. } = self;
        let stays = |at: usize| stays(&kept, &cuts, at);
        occurrences.retain(|occurrence| stays(occurrence.location.span().start));
        notes.retain(stays);
        Self { source, documents: kept, occurrences, notes, has_objects, cuts }
    }

    /// Whether something that stood in a source is in what was chosen of it.
    fn holds(&self, location: &Location) -> bool {
        location.is_in(&self.source) && stays(&self.documents, &self.cuts, location.span().start)
    }
}

fn stays(documents: &[Document], cuts: &[Range<usize>], at: usize) -> bool {
    is_within(documents, at) && !cuts.iter().any(|cut| cut.contains(&at))
}

/// What is cut from a document so that only the chosen items of its List stay.
fn cuts_of(
    source: &Arc<Source>,
    range: &Range<usize>,
    items: Option<Items>,
    flags: &[bool],
) -> Result<Vec<Range<usize>>, Error> {
    let wrong = |reason: &str| Error::Select {
        location: Location::new(source, range.clone()),
        reason: reason.to_owned(),
    };
    let items = items.filter(|items| items.each.len() == flags.len());
    let items = items.ok_or_else(|| wrong(BEHIND_ALIAS))?;
    let cuts = cut(source.text(), range.start, &items, flags);
    if is_whole(source.text(), range, &cuts) { Ok(cuts) } else { Err(wrong(LOST_ANCHOR)) }
}

const BEHIND_ALIAS: &str =
    "cannot select items of this List: they are behind an alias or a merge key";
const LOST_ANCHOR: &str =
    "cannot select items of this List: a selected item uses an anchor of one that is not selected";

fn is_chosen(object: &Object, selector: &Selector) -> bool {
    let labels = object.value.pointer("/metadata/labels");
    selector
        .matches(|key| labels.and_then(|labels| labels.get(key)).and_then(|value| value.as_str()))
}

fn is_within(documents: &[Document], at: usize) -> bool {
    let before = documents.partition_point(|document| document.range.start <= at);
    before > 0 && documents[before - 1].range.contains(&at)
}

/// The spans to leave out so that only some items of a List stay.
fn cut(text: &str, offset: usize, items: &Items, chosen: &[bool]) -> Vec<Range<usize>> {
    let spans: Vec<Range<usize>> =
        items.each.iter().map(|item| offset + item.span.start..offset + item.span.end).collect();
    if items.flow {
        cut_flow(&spans, chosen)
    } else {
        cut_block(text, &spans, offset + items.span.start, chosen)
    }
}

/// In `[a, b, c]` an item goes with the comma before it, the first ones with the comma behind them.
fn cut_flow(spans: &[Range<usize>], chosen: &[bool]) -> Vec<Range<usize>> {
    let mut cuts: Vec<Range<usize>> = Vec::new();
    let mut last_kept: Option<&Range<usize>> = None;
    let mut pending: Option<Range<usize>> = None;
    for (span, chosen) in spans.iter().zip(chosen) {
        match (chosen, last_kept) {
            (false, None) => {
                let start = pending.as_ref().map_or(span.start, |cut| cut.start);
                pending = Some(start..span.end);
            }
            (false, Some(kept)) => pending = Some(kept.end..span.end),
            (true, None) => {
                cuts.extend(pending.take().map(|cut| cut.start..span.start));
                last_kept = Some(span);
            }
            (true, Some(_)) => {
                cuts.extend(pending.take());
                last_kept = Some(span);
            }
        }
    }
    cuts.extend(pending);
    cuts
}

/// In a block sequence an item is the lines from its `-` on, and the comment right above it.
fn cut_block(
    text: &str,
    spans: &[Range<usize>],
    start: usize,
    chosen: &[bool],
) -> Vec<Range<usize>> {
    let mut floor = line_start(text, start);
    let mut starts = Vec::with_capacity(spans.len() + 1);
    for span in spans {
        starts.push(with_comment(text, dash_line(text, span.start, floor), floor));
        floor = span.end;
    }
    starts.push(line_behind(text, floor));
    let lines = starts.windows(2).map(|pair| pair[0]..pair[1]);
    lines.zip(chosen).filter(|(_, chosen)| !**chosen).map(|(lines, _)| lines).collect()
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// The start of the line with the `-` of an item: between the two stand only an anchor, a tag and
/// comments.
fn dash_line(text: &str, item: usize, floor: usize) -> usize {
    let mut line = line_start(text, item);
    while line > floor && !is_dash(&text[line..]) {
        line = line_start(text, line - 1);
    }
    line
}

fn is_dash(line: &str) -> bool {
    matches!(line.trim_start_matches(' ').as_bytes(), [b'-', b' ' | b'\t' | b'\n' | b'\r', ..])
}

/// The start of the comment lines right above a line.
fn with_comment(text: &str, mut line: usize, floor: usize) -> usize {
    while line > floor {
        let above = line_start(text, line - 1);
        if above < floor || !text[above..line].trim_start().starts_with('#') {
            break;
        }
        line = above;
    }
    line
}

/// The start of the first line that is wholly behind the last token of an item.
fn line_behind(text: &str, end: usize) -> usize {
    let start = line_start(text, end);
    if text[start..end].trim().is_empty() {
        return start;
    }
    text[end..].find('\n').map_or(text.len(), |newline| end + newline + 1)
}

/// Whether a document still parses without what is cut from it.
fn is_whole(text: &str, document: &Range<usize>, cuts: &[Range<usize>]) -> bool {
    let mut rest = String::with_capacity(document.len());
    let mut copied = document.start;
    for cut in cuts {
        rest.push_str(&text[copied..cut.start]);
        copied = cut.end;
    }
    rest.push_str(&text[copied..document.end]);
    document::parses(&rest)
}
