//! Templates in the settings file: each is tried with values of the right kinds when the file is
//! read, so that a mistake is said with its place before anything is built.

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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::source::Source;

    fn parse(text: &str) -> Result<File, super::super::Error> {
        file::parse(Source::new(file::NAME, text), PathBuf::new())
    }

    #[test]
    fn a_mistake_in_a_template_is_shown_where_it_stands() {
        let text = "builds:\n  - package: a\n    rustflags: [\"--cfg={{ Git.ShortCommi }}\"]\n    image:\n      labels:\n        x: \"{{ Git }}\"\n";
        let error = parse(text).err().unwrap();
        insta::assert_snapshot!(error.summary(), @"
        invalid-template: the template in `rustflags` cannot be rendered
          3:27 `Git.ShortCommi`: `Git` has no `ShortCommi`
          hint: did you mean `ShortCommit`?
        invalid-template: the template in `labels` cannot be rendered
          6:16 `Git`: a text belongs here, and this is a map
        ");
    }

    #[test]
    fn only_keys_that_take_templates_are_looked_at_and_what_changes_is_found() {
        let text = "defaultEnv: \"A={{ Date }}\"\nbuilds:\n  - package: b\n  - package: a\n    image:\n      labels: {user: \"{{ Git.FullCommit }}{{ Git.PathFullCommit }}\"}\n      user: \"{{ 1 }}\"\n    flags: \"--a --b={{ Date }}\"\n";
        let file = parse(text).unwrap();
        let found: Vec<_> = volatile(&file).into_iter().map(|v| (v.build, v.key, v.name)).collect();
        let one = |build, key: &str, name: &str| (build, key.to_owned(), name.to_owned());
        assert_eq!(
            found,
            [
                one(None, "defaultEnv", "Date"),
                one(Some(1), "labels", "Git.FullCommit"),
                one(Some(1), "flags", "Date")
            ]
        );
        let build = &file.values[&Key::Builds];
        let Value::List(items) = &build.value else { panic!("{build:?}") };
        let Value::Map(pairs) = &items[1].value else { panic!("{items:?}") };
        let flags = pairs.iter().find(|(key, _)| file::text(key).as_deref() == Some("flags"));
        assert_eq!(file::texts(&flags.unwrap().1), ["--a", "--b={{ Date }}"]);
    }
}
