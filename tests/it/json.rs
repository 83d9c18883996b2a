//! Results and events as JSON, held against `docs/schema` by a validator of others.

use crate::schemas::{document, events};
use crate::support::Sandbox;

const IMAGE: &str = "registry.example/team/hello-5d41402abc4b2a76b9719d911017c592:latest@sha256:";

fn hello() -> Sandbox {
    Sandbox::with_fixture("crates/hello").env("KO_DOCKER_REPO", "registry.example/team").file(
        "k8s.yaml",
        "# mine\napiVersion: v1\nkind: Pod\nspec: {containers: [{image: ko://hello}]}\n",
    )
}

#[test]
fn a_build_and_its_plan_are_documents() {
    let sandbox = hello();
    let ran = sandbox.run(["build", "--push=false", "--output=json"]).exits(0);
    let built = document("BuildResult", ran.stdout());
    assert_eq!(built["complete"], true);
    assert!(built["images"][0]["reference"].as_str().unwrap().starts_with(IMAGE), "{built}");
    let ran = sandbox.run(["build", "--push=false", "--dry-run", "--output=json"]).exits(0);
    let planned = document("PlanResult", ran.stdout());
    assert_eq!(planned["plan"]["images"][0]["package"], "hello");
}

#[test]
fn resolved_manifests_are_part_of_the_document_unless_they_are_files() {
    let sandbox = hello();
    let resolve = ["resolve", "--push=false", "-f", "k8s.yaml", "--output=json"];
    let text = sandbox.run(["resolve", "--push=false", "-f", "k8s.yaml"]).exits(0);
    let resolved = document("ResolveResult", sandbox.run(resolve).exits(0).stdout());
    assert_eq!(resolved["manifests"], text.stdout());
    assert_eq!(resolved["replacements"][0]["written"], "ko://hello");
    let ran = sandbox.run(resolve.into_iter().chain(["-o", "out.yaml"])).exits(0);
    let resolved = document("ResolveResult", ran.stdout());
    assert_eq!((&resolved["manifests"], &resolved["files"][0]), (&"".into(), &"out.yaml".into()));
    assert_eq!(sandbox.read("out.yaml"), text.stdout());
}

#[test]
fn a_check_lists_what_it_found_also_if_it_fails() {
    let sandbox = hello();
    let ran = sandbox.run(["check", "-f", "k8s.yaml", "--output=json"]).exits(0);
    let checked = document("CheckResult", ran.stdout());
    assert_eq!((&checked["references"], &checked["complete"]), (&1.into(), &true.into()));
    let ran = sandbox.file("k8s.yaml", "apiVersion: v1\nkind: A\nimage: ko://hallo\n").run([
        "check",
        "-f",
        "k8s.yaml",
        "--output=json",
        "--progress=json",
    ]);
    let ran = ran.exits(1);
    let checked = document("CheckResult", ran.stdout());
    assert_eq!(checked["complete"], false);
    let found = &checked["diagnostics"][0];
    assert_eq!(found["severity"], "error", "{found}");
    let last = events(ran.stderr()).pop().unwrap();
    assert_eq!((&last["event"], &last["message"]), (&"diagnostic".into(), &found["message"]));
}

#[test]
fn other_results_are_documents() {
    let sandbox = hello();
    for (args, kind) in [
        (&["version"][..], "VersionResult"),
        (&["version", "-v"], "VersionResult"),
        (&["cache", "show"], "CacheShowResult"),
        (&["cache", "clean"], "CacheCleanResult"),
        (&["logout", "registry.example"], "LogoutResult"),
    ] {
        let ran = sandbox.run(args.iter().chain(&["--output", "json"])).exits(0);
        assert_eq!(document(kind, ran.stdout())["complete"], true);
    }
}

#[test]
fn a_run_that_fails_before_it_has_a_result_prints_none() {
    let sandbox = hello();
    let ran = sandbox.run(["build", "--output=json", "--progress=json", "gone"]).exits(1);
    assert_eq!(ran.stdout(), "");
    assert_eq!(events(ran.stderr()).pop().unwrap()["severity"], "error");
}

/// What Cargo prints is an event too.
#[test]
fn every_line_of_json_progress_is_an_event() {
    let sandbox = hello();
    sandbox.write("src/main.rs", "fn main() { println!(\"{}\", 1) }\n");
    let ran = sandbox.run(["build", "--push=false", "--progress=json", "-v"]).exits(0);
    let all = events(ran.stderr());
    for expected in ["started", "finished", "compiling", "published", "detail", "output"] {
        assert!(all.iter().any(|event| event["event"] == expected), "{expected}: {}", ran.stderr());
    }
    sandbox.write("src/main.rs", "fn main() { 1 }\n");
    let ran = sandbox.run(["build", "--push=false", "--progress=json"]).exits(101);
    let all = events(ran.stderr());
    let rustc = |event: &serde_json::Value| {
        event["line"].as_str().is_some_and(|line| line.starts_with("error[E0308]"))
    };
    assert!(all.iter().any(rustc), "{}", ran.stderr());
    assert_eq!(all.last().unwrap()["severity"], "error");
}

#[test]
fn every_stage_starts_and_finishes() {
    let sandbox = hello();
    let resolve = ["resolve", "--push=false", "-f", "k8s.yaml", "--progress=json"];
    let all = events(sandbox.run(resolve).exits(0).stderr());
    let started = all.iter().filter(|event| event["event"] == "started");
    let started: Vec<_> = started.map(|event| &event["stage"]).collect();
    assert_eq!(started, ["read", "plan", "compile", "publish"]);
    // Images are published while others are compiled.
    let finished = all.iter().filter(|event| event["event"] == "finished");
    let finished: Vec<_> = finished.map(|event| &event["stage"]).collect();
    assert_eq!(finished, started);
    for event in all.iter().filter(|event| event["event"] == "finished") {
        assert!(event["duration"].is_f64(), "{event}");
    }
}

#[test]
fn colours_are_written_where_they_are_asked_for() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(["--color=always", "resolve"]).exits(2);
    assert!(ran.stderr().starts_with("\u{1b}[1m\u{1b}[91merror[no-manifests]\u{1b}[0m: "));
    let plain = sandbox.run(["resolve"]).exits(2);
    assert!(plain.stderr().starts_with("error[no-manifests]: "), "{}", plain.stderr());
    let sandbox = sandbox.env("CLICOLOR_FORCE", "1");
    assert_eq!(sandbox.run(["resolve"]).exits(2).stderr(), ran.stderr());
    let sandbox = sandbox.env("NO_COLOR", "1");
    assert_eq!(sandbox.run(["resolve"]).exits(2).stderr(), plain.stderr());
}
