//! Labels and annotations of an object, which have to be text: what else stands there, and where.

use std::ops::Range;

use serde_json::Value;

use crate::manifests::yaml::scalar;

/// Of how many labels and annotations of an object it is known where they are written.
pub(crate) const TEXTS_LIMIT: usize = 10_000;

/// How many labels that are no texts are told of an object: each is looked for among all.
const WRONG_LIMIT: usize = 100;

/// A value that an object cannot have there.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) span: Range<usize>,
    pub(crate) reason: String,
}

/// Where a label or annotation is written.
pub(crate) struct Text {
    pub(crate) field: &'static str,
    /// None for what holds them all.
    pub(crate) key: Option<String>,
    pub(crate) span: Range<usize>,
}

/// The keys of `metadata` under which all values are texts, and what they are called.
pub(crate) const FIELDS: [(&str, &str); 2] = [("labels", "label"), ("annotations", "annotation")];

/// The labels and annotations of an object that are no texts, each as near as can be to where it is
/// written. Uses up `texts`.
pub(crate) fn wrong(value: &Value, object: &Range<usize>, texts: &mut Vec<Text>) -> Vec<Wrong> {
    let texts = std::mem::take(texts);
    let mut found = Vec::new();
    for (field, one) in FIELDS {
        let at = |wanted: Option<&str>| {
            let is_it = |text: &&Text| text.field == field && text.key.as_deref() == wanted;
            texts.iter().rfind(is_it).map(|text| text.span.clone())
        };
        let whole = || at(None).unwrap_or_else(|| object.clone());
        match value.get("metadata").and_then(|metadata| metadata.get(field)) {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) => {
                // The API server takes nothing for an empty text.
                let is_text = |value: &Value| value.is_string() || value.is_null();
                let wrong = map.iter().filter(|(_, value)| !is_text(value));
                for (key, value) in wrong.take(WRONG_LIMIT) {
                    let span = at(Some(key)).unwrap_or_else(whole);
                    let reason = format!(
                        "the {one} `{key}` must be a string, but is {}: quote it",
                        scalar::kind(value)
                    );
                    found.push(Wrong { span, reason });
                }
            }
            Some(other) => {
                let reason =
                    format!("`metadata.{field}` must be a mapping, but is {}", scalar::kind(other));
                found.push(Wrong { span: whole(), reason });
            }
        }
    }
    found
}
