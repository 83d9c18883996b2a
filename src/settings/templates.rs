//! Templates in the settings file. Each is rendered with sample values when the file is read, so that
//! mistakes are reported with their place before anything is built.

use super::builds::Reader;
use super::codes;
use super::file::{self, File};
use super::rules::Volatile;
use super::table::{Key, Keys as _, takes_templates};
use super::tree::{Node, Value};
use crate::oci::Digest;
use crate::publish::KeepTag;
use crate::template::{self, Values};

/// The setting whose template also knows the image's digest.
const KEEP_TAG: Key = Key::KeepTag;

impl Reader<'_> {
    /// Holds every template against what it may name.
    pub(super) fn check_templates(&mut self, values: &Values) {
        for Template { key, node, .. } in templates(self.file) {
            let Some(text) = file::text(node) else { continue };
            let with_digest = (key == KEEP_TAG.name())
                .then(|| values.with(KeepTag::DIGEST, Digest::of(b"").hex()));
            let values = with_digest.as_ref().unwrap_or(values);
            if let Err(error) = template::render(&text, values) {
                let part = text.get(error.range()).unwrap_or_default();
                let span = self.file.span_in(node, part);
                let message = format!("the template in `{key}` cannot be rendered");
                let hint = error.hint();
                let code = &codes::INVALID_TEMPLATE;
                self.errors.push(self.file.error(code, span, &message, &error.to_string(), hint));
            }
        }
    }
}

/// The templates of a file whose value changes with every commit or every run.
pub(super) fn volatile(file: &File) -> Vec<Volatile> {
    // The tag that keeps an image is no part of it.
    let images = templates(file).into_iter().filter(|template| template.key != KEEP_TAG.name());
    let found = images.flat_map(|Template { build, key, node }| {
        let text = file::text(node).unwrap_or_default();
        template::volatile(&text).into_iter().map(move |name| {
            let spot = file.spot(file.span_in(node, &name), "changes with every commit");
            Volatile { build, key: key.clone(), name, spot }
        })
    });
    found.collect()
}

/// A value with a template in it.
struct Template<'a> {
    /// Which of `builds` it is in.
    build: Option<usize>,
    key: String,
    node: &'a Node,
}

/// The values under keys that take templates.
fn templates(file: &File) -> Vec<Template<'_>> {
    let mut found = Vec::new();
    for (key, node) in &file.values {
        match &node.value {
            Value::List(builds) if *key == Key::Builds => {
                let builds = builds.iter().enumerate();
                builds.for_each(|(at, build)| walk(Some(at), key.name(), build, &mut found));
            }
            _ => walk(None, key.name(), node, &mut found),
        }
    }
    found.sort_by_key(|template| template.node.span.start);
    found
}

fn walk<'a>(build: Option<usize>, key: &str, node: &'a Node, found: &mut Vec<Template<'a>>) {
    match &node.value {
        Value::Null => {}
        Value::Scalar(text) => {
            if takes_templates(key) && template::is_template(text) {
                found.push(Template { build, key: key.to_owned(), node });
            }
        }
        Value::List(items) => items.iter().for_each(|item| walk(build, key, item, found)),
        Value::Map(pairs) => {
            for (name, value) in pairs {
                // A label's own name may be that of a setting.
                let inner = file::text(name).filter(|_| !takes_templates(key));
                walk(build, inner.as_deref().unwrap_or(key), value, found);
            }
        }
    }
}
