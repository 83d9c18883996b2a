//! Putting images in the places of references.

pub(crate) mod join;
pub(crate) mod text;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use crate::manifests::references::file::{Document, File};
use crate::manifests::yaml::quote::{self, Style};
use crate::manifests::yaml::value::Builder;
use crate::manifests::{Error, Errors, Manifests, Object, Occurrence, Rendered, Rules, Text};
use crate::reference::CrateReference;
use crate::source::Source;

impl Manifests {
    /// What is wrong, and an error for every reference that has no image.
    pub(crate) fn without_image(&self, images: &BTreeMap<CrateReference, String>) -> Errors {
        let mut errors = self.errors.clone();
        for occurrence in self.references() {
            if !images.contains_key(&occurrence.reference) {
                errors.push(Error::NoImage {
                    location: occurrence.location.clone(),
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
    pub(crate) fn objects(
        self,
        written: Vec<Object>,
        builder: &mut Builder,
        errors: &mut Errors,
    ) -> Vec<Object> {
        let source = Arc::new(Source::new(self.name, self.text.to_string()));
        let file = File::unread(source);
        let mut objects = file.objects_as_written(builder, errors);
        for (object, written) in objects.iter_mut().zip(written) {
            object.place = written.place;
        }
        objects
    }
}

/// A span of a source and what stands there instead.
struct Edit {
    span: Range<usize>,
    new: New,
}

enum New {
    Image(Arc<str>),
    /// A block scalar's `-`.
    Strip,
    /// The seam of two JSON objects.
    Seam,
    Nothing,
}

impl File {
    pub(crate) fn render(&self, images: &BTreeMap<CrateReference, String>) -> Rendered {
        let mut edits = self.edits(images).into_iter().peekable();
        let (source, mut text) = (&self.source, Text::default());
        for run in self.runs() {
            let mut copied = run.start;
            if !text.is_empty() {
                let next = join::without_mark(&source.text()[run.clone()]);
                copied = run.end - next.len();
                join::separate(&mut text, std::iter::once(next));
            }
            while let Some(edit) = edits.next_if(|edit| edit.span.start < run.end) {
                text.keep(source, copied..edit.span.start);
                match edit.new {
                    New::Image(image) => text.put(image),
                    New::Strip => text.mark("-"),
                    New::Seam => text.seam(),
                    New::Nothing => {}
                }
                copied = edit.span.end;
            }
            text.keep(source, copied..run.end);
        }
        Rendered { name: source.name().to_owned(), text }
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

    /// Where a JSON object follows what may be another one, without a marker.
    fn seams(&self) -> impl Iterator<Item = usize> {
        let behind = self.documents.iter().skip(1).map(|document| document.range.clone());
        let source = self.source.text();
        behind.filter(|range| source[range.clone()].trim_start().starts_with('{')).map(|r| r.start)
    }

    /// References and cuts in the order of the source.
    fn edits(&self, images: &BTreeMap<CrateReference, String>) -> Vec<Edit> {
        let mut edits = Vec::with_capacity(self.occurrences.len() + self.cuts.len());
        let mut written: BTreeMap<(&CrateReference, Style), Arc<str>> = BTreeMap::new();
        for Occurrence { reference, location, style, strip, .. } in &self.occurrences {
            let Some(image) = images.get(reference) else { continue };
            edits.extend(strip.as_deref().map(|span| Edit { span: span.clone(), new: New::Strip }));
            let image = written
                .entry((reference, *style))
                .or_insert_with(|| quote::write(image, *style).into());
            edits.push(Edit { span: location.span(), new: New::Image(Arc::clone(image)) });
        }
        let cut = |span: &Range<usize>| Edit { span: span.clone(), new: New::Nothing };
        edits.extend(self.cuts.iter().map(cut));
        edits.extend(self.seams().map(|at| Edit { span: at..at, new: New::Seam }));
        edits.sort_by_key(|edit| edit.span.start);
        edits
    }
}

/// Replaces every string of a value, keys included, that is a reference.
pub(crate) fn replace(value: &mut Value, rules: &Rules, images: &BTreeMap<CrateReference, String>) {
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
