//! Where values would silently mean something else to kubectl, or to nobody what they say.

use super::*;

const HEAD: &str = "apiVersion: v1\nkind: A\n";

fn object(text: &str) -> Value {
    objects(&format!("{HEAD}{text}")).remove(0)
}

fn wrong(text: &str) -> String {
    errors(&format!("{HEAD}{text}"), Parse::Everything)
}

#[test]
fn an_anchor_on_a_key_is_the_value_that_it_is_elsewhere() {
    let port = object("x: {&p 8080: a, port: *p}\n");
    assert_eq!(port["x"], json!({"8080": "a", "port": 8080}));
    let yes = object("? &p yes\n: a\nz: *p\n");
    assert_eq!((&yes["true"], &yes["z"]), (&json!("a"), &json!(true)));
    let text = object("&p 'yes': a\nz: *p\n");
    assert_eq!((&text["yes"], &text["z"]), (&json!("a"), &json!("yes")));
    // A float is a key as kubectl writes it, wherever the anchor stands.
    let key = object("x: {&p 1e6: a, b: {*p : 1}}\ny: &q 1e6\nz: {*q : 1}\n");
    assert_eq!(key["x"]["b"], json!({"1e+06": 1}));
    assert_eq!(key["z"], json!({"1e+06": 1}));
    // Without an alias nobody asks what it would be.
    assert_eq!(object("&p .inf: a\n")[".inf"], "a");
}

#[test]
fn labels_and_annotations_have_to_be_text() {
    for (metadata, expected) in [
        (
            "{labels: {app: web, version: 1}}",
            "a.yaml:3:40: the label `version` must be a string, but is a number",
        ),
        (
            "{labels: {a: yes, b: ~, c: }}",
            "a.yaml:3:24: the label `a` must be a string, but is a boolean",
        ),
        (
            "{annotations: {a: [x]}}",
            "a.yaml:3:29: the annotation `a` must be a string, but is a sequence",
        ),
        (
            "{annotations: {a: {x: y}}}",
            "a.yaml:3:29: the annotation `a` must be a string, but is a mapping",
        ),
        (
            "{labels: {a: &x 1}, annotations: {a: *x}}",
            "a.yaml:3:48: the annotation `a` must be a string, but is a number",
        ),
        ("{labels: {<<: {a: 1}}}", "a.yaml:3:20: the label `a` must be a string, but is a number"),
        ("{<<: {labels: {a: 1}}}", "a.yaml:1:1: the label `a` must be a string, but is a number"),
        ("{<<: [{labels: {a: 1}}]}", "a.yaml:1:1: the label `a` must be a string, but is a number"),
        ("{labels: [a]}", "a.yaml:3:20: `metadata.labels` must be a mapping, but is a sequence"),
    ] {
        let found = wrong(&format!("metadata: {metadata}\n"));
        assert!(found.contains(expected), "{metadata}: {found}");
    }
    let found = "a.yaml:4:20: the label `a` must be a string, but is a number: quote it";
    assert_eq!(wrong("x: &x {a: 1}\nmetadata: {labels: *x}\n"), found);
    assert_eq!(wrong("<<: {metadata: {labels: {a: 1}}}\n").lines().count(), 1);
    assert_eq!(wrong("metadata:\n  labels:\n    a: 1\n    b: '1'\n").lines().count(), 1);
    for right in [
        "{labels: {a: '1', b: ~, c: !!str 1}, annotations: ~}",
        "{labels: {a: 1, a: '1'}, labels2: {a: 1}}",
        "{labels: {<<: {a: 1}, a: x}}",
        "{x: {labels: {a: 1}}}",
    ] {
        object(&format!("metadata: {right}\n"));
    }
    object("items: [{metadata: {labels: {a: 1}}}]\nspec: {metadata: {labels: {a: 1}}}\n");
}

#[test]
fn labels_of_the_items_of_a_list_have_to_be_text() {
    let list = |items: &str| format!("apiVersion: v1\nkind: List\nitems:\n{items}");
    let item =
        |labels: &str| format!("- {{apiVersion: v1, kind: A, metadata: {{labels: {labels}}}}}\n");
    let found = errors(&list(&(item("{a: b}") + &item("{a: 2}"))), Parse::Everything);
    let expected = "a.yaml:5:52: the label `a` must be a string, but is a number: quote it";
    assert_eq!(found, expected);
    assert_eq!(objects(&list(&item("{a: '2'}"))).len(), 1);
    let aliased = format!("{}{}", list(&item("&x {a: 2}")), item("*x"));
    assert_eq!(errors(&aliased, Parse::Everything).lines().count(), 2);
}

#[test]
fn what_a_tag_decodes_is_no_reference() {
    let value = object("a: ko://a\nb: !!binary a286Ly9h\nc: [!!binary a286Ly9h]\n");
    assert_eq!(value["a"], "r/a@sha256:0");
    assert_eq!(value["b"], "ko://a");
    assert_eq!(value["c"], json!(["ko://a"]));
    let source = |name, text| Source::new(name, format!("{HEAD}{text}"));
    let sources = vec![source("a.yaml", "a: ko://a\n"), source("b.yaml", "b: !!binary a286Ly9h\n")];
    let set = parse(sources, &Rules::default(), Parse::Everything);
    let objects = set.objects(&images(&[("a", "r/a@sha256:0")])).unwrap();
    assert_eq!(objects[1].value["b"], "ko://a");
    assert_eq!(
        resolved("a: ko://a\nb: !!binary a286Ly9h\n"),
        "a: r/a@sha256:0\nb: !!binary a286Ly9h\n"
    );
}

#[test]
fn a_number_of_json_that_is_too_large_is_an_error() {
    let json =
        |number: &str| format!("{{\"apiVersion\": \"v1\", \"kind\": \"A\", \"x\": {number}}}");
    for number in ["1e400", "-1e400", "1E+400", &"9".repeat(400)] {
        let found = errors(&json(number), Parse::Everything);
        assert_eq!(found, format!("a.yaml:1:40: the number `{number}` is too large"));
    }
    for right in ["1e300", "1e-400", "\"1e400\""] {
        assert_eq!(objects(&json(right)).len(), 1, "{right}");
    }
    // YAML's is a string to kubectl.
    assert_eq!(object("x: 1e400\n")["x"], "1e400");
}

#[test]
fn a_key_right_before_a_bracket_or_comma_is_an_error_where_values_are_read() {
    for (text, key, at) in [
        ("x: [sh, echo:, b]\n", "echo", "3:9"),
        ("x: {a:, b: 1}\n", "a", "3:5"),
        ("x: {b: 1, a:}\n", "a", "3:11"),
        ("x: [a:]\n", "a", "3:5"),
    ] {
        let found = wrong(text);
        let expected = format!("a.yaml:{at}: kubectl reads `{key}:` as one word here");
        assert!(found.starts_with(&expected), "{text}: {found}");
        let left = format!("{HEAD}{text}i: ko://a\n");
        assert_eq!(resolved(&left), left.replace("ko://a", "r/a@sha256:0"));
    }
    for text in ["x: [?a]\n", "x: {?a: b}\n", "x: [{a: [b: ?c]}]\n"] {
        let found = wrong(text);
        assert!(found.contains("kubectl reads a `?` inside brackets"), "{text}: {found}");
    }
    assert_eq!(object("x: ?a\n? b\n: {? c : d, e: '?f', g: h?}\n")["b"]["g"], "h?");
    let right = object("x: {a: , b: {'c':, d: }}\nz: ['echo:', http://a:b]\n");
    assert_eq!(right["x"], json!({"a": null, "b": {"c": null, "d": null}}));
    assert_eq!(right["z"], json!(["echo:", "http://a:b"]));
}
