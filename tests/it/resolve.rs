//! Which bytes of manifests change.

use std::fs;

use crate::support::{Sandbox, fixture};

const REPO: &str = "registry.example/team";
const HELLO: &str = "registry.example/team/hello-5d41402abc4b2a76b9719d911017c592";

fn hello() -> Sandbox {
    Sandbox::inside_fixture("crates/hello").env("KO_DOCKER_REPO", REPO)
}

/// What `ko-rs build` prints for `hello`: what `resolve` has to put in its place.
fn image_of_hello(sandbox: &Sandbox) -> String {
    let ran = sandbox.run(["build", "--push=false"]).exits(0);
    let image = ran.line().to_owned();
    assert!(image.starts_with(&format!("{HELLO}:latest@sha256:")), "{image}");
    image
}

#[test]
fn every_case_of_the_fixtures_comes_out_byte_for_byte() {
    let sandbox = hello();
    let image = image_of_hello(&sandbox);
    let digest = image.rsplit(':').next().unwrap();
    let mut wrong = Vec::new();
    let mut cases: Vec<_> =
        fs::read_dir(fixture("manifests")).unwrap().map(Result::unwrap).collect();
    cases.sort_by_key(fs::DirEntry::file_name);
    assert!(cases.len() > 30, "the fixtures are not where they should be");
    for (number, case) in cases.iter().enumerate() {
        let file = case.path().join("in.yaml");
        let input = fs::read_to_string(&file).unwrap();
        let expected = fs::read_to_string(case.path().join("out.yaml")).unwrap();
        let expected = expected.replace("<hello>", digest);
        let args = fs::read_to_string(case.path().join("args")).unwrap_or_default();
        let mut all = vec!["resolve", "--push=false"];
        all.extend(args.lines());
        let settings = case.path().join(".ko-rs.yaml");
        if settings.exists() {
            all.extend(["--config", settings.to_str().unwrap()]);
        }
        // In turns by name and from standard input, which must be the same.
        let ran = if number % 2 == 0 {
            all.extend(["-f", file.to_str().unwrap()]);
            sandbox.run(&all)
        } else {
            all.extend(["-f", "-"]);
            sandbox.run_with_input(&all, &input)
        };
        let ran = ran.exits(0);
        if ran.stdout() != expected {
            wrong.push(format!(
                "{:?}:\n{}\n--- is not\n{expected}",
                case.file_name(),
                ran.stdout()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_without_references_needs_neither_cargo_nor_workspace_nor_destination() {
    // No program can be found, and nothing says where images go.
    let sandbox = Sandbox::new().env("PATH", "").env("CARGO_HOME", "").env("RUSTUP_HOME", "");
    for text in
        ["", "\n", "a: 1", "a: [\n# broken, and nobody's business", "%PDF \u{1F980}\r\n\t---\r\n"]
    {
        let ran = sandbox.run_with_input(["resolve", "-f", "-"], text).exits(0);
        assert_eq!(ran.stdout(), text);
        assert_eq!(ran.stderr(), "");
    }
}

#[test]
fn bytes_that_are_no_utf_8_are_refused_rather_than_changed() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.directory().join("x.yaml"), b"a: \xff\n").unwrap();
    let ran = sandbox.run(["resolve", "-f", "x.yaml"]).exits(1);
    assert_eq!(ran.stdout(), "");
    assert!(ran.stderr().contains("x.yaml"), "{}", ran.stderr());
}

#[test]
fn several_files_are_joined_as_documents_of_one_stream() {
    let sandbox = Sandbox::new()
        .file("a.yaml", "a: 1")
        .file("b.yaml", "b: 2\n")
        .file("c.yaml", "---\nc: 3\n")
        .file("d.yaml", "%YAML 1.2\n---\nd: 4\n");
    let all = ["resolve", "-f", "a.yaml", "-f", "b.yaml", "-f", "c.yaml", "-f", "d.yaml"];
    let ran = sandbox.run(all).exits(0);
    assert_eq!(ran.stdout(), "a: 1\n---\nb: 2\n---\nc: 3\n...\n%YAML 1.2\n---\nd: 4\n");
}

#[test]
fn a_folder_is_read_in_the_order_of_names_and_its_folders_only_with_r() {
    let sandbox = Sandbox::new()
        .file("k8s/b.yml", "b: 2\n")
        .file("k8s/a.yaml", "a: 1\n")
        .file("k8s/c.json", "{\"c\": 3}\n")
        .file("k8s/README.md", "ko://no-manifest\n")
        .file("k8s/deep/d.yaml", "d: 4\n");
    let ran = sandbox.run(["resolve", "-f", "k8s"]).exits(0);
    assert_eq!(ran.stdout(), "a: 1\n---\nb: 2\n---\n{\"c\": 3}\n");
    let ran = sandbox.run(["resolve", "-R", "-f", "k8s"]).exits(0);
    assert_eq!(ran.stdout(), "a: 1\n---\nb: 2\n---\n{\"c\": 3}\n---\nd: 4\n");
}

#[test]
fn a_selector_drops_documents_before_anything_is_built() {
    let object = |name: &str, image: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{app: {name}}}}}\nimage: {image}\n"
        )
    };
    let text = format!("{}---\n{}", object("gone", "ko://gone"), object("here", "x"));
    let ran =
        Sandbox::new().run_with_input(["resolve", "-f", "-", "-l", "app=here"], &text).exits(0);
    // A document goes with its own separator; that of the next one is the next one's.
    assert_eq!(ran.stdout(), format!("---\n{}", object("here", "x")));
}

#[test]
fn one_image_is_put_in_wherever_it_is_referred_to_in_any_form() {
    let sandbox = hello();
    let image = image_of_hello(&sandbox);
    let text = "a: ko://hello\nb: [ko-rs://hello, 'ko://hello#hello']\n";
    let ran = sandbox.run_with_input(["resolve", "--push=false", "-f", "-"], text).exits(0);
    assert_eq!(ran.stdout(), format!("a: {image}\nb: [{image}, '{image}']\n"));
    assert_eq!(ran.stderr().matches("Building").count(), 1, "{}", ran.stderr());
}
