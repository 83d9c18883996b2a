//! What is printed as JSON, held against its schema by a validator of others.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Asserts that a text is one JSON document of a kind, and returns it.
#[track_caller]
pub(crate) fn document(kind: &str, text: &str) -> Value {
    let document: Value = serde_json::from_str(text).unwrap();
    assert_eq!(document["kind"], kind, "{text}");
    let words = kind.char_indices().map(|(at, c)| match c.is_uppercase() && at > 0 {
        true => format!("-{}", c.to_lowercase()),
        false => c.to_lowercase().to_string(),
    });
    validate(&words.collect::<String>(), &document);
    document
}

/// Asserts that every line is an event in JSON, and returns them.
#[track_caller]
pub(crate) fn events(text: &str) -> Vec<Value> {
    let event = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        validate("event", &event);
        event
    };
    text.lines().map(event).collect()
}

#[track_caller]
fn validate(name: &str, value: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schema/{name}.json"));
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(value).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}: {value:#}");
}
