//! Merge keys, with go-yaml's rules.

use serde_json::{Map, Value};

/// Whether a key `<<` is one that merges.
pub(crate) fn is_merge(plain: bool, tag: Option<&str>) -> bool {
    match tag {
        None | Some("!") => plain || tag.is_some(),
        Some(tag) => tag == "tag:yaml.org,2002:merge",
    }
}

/// Merges what stands behind `<<`: a mapping, or mappings of which the first wins.
pub(crate) fn merge(map: &mut Map<String, Value>, value: Value) -> Result<(), String> {
    let wrong =
        || "`<<` merges a mapping or a sequence of mappings, and this is neither".to_owned();
    match value {
        Value::Object(other) => map.extend(other),
        Value::Array(others) => {
            for other in others.into_iter().rev() {
                let Value::Object(other) = other else { return Err(wrong()) };
                map.extend(other);
            }
        }
        _ => return Err(wrong()),
    }
    Ok(())
}
