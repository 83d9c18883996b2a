use std::collections::BTreeMap;

use super::Finding;
use crate::manifests::{ImageMap, Mapping, Parse, Rules, parse};
use crate::oci::facts::Node;
use crate::oci::{ImageConfig, ImageFacts};
use crate::reference::CrateReference;
use crate::report::Diagnostic;
use crate::source::{Source, Spot};

/// A finding on a line, then its places: each with the text there and the label.
fn show(finding: &Finding) -> String {
    let Diagnostic { code, message, spots, .. } = Diagnostic::of(finding);
    let spots = spots.iter().map(|spot| {
        let Spot { file, line, column, text, highlight, label, .. } = spot;
        format!("\n{file}:{line}:{column}: {}: {label}", &text[highlight.clone()])
    });
    format!("{message} [{}]{}", code.unwrap(), spots.collect::<String>())
}

/// The findings in a text.
fn found(text: &str, loaded: bool) -> String {
    let source = vec![Source::new("a.yaml", text)];
    let manifests = parse(source, &Rules::default(), Parse::OnlyReferences).checked().unwrap();
    let findings = manifests.lint(loaded);
    findings.iter().map(show).collect::<Vec<_>>().join("\n")
}

#[test]
fn only_a_loaded_image_that_is_always_pulled_is_found() {
    let text = "containers:\n- image: ko://a\n  imagePullPolicy: Always\n\
                - {image: ko://b, imagePullPolicy: IfNotPresent}\n\
                - {image: 'nginx:1', imagePullPolicy: Always}\n";
    assert_eq!(found(text, false), "");
    insta::assert_snapshot!(found(text, true), @"
    this container always pulls its image, which is only loaded and cannot be pulled [always-pulled]
    a.yaml:3:20: Always: pulls at every start
    a.yaml:2:10: ko://a: not in a registry
    ");
}

#[test]
fn a_moving_tag_is_found_beside_what_is_pinned() {
    let text = "containers: [{image: nginx}, {image: 'host:5/a:latest'}, {image: 'b:1'}]\n";
    assert_eq!(found(text, false), "");
    let text = format!("{text}initContainers: [{{image: ko://a}}]\nspec: {{image: logo}}\n");
    insta::assert_snapshot!(found(&text, false), @"
    `nginx` has a tag that moves, while other images have digests [latest-tag]
    a.yaml:1:22: nginx: no fixed tag or digest
    `host:5/a:latest` has a tag that moves, while other images have digests [latest-tag]
    a.yaml:1:38: 'host:5/a:latest': no fixed tag or digest
    ");
}

#[test]
fn only_what_names_an_image_has_a_tag_that_moves() {
    let text = "\
x: ko://a
containers:
- image: go://example.org/go/x
- image: ''
- image: ~
- image: null
- image:
- image: \"{{ .Values.image }}\"
- image: $(IMAGE)
- image: $IMAGE
- image: nginx:$TAG
- image: nginx@sha256:0
";
    assert_eq!(found(text, false), "");
    let pinned = format!("containers: [{{image: 'a@sha512:{}'}}, {{image: b}}]\n", "0".repeat(128));
    assert!(found(&format!("{pinned}x: ' ko://'\n"), false).contains("`b` has a tag"));
    let broken = "containers: [{image: 'a@sha256:0'}, {image: b}]\nx: ' ko://'\n";
    assert_eq!(found(broken, false), "", "what is no digest pins nothing");
}

#[test]
fn entries_that_the_server_cannot_tell_apart_are_found_with_both_lines() {
    let text = "\
x: &x ko://a
spec:
  volumes: [{name: a}, {name: b}, {name: a}]
  containers:
  - name: one
    env:
    - {name: A, value: '1'}
    - name: B
    - name: A
    ports: [{containerPort: 80}, {containerPort: 80, protocol: UDP}]
  - name: two
    env: [{name: A}]
    ports:
    - containerPort: 80
      name: a
    - name: b
      containerPort: 80
      protocol: TCP
---
apiVersion: v1
kind: Service
metadata: {annotations: {a: ko://a}}
spec: {ports: [{port: 80, name: a}, {port: 80, name: b}]}
";
    insta::assert_snapshot!(found(text, false), @"
    the volume `a` is defined twice, which the API server refuses [duplicate-entry]
    a.yaml:3:42: a: second definition
    a.yaml:3:20: a: first definition
    the environment variable `A` is defined twice, which the API server refuses [duplicate-entry]
    a.yaml:9:13: A: second definition
    a.yaml:7:14: A: first definition
    the port `80/TCP` is defined twice, which the API server refuses [duplicate-entry]
    a.yaml:17:22: 80: second definition
    a.yaml:14:22: 80: first definition
    the port `80/TCP` is defined twice, which the API server refuses [duplicate-entry]
    a.yaml:23:44: 80: second definition
    a.yaml:23:23: 80: first definition
    ");
}

#[test]
fn numbers_are_those_that_kubectl_reads() {
    let text =
        "containers: [{image: ko://a, ports: [{containerPort: 80}, {containerPort: 0x50}]}]\n";
    assert!(found(text, false).starts_with("the port `80/TCP` is defined twice"));
    let text = "containers: [{image: ko://a, ports: [{containerPort: 0x1F90}, {containerPort: 8_080, protocol: ~}]}]\n";
    let config = r#"{"config": {"ExposedPorts": {"8080/tcp": {}}}}"#;
    assert_eq!(found_in_image(text, facts(config, true)), "");
}

#[test]
fn what_is_merged_or_an_alias_is_found_where_it_is_written() {
    let text = "\
base: &base
  imagePullPolicy: Always
  env:
  - &a {name: A, value: '1'}
image: &image ko://a
name: &name A
containers:
- <<: *base
  image: *image
- <<: *base
  image: ko://b
  imagePullPolicy: Never
- image: c:1
  env: [*a, {name: B}, {<<: *a, value: '2'}, {name: *name}]
";
    insta::assert_snapshot!(found(text, true), @"
    this container always pulls its image, which is only loaded and cannot be pulled [always-pulled]
    a.yaml:2:20: Always: pulls at every start
    a.yaml:5:15: ko://a: not in a registry
    the environment variable `A` is defined twice, which the API server refuses [duplicate-entry]
    a.yaml:14:29: *a: second definition
    a.yaml:14:9: *a: first definition
    the environment variable `A` is defined twice, which the API server refuses [duplicate-entry]
    a.yaml:14:53: *name: second definition
    a.yaml:14:9: *a: first definition
    ");
    let text = "\
x: &list
- {image: ko://a, imagePullPolicy: Always, ports: [{containerPort: 1}, {containerPort: 1}]}
y: &pod {containers: *list}
one: {containers: *list}
two: {<<: *pod}
three: *pod
";
    insta::assert_snapshot!(found(text, true), @"
    this container always pulls its image, which is only loaded and cannot be pulled [always-pulled]
    a.yaml:2:36: Always: pulls at every start
    a.yaml:2:11: ko://a: not in a registry
    the port `1/TCP` is defined twice, which the API server refuses [duplicate-entry]
    a.yaml:2:88: 1: second definition
    a.yaml:2:68: 1: first definition
    ");
}

#[test]
fn aliases_that_lead_to_more_than_there_is_are_followed_so_far() {
    let item = "- {image: ko://a, imagePullPolicy: Always, env: [{name: A}, {name: A}]}\n";
    let mut text = format!("list: &list\n{}", item.repeat(300));
    text.push_str(&"x: {containers: *list}\n".repeat(300));
    assert_eq!(found(&text, true).matches("second definition").count(), 300);
}

#[test]
fn a_reference_in_longer_text_or_in_place_of_a_value_is_found() {
    let text = "\
# image: ko://a
image: ko://a # ko://a
command: run ko://a --now
script: |
  exec ko://b
# ko://a
quoted: ' ko://a'
empty: # ko://a
full: # ko://a
- ko://b
- 'ko://a'
- \"a\\tko://c\"
prefix: in ko:// alone
";
    insta::assert_snapshot!(found(text, false), @r#"
    this reference is inside longer text and is not replaced [embedded-reference]
    a.yaml:3:14: ko://a: not replaced
    this reference is inside longer text and is not replaced [embedded-reference]
    a.yaml:5:8: ko://b: not replaced
    this reference is inside longer text and is not replaced [embedded-reference]
    a.yaml:7:11: ko://a: not replaced
    this reference is in a comment, and its key has no value [embedded-reference]
    a.yaml:8:10: ko://a: after the `#`
    this reference is inside longer text and is not replaced [embedded-reference]
    a.yaml:12:7: ko://c: not replaced
    "#);
    assert_eq!(found("a: ko://a # ko://a\n", false), "");
}

#[test]
fn a_comment_in_place_of_a_value_is_found_wherever_that_is() {
    let is_found = |text: &str| match found(text, false) {
        found if found.is_empty() => false,
        found => {
            assert!(found.starts_with("this reference is in a comment"), "{text}: {found}");
            assert_eq!(found.matches("[embedded-reference]").count(), 1, "{text}: {found}");
            true
        }
    };
    for text in [
        "image: # ko://x",
        "image: # was ko://x",
        "image: \"\" # ko://x",
        "image: '' # ko://x",
        "image: ~ # \"ko://x\"",
        "- image: null # ko://x",
        "image:\n  # ko://x",
        "image:\r\n  # ko://x\r\n",
        "a:\n- image:\n    #ko://x\n    # ko://y\n  b: 1",
    ] {
        assert!(is_found(&format!("{text}\n")), "{text}");
    }
    for text in [
        "image: '' # like ko://x",
        "image: 'a' # ko://x",
        "image: 5 # ko://x",
        "'' # ko://x",
        "- '' # ko://x",
        "image:\n# ko://x\nb: 1",
        "image:\n  # image: ko://x",
        "image:\n  # ko://x\n  b: 1",
        "image: a\n  # ko://x",
    ] {
        assert!(!is_found(&format!("{text}\n")), "{text}");
    }
}

#[test]
fn what_is_not_selected_is_not_linted() {
    let object = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{labels: {{app: {name}}}}}\n\
             spec: {{containers: [{{env: [{{name: {name}}}, {{name: {name}}}]}}]}}\n"
        )
    };
    let text = format!("{}---\n{}", object("a"), object("b"));
    let source = vec![Source::new("a.yaml", text)];
    let manifests = parse(source, &Rules::default(), Parse::Everything).checked().unwrap();
    assert_eq!(manifests.lint(false).len(), 2);
    let chosen = manifests.select(&"app=b".parse().unwrap()).unwrap();
    assert!(chosen.lint(false)[0].to_string().contains("`b` is defined twice"));
    assert_eq!(chosen.lint(false).len(), 1);
}

/// What is found in a text once the image of `ko://a` is known.
fn found_in_image(text: &str, facts: ImageFacts) -> String {
    let source = vec![Source::new("a.yaml", text)];
    let manifests = parse(source, &Rules::default(), Parse::OnlyReferences).checked().unwrap();
    let facts = BTreeMap::from([(CrateReference::bare("a").unwrap(), facts)]);
    let findings = manifests.lint_images(&facts);
    findings.iter().map(show).collect::<Vec<_>>().join("\n")
}

fn facts(config: &str, inside: bool) -> ImageFacts {
    let mut facts = ImageFacts::of(&ImageConfig::parse(config.as_bytes()).unwrap());
    facts.inside = inside.then(Default::default);
    facts
}

#[test]
fn what_an_image_lacks_is_found_where_somebody_looked() {
    let text = "\
containers:
- image: ko://a
  command: [/bin/sh, -c]
  ports: [{containerPort: 80}, {containerPort: 81}, {containerPort: 80, protocol: UDP}]
- {image: other, command: [/bin/sh], ports: [{containerPort: 1}]}
";
    let config = r#"{"config": {"ExposedPorts": {"80/tcp": {}, "9000": {}}}}"#;
    insta::assert_snapshot!(found_in_image(text, facts(config, true)), @"
    `/bin/sh` does not exist in the image [missing-command]
    a.yaml:3:13: /bin/sh: does not exist
    the image does not expose 81/tcp; it exposes 80/tcp, 9000 [unexposed-port]
    a.yaml:4:48: 81: not exposed
    the image does not expose 80/udp; it exposes 80/tcp, 9000 [unexposed-port]
    a.yaml:4:69: 80: not exposed
    ");
    assert_eq!(found_in_image(text, facts("{}", false)), "", "nobody looked, no port is named");
    let variable = "containers: [{image: ko://a, command: [$(SHELL)]}]\n";
    assert_eq!(found_in_image(variable, facts("{}", true)), "");
}

#[test]
fn a_command_is_looked_for_where_the_container_starts() {
    let found = |container: &str| {
        let text = format!("containers: [{{image: ko://a, {container}}}]\n");
        let mut facts = facts(r#"{"config": {"WorkingDir": "/srv", "Env": ["PATH=/bin"]}}"#, true);
        let files = &mut facts.inside.as_mut().unwrap().files;
        files.put("srv/x", Node::File);
        files.put("bin/sh", Node::File);
        found_in_image(&text, facts).contains("does not exist in the image [missing-command]")
    };
    for (container, is_missing) in [
        ("command: [./x]", false),
        ("command: [./x], workingDir: /", true),
        ("command: [srv/x], workingDir: /", false),
        ("command: [./sh], workingDir: /bin", false),
        ("command: [/tools/run]", true),
        ("command: [/tools/run], volumeMounts: [{mountPath: /tools/}]", false),
        ("command: [/tools/run], volumeMounts: [{mountPath: /tool}]", true),
        ("command: [run], volumeMounts: [{mountPath: /bin}]", false),
        ("command: [run]", true),
        ("command: [run], env: [{name: PATH, value: /tools}]", false),
        ("command: [run], env: [{name: A}]", true),
        ("command: [/run], env: [{name: PATH, value: /tools}]", true),
    ] {
        assert_eq!(found(container), is_missing, "{container}");
    }
}

#[test]
fn only_what_decides_is_asked_of_an_image() {
    let needs = |container: &str| {
        let text = format!("containers: [{{image: ko://a, {container}}}]\n");
        let source = vec![Source::new("a.yaml", text)];
        let manifests = parse(source, &Rules::default(), Parse::OnlyReferences).checked().unwrap();
        let needs = manifests.needs();
        let [(_, needs)] = Vec::from_iter(needs).try_into().unwrap();
        (needs.command, needs.user)
    };
    assert_eq!(needs(""), (false, true));
    assert_eq!(needs("command: [sh]"), (true, true));
    assert_eq!(needs("command: [$(SHELL)], securityContext: {runAsUser: 1}"), (false, false));
    assert_eq!(needs("command: [sh], env: [{name: PATH}]"), (false, true));
    assert_eq!(needs("}, {image: ko://a, securityContext: {runAsUser: 1}"), (false, true));
}

#[test]
fn users_that_a_node_would_refuse_are_found() {
    let pod = |context: &str, container: &str| {
        format!(
            "securityContext: {context}\ncontainers:\n- image: ko://a\n  securityContext: {container}\n"
        )
    };
    let user = |name: &str| format!(r#"{{"config": {{"User": "{name}"}}}}"#);
    let strict = pod("{runAsNonRoot: true}", "{}");
    insta::assert_snapshot!(found_in_image(&strict, facts("{}", false)), @"
    the container must not run as root, but its image runs as root [image-user]
    a.yaml:1:33: true: refused by the node
    ");
    insta::assert_snapshot!(found_in_image(&strict, facts(&user("app"), false)), @"
    the container must not run as root, but its image runs as a user given by name, which nodes do not look up [image-user]
    a.yaml:1:33: true: refused by the node
    ");
    insta::assert_snapshot!(found_in_image(&pod("{}", "{}"), facts(&user("app"), true)), @"
    the image runs as user `app`, which does not exist in it [image-user]
    a.yaml:3:10: ko://a: cannot start
    ");
    for (text, config) in [
        (pod("{runAsNonRoot: true}", "{runAsNonRoot: false}"), "{}".to_owned()),
        (pod("{runAsNonRoot: true, runAsUser: 5}", "{}"), "{}".to_owned()),
        (pod("{runAsNonRoot: true}", "{runAsUser: 5}"), "{}".to_owned()),
        (strict, user("65532:65532")),
        (pod("{}", "{}"), user("app")),
        (pod("{runAsNonRoot: no}", "{}"), "{}".to_owned()),
        (pod("{runAsNonRoot: ~}", "{}"), "{}".to_owned()),
    ] {
        assert_eq!(found_in_image(&text, facts(&config, false)), "", "{text}");
    }
}

#[test]
fn who_the_manifest_says_it_runs_as_goes_before_the_image() {
    let pod = |pod: &str, container: &str| {
        format!(
            "securityContext: {pod}\ncontainers:\n- image: ko://a\n  securityContext: {container}\n"
        )
    };
    let app = r#"{"config": {"User": "app"}}"#;
    for text in [
        pod("{}", "{runAsUser: 1000}"),
        pod("{runAsUser: 1000}", "{}"),
        pod("{runAsUser: 1000}", "{runAsUser: ~}"),
        pod("{runAsNonRoot: true}", "{runAsUser: 1000}"),
        pod("{runAsUser: 0}", "{}"),
        pod("{runAsUser: 0, runAsNonRoot: true}", "{runAsUser: 1}"),
    ] {
        assert_eq!(found_in_image(&text, facts(app, true)), "", "{text}");
        assert_eq!(found(&text, false), "", "{text}");
    }
    for yes in ["true", "yes", "True", "on", "y"] {
        let text = pod(&format!("{{runAsNonRoot: {yes}}}"), "{}");
        assert!(found_in_image(&text, facts("{}", false)).contains("runs as root"), "{yes}");
    }
    let task = "stepTemplate: {securityContext: {runAsUser: 5}}\n\
                steps: [{image: ko://a, command: [/workspace/run]}]\n";
    assert_eq!(found_in_image(task, facts(app, true)), "");
    let text = pod("{runAsNonRoot: yes}", "{runAsUser: 0x0}");
    assert_eq!(found_in_image(&text, facts("{}", false)), "", "it is told before the build");
    insta::assert_snapshot!(found(&text, false), @"
    this container must not run as root, but runs as root [image-user]
    a.yaml:1:33: yes: refused by the node
    a.yaml:4:32: 0x0: root
    ");
}

#[test]
fn a_repository_that_is_nearly_mapped_is_found() {
    let text = "\
containers:
- image: g1g1/delinkcious-link:1
- image: ghcr.io/g1g1/delinkcious-link:1
- image: g1g1/delinkcious-lnk:1
- image: g1g1/delinkcious-user:1
- image: g1g1/delinkcious-link-service:1
";
    insta::assert_snapshot!(unmapped(text), @"
    this image is not replaced: it is similar to `g1g1/delinkcious-link` of `images` but does not match [unmapped-repository]
    a.yaml:3:10: ghcr.io/g1g1/delinkcious-link:1: a different repository
    this image is not replaced: it is similar to `g1g1/delinkcious-link` of `images` but does not match [unmapped-repository]
    a.yaml:4:10: g1g1/delinkcious-lnk:1: a different repository
    ");
}

/// What is found in a text where a repository is mapped.
fn unmapped(text: &str) -> String {
    let written = "g1g1/delinkcious-link".to_owned();
    let reference = CrateReference::bare("link-service").unwrap();
    let mapped = BTreeMap::from([(written.parse().unwrap(), Mapping { written, reference })]);
    let images = ImageMap::new(mapped, vec!["engine.base".parse().unwrap()]);
    let rules = Rules { images, ..Rules::default() };
    let source = vec![Source::new("a.yaml", text)];
    let manifests = parse(source, &rules, Parse::OnlyReferences).checked().unwrap();
    let findings: Vec<String> = manifests.lint(false).iter().map(show).collect();
    findings.join("\n")
}

#[test]
fn a_mapped_repository_in_what_names_no_image_is_found() {
    for image in [
        "G1g1/delinkcious-link:1",
        "g1g1/delinkcious-link:$TAG",
        "'g1g1/delinkcious-link:{{ tag }}'",
        "'g1g1/delinkcious-link:'",
        "g1g1/delinkcious-link@sha256:abc",
    ] {
        let found = unmapped(&format!("spec: {{containers: [{{image: {image}}}]}}\n"));
        assert!(found.contains(": not an image name"), "{image}: {found}");
    }
    for image in ["g1g1/delinkcious-link-$NAME", "$REGISTRY/delinkcious-link", "ko://a"] {
        let text =
            format!("x: g1g1/delinkcious-link\nspec: {{containers: [{{image: {image}}}]}}\n");
        assert_eq!(unmapped(&text), "", "{image}");
    }
}

#[test]
fn a_mapped_image_hides_no_embedded_reference() {
    let text = "containers: [{image: 'g1g1/delinkcious-link:1'}]\nimage: # ko://a\n";
    assert!(unmapped(text).ends_with("after the `#`"));
}

#[test]
fn nearly_mapped_images_are_found_in_every_field_that_is_replaced() {
    let image = "ghcr.io/g1g1/delinkcious-link:1";
    for text in [
        format!("spec: {{image: {image}}}"),
        format!("volumes: [{{image: {{reference: {image}}}}}]"),
        format!("engine: [{{? [a] : b, base: {image}}}]"),
        format!("engine: {{<<: {{base: {image}}}}}"),
        format!("x: &x {image}\nimage: *x\nspec: {{image: *x}}"),
        format!("containers: &c [{{image: {image}}}]\nx: {{containers: *c}}"),
    ] {
        let found = unmapped(&format!("{text}\n"));
        assert_eq!(found.matches("[unmapped-repository]").count(), 1, "{text}: {found}");
    }
    for text in [
        format!("spec: {{picture: {image}}}"),
        format!("reference: {image}"),
        format!("engine: {{x: {{base: {image}}}}}"),
        format!("image: {{repository: {image}, tag: {{reference: {image}}}}}"),
        format!("? {{image: a}}\n: {image}"),
        format!("image: {{? {image} : a}}"),
    ] {
        assert_eq!(unmapped(&format!("{text}\n")), "", "{text}");
    }
}

#[test]
fn what_a_finding_quotes_stays_on_its_line() {
    let text = "x: ko://a\ncontainers:\n- name: \"a\\n\\u202eb\"\n- name: \"a\\n\\u202eb\"\n";
    let found = found(text, false);
    let line = found.lines().next().unwrap();
    assert!(line.contains(r"`a\n\u{202e}b`") && line.ends_with("[duplicate-entry]"), "{found}");
}
