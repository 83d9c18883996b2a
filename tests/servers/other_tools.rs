//! Other tools in front of ko-rs and behind it: kubectl and its kustomize, kustomize itself, Helm, and
//! Go's ko.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use crate::servers::{expect_success, registry, tool};
use crate::support::{Sandbox, fixture};

const IMAGE: &str = "registry.example/team/hello-5d41402abc4b2a76b9719d911017c592";

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: hello}
spec:
  selector: {matchLabels: {app: hello}}
  template:
    metadata: {labels: {app: hello}}
    spec:
      initContainers:
      - {name: a, image: \"g1g1/hello:0.3\"}
      containers:
      - {name: b, image: ko://hello}
      - {name: c, image: \"ko://hello#hello\"}
      - {name: d, image: \"g1g1/hello-service:0.3\"}
";

/// The crate `hello` with a kustomization; `g1g1/hello` is made of it.
fn hello() -> Sandbox {
    Sandbox::with_fixture("crates/hello")
        .env("KO_DOCKER_REPO", "registry.example/team")
        .file(".ko-rs.yaml", "images: {g1g1/hello: hello}\n")
        .file("base/hello.yaml", DEPLOYMENT)
        .file("base/kustomization.yaml", "resources: [hello.yaml]\nnamePrefix: my-\n")
        .file("prod/kustomization.yaml", "resources: [../base]\ncomponents: [../images]\n")
}

/// What a program prints.
#[track_caller]
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    expect_success(&output);
    String::from_utf8(output.stdout).unwrap()
}

/// What stands behind `image:`, without quotes and in the order of names.
fn images(text: &str) -> Vec<String> {
    let value = |line: &str| {
        let (_, rest) = line.split_once("image: ")?;
        let end = rest.find([',', '}']).unwrap_or(rest.len());
        Some(rest[..end].trim().trim_matches(['"', '\'']).to_owned())
    };
    let mut images: Vec<String> = text.lines().filter_map(value).collect();
    images.sort();
    images
}

/// Asserts that every image but the look-alike is put in, by digest.
#[track_caller]
fn are_resolved(images: &[String]) {
    assert_eq!(images.len(), 4, "{images:?}");
    assert_eq!(images[0], "g1g1/hello-service:0.3");
    assert!(images[1..].iter().all(|image| image.starts_with(IMAGE)), "{images:?}");
    assert!(images[1..].iter().all(|image| image.contains("@sha256:")), "{images:?}");
}

/// Takes a kustomization through a program and ko-rs, one before the other.
fn kustomize(sandbox: &Sandbox, program: &str, verb: &str) {
    let resolve = ["resolve", "--push=false", "-f", "-"];
    let built = printed(sandbox.command(tool(program)).args([verb, "base"]));
    assert!(built.contains("image: ko://hello"), "{built}");
    let piped = sandbox.run_with_input(resolve, &built).exits(0);
    are_resolved(&images(piped.stdout()));
    let named = sandbox.run(["resolve", "--push=false", "-k", "base"]).exits(0);
    assert_eq!(named.stdout(), piped.stdout());
    assert!(named.stdout().contains("name: my-hello\n"));

    // The other way around: the program puts in what ko-rs says.
    let file = "kustomize=images/kustomization.yaml";
    let _ = sandbox
        .run(["resolve", "--push=false", "-f", "base/hello.yaml", "-o", "x", "--images-file", file])
        .exits(0);
    are_resolved(&images(&printed(sandbox.command(tool(program)).args([verb, "prod"]))));
    // Built by name, without manifests, it says the same of what can be named so.
    let component = sandbox.read("images/kustomization.yaml");
    let _ = sandbox.run(["build", "--push=false", "hello", "--images-file", file]).exits(0);
    let built = sandbox.read("images/kustomization.yaml");
    for name in ["- name: ko://hello\n", "- name: g1g1/hello\n"] {
        assert!(built.contains(name) && component.contains(name), "{built}{component}");
    }

    // What it leaves as it is, and what it is told so that it does not.
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  \
               containers: [{name: a, image: 'ko://hello:0.3'}]\n  \
               ephemeralContainers: [{name: b, image: ko://hello}]\n";
    sandbox.write("debug/pod.yaml", pod);
    let own = "resources: [pod.yaml]\ncomponents: [../images]\n";
    sandbox.write("debug/kustomization.yaml", own);
    let replaced = || {
        let built = printed(sandbox.command(tool(program)).args([verb, "debug"]));
        images(&built).iter().map(|image| image.starts_with(IMAGE)).collect::<Vec<_>>()
    };
    assert_eq!(replaced(), [false, true]);
    let fields = "images:\n- path: spec/ephemeralContainers[]/image\n  kind: Pod\n";
    sandbox.write("debug/fields.yaml", fields);
    sandbox.write("debug/kustomization.yaml", &format!("{own}configurations: [fields.yaml]\n"));
    assert_eq!(replaced(), [true, true]);
}

#[test]
fn kubectl_s_kustomize_before_and_behind() {
    let sandbox = hello();
    // Where kustomize is, it would be taken instead.
    let kubectl = sandbox.outside("bin");
    std::fs::create_dir(&kubectl).unwrap();
    std::os::unix::fs::symlink(tool("kubectl"), kubectl.join("kubectl")).unwrap();
    #[expect(clippy::disallowed_methods, reason = "Cargo and its linker are found there")]
    let path = std::env::var_os("PATH").unwrap();
    let others = std::env::split_paths(&path).filter(|folder| !folder.join("kustomize").exists());
    let path: OsString = std::env::join_paths(std::iter::once(kubectl).chain(others)).unwrap();
    kustomize(&sandbox.env("PATH", path), "kubectl", "kustomize");
}

#[test]
#[ignore = "needs kustomize, which takes minutes to build"]
fn kustomize_before_and_behind() {
    let sandbox = hello();
    let folder = tool("kustomize").parent().unwrap().to_owned();
    #[expect(clippy::disallowed_methods, reason = "Cargo and its linker are found there")]
    let path = std::env::var_os("PATH").unwrap();
    let all = std::iter::once(folder).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(all).unwrap();
    kustomize(&sandbox.env("PATH", path), "kustomize", "build");
}

#[test]
#[ignore = "needs Helm, which takes minutes to build"]
fn helm_before_and_behind() {
    let chart = DEPLOYMENT
        .replace("\"g1g1/hello:0.3\"", "\"{{ .Values.repository }}:{{ .Values.tag }}\"")
        .replace("ko://hello}", "{{ .Values.images.hello.image }}}");
    let sandbox = hello()
        .file(".ko-rs.yaml", "ignoreReferenceTags: true\nimages: {g1g1/hello: hello}\n")
        .file("chart/Chart.yaml", "apiVersion: v2\nname: hello\nversion: 0.1.0\n")
        .file(
            "chart/values.yaml",
            "repository: ko://hello\ntag: '0.3'\nimages: {hello: {image: ko://hello}}\n",
        )
        .file(
            "chart/templates/hello.yaml",
            &format!("{{{{- if .Values.tag }}}}\n{chart}{{{{- end }}}}\n"),
        );
    // Left as it is, it is a template.
    let ran = sandbox.run(["resolve", "--push=false", "-f", "chart/templates"]).exits(1);
    assert!(ran.stderr().contains("`helm template … | ko-rs … -f -`"), "{}", ran.stderr());

    let mut helm = sandbox.command(tool("helm"));
    let rendered = printed(helm.args(["template", "chart"]));
    assert!(rendered.contains("\"ko://hello:0.3\""), "{rendered}");
    let resolve = ["resolve", "--push=false", "-f", "-", "--images-file", "helm=images.yaml"];
    let ran = sandbox.run_with_input(resolve, &rendered).exits(0);
    are_resolved(&images(ran.stdout()));

    // The other way around: Helm puts in what ko-rs says.
    let values = "repository: g1g1/hello-service\n";
    sandbox.write("own.yaml", values);
    let mut helm = sandbox.command(tool("helm"));
    let rendered = printed(helm.args(["template", "chart", "-f", "own.yaml", "-f", "images.yaml"]));
    assert!(rendered.contains(&format!("image: {IMAGE}:latest@sha256:")), "{rendered}");

    // A name with a dash is no field of a template.
    let template = "image: {{ index .Values.images \"link-service\" \"image\" }}\n";
    let sandbox = sandbox
        .file("src/bin/link-service.rs", "fn main() {}\n")
        .file("dash/Chart.yaml", "apiVersion: v2\nname: dash\nversion: 0.1.0\n")
        .file("dash/templates/a.yaml", template);
    let build = ["build", "--push=false", "hello#link-service"];
    let built = sandbox.run(build.iter().chain(&["--images-file", "helm=images.yaml"])).exits(0);
    let mut helm = sandbox.command(tool("helm"));
    let rendered = printed(helm.args(["template", "dash", "-f", "images.yaml"]));
    assert_eq!(images(&rendered), [built.line()]);
    sandbox.write("dash/templates/a.yaml", "image: {{ .Values.images.link-service.image }}\n");
    let mut helm = sandbox.command(tool("helm"));
    let refused = helm.args(["template", "dash", "-f", "images.yaml"]).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("parse error"), "{refused:?}");
}

#[test]
#[ignore = "needs Go's ko, which takes minutes to build"]
fn go_s_ko_before_and_behind() {
    let repo = format!("{}/other-tools", registry().host);
    let sandbox = Sandbox::with_fixture("crates/hello").env("KO_DOCKER_REPO", &repo);
    // Any image will do as a base for Go's.
    let base = sandbox.run(["build", "."]).exits(0).line().to_owned();
    let go = "module example.com/go-hello\n\ngo 1.24\n";
    let program = std::fs::read_to_string(fixture("go-hello").join("main.go")).unwrap();
    let mixed = "apiVersion: v1\nkind: Pod\nmetadata: {name: both}\nspec:\n  containers:\n  \
                 - name: go\n    image: ko://example.com/go-hello\n  - name: rust\n    image: ko-rs://hello\n";
    let sandbox = sandbox
        .env("KO_DEFAULTBASEIMAGE", &base)
        .env("GOFLAGS", "-buildvcs=false")
        .file(".git/HEAD", "ref: refs/heads/main\n")
        .file("go.mod", go)
        .file("main.go", &program)
        .file("both.yaml", mixed);
    let ko = |args: &[&str], input: &str| {
        let mut command = sandbox.command(tool("ko"));
        let child = command.args(args).args(["--sbom=none", "--platform=linux/amd64"]);
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        expect_success(&output);
        String::from_utf8(output.stdout).unwrap()
    };
    // Neither setting nor order: what is Go's points nowhere, and that is said.
    let ran = sandbox.run(["resolve", "-f", "both.yaml"]).exits(1);
    assert!(ran.stderr().contains("that is in the Go module of `go.mod`"), "{}", ran.stderr());

    let first = ko(&["resolve", "-f", "both.yaml"], "");
    assert!(first.contains("image: ko-rs://hello"), "{first}");
    let go_first = sandbox.run_with_input(["resolve", "-f", "-"], &first).exits(0);

    sandbox.write(".ko-rs.yaml", "referencePrefixes: [ko-rs://]\n");
    let first = sandbox.run(["resolve", "-f", "both.yaml"]).exits(0);
    assert!(first.stdout().contains("image: ko://example.com/go-hello"), "{}", first.stdout());
    let rust_first = ko(&["resolve", "-f", "-"], first.stdout());

    let expected = images(go_first.stdout());
    assert_eq!(images(&rust_first), expected);
    assert!(expected[0].starts_with(&format!("{repo}/go-hello-")), "{expected:?}");
    assert_eq!(expected[1], base);
}
