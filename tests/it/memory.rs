//! How much memory large and hostile manifests take, as a multiple of what they weigh.

use std::fmt::Write as _;
use std::fs;

use crate::support::{Sandbox, peak};

/// What ko-rs holds whatever it reads, in MB: 3 to 5, depending on how threads are scheduled and so on
/// how many of them the allocator has arenas for.
const BASE: f64 = 6.0;

/// A manifest behind its reference, the code that it ends with, and how many times its size
/// `resolve` and `check` may hold.
struct Case {
    name: &'static str,
    text: String,
    checked: i32,
    times: [f64; 2],
}

fn cases(scalar: usize, anchors: usize) -> Vec<Case> {
    let unit = |unit: &str| unit.repeat(scalar / unit.len());
    let each = |line: &dyn Fn(usize) -> String| {
        (0..anchors).fold(String::new(), |mut text, number| {
            let _ = writeln!(text, "{}", line(number));
            text
        })
    };
    let case = |name, text, checked, times| Case { name, text, checked, times };
    let anchored = each(&|number| format!("k{number}: &a{number} x"));
    let aliased = each(&|number| format!("k{number}: *a"));
    vec![
        case("deployments", deployments(anchors / 4), 0, [2.2, 2.2]),
        case("plain", format!("a: {}\n", unit("x")), 0, [2.2, 2.2]),
        case("quoted", format!("a: \"{}\"\n", unit("\\u006b")), 0, [2.2, 2.2]),
        case("block", format!("a: |\n{}", unit("  no reference\n")), 0, [2.2, 2.2]),
        case("unclosed", format!("a: \"{}", unit("x\n ")), 1, [2.2, 2.2]),
        // The parser keeps the names of anchors, and every line is two nodes of 24 bytes.
        case("anchors", anchored, i32::from(anchors > 100_000), [7.5, 7.5]),
        case("aliases", format!("a: &a x\n{aliased}"), 0, [6.0, 6.0]),
    ]
}

/// A reference in every object.
fn deployments(number: usize) -> String {
    let one = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: {app: web}}\nspec:\n  \
               selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      \
               containers:\n      - name: web\n        image: ko://hello\n        ports: [{containerPort: 8080}]\n        \
               env: [{name: PORT, value: \"8080\"}, {name: LOG, value: info}]\n";
    one.repeat(number)
}

/// Resolves and checks each case.
fn holds_no_more_than_it_may(scalar: usize, anchors: usize) {
    let sandbox = Sandbox::inside_fixture("crates/hello").env("KO_DOCKER_REPO", "r.example/team");
    let _ = sandbox.run(["build", "--push=false"]).exits(0);
    let (file, out) = (sandbox.outside("in.yaml"), sandbox.outside("out.yaml"));
    let (file, out) = (file.to_str().unwrap(), out.to_str().unwrap());
    for Case { name, text, checked, times } in cases(scalar, anchors) {
        let text = format!("apiVersion: v1\nkind: A\nx: ko://hello\n{text}");
        let size = text.len() as f64 / 1e6;
        fs::write(file, text).unwrap();
        let resolve = ["resolve", "--push=false", "-o", out, "-f", file];
        let commands: [&[&str]; 2] = [&resolve, &["check", "-f", file]];
        for (arguments, times) in commands.into_iter().zip(times) {
            let (ran, most) = peak(sandbox.start(arguments));
            let _ = ran.exits(checked);
            let most = most as f64 * 1024.0 / 1e6;
            let what = format!("{name}, {size:.1} MB, {}: {most:.1} MB", arguments[0]);
            assert!(most > 1.0 && most < BASE + times * size, "{what}");
        }
    }
}

#[test]
fn a_large_manifest_takes_a_multiple_of_its_size() {
    holds_no_more_than_it_may(6_000_000, 100_000);
}

#[test]
#[ignore = "reads 50 MB and a million anchors, unoptimised"]
fn a_huge_manifest_takes_a_multiple_of_its_size() {
    holds_no_more_than_it_may(50_000_000, 1_000_000);
}
