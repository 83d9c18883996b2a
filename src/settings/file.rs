//! `.ko-rs.yaml` as values with places: keys are known, and values are of the right kind.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::codes;
use super::error::Error;
use super::table::{Key, Keys, Kind};
use super::tree::{self, Node, Value};
use crate::reference::did_you_mean;
use crate::report::Code;
use crate::source::{Source, Spot};

/// A settings file: its values by key, each with its place.
#[derive(Clone, Debug)]
pub(super) struct File {
    source: Source,
    pub(super) folder: PathBuf,
    pub(super) values: Entry<Key>,
}

/// The values of a mapping: of the whole file, a build, an image or a file rule.
pub(super) type Entry<K> = BTreeMap<K, Node>;

impl File {
    /// Parses the mapping of the whole file, and collects what is wrong with its keys and values.
    pub(super) fn parse(
        source: Source,
        folder: PathBuf,
        errors: &mut Vec<Error>,
    ) -> Result<Self, Error> {
        let mut file = Self { source, folder, values: BTreeMap::new() };
        let is_blank = |line: &str| line.trim().is_empty() || line.trim().starts_with('#');
        if file.source.text().lines().all(is_blank) {
            return Ok(file);
        }
        let root = tree::parse(&file.source).map_err(|broken| {
            let code = &codes::SETTINGS_NOT_YAML;
            let message = "the settings are not valid YAML";
            file.error(code, broken.span, message, &broken.reason, None)
        })?;
        file.values = file.entry(&root, "settings", errors);
        Ok(file)
    }

    /// An error at a place of the file.
    pub(super) fn error(
        &self,
        code: &'static Code,
        span: std::ops::Range<usize>,
        message: &str,
        label: &str,
        hint: Option<String>,
    ) -> Error {
        let spot = Box::new(self.source.spot(span, label));
        Error::File { code, message: message.to_owned(), spot, hint }
    }

    /// The path of the file.
    pub(super) fn path(&self) -> PathBuf {
        let name = std::path::Path::new(self.source.name());
        self.folder.join(name.file_name().unwrap_or(name.as_os_str()))
    }

    fn invalid(&self, node: &Node, message: &str, label: &str) -> Error {
        self.error(&codes::INVALID_SETTING, node.span.clone(), message, label, None)
    }

    /// A place of the file with its line.
    pub(super) fn spot(&self, span: std::ops::Range<usize>, label: &str) -> Spot {
        self.source.spot(span, label)
    }

    /// The span of a part of a value, or of the whole value if the part is escaped.
    pub(super) fn span_in(&self, node: &Node, part: &str) -> std::ops::Range<usize> {
        let written = self.source.text().get(node.span.clone()).unwrap_or_default();
        match written.find(part.trim()).filter(|_| !part.trim().is_empty()) {
            Some(at) => node.span.start + at..node.span.start + at + part.trim().len(),
            None => node.span.clone(),
        }
    }

    /// The span of an item of a list.
    pub(super) fn span_of(&self, node: &Node, wanted: &str) -> std::ops::Range<usize> {
        match &node.value {
            Value::List(items) => {
                let item = items.iter().find(|item| scalar(item) == Some(wanted));
                item.map_or_else(|| node.span.clone(), |item| item.span.clone())
            }
            Value::Null | Value::Scalar(_) | Value::Map(_) => self.span_in(node, wanted),
        }
    }

    /// Checks a mapping for unknown keys and values of the wrong kind, and returns the others.
    pub(super) fn entry<K: Keys>(
        &self,
        node: &Node,
        what: &str,
        errors: &mut Vec<Error>,
    ) -> Entry<K> {
        let mut entry = Entry::new();
        let Value::Map(pairs) = &node.value else {
            if node.value != Value::Null {
                let label = format!("found {}", node.kind());
                let message = format!("{what} must be a mapping of keys to values");
                errors.push(self.invalid(node, &message, &label));
            }
            return entry;
        };
        for (key, value) in pairs {
            let Value::Scalar(name) = &key.value else {
                errors.push(self.invalid(key, "a key must be a string", key.kind()));
                continue;
            };
            let found = K::all().find(|(_, known, ..)| known == name);
            let Some((known, _, kind, _)) = found else {
                let message = format!("unknown key `{name}` in {what}");
                let hint =
                    did_you_mean(name, K::all().map(|(_, name, ..)| name)).unwrap_or_else(|| {
                        let names: Vec<&str> = K::all().map(|(_, name, ..)| name).collect();
                        format!("the keys are {}", names.join(", "))
                    });
                let (code, span) = (&codes::UNKNOWN_SETTING, key.span.clone());
                errors.push(self.error(code, span, &message, "unknown key", Some(hint)));
                continue;
            };
            for Mismatch { node, part, expected } in mismatches(kind, value) {
                let message = match part {
                    Some(part) => format!("`{part}` in `{name}` must be {expected}"),
                    None => format!("`{name}` must be {expected}"),
                };
                let label = format!("found {}", node_label(node));
                errors.push(self.invalid(node, &message, &label));
            }
            entry.insert(known, value.clone());
        }
        entry
    }

    /// A list of mappings, each with its node.
    pub(super) fn entries<'a, K: Keys>(
        &self,
        node: &'a Node,
        what: &str,
        errors: &mut Vec<Error>,
    ) -> Vec<(&'a Node, Entry<K>)> {
        match &node.value {
            Value::List(items) => {
                items.iter().map(|item| (item, self.entry(item, what, errors))).collect()
            }
            Value::Null => Vec::new(),
            Value::Scalar(_) | Value::Map(_) => {
                let label = format!("found {}", node.kind());
                errors.push(self.invalid(node, &format!("{what} must be in a list"), &label));
                Vec::new()
            }
        }
    }
}

fn node_label(node: &Node) -> String {
    match &node.value {
        Value::Scalar(text) => format!("`{}`", text.chars().take(40).collect::<String>()),
        Value::Null | Value::List(_) | Value::Map(_) => node.kind().to_owned(),
    }
}

/// A value of the wrong kind.
struct Mismatch<'a> {
    node: &'a Node,
    /// Its key, if it is a value of a mapping.
    part: Option<&'a str>,
    expected: &'static str,
}

/// The parts of a value that are of the wrong kind.
fn mismatches<'a>(kind: Kind, node: &'a Node) -> Vec<Mismatch<'a>> {
    let whole = |expected| vec![Mismatch { node, part: None, expected }];
    let is_scalar = |node: &Node| matches!(node.value, Value::Scalar(_));
    match (kind, &node.value) {
        (_, Value::Null) | (Kind::Nested, _) => Vec::new(),
        (Kind::Text | Kind::List | Kind::Texts, Value::Scalar(_)) => Vec::new(),
        (Kind::Switch, Value::Scalar(text)) if matches!(text.as_str(), "true" | "false") => {
            Vec::new()
        }
        (Kind::Number, Value::Scalar(text)) if text.parse::<i64>().is_ok() => Vec::new(),
        (Kind::List | Kind::Texts, Value::List(items)) => {
            let wrong = items.iter().filter(|item| !is_scalar(item));
            wrong.map(|node| Mismatch { node, part: None, expected: "a list of strings" }).collect()
        }
        (Kind::Map, Value::Map(pairs)) => {
            let in_pair = |(key, value): &'a (Node, Node)| match (scalar(key), is_scalar(value)) {
                (None, _) => Some((key, None, "a mapping of strings to strings")),
                (part, false) => Some((value, part, "a string")),
                (Some(_), true) => None,
            };
            let wrong = pairs.iter().filter_map(in_pair);
            wrong.map(|(node, part, expected)| Mismatch { node, part, expected }).collect()
        }
        (Kind::Switch, _) => whole("`true` or `false`"),
        (Kind::Number, _) => whole("a whole number"),
        (Kind::Text, _) => whole("a string"),
        (Kind::List | Kind::Texts, Value::Map(_)) => whole("a list of strings"),
        (Kind::Map, _) => whole("a mapping of strings to strings"),
    }
}

/// The text of a scalar.
pub(super) fn text(node: &Node) -> Option<String> {
    scalar(node).map(str::to_owned)
}

fn scalar(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar(text) => Some(text),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// The strings of a list; a single string is split into words, as in ko.
pub(super) fn texts(node: &Node) -> Vec<String> {
    match &node.value {
        Value::Scalar(text) => words(text),
        Value::List(items) => items.iter().filter_map(text).collect(),
        Value::Null | Value::Map(_) => Vec::new(),
    }
}

/// The words of a string; `{{ }}` is never split.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut depth = 0;
    for word in text.split_whitespace() {
        match words.last_mut().filter(|_| depth > 0) {
            Some(last) => last.extend([" ", word]),
            None => words.push(word.to_owned()),
        }
        let count = |braces| isize::try_from(word.matches(braces).count()).unwrap_or(0);
        depth += count("{{") - count("}}");
    }
    words
}

/// The pairs of a mapping.
pub(super) fn pairs(node: &Node) -> BTreeMap<String, String> {
    match &node.value {
        Value::Map(pairs) => {
            pairs.iter().filter_map(|(key, value)| Some((text(key)?, text(value)?))).collect()
        }
        Value::Null | Value::Scalar(_) | Value::List(_) => BTreeMap::new(),
    }
}
