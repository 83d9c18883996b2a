//! YAML as a tree with spans, so that an error about a value can point at it.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Location, Spanned};

use crate::manifests;
use crate::source::Source;

/// A value with its span.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) span: Range<usize>,
}

/// A YAML value; a scalar is kept as it was written, so that `1.10` stays a version.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The keys and values of a mapping; none of any other value.
    pub(super) fn pairs(&self) -> &[(Node, Node)] {
        match &self.value {
            Value::Map(pairs) => pairs,
            Value::Null | Value::Scalar(_) | Value::List(_) => &[],
        }
    }

    /// The kind of the value, for an error.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Why a text is not YAML, and where.
pub(super) struct Broken {
    pub(super) span: Range<usize>,
    pub(super) reason: String,
}

/// Reads one YAML document.
pub(super) fn parse(source: &Source) -> Result<Node, Broken> {
    let options = serde_yaml::options! { strict_booleans: true };
    let raw: Spanned<Raw> =
        serde_yaml::from_str_with_options(source.text(), options).map_err(|error| {
            if let Some((span, reason)) = manifests::why_no_yaml(source.text()) {
                return Broken { span, reason };
            }
            let start = error.location().map_or(0, |place| start_of(source, &place));
            let message = error.without_snippet().to_string();
            // The place is drawn from the span.
            let reason = message.split(" at line ").next().unwrap_or(&message).to_owned();
            let end = source.text()[start..].chars().next().map_or(start, |c| start + c.len_utf8());
            Broken { span: start..end, reason }
        })?;
    Ok(node(source, raw))
}

fn start_of(source: &Source, place: &Location) -> usize {
    if let Some(offset) = place.span().byte_offset().and_then(|at| usize::try_from(at).ok()) {
        return offset.min(source.text().len());
    }
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX).saturating_sub(1);
    let text = source.text();
    let line: usize = text.split_inclusive('\n').take(number(place.line())).map(str::len).sum();
    text[line..].char_indices().nth(number(place.column())).map_or(text.len(), |(at, _)| line + at)
}

fn node(source: &Source, raw: Spanned<Raw>) -> Node {
    let start = start_of(source, &raw.referenced);
    let length = raw.referenced.span().byte_len().and_then(|at| usize::try_from(at).ok());
    let end = (start + length.unwrap_or(0)).clamp(start, source.text().len());
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Text(text) => Value::Scalar(text),
        Raw::Other(text) => {
            let written = source.text().get(start..end).map(str::trim).unwrap_or_default();
            Value::Scalar(if written.is_empty() { text } else { written.to_owned() })
        }
        Raw::List(items) => Value::List(items.into_iter().map(|item| node(source, item)).collect()),
        Raw::Map(pairs) => Value::Map(
            pairs
                .into_iter()
                .map(|(key, value)| (node(source, key), node(source, value)))
                .collect(),
        ),
    };
    Node { value, span: start..end }
}

/// What serde gives before places are turned into spans.
enum Raw {
    Null,
    Text(String),
    Other(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("YAML")
            }
            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }
            fn visit_none<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }
            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
                Raw::deserialize(deserializer)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Other(value.to_string()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Other(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Other(value.to_string()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Other(value.to_string()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Text(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Raw::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Raw, A::Error> {
                let mut map = Vec::new();
                while let Some(pair) = pairs.next_entry()? {
                    map.push(pair);
                }
                Ok(Raw::Map(map))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_knows_its_bytes_and_scalars_their_spelling() {
        let source = Source::new("x", "é: 1.10\nlist: [a, 'b c', 0644]\nnone:\nyes: no\n");
        let Node { value: Value::Map(pairs), .. } = parse(&source).ok().unwrap() else { panic!() };
        let text = |node: &Node| source.text()[node.span.clone()].to_owned();
        assert_eq!(text(&pairs[0].0), "é");
        assert_eq!(pairs[0].1.value, Value::Scalar("1.10".into()));
        let Value::List(items) = &pairs[1].1.value else { panic!() };
        assert_eq!(items[1].value, Value::Scalar("b c".into()));
        assert_eq!(items[2].value, Value::Scalar("0644".into()));
        assert_eq!(text(&items[0]), "a");
        assert_eq!(pairs[2].1.value, Value::Null);
        assert_eq!(pairs[3].0.value, Value::Scalar("yes".into()));
    }

    #[test]
    fn broken_yaml_says_where() {
        let source = Source::new("x", "a: 1\nb: [1, 2\nc: 3\n");
        let broken = parse(&source).err().unwrap();
        let place = source.position(broken.span.start).to_string();
        insta::assert_snapshot!(format!("{place}: {}", broken.reason), @"3:2: illegal placement of ':' indicator");
    }
}
