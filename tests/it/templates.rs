//! Settings with `{{ … }}` in them.

use serde_json::json;

use crate::oci;
use crate::support::Sandbox;

const SETTINGS: &str = r#"
builds:
  - package: hello
    image:
      args: ["--commit={{ Git.FullCommit }}"]
      labels:
        org.opencontainers.image.source: "{{ Git.Source }}"
        written: https://me:ghp_secret@host.example/a
        commit: "{{ Git.PathFullCommit[:4] }}"
      annotations:
        made: "{{ Date }} by {{ Env.WHO | default('nobody') }}"
        from: ssh://git:ghp_secret@host.example/b
"#;

fn repository(settings: &str) -> Sandbox {
    let sandbox = Sandbox::with_fixture("crates/hello").file(".ko-rs.yaml", settings);
    let origin = "https://oauth2:ghp_secret@github.com/me/hello.git";
    let author = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
    for arguments in [
        &["init", "--quiet"][..],
        &["remote", "add", "origin", origin],
        &["add", "."],
        &["commit", "--quiet", "--message", "one"],
    ] {
        let output = sandbox.command("git").args(author).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    sandbox
}

#[test]
fn templates_are_filled_in_and_no_token_reaches_the_image() {
    let sandbox = repository(SETTINGS).env("SOURCE_DATE_EPOCH", "1659304800");
    let layout = sandbox.outside("layout");
    let path = format!("--oci-layout-path={}", layout.display());
    let build = ["build", "-v", "--push=false", "--repo=registry.example/a", &path];
    let ran = sandbox.run(build).exits(0);
    let commit = sandbox.command("git").args(["rev-parse", "HEAD"]).output().unwrap().stdout;
    let commit = String::from_utf8(commit).unwrap().trim().to_owned();

    let images = oci::validate(&layout);
    let config = &images[0].config["config"];
    assert_eq!(config["Cmd"], json!([format!("--commit={commit}")]));
    let labels = &config["Labels"];
    assert_eq!(labels["org.opencontainers.image.source"], "https://github.com/me/hello");
    assert_eq!(labels["written"], "https://host.example/a");
    assert_eq!(labels["commit"], commit[..4]);
    let annotations = &images[0].manifest["annotations"];
    assert_eq!(annotations["made"], "2022-07-31T22:00:00Z by nobody");
    assert_eq!(annotations["from"], "ssh://host.example/b");
    for entry in std::fs::read_dir(layout.join("blobs/sha256")).unwrap() {
        let blob = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&blob).contains("ghp_secret"));
    }
    let said = format!("{}{}", ran.stdout(), ran.stderr());
    assert!(!said.contains("ghp_secret"), "{said}");
    let warned = "`Git.FullCommit` in `args` makes another image of every commit";
    assert!(ran.stderr().contains(warned), "{}", ran.stderr());
    assert!(!ran.stderr().contains("`Git.PathFullCommit` in"), "{}", ran.stderr());

    sandbox.write(".ko-rs.yaml", &format!("{SETTINGS}lints: {{volatile-template: off}}\n"));
    let quiet = sandbox.run(["build", "--push=false", "--repo=registry.example/a"]).exits(0);
    assert!(!quiet.stderr().contains("volatile-template"), "{}", quiet.stderr());
    sandbox.write(".ko-rs.yaml", &format!("{SETTINGS}lints: {{volatile-template: deny}}\n"));
    let denied = sandbox.run(["build", "--push=false", "--repo=registry.example/a"]).exits(1);
    assert!(
        denied.stderr().starts_with(&format!("error[volatile-template]: {warned}")),
        "{}",
        denied.stderr()
    );
}

#[test]
fn a_mistake_in_a_template_is_an_error_before_anything_is_compiled() {
    let settings = "defaultFlags: \"--cfg={{ Git.Brunch }}\"\n";
    let sandbox = Sandbox::with_fixture("crates/hello").file(".ko-rs.yaml", settings);
    let ran = sandbox.run(["build", "--push=false"]).exits(2);
    assert_eq!(
        ran.stderr(),
        "error[invalid-template]: the template in `defaultFlags` cannot be rendered\n \
         --> .ko-rs.yaml:1:25\n  |\n\
         1 | defaultFlags: \"--cfg={{ Git.Brunch }}\"\n  \
         |                         ^^^^^^^^^^ `Git` has no field `Brunch`\n\
         hint: did you mean `Branch`?\n"
    );
}
