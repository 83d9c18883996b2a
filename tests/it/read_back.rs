//! What ko-rs writes, read by another library (libyaml's rules): it has to be what was read, with
//! just the references changed.

use std::fs;

use serde::Deserialize as _;
use serde_yaml_ng::{Deserializer, Value};

use crate::support::fixture;

/// The documents of a text up to the first that this library cannot read, and whether there is one.
/// It is told that this is UTF-8, and then takes a byte order mark for text.
fn readable(text: &str) -> (Vec<Value>, bool) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = Vec::new();
    for document in Deserializer::from_str(text) {
        match Value::deserialize(document) {
            Ok(document) => documents.push(document),
            Err(_) => return (documents, false),
        }
    }
    (documents, true)
}

/// The documents of a text; none where this library cannot read all of them.
pub(crate) fn documents(text: &str) -> Option<Vec<Value>> {
    let (documents, are_all) = readable(text);
    are_all.then_some(documents)
}

/// Every string of two values that is not the same in both, in order; none where anything else
/// differs.
pub(crate) fn changes(before: &[Value], after: &[Value]) -> Option<Vec<(String, String)>> {
    let mut changed = Vec::new();
    (before.len() == after.len()).then_some(())?;
    for (before, after) in before.iter().zip(after) {
        compare(before, after, &mut changed)?;
    }
    Some(changed)
}

fn compare(before: &Value, after: &Value, changed: &mut Vec<(String, String)>) -> Option<()> {
    match (before, after) {
        (Value::String(before), Value::String(after)) if before != after => {
            changed.push((before.clone(), after.clone()));
        }
        (Value::Sequence(before), Value::Sequence(after)) if before.len() == after.len() => {
            for (before, after) in before.iter().zip(after) {
                compare(before, after, changed)?;
            }
        }
        (Value::Mapping(before), Value::Mapping(after)) if before.len() == after.len() => {
            for ((key, value), (new_key, new_value)) in before.iter().zip(after) {
                compare(key, new_key, changed)?;
                compare(value, new_value, changed)?;
            }
        }
        (Value::Tagged(before), Value::Tagged(after)) if before.tag == after.tag => {
            compare(&before.value, &after.value, changed)?;
        }
        (before, after) => return (before == after).then_some(()),
    }
    Some(())
}

#[test]
fn of_the_fixtures_only_references_are_others_to_libyaml() {
    let mut skipped = Vec::new();
    let mut found = 0;
    let mut cases: Vec<_> =
        fs::read_dir(fixture("manifests")).unwrap().map(Result::unwrap).collect();
    cases.sort_by_key(fs::DirEntry::file_name);
    for case in cases {
        let name = case.file_name().into_string().unwrap();
        let read = |file| readable(&fs::read_to_string(case.path().join(file)).unwrap());
        let ((before, is_read), (after, _)) = (read("in.yaml"), read("out.yaml"));
        if !is_read {
            skipped.push(format!("{name}, behind {} documents", before.len()));
        }
        // What `-l` leaves out is not changed but gone.
        if name == "selector" {
            continue;
        }
        let Some(changed) = changes(&before, &after) else { panic!("{name} has another shape") };
        for (before, after) in &changed {
            let is_image =
                after.contains("@sha256:<hello>") && after.starts_with("registry.example/");
            assert!(is_image, "{name}: {before:?} became {after:?}");
            // Settings may map images.
            let is_mapped = case.path().join(".ko-rs.yaml").exists();
            let is_reference = before.starts_with("ko://") || before.starts_with("ko-rs://");
            assert!(is_reference || is_mapped, "{name}: {before:?} was changed");
        }
        found += changed.len();
    }
    assert!(found > 60, "only {found} references were found");
    // A template, JSON right behind JSON, equal keys, and what is not parsed as it holds no reference.
    insta::assert_snapshot!(skipped.join("\n"), @"
    image-map, behind 3 documents
    json-stream, behind 1 documents
    skaffold, behind 0 documents
    template-beside-reference, behind 0 documents
    ");
}
