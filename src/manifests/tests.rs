//! What the module does as a whole; in parts of their own random and hostile input.

mod hostile;
mod mapped;
mod meaning;
mod splice;

use serde_json::{Value, json};

use super::*;

fn images(references: &[(&str, &str)]) -> BTreeMap<CrateReference, String> {
    references
        .iter()
        .map(|(reference, image)| (CrateReference::bare(reference).unwrap(), (*image).to_owned()))
        .collect()
}

fn parsed(text: &str, depth: Parse) -> Result<Manifests, Errors> {
    super::parse(vec![Source::new("a.yaml", text)], &Rules::default(), depth).checked()
}

/// Every `ko://a` becomes `r/a@sha256:0`.
fn resolved(text: &str) -> String {
    let manifests = parsed(text, Parse::OnlyReferences).unwrap();
    let mut rendered = manifests.substitute(&images(&[("a", "r/a@sha256:0")])).unwrap();
    rendered.remove(0).text.to_string()
}

fn objects(text: &str) -> Vec<Value> {
    let manifests = parsed(text, Parse::Everything).unwrap();
    let objects = manifests.objects(&images(&[("a", "r/a@sha256:0")])).unwrap();
    objects.into_iter().map(|object| object.value).collect()
}

fn errors(text: &str, depth: Parse) -> String {
    parsed(text, depth).unwrap_err().to_string()
}

#[test]
fn exactly_the_references_are_replaced() {
    for (before, after) in [
        ("image: ko://a\n", "image: r/a@sha256:0\n"),
        ("image: ko-rs://a\n", "image: r/a@sha256:0\n"),
        ("image: 'ko://a'  # ko://a\n", "image: 'r/a@sha256:0'  # ko://a\n"),
        ("image: \"ko://a\"\r\n", "image: \"r/a@sha256:0\"\r\n"),
        (r#"{"image":"ko:\/\/a"}"#, r#"{"image":"r/a@sha256:0"}"#),
        (r#"{"image":"\u006bo:\/\/a", "b": 1}"#, r#"{"image":"r/a@sha256:0", "b": 1}"#),
        ("[ko://a, ko://a,ko://a]", "[r/a@sha256:0, r/a@sha256:0,r/a@sha256:0]"),
        ("ko://a: ko://a\n", "r/a@sha256:0: r/a@sha256:0\n"),
        ("{\"ko://a\":1}", "{\"r/a@sha256:0\":1}"),
        ("? ko://a\n: 1\n", "? r/a@sha256:0\n: 1\n"),
        ("a: &x ko://a\nb: *x\n", "a: &x r/a@sha256:0\nb: *x\n"),
        ("a: !!str ko://a\n", "a: !!str r/a@sha256:0\n"),
        ("a: !mine &x 'ko://a'\n", "a: !mine &x 'r/a@sha256:0'\n"),
        ("a: |-\n  ko://a\nb: 1\n", "a: |-\n  r/a@sha256:0\nb: 1\n"),
        ("a: | # c | d\n  ko://a\nb: 1\n", "a: |- # c | d\n  r/a@sha256:0\nb: 1\n"),
        ("- >2\n  ko://a  \n\n# c\n", "- >-2\n  r/a@sha256:0\n\n# c\n"),
        ("'x | y': !!str &a|b |2+\n  ko://a", "'x | y': !!str &a|b |2-\n  r/a@sha256:0"),
        ("--- >+\nko://a\n", "--- >-\nr/a@sha256:0\n"),
        ("? |\n ko://a\n: >\r\n ko://a\r\n", "? |-\n r/a@sha256:0\n: >-\r\n r/a@sha256:0\r\n"),
        ("a: \"ko://a \"\n", "a: \"r/a@sha256:0\"\n"),
        ("é: ко://a # é\nb: ko://a", "é: ко://a # é\nb: r/a@sha256:0"),
        ("a: \"ko:\\\n  //a\"\n", "a: \"r/a@sha256:0\"\n"),
        ("a:\n\n    -   ko://a   \n\n\n# end", "a:\n\n    -   r/a@sha256:0   \n\n\n# end"),
        (
            "--- ko://a\n--- # c\n- ko://a\n...\n",
            "--- r/a@sha256:0\n--- # c\n- r/a@sha256:0\n...\n",
        ),
        ("\u{feff}a: ko://a\n", "\u{feff}a: r/a@sha256:0\n"),
        ("%YAML 1.1\n---\na: ko://a\n", "%YAML 1.1\n---\na: r/a@sha256:0\n"),
        ("a: x ko://a\nb: KO://a\nc: ' ko://a'\n", "a: x ko://a\nb: KO://a\nc: ' ko://a'\n"),
        ("a: |\n  run\n  ko://a\n", "a: |\n  run\n  ko://a\n"),
    ] {
        assert_eq!(resolved(before), after, "{before:?}");
    }
}

#[test]
fn a_document_that_cannot_hold_a_reference_is_passed_on_unparsed() {
    let text = "a: [1\n---\nimage: ko://a\n---\n{{ broken }}: [\n";
    assert_eq!(resolved(text), text.replace("ko://a", "r/a@sha256:0"));
}

#[test]
fn every_reference_must_have_an_image() {
    let manifests = parsed("- ko://a\n- ko://b\n- ko://c\n", Parse::OnlyReferences).unwrap();
    let errors = manifests.substitute(&images(&[("b", "r/b")])).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "a.yaml:1:3: there is no image for `ko://a`\na.yaml:3:3: there is no image for `ko://c`"
    );
}

#[test]
fn every_error_is_reported_with_its_place() {
    let text = "a: ko://a:1\n---\nb: [ko://\n---\nc: 'ko://b c'\n";
    let errors = parsed(text, Parse::OnlyReferences).unwrap_err();
    insta::assert_snapshot!(errors, @"
    a.yaml:1:4: `ko://a:1` ends with `:1`, but a reference must not have a tag or digest
    a.yaml:3:4: unclosed bracket '['
    a.yaml:5:4: `ko://b c` contains ' ', which cannot be in the name or path of a crate
    ");
    let spots = errors.iter().map(|error| error.location().unwrap());
    let texts: Vec<&str> = spots.map(Location::text).collect();
    assert_eq!(texts, ["ko://a:1", "[", "'ko://b c'"]);
}

#[test]
fn objects_are_what_kubectl_makes_of_them() {
    let text = "\
# nothing
---
apiVersion: v1
kind: Pod
metadata: {name: a, annotations: &x {y: 'yes', 1: b}}
spec:
  mode: 0644
  on: ~
  <<: *x
  containers: [{image: ko://a}, {image: \"ko:\\/\\/a\"}]
  twice: 1
  twice: 2
---
---
null
---
{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [
  {\"apiVersion\": \"v1\", \"kind\": \"A\"},
  {\"apiVersion\": \"v1\", \"kind\": \"B\"}]}
";
    let manifests = parsed(text, Parse::Everything).unwrap();
    let objects = manifests.objects(&images(&[("a", "r/a")])).unwrap();
    let places: Vec<&str> = objects.iter().map(|object| object.place.as_str()).collect();
    assert_eq!(places, ["a.yaml:3:1", "a.yaml:18:3", "a.yaml:19:3"]);
    assert_eq!(
        objects[0].value,
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "a", "annotations": {"true": "yes", "1": "b"}},
            "spec": {
                "mode": 420,
                "true": "yes",
                "1": "b",
                "containers": [{"image": "r/a"}, {"image": "r/a"}],
                "twice": 2,
            },
        })
    );
}

#[test]
fn the_last_line_of_a_block_scalar_ends_as_kubectl_ends_it() {
    let text = "apiVersion: v1\nkind: A\nx: |\n  a";
    assert_eq!(objects(text)[0]["x"], "a\n");
    assert_eq!(resolved("x: |\n  ko://a"), "x: |-\n  r/a@sha256:0");
    assert_eq!(resolved("x: |-\n  ko://a"), "x: |-\n  r/a@sha256:0");
}

#[test]
fn objects_are_parsed_when_they_are_asked_for() {
    let text = "apiVersion: v1\nkind: A\n---\napiVersion: v1\nkind: ko://a\n";
    let manifests = parsed(text, Parse::OnlyReferences).unwrap();
    assert_eq!(manifests.objects(&images(&[("a", "r/a")])).unwrap().len(), 2);
    let manifests = parsed("a: 1\n", Parse::OnlyReferences).unwrap();
    assert!(manifests.objects_as_written().is_err());
}

#[test]
fn json_objects_need_no_marker_between_them() {
    let text = "{\"apiVersion\": \"v1\", \"kind\": \"ko:\\/\\/a\"}\n\n{\"apiVersion\": \"v1\", \"kind\": \"B\"}\n";
    assert_eq!(resolved(text), text.replace("ko:\\/\\/a", "r/a@sha256:0"));
    let manifests = parsed(text, Parse::Everything).unwrap();
    let objects = manifests.objects_as_written().unwrap();
    let places: Vec<&str> = objects.iter().map(|object| object.place.as_str()).collect();
    assert_eq!(places, ["a.yaml:1:1", "a.yaml:3:1"]);
}

#[test]
fn a_document_that_is_no_object_is_an_error() {
    for (text, error) in [
        ("- a\n", "a.yaml:1:1: not a Kubernetes object: it is a sequence, not a mapping"),
        ("# c\n\na: 1\n", "a.yaml:3:1: not a Kubernetes object: it has no `apiVersion`"),
        (
            "apiVersion: v1\nkind: 1",
            "a.yaml:1:1: not a Kubernetes object: its `kind` is not a non-empty string",
        ),
        (
            "apiVersion: v1\nkind: List",
            "a.yaml:1:1: not a Kubernetes object: it is a List without `items`",
        ),
        (
            "apiVersion: v1\nkind: List\nitems:\n- 1",
            "a.yaml:4:3: not a Kubernetes object: it is a number, not a mapping",
        ),
        (
            "x: &a b\ny:\n  *a:\n    c: d\n",
            "a.yaml:3:3: found unknown anchor `a:`; a `:` directly after an alias is part of its name",
        ),
        ("a: .inf", "a.yaml:1:4: JSON has no number `.inf`"),
        ("a: &x [*x]", "a.yaml:1:8: this anchor's value contains itself"),
        ("{a: 1}: b", "a.yaml:1:1: a mapping cannot be a key"),
        (
            "<<: 1",
            "a.yaml:1:5: `<<` merges a mapping or a sequence of mappings, and this is neither",
        ),
    ] {
        assert_eq!(errors(text, Parse::Everything), error);
    }
}

#[test]
fn strings_behind_aliases_are_replaced_with_their_anchor() {
    let value = objects("apiVersion: v1\nkind: A\na: &x ko://a\nb: *x\nc: |\n  ko://a\n");
    assert_eq!(
        value[0],
        json!({"apiVersion": "v1", "kind": "A", "a": "r/a@sha256:0", "b": "r/a@sha256:0", "c": "r/a@sha256:0"})
    );
}

fn selected(text: &str, selector: &str) -> String {
    let manifests = parsed(text, Parse::Everything).unwrap();
    let manifests = manifests.select(&selector.parse().unwrap()).unwrap();
    let rendered = manifests.substitute(&images(&[("a", "r/a")])).unwrap();
    rendered[0].text.to_string()
}

/// An object with one label.
fn labelled(app: &str) -> String {
    format!("apiVersion: v1\nkind: A\nmetadata:\n  labels: {{app: {app}}}\nimage: ko://{app}\n")
}

#[test]
fn what_is_not_selected_goes_with_its_separator_and_its_references() {
    let (a, b) = (labelled("a"), labelled("b"));
    let image = a.replace("ko://a", "r/a");
    for (text, expected) in [
        (format!("{a}---\n{b}---\n"), image.clone()),
        (format!("{b}---\n{a}"), format!("---\n{image}")),
        (format!("{a}---\n{b}---\n{a}"), format!("{image}---\n{image}")),
        (
            format!("# c\n\n---\n{a}...\n{b}...\n{a}"),
            format!("# c\n\n---\n{image}...\n---\n{image}"),
        ),
        (
            format!("{a}---\n{b}...\n%YAML 1.1\n---\n{a}"),
            format!("{image}...\n%YAML 1.1\n---\n{image}"),
        ),
        (b.clone(), String::new()),
    ] {
        assert_eq!(selected(&text, "app=a"), expected);
    }
    let manifests = parsed(&format!("{a}---\n{b}"), Parse::OnlyReferences).unwrap();
    let manifests = manifests.select(&"app!=b".parse().unwrap()).unwrap();
    assert_eq!(manifests.references().count(), 1);
    assert_eq!(manifests.objects_as_written().unwrap().len(), 1);
}

#[test]
fn items_of_a_list_are_selected_one_by_one() {
    let item = |app: &str| {
        format!(
            "- apiVersion: v1\n  kind: A\n  metadata: {{labels: {{app: {app}}}}}\n  x: [ko://{app}]\n"
        )
    };
    let (a, b) = (item("a"), item("b"));
    let image = a.replace("ko://a", "r/a");
    let head = "apiVersion: v1\nkind: List\nitems:\n";
    for (items, expected) in [
        (format!("{a}{b}"), image.clone()),
        (format!("{b}{a}"), image.clone()),
        (format!("# a\n{a}# b\n{b}# c\n{a}"), format!("# a\n{image}# c\n{image}")),
        (format!("{a}{b}metadata: {{}}\n"), format!("{image}metadata: {{}}\n")),
        (format!("{a}{b}  y: |\n    z\n\nmetadata: {{}}\n"), format!("{image}metadata: {{}}\n")),
        (format!("{a}{b}other:\n- &x x\n"), format!("{image}other:\n- &x x\n")),
        (format!("-\n  &x\n{}{a}", &b.replacen('-', " ", 1)), image.clone()),
    ] {
        assert_eq!(selected(&format!("{head}{items}"), "app=a"), format!("{head}{expected}"));
    }
    let item = |app: &str| {
        format!(r#"{{"apiVersion":"v1","kind":"A","metadata":{{"labels":{{"app":"{app}"}}}}}}"#)
    };
    let (a, b) = (item("a"), item("b"));
    let list = |items: &str| {
        format!("{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[ {items} ]}}\n")
    };
    for (items, expected) in [
        (format!("{a}, {b}"), a.clone()),
        (format!("{b} , {a}"), a.clone()),
        (format!("{a}, {b},\n {a}"), format!("{a},\n {a}")),
        (format!("{b}, {b}, {a}, {b}, {b}, {a}, {b}"), format!("{a}, {a}")),
        (format!("&x {b}, &y {a}"), format!("&y {a}")),
    ] {
        assert_eq!(selected(&list(&items), "app=a"), list(&expected));
        assert_eq!(selected(&list(&b), "app=a"), "");
    }
}

#[test]
fn an_item_cannot_be_selected_without_the_anchor_it_uses() {
    let text = "apiVersion: v1\nkind: List\nitems:\n\
                - {apiVersion: v1, kind: A, metadata: &m {x: y}}\n\
                - {apiVersion: v1, kind: B, metadata: {labels: {app: a}}, m: *m}\n";
    let manifests = parsed(text, Parse::Everything).unwrap();
    let error = manifests.select(&"app=a".parse().unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a.yaml:1:1: cannot select items of this List: a selected item uses an anchor of one that is not selected"
    );
}

#[test]
fn other_tools_are_told_of_a_reference_as_it_is_written_and_of_its_name() {
    let rules = Rules {
        ignore_tags: true,
        prefixes: vec!["ko://".to_owned(), "rust:".to_owned()],
        ..Rules::default()
    };
    let digest = format!("ko://a:0.3@sha256:{}", "0f".repeat(32));
    for (text, written, name) in [
        ("ko://a", "ko://a", "ko://a"),
        ("ko://a:0.3", "ko://a:0.3", "ko://a"),
        (digest.as_str(), digest.as_str(), "ko://a"),
        ("'ko://svc/a#b:0.3'", "ko://svc/a#b:0.3", "ko://svc/a#b"),
        ("\"ko:\\/\\/a:0.3\"", "ko://a:0.3", "ko://a"),
        ("|\n  ko://a:0.3\n", "ko://a:0.3", "ko://a"),
        ("rust:a:0.3", "rust:a:0.3", "rust:a"),
        ("ko://svc/a/", "ko://svc/a/", "ko://svc/a/"),
        ("&x ko://a:0.3 # why", "ko://a:0.3", "ko://a"),
    ] {
        let source = Source::new("a.yaml", format!("image: {text}"));
        let manifests = parse(vec![source], &rules, Parse::OnlyReferences);
        let replaced = manifests.references().next().unwrap().replaced("r/a@sha256:0", "a");
        assert_eq!((replaced.written.as_str(), replaced.name.as_str()), (written, name), "{text}");
    }
}

#[test]
fn what_is_quoted_in_an_error_stays_on_its_line() {
    let head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a";
    for (text, expected) in [
        (
            format!("{head}, labels: {{\"a\\n\\u202eb\": 1}}}}\n"),
            r"a.yaml:3:44: the label `a\n\u{202e}b` must be a string, but is a number: quote it",
        ),
        (
            format!("{head}}}\ndata: {{a: !!int \"1\\n\"}}\n"),
            r"a.yaml:4:17: `1\n` cannot be read as a !!int",
        ),
    ] {
        assert_eq!(errors(&text, Parse::Everything), expected);
    }
}

#[test]
fn the_place_of_an_object_is_counted_as_in_errors() {
    let object = "apiVersion: v1\rkind: A\r\nmetadata: {name: a}\n";
    let text = format!("\u{feff}{object}---\r{object}---\r\n{object}");
    let manifests = parsed(&text, Parse::Everything).unwrap();
    let objects = manifests.objects(&BTreeMap::new()).unwrap();
    let places: Vec<&str> = objects.iter().map(|object| object.place.as_str()).collect();
    let source = Source::new("a.yaml", &*text);
    let starts = text.match_indices("apiVersion").map(|(at, _)| source.place(at));
    assert_eq!(places, starts.collect::<Vec<_>>());
    assert_eq!(places, ["a.yaml:1:1", "a.yaml:5:1", "a.yaml:9:1"]);
}
