//! From the value of a document to the objects in it.

use std::sync::Arc;

use serde_json::Value;

use crate::manifests::yaml::scalar;
use crate::manifests::yaml::string_fields::Wrong;
use crate::manifests::yaml::value::{Items, Root};
use crate::manifests::{Error, Errors, Location, Object};
use crate::source::Source;

/// The objects of a document.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) objects: Vec<Object>,
    /// Where each of them stands, where they are the items of a List.
    pub(crate) items: Option<Items>,
}

/// The objects of a document that starts at `offset`, behind `lines` lines. A document without any
/// value has none.
pub(crate) fn read(
    source: &Arc<Source>,
    offset: usize,
    lines: usize,
    roots: Vec<Root>,
    errors: &mut Errors,
) -> Content {
    let mut content = Content::default();
    for root in roots {
        let place = |line: usize, column| format!("{}:{}:{column}", source.name(), lines + line);
        let location = |at: usize| Location::new(source, offset + at..offset + at + 1);
        if root.value.is_null() {
            continue;
        }
        if let Some(reason) = lack(&root.value) {
            errors.push(Error::NotAnObject { location: location(root.span.start), reason });
            continue;
        }
        let wrong = |Wrong { span, reason }| {
            let location = Location::new(source, offset + span.start..offset + span.end);
            Error::Value { location, reason }
        };
        let whole = Object { value: root.value, place: place(root.line, root.column) };
        if !is_list(&whole) {
            root.wrong.into_iter().map(wrong).for_each(|error| errors.push(error));
            content.objects.push(whole);
            continue;
        }
        let marks = root.items.as_ref().map(|items| items.each.as_slice()).unwrap_or_default();
        match items(whole) {
            Err(reason) => {
                errors.push(Error::NotAnObject { location: location(root.span.start), reason })
            }
            Ok((values, list)) => {
                for (index, value) in values.into_iter().enumerate() {
                    let mark = marks.get(index);
                    let at = mark.map_or(root.span.start, |mark| mark.span.start);
                    match lack(&value) {
                        Some(reason) => {
                            errors.push(Error::NotAnObject { location: location(at), reason })
                        }
                        None => content.objects.push(Object {
                            value,
                            place: mark
                                .map_or_else(|| list.clone(), |mark| place(mark.line, mark.column)),
                        }),
                    }
                }
                let mut items = root.items;
                let wrongs = items.as_mut().map(|items| std::mem::take(&mut items.wrong));
                let wrongs = wrongs.into_iter().flatten();
                wrongs.map(wrong).for_each(|error| errors.push(error));
                content.items = items;
            }
        }
    }
    content
}

/// Whether any of these says of itself what object it is.
pub(crate) fn are_any(roots: &[Root]) -> bool {
    roots.iter().any(|root| lack(&root.value).is_none())
}

/// What keeps a value from being an object.
fn lack(value: &Value) -> Option<String> {
    let Value::Object(map) = value else {
        return Some(format!("it is {}, not a mapping", scalar::kind(value)));
    };
    ["apiVersion", "kind"].into_iter().find_map(|key| match map.get(key) {
        Some(Value::String(text)) if !text.is_empty() => None,
        Some(_) => Some(format!("its `{key}` is not a non-empty string")),
        None => Some(format!("it has no `{key}`")),
    })
}

/// Whether an object stands for its items: `List`, or `ConfigMapList` and the like.
fn is_list(object: &Object) -> bool {
    let kind = object.kind().unwrap_or_default();
    kind == "List" || (kind.ends_with("List") && object.value["items"].is_array())
}

/// The items of a list, and where it stands itself. An item that has neither kind nor version has
/// those that the list is named after.
fn items(list: Object) -> Result<(Vec<Value>, String), String> {
    let kind = list.kind().unwrap_or_default().strip_suffix("List").unwrap_or_default().to_owned();
    let version = list.api_version().unwrap_or_default().to_owned();
    let Object { mut value, place } = list;
    let mut items = match value.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        Some(Value::Null) => Vec::new(),
        Some(_) => return Err("its `items` is not a sequence".to_owned()),
        None => return Err("it is a List without `items`".to_owned()),
    };
    for item in &mut items {
        if let Value::Object(map) = item
            && !kind.is_empty()
            && !map.contains_key("kind")
            && !map.contains_key("apiVersion")
        {
            map.insert("apiVersion".to_owned(), version.clone().into());
            map.insert("kind".to_owned(), kind.clone().into());
        }
    }
    Ok((items, place))
}
