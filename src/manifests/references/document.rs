//! Parsing one document of a stream: the references in it, and the values that it holds.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle, Tag};

use crate::manifests::image_map::Mapped;
use crate::manifests::references::rules::Meaning;
use crate::manifests::yaml::block;
use crate::manifests::yaml::outline::Outline;
use crate::manifests::yaml::quote::Style;
use crate::manifests::yaml::syntax;
use crate::manifests::yaml::value::{Builder, Mark, Root, Scalar};
use crate::manifests::{Error, Errors, Location, Occurrence, Rules};
use crate::reference::{CrateReference, InvalidReference};
use crate::source::Source;

/// How many anchors a document may have: the parser keeps the name of each.
const ANCHORS_LIMIT: usize = 100_000;

/// References by how they are written, so that what stands in a source thousands of times is kept
/// once.
#[derive(Default)]
pub(crate) struct Shared(HashMap<String, CrateReference>);

impl Shared {
    /// The most that are kept: there are fewer crates than that.
    const LIMIT: usize = 10_000;

    fn share(&mut self, written: &str, reference: &mut CrateReference) {
        if let Some(known) = self.0.get(written) {
            reference.clone_from(known);
        } else if self.0.len() < Self::LIMIT {
            self.0.insert(written.to_owned(), reference.clone());
        }
    }
}

/// What is looked for in documents, and where it goes.
pub(crate) struct Search<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) found: &'a mut Vec<Occurrence>,
    pub(crate) shared: &'a mut Shared,
}

/// Parses the part of a source that holds one document. Does the `search` for references, if there is
/// one; hands its scalars and collections to `outline` and to `builder`, where there are any, and
/// returns what became of them.
pub(crate) fn parse<'a>(
    source: &'a Arc<Source>,
    range: Range<usize>,
    mut search: Option<Search<'_>>,
    mut builder: Option<&mut Builder>,
    mut outline: Option<&mut Outline<'a>>,
    errors: &mut Errors,
) -> Vec<Root> {
    let text = &source.text()[range.clone()];
    let offset = range.start;
    let mut before = 0;
    let mut images = search.as_ref().and_then(|search| search.rules.images.finder());
    if let Some(builder) = &mut builder {
        builder.start(text);
    }
    if let Some(outline) = &mut outline {
        outline.start(text);
    }
    let mut anchors = 0;
    for event in Parser::new_from_str_with_options(text, syntax::options()) {
        let (event, span) = match event {
            Ok(parsed) => parsed,
            Err(error) => {
                errors.push(syntax::error(source, offset, &error));
                if let Some(outline) = outline {
                    outline.clear();
                }
                return Vec::new();
            }
        };
        let at = bytes(&span);
        if let Some(Search { rules, found, shared }) = &mut search {
            let ignores_tags = rules.ignore_tags;
            let place = Place { source, offset, span: at.clone(), before, ignores_tags };
            let occurrence = match &event {
                Event::Scalar(value, style, anchor, _) => {
                    before = at.end;
                    let image = images.as_mut().and_then(|images| images.scalar(value, *anchor));
                    rules.meaning(value, image).map(|mut meant| {
                        if let Ok(Meaning { reference, image: None }) = &mut meant {
                            shared.share(value, reference);
                        }
                        place.scalar(value, *style, meant)
                    })
                }
                other => {
                    let image = images.as_mut().and_then(|images| images.other(other));
                    image.map(|image| place.alias(image))
                }
            };
            match occurrence {
                Some(Ok(occurrence)) => found.push(occurrence),
                Some(Err(error)) => errors.push(error),
                None => {}
            }
        }
        if let Some(outline) = &mut outline {
            outline.add(&event, at.clone());
        }
        if let Event::Anchor(..) = event {
            anchors += 1;
            if anchors > ANCHORS_LIMIT {
                let reason = format!("this document has more than {ANCHORS_LIMIT} anchors");
                let location = Location::new(source, offset + at.start..offset + at.end);
                errors.push(Error::Value { location, reason });
                return Vec::new();
            }
        }
        if let Some(builder) = &mut builder
            && let Err((at, reason)) = feed(builder, event, &span, text)
        {
            let location = Location::new(source, offset + at.start..offset + at.end);
            errors.push(Error::Value { location, reason });
            return Vec::new();
        }
    }
    builder.map(Builder::finish).unwrap_or_default()
}

/// Whether a text is YAML.
pub(crate) fn parses(text: &str) -> bool {
    Parser::new_from_str_with_options(text, syntax::options()).all(|event| event.is_ok())
}

/// Where a node stands.
struct Place<'a> {
    source: &'a Arc<Source>,
    offset: usize,
    span: Range<usize>,
    /// Where the scalar before it ends.
    before: usize,
    ignores_tags: bool,
}

impl Place<'_> {
    /// The reference that a scalar is.
    fn scalar(
        self,
        value: &str,
        style: ScalarStyle,
        meant: Result<Meaning, InvalidReference>,
    ) -> Result<Occurrence, Error> {
        let Self { source, offset, span, before, ignores_tags } = self;
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            _ => Style::Block,
        };
        // The span of a block scalar runs on to the next token, over comments too.
        let length = match style {
            Style::Block => value.trim_end_matches('\n').len(),
            Style::Plain | Style::Single | Style::Double => span.len(),
        };
        let (start, before) = (offset + span.start, offset + before);
        let location = Location::new(source, start..start + length);
        let (reference, image) = match meant {
            Ok(Meaning { reference, image }) => (reference, image),
            Err(reason) => return Err(Error::Reference { location, reason, ignores_tags }),
        };
        // Bytes are replaced only where they are seen to be what is replaced.
        let text = source.text();
        let found = text.get(location.span()).is_some_and(|written| match style {
            Style::Plain => value.starts_with(written),
            Style::Single => is_quoted(written, '\''),
            Style::Double => is_quoted(written, '"'),
            Style::Block => written == value.trim_end_matches('\n'),
        });
        let strip = match style {
            Style::Block if found => block::strip(&text[..start], before),
            Style::Plain | Style::Single | Style::Double if found => Some(None),
            _ => None,
        };
        match strip {
            Some(strip) => {
                let (strip, image) = (strip.map(Box::new), image.map(String::into_boxed_str));
                Ok(Occurrence { reference, location, style, strip, image })
            }
            None => Err(unusual(location)),
        }
    }

    /// The reference that an alias is, because of the image that its anchor names.
    fn alias(self, image: Mapped) -> Result<Occurrence, Error> {
        let Self { source, offset, span, .. } = self;
        let location = Location::new(source, offset + span.start..offset + span.end);
        let Mapped { reference, image } = image;
        match source.text().get(location.span()) {
            Some(written) if written.starts_with('*') => Ok(Occurrence {
                reference,
                location,
                style: Style::Plain,
                strip: None,
                image: Some(image.into_boxed_str()),
            }),
            _ => Err(unusual(location)),
        }
    }
}

fn unusual(location: Location) -> Error {
    let reason = "this reference cannot be replaced because of how it is written".to_owned();
    Error::Value { location, reason }
}

fn is_quoted(written: &str, quote: char) -> bool {
    written.len() > 1 && written.starts_with(quote) && written.ends_with(quote)
}

fn bytes(span: &Span) -> Range<usize> {
    // The parser knows the bytes of every span of a text that it was given whole.
    span.byte_range().unwrap_or(0..0)
}

/// Hands one event to the builder.
fn feed(
    builder: &mut Builder,
    event: Event<'_>,
    span: &Span,
    document: &str,
) -> Result<(), (Range<usize>, String)> {
    let mark = Mark {
        span: bytes(span),
        line: span.start.line(),
        column: span.start.col() + 1,
        tag_start: span.tag_start().and_then(|tag| tag.byte_offset()),
    };
    let at = mark.span.clone();
    match event {
        Event::Scalar(text, style, anchor, tag) => {
            let tag = tag.as_deref().map(full_tag);
            let plain = style == ScalarStyle::Plain;
            let behind = document.as_bytes().get(mark.span.end..).unwrap_or_default();
            let is_glued = matches!(behind, [b':', b',' | b']' | b'}', ..]);
            builder.scalar(Scalar { text, plain, is_glued, tag, anchor }, mark)
        }
        Event::SequenceStart(style, anchor, _) => {
            builder.sequence(anchor, style == StructureStyle::Flow, mark)
        }
        Event::MappingStart(style, anchor, _) => {
            builder.mapping(anchor, style == StructureStyle::Flow, mark)
        }
        Event::SequenceEnd | Event::MappingEnd => builder.end(&mark),
        Event::Alias(anchor) => builder.alias(anchor, mark),
        Event::Anchor(..) => {
            builder.anchor(mark.span.start);
            Ok(())
        }
        _ => Ok(()),
    }
    .map_err(|reason| (at, reason))
}

fn full_tag(tag: &Tag) -> Cow<'static, str> {
    Cow::Owned(format!("{}{}", tag.handle(), tag.suffix()))
}
