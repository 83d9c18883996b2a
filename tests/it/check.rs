//! `check`, and lints wherever manifests are read: nothing is built.

use crate::build::package;
use crate::support::Sandbox;

const MANIFEST: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
  - name: link
    image: ko://link-service
    env:
    - {name: LEVEL, value: info}
    - {name: LEVEL, value: debug}
  - name: proxy
    image: envoy
";

/// A workspace that Cargo can read and not compile, and no destination.
fn workspace() -> Sandbox {
    let sandbox = package(Sandbox::new(), ".", "link-service", "");
    sandbox.file("src/main.rs", "this does not compile")
}

#[test]
fn check_tells_everything_at_once_and_builds_nothing() {
    let sandbox = workspace()
        .file(".ko-rs.yaml", "lints: {latest-tag: deny, duplicate-entry: off}\n")
        .file("a.yaml", MANIFEST)
        .file("b.yaml", "apiVersion: v1\nkind: A\nx: ko://lnk-service\n");
    let ran = sandbox.run(["check", "-f", "a.yaml", "-f", "b.yaml"]).exits(1);
    assert_eq!(ran.stdout(), "");
    let root = std::fs::canonicalize(sandbox.directory()).unwrap();
    insta::assert_snapshot!(ran.stderr().replace(root.to_str().unwrap(), "ROOT"), @"
    error: `envoy` is whatever was pushed last, beside images that are pinned [latest-tag]
      --> a.yaml:12:12
       |
    12 |     image: envoy
       |            ^^^^^ not pinned
    hint: write a tag that stays, or a digest: `NAME@sha256:…`
    error: `ko://lnk-service` names no crate of the workspace `ROOT`
     --> b.yaml:3:4
      |
    3 | x: ko://lnk-service
      |    ^^^^^^^^^^^^^^^^ refers to nothing here
    hint: did you mean `link-service`?
    ");
}

#[test]
fn what_lints_find_is_a_warning_unless_settings_say_otherwise() {
    let sandbox = workspace().file("a.yaml", MANIFEST);
    let ran = sandbox.run(["check", "-f", "a.yaml"]).exits(0);
    insta::assert_snapshot!(ran.stderr(), @"
    warning: the environment variable `LEVEL` is there twice, which the API server refuses [duplicate-entry]
      --> a.yaml:10:14
       |
    10 |     - {name: LEVEL, value: debug}
       |              ^^^^^ again
     --> a.yaml:9:14
      |
    9 |     - {name: LEVEL, value: info}
      |              ^^^^^ first
    hint: remove one of them
    warning: `envoy` is whatever was pushed last, beside images that are pinned [latest-tag]
      --> a.yaml:12:12
       |
    12 |     image: envoy
       |            ^^^^^ not pinned
    hint: write a tag that stays, or a digest: `NAME@sha256:…`
    note: references: 1, binaries: 1
    ");
    let sandbox = sandbox.file(".ko-rs.yaml", "lints: {latest-tag: off, duplicate-entry: off}\n");
    let ran = sandbox.run(["check", "-f", "a.yaml"]).exits(0);
    assert_eq!(ran.stderr(), "note: references: 1, binaries: 1\n");
}

#[test]
fn a_lint_that_is_denied_stops_resolve_before_anything_is_built() {
    let sandbox =
        workspace().file(".ko-rs.yaml", "lints: {latest-tag: deny}\n").file("a.yaml", MANIFEST);
    let ran = sandbox.run(["resolve", "--push=false", "-f", "a.yaml"]).exits(1);
    assert_eq!(ran.stdout(), "");
    assert!(ran.stderr().contains("error: `envoy` is whatever"), "{}", ran.stderr());
    assert!(!ran.stderr().contains("Building"), "{}", ran.stderr());
}

#[test]
fn check_refuses_what_is_no_object_and_needs_no_workspace_without_references() {
    let sandbox = Sandbox::new().env("PATH", "");
    let ran = sandbox.run_with_input(["check", "-f", "-"], "a: 1\n---\nb: [\n").exits(1);
    insta::assert_snapshot!(ran.stderr(), @"
    error: <stdin>:1:1: no Kubernetes object: it has no `apiVersion`
     --> <stdin>:1:1
      |
    1 | a: 1
      | ^ this document
    error: <stdin>:3:4: unclosed bracket '['
     --> <stdin>:3:4
      |
    3 | b: [
      |    ^ here
    ");
    let ran = sandbox.run_with_input(["check", "-f", "-"], "apiVersion: v1\nkind: A\n").exits(0);
    assert_eq!(ran.stderr(), "note: references: 0, binaries: 0\n");
}

#[test]
fn a_lint_or_a_level_that_is_not_there_is_answered_with_those_that_are() {
    let sandbox = Sandbox::new().file(".ko-rs.yaml", "lints: {latest-tags: off, latest-tag: no}\n");
    let ran = sandbox.run(["check", "-f", "-"]).exits(2);
    insta::assert_snapshot!(ran.stderr(), @"
    error: there is no lint `latest-tags`
     --> .ko-rs.yaml:1:9
      |
    1 | lints: {latest-tags: off, latest-tag: no}
      |         ^^^^^^^^^^^ no such lint
    hint: did you mean `latest-tag`?
    error: `latest-tag` is `off`, `warn` or `deny`
     --> .ko-rs.yaml:1:39
      |
    1 | lints: {latest-tags: off, latest-tag: no}
      |                                       ^^ this is `no`
    ");
}

#[test]
fn a_command_that_is_not_in_the_image_is_found_once_the_image_is_built() {
    let manifest = |command: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: ko://hello\n    command: [{command}]\n"
        )
    };
    let sandbox = Sandbox::inside_fixture("crates/hello").env("KO_DOCKER_REPO", "registry.example");
    let resolve = ["resolve", "--push=false", "-q", "-f", "-"];
    let ran = sandbox.run_with_input(resolve, &manifest("/bin/sh")).exits(0);
    insta::assert_snapshot!(ran.stderr(), @"
    warning: `/bin/sh` is not in the image [missing-command]
     --> <stdin>:6:15
      |
    6 |     command: [/bin/sh]
      |               ^^^^^^^ not there
    hint: leave out `command`: the image starts its program, and `args` are given to it
    ");
    for there in ["/ko-app/hello", "hello"] {
        let ran = sandbox.run_with_input(resolve, &manifest(there)).exits(0);
        assert_eq!(ran.stderr(), "", "{there}");
    }
}
