//! Putting images in the places of references.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::document::Document;
use super::value::Builder;
use super::{Error, Errors, File, ImageMap, Manifests, Object, Rendered, Rules};
use super::{join, quote};
use crate::reference::CrateReference;
use crate::source::Source;

impl Manifests {
    /// An error for every reference that has no image.
    pub(super) fn without_image(&self, images: &BTreeMap<CrateReference, String>) -> Errors {
        let mut errors = Errors::none();
        for occurrence in self.references() {
            if !images.contains_key(&occurrence.reference) {
                errors.push(Error::NoImage {
                    spot: occurrence.spot.clone(),
                    reference: occurrence.reference.clone(),
                });
            }
        }
        errors
    }
}

impl Rendered {
    /// The objects of a source whose images have been put in. Their places are those of the objects
    /// as they were `written`.
    pub(super) fn objects(
        self,
        written: Vec<Object>,
        builder: &mut Builder,
        errors: &mut Errors,
    ) -> Vec<Object> {
        let source = Arc::new(Source::new(self.name, self.text));
        let file = File::unread(source);
        // What is an image now is looked for no more.
        let nothing =
            Rules { prefixes: Vec::new(), images: ImageMap::default(), ignore_tags: false };
        let mut objects = file.objects_as_written(&nothing, builder, errors);
        for (object, written) in objects.iter_mut().zip(written) {
            object.place = written.place;
        }
        objects
    }
}

/// A span of a source and what stands there instead.
struct Edit<'a> {
    span: Range<usize>,
    text: Cow<'a, str>,
}

impl File {
    pub(super) fn render(&self, images: &BTreeMap<CrateReference, String>) -> Rendered {
        let edits = self.edits(images);
        let source = self.source.text();
        let added: usize = edits.iter().map(|edit| edit.text.len()).sum();
        let mut text = String::with_capacity(source.len() + added);
        let mut edits = edits.iter().peekable();
        for run in self.runs() {
            let mut copied = run.start;
            if !text.is_empty() {
                let next = join::without_mark(&source[run.clone()]);
                copied = run.end - next.len();
                join::separate(&mut text, next);
            }
            while let Some(edit) = edits.next_if(|edit| edit.span.start < run.end) {
                text.push_str(&source[copied..edit.span.start]);
                text.push_str(&edit.text);
                copied = edit.span.end;
            }
            text.push_str(&source[copied..run.end]);
        }
        Rendered { name: self.source.name().to_owned(), text }
    }

    /// What stands together in the source, documents that are left out apart.
    fn runs(&self) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for Document { range, .. } in &self.documents {
            match runs.last_mut() {
                Some(run) if run.end == range.start => run.end = range.end,
                _ => runs.push(range.clone()),
            }
        }
        runs
    }

    /// References and cuts in the order of the source.
    fn edits<'a>(&self, images: &'a BTreeMap<CrateReference, String>) -> Vec<Edit<'a>> {
        let mut edits = Vec::with_capacity(self.occurrences.len() + self.cuts.len());
        for occurrence in &self.occurrences {
            let Some(image) = images.get(&occurrence.reference) else { continue };
            let strip = occurrence.strip.clone();
            edits.extend(strip.map(|span| Edit { span: *span, text: Cow::Borrowed("-") }));
            let text = quote::write(image, occurrence.style);
            edits.push(Edit { span: occurrence.spot.span(), text });
        }
        let cut = |span: &Range<usize>| Edit { span: span.clone(), text: Cow::Borrowed("") };
        edits.extend(self.cuts.iter().map(cut));
        edits.sort_by_key(|edit| edit.span.start);
        edits
    }
}

/// Replaces every string of a value, keys included, that is a reference.
pub(super) fn replace(value: &mut Value, rules: &Rules, images: &BTreeMap<CrateReference, String>) {
    let image = |text: &str| -> Option<&String> { images.get(&rules.reference(text)?.ok()?) };
    match value {
        Value::String(text) => {
            if let Some(image) = image(text) {
                text.clone_from(image);
            }
        }
        Value::Array(values) => {
            for value in values {
                replace(value, rules, images);
            }
        }
        Value::Object(map) => {
            if map.keys().any(|key| image(key).is_some()) {
                *map = std::mem::take(map)
                    .into_iter()
                    .map(|(key, value)| (image(&key).cloned().unwrap_or(key), value))
                    .collect();
            }
            for value in map.values_mut() {
                replace(value, rules, images);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
