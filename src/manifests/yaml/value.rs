//! Building JSON values from the events of a parser, with go-yaml's rules for merge keys, duplicate
//! keys and aliases.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use serde_json::{Map, Value};

use crate::manifests::yaml::merge::{is_merge, merge};
use crate::manifests::yaml::scalar;
use crate::manifests::yaml::string_fields::{self, TEXTS_LIMIT, Text, Wrong};

/// How much anchors and aliases may add to a set of manifests, in about bytes. Aliases of aliases
/// grow without bound from a few lines.
const EXPANSION_LIMIT: usize = 64 << 20;

/// How many values a set of manifests may hold, aliases aside: some hundred thousand objects.
const VALUES_LIMIT: usize = 10_000_000;

/// How deep a value may be once its aliases are expanded; what walks it later may recurse.
const DEPTH_LIMIT: usize = 600;

/// The keys that tell whether a mapping is an object, whether it stands for others, and what it is
/// chosen by.
const KINDS: [&str; 6] = ["apiVersion", "kind", "items", "metadata", "labels", "annotations"];

/// A scalar as the parser found it.
pub(crate) struct Scalar<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) plain: bool,
    /// Whether a `:` stands right between it and a `,`, `]` or `}`.
    pub(crate) is_glued: bool,
    pub(crate) tag: Option<Cow<'static, str>>,
    pub(crate) anchor: usize,
}

/// Where a node is, in the text of its document.
pub(crate) struct Mark {
    pub(crate) span: Range<usize>,
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
    pub(crate) tag_start: Option<usize>,
}

/// The value of a document.
pub(crate) struct Root {
    pub(crate) value: Value,
    /// Where it starts, in the text of its document.
    pub(crate) span: Range<usize>,
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// The sequence under `items`, where it is written out here.
    pub(crate) items: Option<Items>,
    /// What keeps it from being an object.
    pub(crate) wrong: Vec<Wrong>,
}

/// The sequence under `items` of a List.
#[derive(Debug, Default)]
pub(crate) struct Items {
    pub(crate) flow: bool,
    pub(crate) span: Range<usize>,
    pub(crate) each: Vec<Item>,
    /// What keeps an item from being an object.
    pub(crate) wrong: Vec<Wrong>,
}

/// One item of a List.
#[derive(Debug)]
pub(crate) struct Item {
    /// From its anchor or tag to the end of its last token.
    pub(crate) span: Range<usize>,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

enum Key {
    Text(String),
    Merge,
}

enum Values {
    /// Its values are kept where `is_whole` or this says so.
    Sequence {
        values: Vec<Value>,
        are_kept: bool,
    },
    Mapping {
        map: Map<String, Value>,
        key: Option<Key>,
    },
}

/// A collection that has not ended.
struct Frame {
    values: Values,
    /// Whether it is within brackets.
    is_flow: bool,
    /// Whether everything in it is kept.
    is_whole: bool,
    /// `labels` or `annotations`, where it is those of an object.
    texts: Option<&'static str>,
    anchor: usize,
    /// How deep what is in it is.
    depth: usize,
    /// About how many bytes it takes, had it been kept whole.
    weight: usize,
}

impl Frame {
    fn is_mapping(&self) -> bool {
        matches!(self.values, Values::Mapping { .. })
    }

    /// Whether the value of a key comes next.
    fn is_at(&self, wanted: &str) -> bool {
        matches!(&self.values, Values::Mapping { key: Some(Key::Text(key)), .. } if key == wanted)
    }

    /// Whether what comes next is merged.
    fn merges(&self) -> bool {
        matches!(self.values, Values::Mapping { key: Some(Key::Merge), .. })
    }
}

/// An anchored value.
struct Anchored {
    value: Value,
    weight: usize,
    depth: usize,
    /// What it is as a key, where it is a scalar.
    key: Option<Result<String, String>>,
}

/// Builds the values of documents, one after the other.
pub(crate) struct Builder {
    /// Whether all of a value is kept. Else it is only what tells whether it is an object: of every
    /// mapping what is under `KINDS`, and labels.
    whole: bool,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Anchored>,
    /// Whether the document may have aliases at all; else anchors need not be kept.
    aliases: bool,
    roots: Vec<Root>,
    /// The labels and annotations of the object that has not ended.
    texts: Vec<Text>,
    /// Where the last token ended that has a text.
    last: usize,
    expanded: usize,
    values: usize,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            whole: true,
            stack: Vec::new(),
            anchors: HashMap::new(),
            aliases: false,
            roots: Vec::new(),
            texts: Vec::new(),
            last: 0,
            expanded: 0,
            values: 0,
        }
    }

    /// A builder that fails as any other would, and keeps only what tells whether a value is an
    /// object.
    pub(crate) fn for_kinds() -> Self {
        Self { whole: false, ..Self::new() }
    }

    /// Begins a document.
    pub(crate) fn start(&mut self, text: &str) {
        self.stack.clear();
        self.anchors.clear();
        self.roots.clear();
        self.texts.clear();
        self.aliases = text.contains('*');
        self.last = 0;
    }

    /// The values that were built since the start.
    pub(crate) fn finish(&mut self) -> Vec<Root> {
        std::mem::take(&mut self.roots)
    }

    pub(crate) fn scalar(&mut self, scalar: Scalar<'_>, mark: Mark) -> Result<(), String> {
        self.begin(&mark);
        self.last = self.last.max(mark.span.end);
        let Scalar { text, plain, is_glued, tag, anchor } = scalar;
        // An omitted value has no text; the parser calls it `~`.
        let text = if plain && mark.span.is_empty() { Cow::Borrowed("") } else { text };
        let tag = tag.as_deref();
        // Brackets around it all are JSON's, or may be.
        let is_json = self.stack.first().is_some_and(|root| root.is_flow);
        if is_json && plain && tag.is_none() && scalar::overflows(&text) {
            return Err(format!("the number `{text}` is too large"));
        }
        let is_key = self.open_key().is_some();
        if plain && let Some(reason) = scalar::ambiguous(&text, is_key && is_glued, self.is_flow())
        {
            return Err(reason);
        }
        let is_anchored = anchor != 0 && self.aliases;
        let anchored_key = is_anchored.then(|| scalar::key(&text, plain, tag));
        if let Some(key) = self.open_key() {
            *key = Some(if text == "<<" && is_merge(plain, tag) {
                Key::Merge
            } else {
                Key::Text(scalar::key(&text, plain, tag)?)
            });
            if is_anchored {
                let weight = weight(text.len());
                self.keep(anchor, &scalar::value(text, plain, tag)?, weight, 1)?;
            }
        } else {
            let value = scalar::value(text, plain, tag)?;
            let weight = weight(value.as_str().map_or(0, str::len));
            self.complete(value, weight, anchor, 1)?;
        }
        if let Some(anchored) = self.anchors.get_mut(&anchor) {
            anchored.key = anchored_key;
        }
        Ok(())
    }

    pub(crate) fn sequence(&mut self, anchor: usize, flow: bool, mark: Mark) -> Result<(), String> {
        self.begin(&mark);
        self.no_key("a sequence")?;
        if let [frame] = self.stack.as_slice()
            && frame.is_at("items")
            && let Some(root) = self.roots.last_mut()
        {
            let span = mark.span.clone();
            root.items = Some(Items { flow, span, ..Items::default() });
        }
        self.last = self.last.max(mark.span.end);
        let are_kept =
            self.stack.last().is_some_and(|frame| frame.is_at("items") || frame.merges());
        self.open(Values::Sequence { values: Vec::new(), are_kept }, anchor, flow, None);
        Ok(())
    }

    pub(crate) fn mapping(&mut self, anchor: usize, flow: bool, mark: Mark) -> Result<(), String> {
        self.begin(&mark);
        self.no_key("a mapping")?;
        self.last = self.last.max(mark.span.end);
        let texts = self.field();
        self.open(Values::Mapping { map: Map::new(), key: None }, anchor, flow, texts);
        Ok(())
    }

    /// A collection begins.
    fn open(&mut self, values: Values, anchor: usize, flow: bool, texts: Option<&'static str>) {
        let is_flow = flow || self.is_flow();
        let is_whole = self.whole
            || texts.is_some()
            || (anchor != 0 && self.aliases)
            || self.stack.last().is_some_and(|frame| frame.is_whole || frame.merges());
        self.stack.push(Frame {
            values,
            is_flow,
            is_whole,
            texts,
            anchor,
            depth: 0,
            weight: weight(0),
        });
    }

    fn is_flow(&self) -> bool {
        self.stack.last().is_some_and(|frame| frame.is_flow)
    }

    /// `labels` or `annotations`, where those of an object come next.
    fn field(&self) -> Option<&'static str> {
        let (object, metadata) = match self.stack.as_slice() {
            [object, metadata] => (object, metadata),
            [list, items, object, metadata] if list.is_at("items") && !items.is_mapping() => {
                (object, metadata)
            }
            _ => return None,
        };
        let (field, _) = string_fields::FIELDS.iter().find(|(field, _)| metadata.is_at(field))?;
        object.is_at("metadata").then_some(field)
    }

    /// A collection ends.
    pub(crate) fn end(&mut self, mark: &Mark) -> Result<(), String> {
        // Only a bracket is a token: a block collection ends where something else begins.
        if !mark.span.is_empty() {
            self.last = self.last.max(mark.span.end);
        }
        let Some(Frame { values, anchor, depth, weight, .. }) = self.stack.pop() else {
            return Ok(());
        };
        let value = match values {
            Values::Sequence { values, .. } => Value::Array(values),
            Values::Mapping { map, .. } => Value::Object(map),
        };
        self.complete(value, weight, anchor, depth + 1)
    }

    pub(crate) fn alias(&mut self, anchor: usize, mark: Mark) -> Result<(), String> {
        self.begin(&mark);
        self.last = self.last.max(mark.span.end);
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err("this anchor's value contains itself".to_owned());
        };
        let (weight, depth, anchored_key) = (anchored.weight, anchored.depth, anchored.key.clone());
        self.spend(weight)?;
        let value = self.anchors[&anchor].value.clone();
        if let Some(key) = self.open_key() {
            *key = Some(Key::Text(anchored_key.unwrap_or_else(|| Err(COLLECTION.to_owned()))?));
            return Ok(());
        }
        self.complete(value, weight, 0, depth)
    }

    /// The last node turned out to have an anchor, which stands before it.
    pub(crate) fn anchor(&mut self, start: usize) {
        let items = match self.stack.as_slice() {
            // The anchor of a scalar or alias item, or of a collection that has just begun.
            [root, list] | [root, list, _] if root.is_at("items") && !list.is_mapping() => {
                self.roots.last_mut().and_then(|root| root.items.as_mut())
            }
            _ => None,
        };
        if let Some(item) = items.and_then(|items| items.each.last_mut()) {
            item.span.start = item.span.start.min(start);
        }
    }

    /// A node begins: notes a root and the items of a List.
    fn begin(&mut self, mark: &Mark) {
        let start = mark.tag_start.unwrap_or(mark.span.start).min(mark.span.start);
        let (line, column) = (mark.line, mark.column);
        match self.stack.as_slice() {
            [] => self.roots.push(Root {
                value: Value::Null,
                span: start..mark.span.end,
                line,
                column,
                items: None,
                wrong: Vec::new(),
            }),
            [root, list] if root.is_at("items") && !list.is_mapping() => {
                if let Some(items) = self.roots.last_mut().and_then(|root| root.items.as_mut()) {
                    items.each.push(Item { span: start..mark.span.end, line, column });
                }
            }
            [
                ..,
                Frame {
                    texts: Some(field), values: Values::Mapping { key: Some(key), .. }, ..
                },
            ] => {
                if let Key::Text(key) = key {
                    let (key, span) = (Some(key.clone()), mark.span.clone());
                    if self.texts.len() < TEXTS_LIMIT {
                        self.texts.push(Text { field, key, span });
                    }
                }
            }
            _ => {
                let span = mark.span.clone();
                self.texts.extend(self.field().map(|field| Text { field, key: None, span }));
            }
        }
    }

    /// A node is complete: it goes to where it belongs.
    fn complete(
        &mut self,
        value: Value,
        weight: usize,
        anchor: usize,
        depth: usize,
    ) -> Result<(), String> {
        self.values += 1;
        if self.values > VALUES_LIMIT {
            return Err(format!("these manifests hold more than {VALUES_LIMIT} values"));
        }
        if depth + self.stack.len() > DEPTH_LIMIT {
            return Err(format!("its aliases nest more than {DEPTH_LIMIT} levels deep"));
        }
        if anchor != 0 {
            self.keep(anchor, &value, weight, depth)?;
        }
        let end = self.last;
        let mut is_dropped = false;
        if let [root, list] = self.stack.as_slice()
            && root.is_at("items")
            && !list.is_mapping()
            && let Some(items) = self.roots.last_mut().and_then(|root| root.items.as_mut())
            && let Some(item) = items.each.last_mut()
        {
            item.span.end = end;
            items.wrong.extend(string_fields::wrong(&value, &item.span, &mut self.texts));
            // Of an object in a List nothing more is asked, unless the list may be merged elsewhere.
            let is_alone = list.anchor == 0 || !self.aliases;
            is_dropped = !self.whole && is_alone && is_named(&value);
            if is_dropped {
                items.each.pop();
            }
        }
        let Some(frame) = self.stack.last_mut() else {
            if let Some(root) = self.roots.last_mut() {
                root.span.end = end;
                root.wrong = string_fields::wrong(&value, &root.span, &mut self.texts);
                root.value = value;
            }
            return Ok(());
        };
        frame.depth = depth.max(frame.depth);
        frame.weight += weight;
        let is_whole = frame.is_whole;
        match &mut frame.values {
            Values::Sequence { values, are_kept } => {
                if (is_whole || *are_kept) && !is_dropped {
                    values.push(value);
                }
            }
            Values::Mapping { map, key } => match key.take() {
                Some(Key::Text(key)) => {
                    frame.weight += self::weight(key.len());
                    // The last of several equal keys wins, a merged one too.
                    if is_whole || KINDS.contains(&key.as_str()) {
                        map.insert(key, value);
                    }
                }
                Some(Key::Merge) => merge(map, value)?,
                None => return Err(COLLECTION.to_owned()),
            },
        }
        Ok(())
    }

    /// Where the key goes that comes next, where one does.
    fn open_key(&mut self) -> Option<&mut Option<Key>> {
        match self.stack.last_mut() {
            Some(Frame { values: Values::Mapping { key: key @ None, .. }, .. }) => Some(key),
            _ => None,
        }
    }

    fn no_key(&mut self, what: &str) -> Result<(), String> {
        match self.open_key() {
            Some(_) => Err(format!("{what} cannot be a key")),
            None => Ok(()),
        }
    }

    /// Keeps an anchored value for its aliases.
    fn keep(
        &mut self,
        anchor: usize,
        value: &Value,
        weight: usize,
        depth: usize,
    ) -> Result<(), String> {
        if self.aliases {
            self.spend(weight)?;
            let anchored = Anchored { value: value.clone(), weight, depth, key: None };
            self.anchors.insert(anchor, anchored);
        }
        Ok(())
    }

    fn spend(&mut self, weight: usize) -> Result<(), String> {
        self.expanded = self.expanded.saturating_add(weight);
        if self.expanded > EXPANSION_LIMIT {
            return Err(format!(
                "anchors and aliases expand to more than {} MiB",
                EXPANSION_LIMIT >> 20
            ));
        }
        Ok(())
    }
}

const COLLECTION: &str = "a key cannot be a collection";

/// Whether a value is a mapping that says what it is.
fn is_named(value: &Value) -> bool {
    let text = |key| value.get(key).and_then(Value::as_str);
    ["apiVersion", "kind"].iter().all(|key| text(key).is_some_and(|text| !text.is_empty()))
}

/// About how many bytes a value or a key takes, beside what is in it.
fn weight(text: usize) -> usize {
    64 + text
}
