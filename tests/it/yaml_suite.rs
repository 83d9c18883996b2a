//! Every input of the YAML test suite, with each of its scalars in turn as a reference: what the
//! suite calls a scalar of that value is replaced, and no other byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use ko_rs::manifests::{Errors, Manifests, Parse, Rules, parse};
use ko_rs::source::Source;
use serde_json::Value;

use crate::support::fixture;

const IMAGE: &str = "registry.example/team/a@sha256:0";

struct Case {
    id: String,
    yaml: String,
    /// Whether it is no YAML.
    fail: bool,
    /// The values that the suite finds in it, in their order.
    values: Vec<String>,
}

fn cases() -> Vec<Case> {
    let text = fs::read_to_string(fixture("yaml-test-suite/inputs.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let values = |tree: &str| tree.lines().filter_map(value).collect();
    let case = |case: &Value| Case {
        id: text(&case["id"]),
        yaml: text(&case["yaml"]),
        fail: case["fail"].as_bool().unwrap(),
        values: values(&text(&case["tree"])),
    };
    cases.iter().map(case).collect()
}

/// The value of a line of a tree: `=VAL &anchor <tag> :value`.
fn value(line: &str) -> Option<String> {
    let mut rest = line.trim_start().strip_prefix("=VAL ")?;
    while rest.starts_with(['&', '<']) {
        rest = rest.split_once(' ')?.1;
    }
    Some(rest[1..].to_owned())
}

fn read(text: &str, depth: Parse) -> Result<Manifests, Errors> {
    parse(vec![Source::new("case.yaml", text)], &Rules::default(), depth)
}

/// The text with an image in the place of every reference, and how many there are.
fn resolved(text: &str) -> Result<(String, usize), Errors> {
    let manifests = read(text, Parse::OnlyReferences)?;
    let images: BTreeMap<_, _> =
        manifests.references().map(|found| (found.reference.clone(), IMAGE.to_owned())).collect();
    let mut rendered = manifests.substitute(&images)?;
    Ok((rendered.remove(0).text, manifests.references().count()))
}

/// A value that stands in the text as it is, as often as it is a value.
fn is_replaceable(case: &Case, word: &str) -> bool {
    let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let values = case.values.iter().filter(|value| *value == word).count();
    is_word && case.yaml.matches(word).count() == values
}

#[test]
fn of_every_input_exactly_the_scalars_that_are_references_change() {
    let mut tried = 0;
    let mut wrong = Vec::new();
    for case in cases().iter().filter(|case| !case.fail) {
        let words: BTreeSet<&String> = case.values.iter().collect();
        for word in words.into_iter().filter(|word| is_replaceable(case, word)) {
            tried += 1;
            let times = case.yaml.matches(word.as_str()).count();
            let before = case.yaml.replace(word.as_str(), "ko://crate");
            match resolved(&before) {
                Ok((after, found)) if found == times => {
                    let expected = before.replace("ko://crate", IMAGE);
                    if after != expected {
                        wrong.push(format!("{} `{word}`: {after:?} is not {expected:?}", case.id));
                    }
                }
                Ok((_, found)) => wrong.push(format!("{} `{word}`: {found} of {times}", case.id)),
                Err(errors) => wrong.push(format!("{} `{word}`: {errors}\n{before:?}", case.id)),
            }
        }
    }
    assert!(tried > 400, "of the suite's scalars only {tried} were tried");
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_yaml_comes_out_as_it_went_in_and_the_rest_is_refused() {
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for case in cases() {
        // The comment has it parsed.
        let text = format!("# ko://crate\n{}", case.yaml);
        match resolved(&text) {
            Ok((after, found)) => {
                assert_eq!((found, &after), (0, &text), "{}", case.id);
                if case.fail {
                    taken.push(case.id);
                }
            }
            Err(_) if case.fail => {}
            Err(errors) => refused.push(format!("{}: {errors}", case.id)),
        }
    }
    insta::assert_snapshot!(taken.join(" "), @"9C9N DK95/1 QB6E QLJ7");
    insta::assert_snapshot!(refused.join("\n"), @"");
}
