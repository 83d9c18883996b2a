//! Every input of the YAML test suite, with each of its scalars in turn as a reference: what the
//! suite calls a scalar of that value is replaced, and no other byte; and another library reads the
//! same with just those scalars changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use ko_rs::testing::{Errors, Manifests, Parse, Rules, Source, parse};
use serde_json::Value;

use crate::read_back;
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
    parse(vec![Source::new("case.yaml", text)], &Rules::default(), depth).checked()
}

/// The text with an image in the place of every reference, and how many there are.
fn resolved(text: &str) -> Result<(String, usize), Errors> {
    let manifests = read(text, Parse::OnlyReferences)?;
    let images: BTreeMap<_, _> =
        manifests.references().map(|found| (found.reference.clone(), IMAGE.to_owned())).collect();
    let mut rendered = manifests.substitute(&images)?;
    Ok((rendered.remove(0).text.to_string(), manifests.references().count()))
}

/// A value that stands in the text as it is, as often as it is a value.
fn is_replaceable(case: &Case, word: &str) -> bool {
    let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let values = case.values.iter().filter(|value| *value == word).count();
    is_word && case.yaml.matches(word).count() == values
}

/// Whether libyaml finds the same in both but for the references; none where it cannot read what was
/// there before, or sees no such scalar in it.
fn is_read_back(before: &str, after: &str) -> Option<bool> {
    let before = read_back::documents(before)?;
    let finds_it = format!("{before:?}").contains("\"ko://crate");
    let changed = read_back::documents(after).and_then(|after| read_back::changes(&before, &after));
    if !finds_it {
        return None;
    }
    let is_right = |(before, after): &(String, String)| {
        before.trim_end_matches('\n') == "ko://crate" && after == IMAGE
    };
    Some(changed.is_some_and(|changed| !changed.is_empty() && changed.iter().all(is_right)))
}

#[test]
fn of_every_input_exactly_the_scalars_that_are_references_change() {
    let cases = cases();
    let mut tried = 0;
    let mut wrong = Vec::new();
    let (mut read_back, mut unreadable) = (0, BTreeSet::new());
    for case in cases.iter().filter(|case| !case.fail) {
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
                    match is_read_back(&before, &after) {
                        Some(true) => read_back += 1,
                        Some(false) => wrong.push(format!("{} `{word}`: read as another", case.id)),
                        None => drop(unreadable.insert(case.id.as_str())),
                    }
                }
                Ok((_, found)) => wrong.push(format!("{} `{word}`: {found} of {times}", case.id)),
                Err(errors) => wrong.push(format!("{} `{word}`: {errors}\n{before:?}", case.id)),
            }
        }
    }
    assert!(tried > 400, "of the suite's scalars only {tried} were tried");
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
    // What libyaml cannot read to begin with: YAML 1.2 where it knows 1.1, keys that are equal.
    assert!(read_back > 300, "{read_back} of {tried} were read back");
    let unreadable: Vec<&str> = unreadable.into_iter().collect();
    insta::assert_snapshot!(format!("{} of {tried}, not {}", read_back, unreadable.join(" ")), @"538 of 604, not 2AUY 2JQS 2LFX 2SXE 33X3 4ABK 4MUZ/0 4MUZ/1 4MUZ/2 5MUD 5T43 6BCT 6LVF 74H7 7Z25 96NN/0 9SA2 A2M4 BEC7 DK95/0 DK95/3 DK95/4 F2C7 FH7J FRK4 K3WX L94M M2N8/0 NJ66 S3PD UT92 VJP3/1 W5VH X38W Y2GN Y79Y/1");
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
