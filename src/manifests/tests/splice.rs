//! Random manifests whose references are known: exactly these bytes change, and libyaml, which
//! shares nothing with our parser, reads the result as the input with those strings changed.

use proptest::prelude::*;
use serde::Deserialize as _;
use serde_json::Value;

use super::super::*;

/// A node of a manifest that has yet to be written.
#[derive(Clone, Debug)]
enum Node {
    /// A reference, in one of the ways to write it.
    Reference(usize),
    /// Something else, in one of the ways to write it.
    Other(usize),
    Sequence(Vec<Node>, usize),
    Mapping(Vec<(Node, Node)>, usize),
}

/// Ways to write a reference, and what becomes of each.
const REFERENCES: [(&str, &str); 12] = [
    ("ko://a", "r/a@sha256:0"),
    ("ko-rs://a", "r/a@sha256:0"),
    ("ko://b#x", "'12:30'"),
    ("'ko://a'", "'r/a@sha256:0'"),
    ("'ko://b#x'", "'12:30'"),
    ("\"ko://a\"", "\"r/a@sha256:0\""),
    (r#""\u006bo:\/\/a""#, r#""r/a@sha256:0""#),
    (r#""\x6b\U0000006f://b\x23x""#, r#""12:30""#),
    ("!!str ko://a", "!!str r/a@sha256:0"),
    ("!e &b 'ko://a'", "!e &b 'r/a@sha256:0'"),
    ("&a ko://a", "&a r/a@sha256:0"),
    ("\"ko://a  \"", "\"r/a@sha256:0\""),
];

/// Block scalars that are references: header and text apart.
const BLOCKS: [(&str, &str); 5] = [
    ("|-", "|-"),
    (">", ">-"),
    ("| # ko://a", "|- # ko://a"),
    (">+", ">-"),
    ("!!str &c |", "!!str &c |-"),
];

const OTHERS: [&str; 14] = [
    "é",
    "x ko://a",
    "' ko://a'",
    "\"\\\"ko://a\"",
    "'it''s ko://a'",
    "{}",
    "[]",
    "1",
    "~",
    "ko:/a",
    "KO://a",
    "\"\\u00e9\\n\"",
    "!!str 'ko'",
    "\"# ko://a\"",
];

fn node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        (0..REFERENCES.len() + BLOCKS.len()).prop_map(Node::Reference),
        (0..OTHERS.len() + 1).prop_map(Node::Other),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let key = prop_oneof![
            (0..REFERENCES.len()).prop_map(Node::Reference),
            (0..OTHERS.len()).prop_map(Node::Other),
        ];
        prop_oneof![
            (prop::collection::vec(inner.clone(), 1..5), 0usize..16)
                .prop_map(|(nodes, look)| Node::Sequence(nodes, look)),
            (prop::collection::vec((key, inner), 1..5), 0usize..16)
                .prop_map(|(nodes, look)| Node::Mapping(nodes, look)),
        ]
    })
}

/// Writes a manifest before and after its references are replaced.
#[derive(Default)]
struct Written {
    before: String,
    after: String,
    keys: usize,
}

impl Written {
    fn both(&mut self, text: &str) {
        self.pair((text, text));
    }

    fn pair(&mut self, (before, after): (&str, &str)) {
        self.before.push_str(before);
        self.after.push_str(after);
    }

    fn line(&mut self, indent: usize) {
        self.both("\n");
        self.both(&" ".repeat(indent));
    }

    /// Comments and blank lines between two entries.
    fn rest(&mut self, look: usize) {
        self.both(["", "  # ko://a", "\n", "\n# é: ko://a\n"][look % 4]);
    }

    fn scalar(&mut self, node: &Node) {
        match node {
            Node::Reference(way) => self.pair(REFERENCES[way % REFERENCES.len()]),
            Node::Other(way) => self.both(OTHERS[way % OTHERS.len()]),
            Node::Sequence(..) | Node::Mapping(..) => self.both("x"),
        }
    }

    /// A key that no other key is equal to, though it may be a reference.
    fn key(&mut self, node: &Node, flow: bool) {
        let plain = !flow && self.keys.is_multiple_of(5) && matches!(node, Node::Reference(_));
        self.keys += 1;
        if plain {
            let name = format!("k{}", self.keys);
            self.pair((&format!("ko://{name}"), &format!("r/{name}")));
        } else {
            let name = format!("\"k{} ko://a\"", self.keys);
            self.both(&name);
        }
    }

    fn flow(&mut self, node: &Node) {
        match node {
            Node::Sequence(nodes, look) => {
                self.both("[");
                for (index, node) in nodes.iter().enumerate() {
                    self.both(if index > 0 { ", " } else { ["", " "][look % 2] });
                    self.flow(node);
                }
                self.both("]");
            }
            Node::Mapping(nodes, look) => {
                self.both(["{", "{ "][look % 2]);
                for (index, (key, node)) in nodes.iter().enumerate() {
                    self.both(if index > 0 { ", " } else { "" });
                    self.key(key, true);
                    self.both(": ");
                    self.flow(node);
                }
                self.both(["}", " }"][look % 2]);
            }
            scalar => self.scalar(scalar),
        }
    }

    /// Writes a node behind its `-`, `:` or `---`.
    fn block(&mut self, node: &Node, indent: usize) {
        match node {
            Node::Reference(way) if *way >= REFERENCES.len() => {
                self.both(" ");
                self.pair(BLOCKS[(way - REFERENCES.len()) % BLOCKS.len()]);
                self.line(indent + 1);
                self.pair(("ko://a", "r/a@sha256:0"));
            }
            Node::Other(way) if *way >= OTHERS.len() => {
                self.both(" |");
                self.line(indent + 1);
                self.both("run");
                self.line(indent + 1);
                self.both("ko://a");
            }
            Node::Sequence(nodes, look) if look % 4 != 0 => {
                for node in nodes {
                    self.line(indent);
                    self.both("-");
                    self.block(node, indent + 1 + look % 3);
                }
            }
            Node::Mapping(nodes, look) if look % 4 != 0 => {
                for (key, node) in nodes {
                    self.line(indent);
                    self.key(key, false);
                    self.both(":");
                    self.block(node, indent + 1 + look % 3);
                    if matches!(node, Node::Other(way) if *way < OTHERS.len()) {
                        self.rest(look / 4);
                    }
                }
            }
            other => {
                self.both(" ");
                self.flow(other);
            }
        }
    }
}

fn pairs() -> BTreeMap<CrateReference, String> {
    let keys = (0..200).map(|key| (format!("k{key}"), format!("r/k{key}")));
    let fixed = [("a", "r/a@sha256:0"), ("b#x", "12:30")];
    let fixed = fixed.map(|(reference, image)| (reference.to_owned(), image.to_owned()));
    keys.chain(fixed)
        .map(|(reference, image)| (CrateReference::bare(&reference).unwrap(), image))
        .collect()
}

/// What libyaml makes of a stream. It is told that this is UTF-8, and then takes a byte order mark
/// for text.
fn reread(text: &str) -> Vec<Value> {
    serde_yaml_ng::Deserializer::from_str(crate::manifests::render::join::without_mark(text))
        .map(|document| {
            let value = serde_yaml_ng::Value::deserialize(document);
            json(value.unwrap_or_else(|error| panic!("{error}\n{text}")))
        })
        .collect()
}

/// A value without its tags.
fn json(value: serde_yaml_ng::Value) -> Value {
    use serde_yaml_ng::Value as Yaml;
    match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => value.into(),
        Yaml::Number(number) => number.as_i64().into(),
        Yaml::String(text) => text.into(),
        Yaml::Sequence(values) => values.into_iter().map(json).collect(),
        Yaml::Mapping(entries) => {
            let key = |key| match json(key) {
                Value::String(key) => key,
                other => panic!("{other} is a key"),
            };
            Value::Object(
                entries.into_iter().map(|(name, value)| (key(name), json(value))).collect(),
            )
        }
        Yaml::Tagged(tagged) => json(tagged.value),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn exactly_the_known_references_change(
        nodes in prop::collection::vec(node(), 1..4),
        windows in any::<bool>(),
        mark in any::<bool>(),
        newline in any::<bool>(),
    ) {
        let mut written = Written::default();
        written.both(if mark { "\u{feff}" } else { "" });
        for (index, node) in nodes.iter().enumerate() {
            written.both(if index > 0 { "\n---" } else { "---" });
            written.block(node, 0);
        }
        written.both(if newline { "\n" } else { "" });
        let Written { mut before, mut after, .. } = written;
        if windows {
            before = before.replace('\n', "\r\n");
            after = after.replace('\n', "\r\n");
        }
        let source = vec![Source::new("a.yaml", before.clone())];
        let manifests = parse(source, &Rules::default(), Parse::OnlyReferences).checked()
            .unwrap_or_else(|errors| panic!("{errors}\n{before}"));
        let rendered = manifests.substitute(&pairs()).unwrap();
        prop_assert_eq!(&rendered[0].text.to_string(), &after);

        let mut expected = reread(&before);
        for value in &mut expected {
            render::replace(value, &Rules::default(), &pairs());
        }
        prop_assert_eq!(reread(&after), expected);
    }
}

/// Pieces of which some combinations are YAML.
const PIECES: [&str; 40] = [
    "ko://a",
    "ko://a",
    "ko://a",
    "'",
    "\"",
    ":",
    ": ",
    " ",
    "\n",
    "\n",
    "-",
    "- ",
    "|",
    ">",
    "&a",
    "*a",
    "{",
    "}",
    "[",
    "]",
    ",",
    "#",
    " #",
    "!",
    "!!str ",
    "\\",
    "---\n",
    "---",
    "...\n",
    "%",
    "a",
    "  ",
    "\t",
    "\r\n",
    "\r",
    "? ",
    "é",
    "\u{feff}",
    "ko:\\/\\/a",
    "+",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_read_is_replaced_and_can_be_read_again(
        pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..24),
    ) {
        let text: String = pieces.concat();
        let read = |text: &str, depth| {
            parse(vec![Source::new("a.yaml", text)], &Rules::default(), depth).checked()
        };
        // What either way of parsing makes of it, it does not panic.
        let _ = read(&text, Parse::Everything);
        let _ = read(&text, Parse::OnlyReferences)
            .and_then(|manifests| manifests.select(&"a=b".parse().unwrap()));
        if let Ok(manifests) = read(&text, Parse::OnlyReferences) {
            let images = manifests
                .references()
                .map(|occurrence| (occurrence.reference.clone(), "r/a: 'x\"".to_owned()))
                .collect();
            let rendered = manifests.substitute(&images).unwrap();
            let result = &rendered[0].text.to_string();
            let again = read(result, Parse::OnlyReferences)
                .unwrap_or_else(|errors| panic!("{errors}\n{text:?}\n{result:?}"));
            prop_assert_eq!(again.references().count(), 0, "{:?}", result);
            prop_assert_eq!(text == *result, manifests.references().count() == 0);
        }
    }
}
