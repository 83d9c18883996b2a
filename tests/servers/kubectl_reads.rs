//! What manifests mean, beside the real kubectl: the same values, the same objects chosen. For values no cluster is
//! needed: `kubectl patch --local` reads as `apply` does, and prints what it read.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use ko_rs::testing::{Errors, Object, Parse, Rules, Selector, Source, join, parse};
use serde_json::Value;

use crate::servers::{cluster, tool};
use crate::support::fixture;

/// Plain scalars that YAML's versions and go-yaml read in their own ways.
const SCALARS: &str = "
    0644 08 0o17 0O17 0x1F 0b11 0B11 -0b11 +0b1 0b-11 0b+1 1_000 _1 1__0 0x 0x_1 0x1_F 0b_1 0b2 0o8 -0x1
    1e3 1E3 1e+3 1e-3 1.5 1. .5 +.5 -.5 .5e1 . .. -. + - 1e400 -1e400 -0 -0.0 0.0 0. 00 007 0_8 1_ 1_.5
    1_0.5_0 1e1_0 1e 1e- e1 ._5 .5_ .5_0 --1 +-1 0x1p4 0x1.8p1 9223372036854775807 9223372036854775808
    -9223372036854775808 -9223372036854775809 18446744073709551615 18446744073709551616
    +9223372036854775808 123456789012345678901234567890 1e21 1e20 1e-7 0.1 123456789.123456789 1.2.3
    22:30 1:30:00 2001-12-14 2001-12-14t21:59:43.10-05:00 2001-1-1 yes Yes YES yEs on ON off Off y n Y N
    true TRUE True tRUE no ~ null Null NULL nULL inf nan infinity = << a*b a&b a!b
";

const TAGS: &[&str] = &[
    "!!str",
    "!!int",
    "!!float",
    "!!bool",
    "!!null",
    "!!timestamp",
    "!!binary",
    "!",
    "!mine",
    "!<tag:yaml.org,2002:int>",
];

/// What stands behind `apiVersion`, `kind` and `metadata`.
const STRUCTURES: &[&str] = &[
    "a: 1\na: 2\n",
    "y: {a: 1, a: 2}\n",
    "y: {yes: 1, true: 2}\n",
    "y: {1.0: a, 1e3: b, 1e21: c, 0.1: d, 1.23456789: e, 100000.5: f, 1e6: g}\n",
    "y: {2001-01-01: a}\n",
    "y: {~: 1}\n",
    "y: {null: 1}\n",
    "y: {: 1}\n",
    "y: {? [a] : 1}\n",
    "x: &a {p: 1, q: 2}\ny: {<<: *a, q: 3}\n",
    "x: &a {p: 1, q: 2}\ny: {q: 3, <<: *a}\n",
    "x: &a {p: 1}\nz: &b {p: 2, r: 1}\ny: {<<: [*a, *b], q: 3}\n",
    "x: &a {p: {q: 1}}\ny:\n  <<: *a\n  p: {r: 2}\n",
    "y: {<<: {a: 1}}\n",
    "y: {'<<': {a: 1}}\n",
    "y: {!!merge <<: {a: 1}}\n",
    "y: {<<: 1}\n",
    "y: {<<: [1]}\n",
    "y: {<<: }\n",
    "x: &a 0644\ny: {*a : 2}\nz: *a\n",
    "x: &a yes\n*a : 2\n",
    "x: &a 1\n*a: 2\n",
    "x: &a [1, *a]\n",
    "x: &a x\nx2: &a y\nz: *a\n",
    "x: {&p 8080: a, port: *p}\n",
    "? &p yes\n: a\nz: *p\n",
    "x: {&p 'yes': a, z: *p}\n",
    "x: {&p 1e6: a, b: {*p : 1}}\ny: &q 1e6\nz: {*q : 1}\n",
    "x: {&p ~: a, b: *p}\n",
    "x: {a: b, &p c: d, *p : e}\n",
    "x: {'a':, b: 1}\n",
    "x: *nope\n",
    "x: .inf\n",
    "x: .nan\n",
    "x: !!binary a28=\n",
    "x: !!binary |\n  a2\n  8=\n",
    "x: !!binary 'not'\n",
    "x: !!set {a, b}\n",
    "x: |\n  a\n\n  b\n",
    "x: >\n  a\n  b\n\n  c\n",
    "x: >\n  a\n\n   b\n  c\n",
    "x: |+\n  a\n\n",
    "x: |-\n  a",
    "x: |\n  a",
    "x: |2\n    a\n   b\n",
    "x: \"a\\\n  b\"\n",
    "x: 'a\n  b\n\n  c'\n",
    "x: a\n  b\n\n  c\n",
    "x:\n- a\n-\n- ~\n",
    "x: {a, b: c}\n",
    "x: [a: b, c]\n",
    "x: [+, -, .]\n",
    "x: \"\\x41\\u00e9\\U0001F600\\/\\_\\N\\L\"\n",
    "x:\ty\n",
    "x: y\t# c\n",
    "x: 'y'\t\n",
    "x: @a\n",
    "x: `a\n",
    "x: %a\n",
    "x: a#b\n",
    "x: a #b\n",
    "x: #b\n",
    "? x\n: y\n",
    "? x\n",
    "x: {y: z,}\n",
    "x: [,]\n",
    "x: [a,,b]\n",
    "x: - a\n",
    "x: a: b\n",
    "x: \"a\": b\n",
    "x: !!int\n",
    "x: !!str\n",
    "x: &a\n",
    "x: &a\ny: *a\n",
    "x: -\n",
    "x: ?\n",
    "'x': 'it''s'\n",
    "x: {\"a\":1}\n",
    "x: {a:1}\n",
    "x: {\"a\" :1}\n",
    "x: a\n...\n",
    "x: {{ a }}\n",
    "x: [\n",
    "x: \"a\n",
    "x: [sh, echo:, b]\n",
    "x: {a:, b: 1}\n",
    "x: [a:]\n",
    "x: [?a]\n",
    "x: [a?]\n",
    "x: [:a]\n",
];

/// What only kubectl reads: go-yaml takes some texts that are no YAML, and reads a `?` and a `:` inside
/// brackets in its own way. ko-rs refuses them and points there.
const KNOWN: &[&str] = &[
    "x: [-]\n",
    "x: [+, -, .]\n",
    "x: &a 1\n*a: 2\n",
    "x:\n  [-]\n",
    "x:\n  key: \"value\"# invalid comment\n",
    "x:\n  - !!str, xxx\n",
    "x:\n  block: ># comment\n    scalar\n",
    "x:\n  { ?foo: bar,\n  bar: 42\n  }\n",
    "x:\n  [?x]\n",
    "x: [?a]\n",
    "x: [sh, echo:, b]\n",
    "x: {a:, b: 1}\n",
    "x: [a:]\n",
    "x:\n  {\n  unquoted : \"separate\",\n  http://foo.com,\n  omitted value:,\n  }\n",
];

struct Case {
    /// For people.
    name: String,
    text: String,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |text: &str| {
        let number = cases.len();
        let head = format!("apiVersion: v1\nkind: A\nmetadata: {{name: c{number}}}\n");
        cases.push(Case { name: text.to_owned(), text: head + text });
    };
    for scalar in SCALARS.split_whitespace() {
        add(&format!("x: {scalar}\n"));
        add(&format!("{scalar}: x\n"));
        add(&format!("x: [{scalar}]\n"));
        add(&format!("x: '{scalar}'\n"));
        for tag in TAGS {
            add(&format!("x: {tag} {scalar}\n"));
            add(&format!("x: {tag} \"{scalar}\"\n"));
        }
    }
    STRUCTURES.iter().for_each(|structure| add(structure));
    for structure in suite() {
        add(&structure);
    }
    cases
}

/// The inputs of the YAML test suite that can be the value of a key.
fn suite() -> Vec<String> {
    let text = fs::read_to_string(fixture("yaml-test-suite/inputs.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let yaml = |case: &Value| case["yaml"].as_str().map(str::to_owned);
    let is_document = |line: &str| {
        line.starts_with(['%', '\t']) || line.starts_with("---") || line.starts_with("...")
    };
    let inputs = cases.iter().filter_map(yaml);
    inputs
        .filter(|text| !text.lines().any(is_document))
        .map(|text| {
            let lines: String = text
                .split_inclusive('\n')
                .map(
                    |line| {
                        if line.trim().is_empty() { line.to_owned() } else { format!("  {line}") }
                    },
                )
                .collect();
            format!("x:\n{lines}")
        })
        .collect()
}

fn ours(text: &str) -> Result<Vec<Object>, Errors> {
    let source = vec![Source::new("case.yaml", text)];
    parse(source, &Rules::default(), Parse::Everything).checked()?.objects_as_written()
}

/// What kubectl reads in a file or the files of a folder, in their order; it goes on behind a
/// file that it cannot read.
fn theirs(path: &Path) -> Vec<Value> {
    let mut command = Command::new(tool("kubectl"));
    let output = command
        .env_clear()
        .env("HOME", "/nonexistent")
        .args(["patch", "--local", "--type=merge", "--patch={}", "--output=json", "--filename"])
        .arg(path)
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    serde_json::Deserializer::from_str(&stdout).into_iter().map(Result::unwrap).collect()
}

/// Whether two values are the same to the API server: JSON has one kind of number.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        // What serde_json reads of kubectl's digits may be off by the last bit.
        (Value::Number(one), Value::Number(other)) => {
            let (Some(one), Some(other)) = (one.as_f64(), other.as_f64()) else { return false };
            (one - other).abs() <= one.abs() * f64::EPSILON
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let alike = |(key, value): (&String, &Value)| {
                other.get(key).is_some_and(|other| same(value, other))
            };
            one.len() == other.len() && one.iter().all(alike)
        }
        _ => one == other,
    }
}

#[test]
fn every_value_is_what_kubectl_reads() {
    let cases = cases();
    let folder = tempfile::tempdir().unwrap();
    for (number, case) in cases.iter().enumerate() {
        fs::write(folder.path().join(format!("{number:05}.yaml")), &case.text).unwrap();
    }
    let read = theirs(folder.path());
    let theirs = |number: usize| {
        let name = format!("c{number}");
        read.iter().find(|object| object["metadata"]["name"] == name.as_str())
    };
    assert!(
        cases.len() > 1000 && read.len() > cases.len() / 2,
        "{} of {}",
        read.len(),
        cases.len()
    );
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let shown = case.name.escape_debug();
        match (ours(&case.text), theirs(number)) {
            (Ok(objects), Some(theirs)) => {
                if !objects.first().is_some_and(|object| same(&object.value, theirs)) {
                    wrong.push(format!("{shown}: {:?} is not {theirs}", objects.first()));
                }
            }
            // What kubectl refuses no cluster will see.
            (_, None) => {}
            (Err(errors), Some(theirs)) => {
                wrong.push(format!("{shown}: only kubectl reads it: {theirs}; {errors}"));
            }
        }
    }
    wrong.retain(|wrong| {
        !KNOWN.iter().any(|known| wrong.starts_with(&format!("{}: ", known.escape_debug())))
    });
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_fixture_is_read_as_kubectl_reads_it_before_and_after() {
    let mut compared = 0;
    let folders = fs::read_dir(fixture("manifests")).unwrap();
    for folder in folders.map(Result::unwrap) {
        for file in ["in.yaml", "out.yaml"] {
            let path = folder.path().join(file);
            let Ok(objects) = ours(&fs::read_to_string(&path).unwrap()) else { continue };
            for theirs in theirs(&path) {
                let same_name = |object: &&Object| {
                    let name = theirs["metadata"]["name"].as_str();
                    object.kind() == theirs["kind"].as_str() && object.name() == name
                };
                let ours = objects.iter().find(same_name).map(|object| &object.value);
                let is_same = ours.is_some_and(|ours| same(ours, &theirs));
                assert!(is_same, "{}: {ours:?} is not {theirs}", path.display());
                compared += 1;
            }
        }
    }
    assert!(compared > 25, "only {compared} objects were compared");
}

/// Label selectors, right and wrong.
const SELECTORS: &[&str] = &[
    "app=web",
    "app==web",
    "app = web",
    "\tapp\r=\nweb",
    "app\u{a0}=web",
    "app=\u{2003}web",
    " app=web ",
    "app!=web",
    "app",
    "!app",
    "! app",
    "nothing",
    "!nothing",
    "app in (web)",
    "app in (web, db)",
    "app in (web,db,)",
    "app in (,)",
    "app in ()",
    "app in(web)",
    "app notin (web)",
    "app notin (web, db)",
    "app notin ()",
    "app=web,tier=front",
    "app=web, tier!=front",
    "app=web,app=db",
    "tier in (front),!app",
    "empty=",
    "empty",
    "app=",
    "app!=",
    "size>6",
    "size<7",
    "size>7",
    "size > 6,size<8",
    "app>1",
    "in in (in)",
    "in",
    "notin",
    "in=in",
    "example.com/part=one",
    "example.com/part in (one, two)",
    "app=web,",
    ",app=web",
    "app=web,,tier=front",
    "=web",
    "app=-web",
    "app=we b",
    "app web",
    "app in web",
    "app in (web",
    "app in web)",
    "!app=web",
    "!!app",
    "a/b/c=d",
    "A.b/c=d",
    "-a=b",
    "a b=c",
    "size>b",
    "size>",
    "app=web;tier=front",
    "app=\"web\"",
    "app=web=db",
    "app===web",
    "(app=web)",
    "app in (web)(db)",
    "app=w\u{e9}b",
];

#[test]
fn a_selector_chooses_what_kubectl_chooses() {
    let object = |name: &str, labels: &str| {
        format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}, labels: {{{labels}}}}}}}"
        )
    };
    let manifests = format!(
        "{}\n---\n{}\n---\napiVersion: v1\nkind: List\nitems:\n- {}\n- {}\n---\n{}\n",
        object("one", "app: web, tier: front, example.com/part: one"),
        object("two", "app: db, size: '7', in: in"),
        object("three", "app: web, empty: ''"),
        object("four", "tier: front"),
        object("five", "")
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("manifests.yaml");
    fs::write(&file, &manifests).unwrap();
    let file = file.to_str().unwrap();
    let namespace = cluster().namespace("selectors");
    let (mut chosen, mut wrong) = (0, Vec::new());
    for selector in SELECTORS {
        let apply = ["apply", "--dry-run=client", "--output=name", "--namespace", &namespace];
        let output = cluster().kubectl(apply.iter().chain(&["--filename", file, "-l", selector]));
        let said = String::from_utf8_lossy(&output.stderr);
        let theirs = match (output.status.success(), said.contains("no objects passed")) {
            (true, _) | (_, true) => Some(String::from_utf8(output.stdout).unwrap()),
            (false, false) => None,
        };
        let ours = selector.parse::<Selector>().ok().map(|selector| {
            let source = vec![Source::new("manifests.yaml", manifests.as_str())];
            let all = parse(source, &Rules::default(), Parse::Everything).checked().unwrap();
            let objects = all.select(&selector).unwrap().objects_as_written().unwrap();
            let name = |object: &Object| format!("configmap/{}\n", object.name().unwrap());
            objects.iter().map(name).collect::<String>()
        });
        chosen += theirs.iter().filter(|theirs| !theirs.is_empty()).count();
        if ours != theirs {
            wrong.push(format!("`{selector}`: {ours:?} is not {theirs:?}; {said}"));
        }
    }
    assert!(chosen > 15, "only {chosen} selectors chose anything");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What kubectl finds in what several sources become, in their order: nothing is lost where one ends and
/// another begins.
#[test]
fn what_sources_become_together_kubectl_reads_as_all_their_objects() {
    let json = |name: &str| {
        let name = format!("{{\"name\": \"{name}\"}}");
        format!("{{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {name}}}")
    };
    let yaml =
        |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    let sources: [(String, &[&str]); 9] = [
        (yaml("a"), &["a"]),
        (format!("---\n{}---\n", yaml("b")), &["b"]),
        (json("c"), &["c"]),
        (format!("{}\n{}\n", json("d"), json("e")), &["d", "e"]),
        (json("f") + &json("g") + &json("h"), &["f", "g", "h"]),
        ("# nothing but this\n".to_owned(), &[]),
        (format!("\u{feff}{}", yaml("i")), &["i"]),
        (format!("--- # one\n{}...\n", yaml("j")), &["j"]),
        (yaml("k").replace('\n', "\r\n").trim_end().to_owned(), &["k"]),
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("joined.yaml");
    let namespace = cluster().namespace("joined");
    let (mut compared, mut wrong) = (0, Vec::new());
    for (one, ones) in &sources {
        for (other, others) in &sources {
            let expected: String = [*ones, *others]
                .concat()
                .iter()
                .fold(String::new(), |text, name| text + &format!("configmap/{name}\n"));
            // Where nothing is passed, kubectl fails.
            if expected.is_empty() {
                continue;
            }
            let read = [one, other].map(|text| Source::new("", text.as_str())).to_vec();
            let manifests = parse(read, &Rules::default(), Parse::OnlyReferences);
            let joined = join(manifests.substitute(&BTreeMap::new()).unwrap());
            fs::write(&file, joined.to_string()).unwrap();
            let apply = ["apply", "--dry-run=client", "--output=name", "--namespace", &namespace];
            let output = cluster().kubectl(apply.iter().chain(&["-f", file.to_str().unwrap()]));
            let theirs = String::from_utf8(output.stdout).unwrap();
            if theirs != expected {
                let said = String::from_utf8_lossy(&output.stderr);
                wrong.push(format!("{joined}\nis {theirs:?}, not {expected:?}: {said}\n"));
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 80);
    assert!(wrong.is_empty(), "{}: {}", wrong.len(), wrong.join("\n"));
}
