//! The examples of `docs/errors.md` that need no server.

use std::collections::BTreeSet;
use std::sync::Mutex;

use ko_rs::cli::every_code;

use crate::examples;
use crate::support::Sandbox;

#[test]
fn every_code_is_unique_and_has_an_example_that_needs_what_exists() {
    let mut names = BTreeSet::new();
    for code in every_code() {
        assert!(names.insert(code.name), "two codes are named {code}");
    }
    let examples = examples::all();
    let of_examples: BTreeSet<&str> = examples.iter().map(|found| found.code.as_str()).collect();
    let missing: Vec<_> = names.difference(&of_examples).collect();
    assert!(missing.is_empty(), "add fixtures/errors/CODE.txt for {missing:?}");
    let unknown: Vec<_> = of_examples.difference(&names).collect();
    assert!(unknown.is_empty(), "there are examples of codes that do not exist: {unknown:?}");
}

#[test]
fn every_example_prints_what_is_documented() {
    let examples: Vec<_> =
        examples::all().into_iter().filter(|example| example.needs.is_none()).collect();
    let (queue, wrong) = (Mutex::new(examples.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some(example) = queue.lock().unwrap().next() else { break };
                    let sandbox = Sandbox::new().env("KO_DOCKER_REPO", "registry.example/team");
                    if let Err(error) = example.run(sandbox, &[], || ()) {
                        wrong.lock().unwrap().push(error);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}\nUPDATE_DOCS=1 rewrites what is printed", wrong.join("\n"));
}
