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
    error[latest-tag]: `envoy` has a tag that moves, while other images have digests
      --> a.yaml:12:12
       |
    12 |     image: envoy
       |            ^^^^^ no fixed tag or digest
    hint: write a fixed tag or a digest: `NAME@sha256:…`
    error[unknown-crate]: `ko://lnk-service` does not match any crate of the workspace `ROOT`
     --> b.yaml:3:4
      |
    3 | x: ko://lnk-service
      |    ^^^^^^^^^^^^^^^^ refers to nothing here
    hint: did you mean `link-service`?
    ");
}

/// `values.yaml` and the like lie among manifests; who names one means it.
#[test]
fn what_is_found_and_is_no_object_is_passed_over_with_a_note() {
    let object = "apiVersion: v1\nkind: A\n";
    let sandbox = Sandbox::new()
        .file("k8s/a.yaml", object)
        .file("k8s/values.yaml", "a: 1\n---\nb: 2\n")
        .file("k8s/Chart.yaml", "apiVersion: v2\nname: chart\n");
    let note = |name: &str| format!("note: skipped k8s/{name}: it is not a Kubernetes object\n");
    for found in ["k8s", "k8s/*"] {
        let ran = sandbox.run(["check", "-f", found]).exits(0);
        let notes = note("Chart.yaml") + &note("values.yaml");
        assert!(ran.stderr().starts_with(&notes), "{}", ran.stderr());
    }
    let ran = sandbox.run(["check", "-f", "k8s", "-f", "k8s/values.yaml"]).exits(1);
    assert!(ran.stderr().contains("error[not-an-object]: not a Kubernetes object: it has no `apiVersion`\n --> k8s/values.yaml:1:1\n"), "{}", ran.stderr());
    sandbox.write("k8s/a.yaml", "apiVersion: v1\nkind: A\n---\na: 1\n");
    let ran = sandbox.run(["check", "-f", "k8s"]).exits(1);
    assert!(ran.stderr().contains("error[not-an-object]: not a Kubernetes object: it has no `apiVersion`\n --> k8s/a.yaml:4:1\n"), "{}", ran.stderr());
    sandbox.write("k8s/a.yaml", object);
    let ran = sandbox.run(["check", "-l", "app=a", "-f", "k8s"]).exits(1);
    assert!(ran.stderr().contains("error[not-an-object]: not a Kubernetes object: it has no `apiVersion`\n --> k8s/values.yaml:1:1\n"), "{}", ran.stderr());
}

/// What cannot be read, what is no reference, what points nowhere and what lints deny: nobody should
/// have to run a command once for each.
#[test]
fn every_kind_of_mistake_is_told_in_one_run_with_every_place() {
    let sandbox = workspace()
        .file(".ko-rs.yaml", "lints: {latest-tag: deny, duplicate-entry: off}\n")
        .file("a.yaml", MANIFEST)
        .file(
            "b.yaml",
            "apiVersion: v1\nkind: A\nx: ko://lnk-service\n---\nkind: B\ny: ko://lnk-service\n",
        )
        .file(
            "c.yaml",
            "apiVersion: v1\nkind: C\nx: ko://link-service:1\ny: ko://lnk-service\n---\nz: [ # ko://\n",
        );
    let files = ["-f", "a.yaml", "-f", "b.yaml", "-f", "c.yaml"];
    for (command, errors) in [("check", 5), ("resolve", 4)] {
        let ran = sandbox.run([&[command][..], &files].concat()).exits(1);
        let text = ran.stderr();
        assert_eq!(text.lines().filter(|line| line.starts_with("error")).count(), errors, "{text}");
        assert_eq!(
            text.contains("not a Kubernetes object: it has no `apiVersion`\n --> b.yaml:5:1\n"),
            command == "check",
            "{text}"
        );
        for told in [
            "`ko://link-service:1` ends with `:1`, but a reference must not have a tag or digest\n --> c.yaml:3:4\n",
            "error[invalid-yaml]: unclosed bracket '['\n --> c.yaml:6:4\n",
            "error[latest-tag]: `envoy` has a tag that moves",
            "error[unknown-crate]: `ko://lnk-service` does not match any crate",
            " --> b.yaml:3:4\n",
            " ::: b.yaml:6:4\n ::: c.yaml:4:4\n",
        ] {
            assert!(text.contains(told), "{command}: {told}\n{text}");
        }
    }
    let nowhere =
        Sandbox::new().file(".ko-rs.yaml", "lints: {latest-tag: deny}\n").file("a.yaml", MANIFEST);
    let ran = nowhere.run(["resolve", "-f", "a.yaml"]).exits(1);
    assert!(ran.stderr().contains("error[latest-tag]: `envoy`"), "{}", ran.stderr());
    assert!(
        ran.stderr().contains("error[no-workspace]: could not find a Cargo workspace"),
        "{}",
        ran.stderr()
    );
}

#[test]
fn of_what_a_selector_leaves_out_no_reference_is_wrong() {
    let object = |name: &str, reference: &str| {
        format!(
            "apiVersion: v1\nkind: A\nmetadata: {{name: {name}, labels: {{app: {name}}}}}\nx: {reference}\n---\n"
        )
    };
    let text = object("a", "ko://link-service:1") + &object("b", "ko://link-service");
    let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A, metadata: {labels: {app: a}}, x: ko://b:1}\n\
                - {apiVersion: v1, kind: A, metadata: {labels: {app: b}}, x: ko://link-service}\n";
    let sandbox = workspace().file("a.yaml", &text).file("list.yaml", list);
    for file in ["a.yaml", "list.yaml"] {
        let _ = sandbox.run(["check", "-f", file, "-l", "app=b"]).exits(0);
        let ran = sandbox.run(["check", "-f", file, "-l", "app=a"]).exits(1);
        assert!(ran.stderr().contains("ends with `:1`"), "{}", ran.stderr());
    }
}

#[test]
fn of_very_many_mistakes_the_first_hundred_are_told_and_the_rest_is_counted() {
    let line = |number: usize, tag: &str| format!("- ko://a{number}{tag}\n");
    let lines = |tag| (0..20_000).map(|number| line(number, tag)).collect::<String>();
    let sandbox = workspace().file("nowhere.yaml", &lines("")).file("glued.yaml", &lines(":1"));
    for (file, more) in [
        ("nowhere.yaml", "error[too-many-findings]: 19900 more references were not checked"),
        ("glued.yaml", "error[too-many-errors]: 19900 more errors like these"),
    ] {
        let ran = sandbox.run(["resolve", "-f", file]).exits(1);
        assert_eq!(
            ran.stderr().lines().filter(|line| line.starts_with("error")).count(),
            101,
            "{file}"
        );
        assert!(ran.stderr().contains(more), "{file}: {}", ran.stderr());
    }
}

#[test]
fn hints_are_for_the_reference_at_hand() {
    let sandbox = workspace()
        .file("go/go.mod", "module github.com/acme/shop\n")
        .file("ignoring.yaml", "ignoreReferenceTags: true\n");
    let hint = |text: &str, flags: &[&str]| {
        std::fs::write(sandbox.directory().join("a.yaml"), text).unwrap();
        let ran = sandbox.run([&["resolve", "-f", "a.yaml"][..], flags].concat()).exits(1);
        ran.stderr().split_once("hint: ").map_or_else(String::new, |(_, hint)| hint.to_owned())
    };
    let ignoring = &["--config", "ignoring.yaml"][..];
    let go = hint("x: ko://github.com/acme/shop/link-servic\n", &[]);
    assert!(go.starts_with("did you mean `link-service`?\n"), "{go}");
    assert!(go.contains("this is a path in the Go module of `go/go.mod`"), "{go}");
    let own = hint("x: ko-rs://github.com/acme/shop/link-servic\n", &[]);
    assert_eq!(own, "did you mean `link-service`?\n");
    assert!(hint("x: ko://link-service:1\n", &[]).contains("ignoreReferenceTags: true"));
    for tag in ["$X", "1:2", "1#b"] {
        let ignored = hint(&format!("x: ko://link-service:{tag}\n"), ignoring);
        assert!(ignored.starts_with("write `ko://link-service"), "{tag}: {ignored}");
        assert!(!ignored.contains("ignoreReferenceTags"), "{tag}: {ignored}");
    }
    let rendered = "helm template … | ko-rs";
    assert!(hint("x: ko://link-service:{{ .Values.tag }}\n", &[]).contains(rendered));
    assert!(hint("x: ko://a\n{{- if .Values.b }}\ny: z\n{{- end }}\n", &[]).contains(rendered));
    let quoted = "x: ko://link-service\nsummary: \"{{ $labels.instance }} down\"\ny: [\n";
    assert!(!hint(quoted, &[]).contains(rendered));
}

#[test]
fn what_lints_find_is_a_warning_unless_settings_say_otherwise() {
    let sandbox = workspace().file("a.yaml", MANIFEST);
    let ran = sandbox.run(["check", "-f", "a.yaml"]).exits(0);
    insta::assert_snapshot!(ran.stderr(), @"
    warning[duplicate-entry]: the environment variable `LEVEL` is defined twice, which the API server refuses
      --> a.yaml:10:14
       |
    10 |     - {name: LEVEL, value: debug}
       |              ^^^^^ second definition
     --> a.yaml:9:14
      |
    9 |     - {name: LEVEL, value: info}
      |              ^^^^^ first definition
    hint: remove one of them
    warning[latest-tag]: `envoy` has a tag that moves, while other images have digests
      --> a.yaml:12:12
       |
    12 |     image: envoy
       |            ^^^^^ no fixed tag or digest
    hint: write a fixed tag or a digest: `NAME@sha256:…`
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
    assert!(ran.stderr().contains("error[latest-tag]: `envoy` has a tag"), "{}", ran.stderr());
    assert!(!ran.stderr().contains("Building"), "{}", ran.stderr());
}

#[test]
fn check_refuses_what_is_no_object_and_needs_no_workspace_without_references() {
    let sandbox = Sandbox::new().env("PATH", "");
    let ran = sandbox.run_with_input(["check", "-f", "-"], "a: 1\n---\nb: [\n").exits(1);
    insta::assert_snapshot!(ran.stderr(), @"
    error[not-an-object]: not a Kubernetes object: it has no `apiVersion`
     --> <stdin>:1:1
      |
    1 | a: 1
      | ^ this document
    error[invalid-yaml]: unclosed bracket '['
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
    error[unknown-lint]: unknown lint `latest-tags`
     --> .ko-rs.yaml:1:9
      |
    1 | lints: {latest-tags: off, latest-tag: no}
      |         ^^^^^^^^^^^ unknown lint
    hint: did you mean `latest-tag`?
    error[invalid-setting]: `latest-tag` must be `off`, `warn` or `deny`
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
    warning[missing-command]: `/bin/sh` does not exist in the image
     --> <stdin>:6:15
      |
    6 |     command: [/bin/sh]
      |               ^^^^^^^ does not exist
    hint: remove `command`: the image starts its program, and passes `args` to it
    ");
    for there in ["/ko-app/hello", "hello"] {
        let ran = sandbox.run_with_input(resolve, &manifest(there)).exits(0);
        assert_eq!(ran.stderr(), "", "{there}");
    }
}

#[test]
fn a_user_that_the_image_lacks_is_found_wherever_it_matters() {
    let manifest = |more: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: ko://hello\n    securityContext: {{{more}}}\n"
        )
    };
    let settings = |user: &str, more: &str| {
        format!("builds: [{{package: hello, image: {{user: {user}}}}}]\n{more}")
    };
    let sandbox = Sandbox::with_fixture("crates/hello").env("KO_DOCKER_REPO", "registry.example");
    let resolve = ["resolve", "--push=false", "-q", "-f", "-"];
    for more in ["", "lints: {missing-command: off}\n"] {
        sandbox.write(".ko-rs.yaml", &settings("app", more));
        let ran = sandbox.run_with_input(resolve, &manifest("")).exits(0);
        let said = "warning[image-user]: the image runs as user `app`, which does not exist in it\n --> <stdin>:5:12\n";
        assert!(ran.stderr().starts_with(said), "{}", ran.stderr());
    }
    let ran = sandbox.run_with_input(resolve, &manifest("runAsUser: 1000")).exits(0);
    assert_eq!(ran.stderr(), "");
    for (user, more) in [("nonroot", ""), ("1000", ""), ("app", "lints: {image-user: off}\n")] {
        sandbox.write(".ko-rs.yaml", &settings(user, more));
        let ran = sandbox.run_with_input(resolve, &manifest("")).exits(0);
        assert_eq!(ran.stderr(), "", "{user} {more}");
    }
    sandbox.write(".ko-rs.yaml", &settings("app", "lints: {image-user: deny}\n"));
    let ran = sandbox.run_with_input(resolve, &manifest("")).exits(1);
    assert!(
        ran.stderr().starts_with("error[image-user]: the image runs as user `app`"),
        "{}",
        ran.stderr()
    );
    assert_eq!(ran.stdout(), "");
}

#[test]
fn a_template_is_looked_at_where_a_reference_means_its_build() {
    let object = |reference: &str| format!("apiVersion: v1\nkind: A\nx: {reference}\n");
    let sandbox = package(Sandbox::new(), "a", "link", "");
    let sandbox = package(sandbox, "b", "user", "")
        .file("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\nresolver = \"3\"\n")
        .file("link.yaml", &object("ko://link"))
        .file("user.yaml", &object("ko://user"))
        .file("none.yaml", &object("y"));
    let settings = |level: &str| {
        format!(
            "lints: {{volatile-template: {level}}}\ndefaultFlags: ['--cfg={{{{ Date }}}}']\nbuilds:\n\
             - {{package: link, flags: []}}\n\
             - {{package: user, flags: [], image: {{labels: {{a: '{{{{ Git.FullCommit }}}}'}}}}}}\n"
        )
    };
    for (level, code) in [("warn", 0), ("deny", 1), ("off", 0)] {
        sandbox.write(".ko-rs.yaml", &settings(level));
        for of_another in ["link.yaml", "none.yaml"] {
            let ran = sandbox.run(["check", "-f", of_another]).exits(0);
            assert!(ran.stderr().starts_with("note: "), "{}", ran.stderr());
        }
        let ran = sandbox.run(["check", "-f", "user.yaml"]).exits(code);
        let said = "`Git.FullCommit` in `labels` makes another image of every commit";
        assert_eq!(ran.stderr().matches(said).count(), usize::from(level != "off"), "{level}");
        assert!(!ran.stderr().contains("`Date`"), "{}", ran.stderr());
    }
    sandbox.write(".ko-rs.yaml", &settings("deny"));
    let resolve = ["resolve", "-q", "--push=false", "--repo=registry.example", "-f"];
    for (file, code) in [("link.yaml", 0), ("user.yaml", 1)] {
        let ran = sandbox.run(resolve.into_iter().chain([file])).exits(code);
        assert_eq!(ran.stderr().contains("[volatile-template]"), code == 1, "{}", ran.stderr());
    }
    sandbox.write("gone.yaml", &object("ko://gone"));
    let ran = sandbox.run(["check", "-f", "user.yaml", "-f", "gone.yaml"]).exits(1);
    for said in ["does not match any crate", "[volatile-template]"] {
        assert!(ran.stderr().contains(said), "{}", ran.stderr());
    }
}

#[test]
fn of_many_findings_that_are_denied_the_rest_is_part_of_the_error() {
    let containers = "  - image: envoy\n".repeat(25);
    let manifest = format!(
        "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: ko://link-service\n{containers}"
    );
    let sandbox = workspace().file("a.yaml", &manifest);
    let ran = sandbox.run(["check", "-f", "a.yaml"]).exits(0);
    assert!(
        ran.stderr().contains("\nwarning[too-many-findings]: 5 more of [latest-tag]\n"),
        "{}",
        ran.stderr()
    );
    sandbox.write(".ko-rs.yaml", "lints: {latest-tag: deny}\n");
    let ran = sandbox.run(["check", "-f", "a.yaml"]).exits(1);
    assert_eq!(ran.stderr().matches("error[latest-tag]: `envoy` has").count(), 20);
    assert!(
        ran.stderr().ends_with("\nerror[too-many-findings]: 5 more of [latest-tag]\n"),
        "{}",
        ran.stderr()
    );
    assert!(!ran.stderr().contains("warning"), "{}", ran.stderr());
}

#[test]
fn an_image_by_any_digest_is_replaced_and_one_by_half_a_digest_is_found() {
    let manifest = |image: &str| format!("apiVersion: v1\nkind: A\nspec: {{image: '{image}'}}\n");
    let sandbox = workspace().file(".ko-rs.yaml", "images: {acme/link: link-service}\n");
    for (algorithm, digits) in [("sha256", 64), ("sha384", 96), ("sha512", 128)] {
        let image = format!("acme/link:1@{algorithm}:{}", "0".repeat(digits));
        let ran = sandbox.run_with_input(["check", "-f", "-"], &manifest(&image)).exits(0);
        assert_eq!(ran.stderr(), "note: references: 1, binaries: 1\n");
    }
    let ran = sandbox.run_with_input(["resolve", "-f", "-"], &manifest("Acme/link@sha512:0"));
    insta::assert_snapshot!(ran.exits(0).stderr(), @"
    warning[unmapped-repository]: this image is not replaced: it is similar to `acme/link` of `images` but does not match
     --> <stdin>:3:15
      |
    3 | spec: {image: 'Acme/link@sha512:0'}
      |               ^^^^^^^^^^^^^^^^^^^^ not an image name
    hint: add it to `images` in .ko-rs.yaml, or correct it here
    ");
}
