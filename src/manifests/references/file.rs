//! A source as its documents and what was found in them; a large one is parsed in parts side by side.

use std::ops::Range;
use std::sync::Arc;

use crate::manifests::lint::Notes;
use crate::manifests::objects::contents::{self, Content};
use crate::manifests::references::document::{self, Search, Shared};
use crate::manifests::yaml::outline::Outline;
use crate::manifests::yaml::split;
use crate::manifests::yaml::value::Builder;
use crate::manifests::{Error, Errors, Object, Occurrence, Parse, Rules};
use crate::source::{Source, line_breaks};

/// How many references a source may hold: far more than there can be crates.
const REFERENCES_LIMIT: usize = 1_000_000;

/// One source of a set.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) source: Arc<Source>,
    pub(crate) documents: Vec<Document>,
    pub(crate) occurrences: Vec<Occurrence>,
    /// What lints look at.
    pub(crate) notes: Notes,
    /// Whether it was seen to hold an object, be it a wrong one.
    pub(crate) has_objects: bool,
    /// What a selector left out of the documents that it kept, in order.
    pub(crate) cuts: Vec<Range<usize>>,
}

/// One document of a source. Its values are not kept: a tree of them takes many times the text.
#[derive(Debug)]
pub(crate) struct Document {
    /// All of it, its markers and the comments before it included.
    pub(crate) range: Range<usize>,
    /// Which of its objects a selector chose, where it did not choose them all.
    pub(crate) chosen: Option<Box<[bool]>>,
}

impl File {
    /// A source whose documents were not looked at.
    pub(crate) fn unread(source: Arc<Source>) -> Self {
        let unread = |range| Document { range, chosen: None };
        let documents = split::documents(source.text()).map(unread).collect();
        let notes = Notes::default();
        let (occurrences, cuts) = (Vec::new(), Vec::new());
        Self { source, documents, occurrences, notes, has_objects: false, cuts }
    }

    /// Parses a source document by document, so that one that is broken hides no other. A large one is
    /// parsed in several parts side by side.
    pub(crate) fn parse(
        source: Arc<Source>,
        rules: &Rules,
        depth: Parse,
        errors: &mut Errors,
    ) -> Self {
        let mut file = Self::unread(source);
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
        let parts = parts(&file.documents, (file.source.text().len() / threads).max(PART));
        let mut found = Part::default();
        if let [part] = parts.as_slice() {
            found = Part::parse(&file.source, part, rules, depth);
        } else {
            std::thread::scope(|scope| {
                let source = &file.source;
                let parse = |part| scope.spawn(move || Part::parse(source, part, rules, depth));
                for part in parts.into_iter().map(parse).collect::<Vec<_>>() {
                    let part = part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                    found.extend(part);
                }
            });
        }
        let Part { occurrences, notes, has_objects, errors: new } = found;
        errors.extend(new);
        if occurrences.len() > REFERENCES_LIMIT {
            errors.push(Error::TooManyReferences(file.source.name().to_owned()));
        }
        (file.occurrences, file.notes, file.has_objects) = (occurrences, notes, has_objects);
        file
    }

    /// Whether its references are the values that read like one: an image of the map is a reference and does
    /// not, and what a tag decodes may read like one and is none.
    pub(crate) fn has_plain_references(&self) -> bool {
        let has_tag = self.source.text().contains('!');
        !has_tag && self.occurrences.iter().all(|found| found.image.is_none())
    }

    /// The objects as they are written.
    pub(crate) fn objects_as_written(
        &self,
        builder: &mut Builder,
        errors: &mut Errors,
    ) -> Vec<Object> {
        self.contents(builder, errors).flat_map(|(_, content)| content.objects).collect()
    }

    /// Parses the documents for their objects, one after the other.
    pub(crate) fn contents<'a>(
        &'a self,
        builder: &'a mut Builder,
        errors: &'a mut Errors,
    ) -> impl Iterator<Item = (&'a Document, Content)> {
        let mut lines = Lines::new(self.source.text());
        self.documents.iter().map(move |document| {
            let Document { range, chosen } = document;
            let roots = document::parse(
                &self.source,
                range.clone(),
                None,
                Some(&mut *builder),
                None,
                errors,
            );
            let first_line = lines.before(range.start);
            let mut content = contents::read(&self.source, range.start, first_line, roots, errors);
            if let Some(chosen) = chosen {
                let mut chosen = chosen.iter();
                content.objects.retain(|_| chosen.next().copied().unwrap_or(false));
            }
            (document, content)
        })
    }
}

/// The least text that is worth a thread of its own.
const PART: usize = 1 << 20;

/// Documents that follow one another, in groups of about so many bytes.
fn parts(documents: &[Document], size: usize) -> Vec<&[Document]> {
    let mut parts = Vec::new();
    let mut first = 0;
    for (at, document) in documents.iter().enumerate() {
        if document.range.end - documents[first].range.start >= size {
            parts.push(&documents[first..=at]);
            first = at + 1;
        }
    }
    parts.extend((first < documents.len()).then(|| &documents[first..]));
    parts
}

/// What was found in some documents of a source.
#[derive(Default)]
struct Part {
    occurrences: Vec<Occurrence>,
    notes: Notes,
    has_objects: bool,
    errors: Errors,
}

impl Part {
    fn parse(source: &Arc<Source>, documents: &[Document], rules: &Rules, depth: Parse) -> Self {
        let mut part = Self::default();
        let mut builder = Builder::for_kinds();
        let mut outline = Outline::default();
        let mut shared = Shared::default();
        for Document { range, .. } in documents {
            let builder = match depth {
                Parse::OnlyReferences if !rules.may_apply(&source.text()[range.clone()]) => {
                    continue;
                }
                Parse::OnlyReferences => None,
                Parse::Everything => Some(&mut builder),
            };
            let (errors, range) = (&mut part.errors, range.clone());
            let before = part.occurrences.len();
            let search = Search { rules, found: &mut part.occurrences, shared: &mut shared };
            let outlined = Some(&mut outline);
            let roots =
                document::parse(source, range.clone(), Some(search), builder, outlined, errors);
            if depth == Parse::Everything {
                part.has_objects |= contents::are_any(&roots);
                contents::read(source, range.start, 0, roots, errors);
            }
            part.notes.take(source, range, &outline, &part.occurrences[before..], rules);
            outline.clear();
            if part.occurrences.len() > REFERENCES_LIMIT {
                break;
            }
        }
        part
    }

    /// Takes what was found behind it.
    fn extend(&mut self, behind: Self) {
        let Self { occurrences, notes, has_objects, errors } = behind;
        self.has_objects |= has_objects;
        self.occurrences.extend(occurrences);
        self.notes.extend(notes);
        self.errors.extend(errors);
    }
}

/// Counts the lines of a text from its start on, each once.
struct Lines<'a> {
    text: &'a str,
    counted: usize,
    lines: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, counted: 0, lines: 0 }
    }

    /// How many lines end before an offset, which never is less than the one before.
    fn before(&mut self, offset: usize) -> usize {
        self.lines += line_breaks(&self.text.as_bytes()[self.counted..offset]);
        self.counted = offset;
        self.lines
    }
}
