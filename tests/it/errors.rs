//! Every failure that needs no server, word by word, with its exit code.

use std::fs;
use std::time::{Duration, Instant};

use crate::build::package;
use crate::support::Sandbox;

const REPO: &str = "registry.example/team";

/// A workspace of two services and a library.
fn workspace() -> Sandbox {
    let sandbox = Sandbox::new()
        .env("KO_DOCKER_REPO", REPO)
        .file("Cargo.toml", "[workspace]\nmembers = [\"svc/*\", \"pkg\"]\nresolver = \"3\"\n")
        .file("pkg/Cargo.toml", "[package]\nname = \"pkg\"\nedition = \"2024\"\n")
        .file("pkg/src/lib.rs", "");
    let repository = "repository = \"https://github.com/a/b\"";
    let sandbox = package(sandbox, "svc/link", "link-service", repository);
    package(sandbox, "svc/user", "user-service", repository)
}

/// Asserts that a run prints nothing, ends with a code, and says this. `ROOT` stands for the working
/// directory.
#[track_caller]
fn fails<S: AsRef<std::ffi::OsStr>>(
    sandbox: &Sandbox,
    args: impl IntoIterator<Item = S>,
    code: i32,
    expected: &str,
) {
    says(sandbox, sandbox.run(args), code, expected);
}

#[track_caller]
fn says(sandbox: &Sandbox, ran: crate::support::Ran, code: i32, expected: &str) {
    let ran = ran.exits(code);
    assert_eq!(ran.stdout(), "");
    let root = fs::canonicalize(sandbox.directory()).unwrap();
    assert_eq!(ran.stderr().replace(root.to_str().unwrap(), "ROOT"), expected);
}

#[test]
fn a_crate_that_is_not_there_is_answered_with_the_nearest_names() {
    let sandbox = workspace();
    fails(
        &sandbox,
        ["build", "lnk-service"],
        1,
        "error[unknown-crate]: `lnk-service` does not match any crate of the workspace `ROOT`\n\
         hint: did you mean `link-service`?\n",
    );
    fails(
        &sandbox,
        ["build", "github.com/a/b/svc/lnik"],
        1,
        "error[unknown-crate]: `github.com/a/b/svc/lnik` does not match any crate of the workspace `ROOT`\n\
         hint: did you mean `github.com/a/b/svc/link`?\n",
    );
    fails(
        &sandbox,
        ["build"],
        1,
        "error[unknown-crate]: `.` does not match any crate of the workspace `ROOT`\n\
         hint: the crates with a binary are `link-service`, `user-service`\n",
    );
    fails(
        &sandbox,
        ["build", "pkg"],
        1,
        "error[no-binary]: `pkg` is the library `pkg`, which has no binary\n\
         hint: an image needs an executable: name a package that has a binary\n",
    );
}

#[test]
fn every_reference_that_points_nowhere_is_shown_with_its_place_and_its_own_hint() {
    let sandbox = workspace().file(
        "k8s.yaml",
        "# two\na: ko://lnk-service\nb:\n  - \"ko://user-service#worker\"\nc: ko://link-service\n",
    );
    fails(
        &sandbox,
        ["resolve", "-f", "k8s.yaml"],
        1,
        "error[unknown-crate]: `ko://lnk-service` does not match any crate of the workspace `ROOT`
 --> k8s.yaml:2:4
  |
2 | a: ko://lnk-service
  |    ^^^^^^^^^^^^^^^^ refers to nothing here
hint: did you mean `link-service`?
error[unknown-binary]: `user-service` does not have the binary that `ko://user-service#worker` names; it has `user-service`
 --> k8s.yaml:4:5
  |
4 |   - \"ko://user-service#worker\"
  |     ^^^^^^^^^^^^^^^^^^^^^^^^^^ refers to nothing here
",
    );
}

#[test]
fn what_is_no_reference_is_shown_with_its_place() {
    fails(
        &workspace().file("k8s.yaml", "a: 1\nimage: ko://link-service:v1\n"),
        ["resolve", "-f", "k8s.yaml"],
        1,
        "error[reference-with-tag]: `ko://link-service:v1` ends with `:v1`, but a reference must not have a tag or digest
 --> k8s.yaml:2:8
  |
2 | image: ko://link-service:v1
  |        ^^^^^^^^^^^^^^^^^^^^ not a reference
hint: write `ko://link-service`; ko-rs adds the digest of the image
hint: set `ignoreReferenceTags: true` in .ko-rs.yaml if a template adds it
",
    );
}

#[test]
fn a_reference_into_a_go_module_of_the_repository_says_how_go_and_rust_share_manifests() {
    let sandbox = workspace()
        .file(".git/HEAD", "")
        .file("go/go.mod", "module example.org/shop\n\ngo 1.24\n")
        .file("k8s.yaml", "image: ko://example.org/shop/cmd/web\n");
    fails(
        &sandbox,
        ["resolve", "-f", "k8s.yaml"],
        1,
        "error[unknown-crate]: `ko://example.org/shop/cmd/web` does not match any crate of the workspace `ROOT`
 --> k8s.yaml:1:8
  |
1 | image: ko://example.org/shop/cmd/web
  |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ refers to nothing here
hint: this is a path in the Go module of `go/go.mod`; where Go and Rust share manifests, write `ko-rs://` for Rust crates, set `referencePrefixes: [ko-rs://]` in .ko-rs.yaml, and run `ko resolve -f PATH | ko-rs apply -f -`
",
    );
}

#[test]
fn a_reference_into_a_go_module_says_the_same_where_there_is_no_workspace() {
    let sandbox = Sandbox::new()
        .file(".git/HEAD", "")
        .file("go.mod", "module example.org/shop\n\ngo 1.24\n")
        .file("k8s.yaml", "a: ko-rs://shop\nimage: ko://example.org/shop/cmd/web\n");
    fails(
        &sandbox,
        ["resolve", "-f", "k8s.yaml"],
        1,
        "error[no-workspace]: could not find a Cargo workspace in `ROOT` or any parent folder
 --> k8s.yaml:2:8
  |
2 | image: ko://example.org/shop/cmd/web
  |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ refers to nothing here
hint: this is a path in the Go module of `go.mod`; where Go and Rust share manifests, write `ko-rs://` for Rust crates, set `referencePrefixes: [ko-rs://]` in .ko-rs.yaml, and run `ko resolve -f PATH | ko-rs apply -f -`
",
    );
}

#[test]
fn a_prefix_that_manifests_may_spell_otherwise_is_refused() {
    let sandbox = workspace().file(".ko-rs.yaml", "referencePrefixes: [ko-rs://, 'a\\b://']\n");
    sandbox.write("k8s.yaml", "image: x\n");
    fails(
        &sandbox,
        ["resolve", "-f", "k8s.yaml"],
        2,
        "error[invalid-value]: `referencePrefixes`: a prefix cannot have a blank, a quote, a backslash or a control character in it
 --> .ko-rs.yaml:1:20
  |
1 | referencePrefixes: [ko-rs://, 'a\\b://']
  |                    ^
",
    );
}

#[test]
fn what_is_wrong_with_the_image_map_is_shown_where_it_stands() {
    let sandbox = workspace().file(
        ".ko-rs.yaml",
        "images:\n  a/b: lnk-service\n  docker.io/library/b: user-service\nimageFields: [x]\n",
    );
    sandbox.write("k8s.yaml", "name: a/b:1\nimage: a/b:1\n");
    fails(
        &sandbox,
        ["resolve", "-f", "k8s.yaml"],
        1,
        "error[unknown-crate]: `lnk-service` does not match any crate of the workspace `ROOT`
 --> k8s.yaml:2:8
  |
2 | image: a/b:1
  |        ^^^^^ `images` in the settings maps this to `lnk-service`
hint: did you mean `link-service`?
",
    );
    sandbox.write(
        ".ko-rs.yaml",
        "images:\n  a/b:1: x\n  c: y\n  docker.io/library/c: z\n  d: y:1\nimageFields: a..b\n",
    );
    fails(
        &sandbox,
        ["resolve", "-f", "k8s.yaml"],
        2,
        "error[invalid-setting]: the keys of `images` must be repositories without a tag
 --> .ko-rs.yaml:2:3
  |
2 |   a/b:1: x
  |   ^^^^^ `a/b:1` is not an image name: a repository can contain a-z, 0-9, `.`, `_`, `-` and `/`, with separators between letters or digits
error[invalid-setting]: `images` maps the same repository twice
 --> .ko-rs.yaml:4:3
  |
4 |   docker.io/library/c: z
  |   ^^^^^^^^^^^^^^^^^^^ this is `docker.io/library/c`
error[invalid-setting]: the values of `images` must be crates
 --> .ko-rs.yaml:5:6
  |
5 |   d: y:1
  |      ^^^ `y:1` ends with `:1`, but a reference must not have a tag or digest
error[invalid-setting]: `imageFields` cannot be read
 --> .ko-rs.yaml:6:14
  |
6 | imageFields: a..b
  |              ^^^^ `a..b` is not a field: expected keys separated by dots, such as `engine.image`
",
    );
}

#[test]
fn a_template_is_said_to_be_one() {
    let chart = "{{- if .Values.on }}\nimage: ko://link-service\n{{- end }}\n";
    fails(
        &workspace().file("templates/link.yaml", chart),
        ["resolve", "-f", "templates"],
        1,
        "error[invalid-yaml]: \"-\" is only valid inside a block
 --> templates/link.yaml:1:3
  |
1 | {{- if .Values.on }}
  |   ^ here
hint: this looks like a template rather than YAML; render it first: `helm template … | ko-rs … -f -`
",
    );
}

#[test]
fn one_of_several_binaries_has_to_be_named() {
    let sandbox = Sandbox::inside_fixture("crates/several-binaries").env("KO_DOCKER_REPO", REPO);
    fails(
        &sandbox,
        ["build"],
        1,
        "error[ambiguous-binary]: `.` could be any of the binaries of `several-binaries`: `export`, `import`\n\
         hint: write `.#export`, or set `default-run` in the package's Cargo.toml\n",
    );
    fails(
        &sandbox,
        ["build", ".#exprot"],
        1,
        "error[unknown-binary]: `several-binaries` does not have the binary that `.#exprot` names; it has `export`, `import`\n\
         hint: did you mean `export`?\n",
    );
    let text = "image: ko://several-binaries\n";
    says(
        &sandbox,
        sandbox.run_with_input(["resolve", "-f", "-"], text),
        1,
        "error[ambiguous-binary]: `ko://several-binaries` could be any of the binaries of `several-binaries`: `export`, `import`
 --> <stdin>:1:8
  |
1 | image: ko://several-binaries
  |        ^^^^^^^^^^^^^^^^^^^^^ may refer to several
hint: write `ko://several-binaries#export`, or set `default-run` in the package's Cargo.toml
",
    );
}

#[test]
fn what_does_not_compile_ends_with_cargo_s_code_and_rustc_s_words() {
    let sandbox = Sandbox::inside_fixture("crates/does-not-compile").env("KO_DOCKER_REPO", REPO);
    let layout = sandbox.outside("layout");
    let path = format!("--oci-layout-path={}", layout.display());
    let ran = sandbox.run(["build", "--push=false", &path]).exits(101);
    assert_eq!(ran.stdout(), "");
    for text in [
        "error[E0308]: mismatched types\n --> src/main.rs:2:23\n",
        "^^^^^^^^^^^ expected `u32`, found `&str`\n",
    ] {
        assert!(ran.stderr().contains(text), "{}", ran.stderr());
    }
    assert!(
        ran.stderr()
            .ends_with("\nerror[compilation-failed]: could not compile `does-not-compile`\n")
    );
    assert!(!layout.join("index.json").exists());
    let ran = sandbox.run(["build", "--push=false", "--features=frob"]).exits(101);
    assert!(ran.stderr().contains("frob"), "{}", ran.stderr());
}

/// What compiles is not published if what is asked for beside it does not.
#[test]
fn every_crate_that_does_not_compile_is_shown_and_nothing_is_written() {
    let sandbox = workspace();
    sandbox.write("svc/link/src/main.rs", "fn main() { link }\n");
    sandbox.write("svc/user/src/main.rs", "fn main() { user }\n");
    let ran = sandbox.run(["build", "--push=false", "--image-refs=refs", "--workspace"]).exits(101);
    assert!(ran.stderr().contains("`link`") && ran.stderr().contains("`user`"), "{}", ran.stderr());
    assert!(ran.stderr().ends_with(
        "error[compilation-failed]: could not compile `link-service`, `user-service`\n"
    ));
    assert!(!sandbox.directory().join("refs").exists());
}

#[test]
fn a_folder_outside_every_workspace_is_said_to_be_one() {
    fails(
        &Sandbox::new().env("KO_DOCKER_REPO", REPO),
        ["build"],
        1,
        "error[no-workspace]: could not find a Cargo workspace in `ROOT` or any parent folder\n\
         hint: run ko-rs in a Cargo workspace, or name one with `--manifest-path PATH/Cargo.toml` or \
         `workspaces: [PATH]` in .ko-rs.yaml\n",
    );
    let sandbox = Sandbox::new().env("KO_DOCKER_REPO", REPO).env("PATH", "");
    fails(
        &package(sandbox, "", "x", ""),
        ["build"],
        1,
        "error[program-not-found]: could not run `cargo`\ncaused by: No such file or directory (os error 2)\n\
         hint: install Rust (https://rustup.rs), or add the folder of `cargo` to the PATH\n",
    );
}

#[test]
fn broken_yaml_is_shown_with_file_line_and_column() {
    let sandbox = Sandbox::new().file("k8s.yaml", "a: ko://link-service\nb: [1, 2\nc: 3\n");
    fails(
        &package(sandbox, ".", "link-service", ""),
        ["resolve", "-f", "k8s.yaml"],
        1,
        "error[invalid-yaml]: illegal placement of ':' indicator
 --> k8s.yaml:3:2
  |
3 | c: 3
  |  ^ here
",
    );
}

#[test]
fn manifests_that_cannot_be_read_are_named() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.directory().join("k8s")).unwrap();
    fails(
        &sandbox,
        ["resolve", "-f", "x.yaml"],
        1,
        "error[manifest-not-found]: `x.yaml` does not exist\n",
    );
    fails(
        &sandbox,
        ["resolve", "-f", "k8s"],
        1,
        "error[empty-folder]: the folder `k8s` contains no .yaml, .yml or .json files\n\
         hint: use `-R` to read subfolders too\n",
    );
    fails(
        &sandbox,
        ["resolve"],
        2,
        "error[no-manifests]: no manifests are given\nhint: name a file, a folder, a URL or `-` (standard input) with `-f`\n",
    );
    // Readable by nobody, not even by root.
    #[cfg(target_os = "linux")]
    {
        let ran = sandbox.run(["resolve", "-f", "/proc/self/mem"]).exits(1);
        assert!(
            ran.stderr()
                .starts_with("error[manifest-not-readable]: could not read `/proc/self/mem`"),
            "{}",
            ran.stderr()
        );
    }
}

#[test]
fn an_unknown_key_of_the_settings_is_shown_with_its_place_and_the_nearest() {
    let sandbox = workspace().file(".ko-rs.yaml", "# ours\n  \ndefaultPlatform: linux/amd64\n");
    fails(
        &sandbox,
        ["build", "link-service"],
        2,
        "error[unknown-setting]: unknown key `defaultPlatform` in settings
 --> .ko-rs.yaml:3:1
  |
3 | defaultPlatform: linux/amd64
  | ^^^^^^^^^^^^^^^ unknown key
hint: did you mean `defaultPlatforms`?
",
    );
    let sandbox = workspace().file(".ko-rs.yaml", "builds:\n  - package: x\n    rustflag: []\n");
    fails(
        &sandbox,
        ["build", "link-service"],
        2,
        "error[unknown-setting]: unknown key `rustflag` in a build's settings
 --> .ko-rs.yaml:3:5
  |
3 |     rustflag: []
  |     ^^^^^^^^ unknown key
hint: did you mean `rustflags`?
",
    );
    let sandbox = workspace().file(".ko-rs.yaml", "builds: [\n");
    fails(
        &sandbox,
        ["build", "link-service"],
        2,
        "error[settings-not-yaml]: the settings are not valid YAML
 --> .ko-rs.yaml:1:9
  |
1 | builds: [
  |         ^ unclosed bracket '['
",
    );
    let sandbox = workspace().file(".ko-rs.yaml", "requiredVersion: '>=99'\n");
    fails(
        &sandbox,
        ["build", "link-service"],
        2,
        concat!(
            "error[required-version]: `.ko-rs.yaml` requires ko-rs >=99, but this is ko-rs ",
            env!("CARGO_PKG_VERSION"),
            "\nhint: install that version, or change `requiredVersion`\n"
        ),
    );
}

#[test]
fn all_that_is_wrong_with_the_settings_is_said_at_once() {
    let settings = "linkcheck: 3\nbuilds:\n  - package: x\n    flgs: []\n    platforms: [amd64]\n";
    let ran = workspace().file(".ko-rs.yaml", settings).run(["build", "link-service"]).exits(2);
    let (first, rest) = ran.stderr().split_once("\nerror[unknown-setting]: ").unwrap();
    assert!(
        first.starts_with("error[unknown-setting]: unknown key `linkcheck` in settings\n"),
        "{first}"
    );
    assert_eq!(
        rest,
        "unknown key `flgs` in a build's settings
 --> .ko-rs.yaml:4:5
  |
4 |     flgs: []
  |     ^^^^ unknown key
hint: did you mean `flags`?
error[invalid-setting]: `platforms` cannot be read
 --> .ko-rs.yaml:5:16
  |
5 |     platforms: [amd64]
  |                ^ `amd64` is not a platform (`os/architecture` or `os/architecture/variant`, as in `linux/arm64`)
"
    );
}

#[test]
fn a_name_that_no_registry_takes_is_refused_also_where_nothing_is_pushed() {
    fails(
        &workspace(),
        ["build", "--push=false", "--repo=registry.example/Team", "-B", "link-service"],
        1,
        "error[invalid-image-name]: could not name the image of `github.com/a/b/svc/link`\n\
         caused by: `registry.example/Team/link` is not an image name: a repository must be in lower case\n\
         hint: set KO_DOCKER_REPO or --repo to REGISTRY/PATH, as in `ghcr.io/team`\n",
    );
}

#[test]
fn where_no_destination_is_set_the_choices_are_listed() {
    let expected = "error[no-destination]: no destination for the images is set
hint: set KO_DOCKER_REPO or --repo to one of
        registry.example/team   a registry's repository
        localhost:5000          a registry on this machine
        ko.local                the Docker Engine
        kind.local, k3d.local or minikube.local
                                the nodes of a cluster on this machine
        auto                    what the current context needs
      or keep the images here with
        --oci-layout-path=FOLDER --push=false
        --tarball=FILE --push=false
      or compute their names alone with --push=false
";
    let sandbox = workspace().env("KO_DOCKER_REPO", "");
    fails(&sandbox, ["build", "link-service"], 1, expected);
    let ran = sandbox.run_with_input(["resolve", "-f", "-"], "a: ko://link-service\n");
    says(&sandbox, ran, 1, expected);
}

#[test]
fn flags_that_are_wrong_are_said_to_be_before_anything_is_done() {
    let sandbox = Sandbox::new();
    let unknown = sandbox.run(["build", "--platfrom=linux/amd64"]).exits(2);
    assert!(unknown.stderr().contains("a similar argument exists: '--platform'"));
    let unknown = sandbox.run(["frobnicate"]).exits(2);
    assert!(unknown.stderr().starts_with("error: unrecognized subcommand 'frobnicate'\n"));
    for (args, expected) in [
        (
            &["--ldflags=-s"][..],
            "[unsupported-flag]: --ldflags is not supported: it only has a meaning for Go\nhint: set `rustflags` of a build in .ko-rs.yaml, or RUSTFLAGS",
        ),
        (
            &["--disable-optimizations"],
            "[unsupported-flag]: --disable-optimizations is not supported: it only has a meaning for Go\nhint: use `--profile=dev`",
        ),
        (
            &["--platform=amd64"],
            "[invalid-value]: --platform: `amd64` is not a platform (`os/architecture` or `os/architecture/variant`, as in `linux/arm64`)",
        ),
        (
            &["--tags=a b"],
            "[invalid-value]: --tags: `a b` is not an image name: a tag is up to 128 of A-Z, a-z, 0-9, `_`, `.` and `-`, and starts with none of the last two",
        ),
        (
            &["--tag-only"],
            "[conflicting-settings]: --tag-only requires --tags with one tag other than `latest`",
        ),
        (&["--image-label=x"], "[invalid-value]: --image-label: expected KEY=VALUE, found `x`"),
        (&["-j", "x"], "[invalid-value]: --jobs: expected a whole number, found `x`"),
        (
            &["--sbom=frob"],
            "[invalid-value]: --sbom: expected `spdx`, `cyclonedx`, `none` or `required`, found `frob`",
        ),
        (
            &["--layer-compression=lz4"],
            "[invalid-value]: --layer-compression: expected `auto`, `gzip`, `zstd` or `none`, found `lz4`",
        ),
        (
            &["--layer-compression=gzip", "--layer-compression-level=99"],
            "[conflicting-settings]: the level of `gzip` must be between 1 and 9, found 99",
        ),
        (
            &["--repo=https://registry.example/x"],
            "[invalid-value]: --repo: expected a repository such as `registry.example/team`, without `https://` and without a trailing slash, found `https://registry.example/x`",
        ),
        (&["-v", "-q"], "[conflicting-settings]: --verbose cannot be used with --quiet"),
        (
            &["-C", "gone"],
            "[working-directory]: could not change to the folder `gone`\ncaused by: No such file or directory (os error 2)",
        ),
    ] {
        let mut all = vec!["build", "--push=false"];
        all.extend(args);
        fails(&sandbox, all, 2, &format!("error{expected}\n"));
    }
}

#[test]
fn a_platform_that_rustc_has_no_static_target_for_is_refused_before_compiling() {
    fails(
        &workspace(),
        ["build", "--push=false", "--platform=linux/s390x", "link-service"],
        1,
        "error[base-without-glibc]: Rust has no musl target for linux/s390x, and the base image has no glibc\n\
         hint: set a base image that has glibc: `base` of the build, or `--base-image`\n",
    );
    fails(
        &workspace(),
        ["build", "--push=false", "--platform=linux/mips64le", "link-service"],
        1,
        "error[unsupported-platform]: no Rust target is known for linux/mips64le\n\
         hint: set `target` of the build, and a base image that has its C library\n",
    );
}

#[test]
fn a_target_that_is_for_another_platform_is_refused_before_compiling() {
    let settings = "builds:\n  - package: link-service\n    target: aarch64-unknown-linux-gnu\n";
    fails(
        &workspace().file(".ko-rs.yaml", settings),
        ["build", "--push=false", "--platform=linux/amd64", "link-service"],
        1,
        "error[target-platform-mismatch]: `target: aarch64-unknown-linux-gnu` in the settings is not for linux/amd64\n\
         hint: remove `target` to use `x86_64-unknown-linux-musl`, list one target for each platform \
         (`target: [x86_64-unknown-linux-musl, …]`), or build for another `--platform`\n",
    );
}

#[test]
fn settings_for_what_is_nowhere_are_refused() {
    let settings = "builds:\n  - package: link-servise\n  - id: news\n    package: link-service\n    bin: link\n  \
                    - package: beside\n";
    let sandbox = workspace().file(".git/HEAD", "").file(".ko-rs.yaml", settings);
    let sandbox = crate::build::package(sandbox, "beside", "beside", "[workspace]");
    fails(
        &sandbox,
        ["build", "--push=false", "link-service"],
        2,
        "error[unknown-build]: `builds` in the settings refers to the package `link-servise`, which does not exist or has no binary
 --> .ko-rs.yaml:2:14
  |
2 |   - package: link-servise
  |              ^^^^^^^^^^^^ no such crate
hint: did you mean `link-service`?
error[unknown-build]: `builds` in the settings refers to the binary `link`, which `link-service` does not have
 --> .ko-rs.yaml:5:10
  |
5 |     bin: link
  |          ^^^^ no such crate
hint: did you mean `link-service`?
",
    );
}

#[test]
fn code_for_this_machine_s_processor_alone_is_refused() {
    fails(
        &workspace().env("RUSTFLAGS", "-C target-cpu=native"),
        ["build", "--push=false", "link-service"],
        1,
        "error[native-cpu]: `target-cpu=native` (`RUSTFLAGS` in the environment) would compile for the processor of this machine only\n\
         hint: name the oldest processor that must run the image: `-C target-cpu=x86-64-v3`\n",
    );
}

#[test]
fn two_images_of_one_name_are_refused_before_compiling() {
    fails(
        &workspace(),
        ["build", "--push=false", "--bare", "link-service", "user-service"],
        1,
        "error[same-image-name]: `github.com/a/b/svc/link` and `github.com/a/b/svc/user` would both be pushed to `registry.example/team`\n\
         hint: omit -B or --bare: the default names are unique to each import path\n",
    );
}

#[test]
fn data_that_leads_out_of_the_repository_is_refused() {
    let sandbox = Sandbox::with_fixture("crates/kodata-escapes").env("KO_DOCKER_REPO", REPO);
    fs::create_dir(sandbox.directory().join(".git")).unwrap();
    fs::write(sandbox.outside("work/outside.txt"), "secret").unwrap();
    let outside = fs::canonicalize(sandbox.outside("work/outside.txt")).unwrap();
    let expected = format!(
        "error[link-outside-repository]: could not make the image of `kodata-escapes`\n\
         caused by: could not add the data in `ROOT/kodata` to the image\n\
         caused by: the symbolic link `ROOT/kodata/outside.txt` points to `{}`, which is outside of `ROOT`\n\
         hint: copy the file into the repository, or list it under `files` in .ko-rs.yaml, which may name any file\n",
        outside.display()
    );
    fails(&sandbox, ["build", "--push=false", "-q"], 1, &expected);
}

#[test]
fn a_cache_that_cannot_be_written_is_named_with_the_way_around_it() {
    let sandbox = workspace();
    let file = sandbox.directory().join("Cargo.toml");
    let sandbox = sandbox.env("KOCACHE", file);
    fails(
        &sandbox,
        ["build", "--push=false", "-q", "link-service"],
        1,
        "error[cache-not-writable]: could not publish the image of `github.com/a/b/svc/link`\n\
         caused by: could not prepare the image\n\
         caused by: could not keep the layer of the executable\n\
         caused by: could not write `ROOT/Cargo.toml/ko-rs/tmp` in the cache\n\
         caused by: Not a directory (os error 20)\n\
         hint: set KOCACHE to use another folder for the cache, or pass --no-cache\n",
    );
    let ran = sandbox.run(["build", "--push=false", "-q", "--no-cache", "link-service"]).exits(0);
    assert_eq!(ran.stderr(), "");
}

/// Port 1 of this machine: nothing listens there.
#[test]
fn a_registry_or_engine_that_is_not_there_is_named_with_the_step_and_soon() {
    let sandbox = Sandbox::inside_fixture("crates/hello");
    let before = Instant::now();
    let ran = sandbox.run(["build", "-q", "--repo=127.0.0.1:1/x"]).exits(1);
    assert!(before.elapsed() < Duration::from_secs(30), "{:?}", before.elapsed());
    let repository = "127.0.0.1:1/x/hello-5d41402abc4b2a76b9719d911017c592";
    for text in [
        "error[connection-failed]: could not publish the image of `hello`\n",
        repository,
        "caused by: could not connect to `127.0.0.1:1`\n",
        "hint: check that a registry is running at `127.0.0.1:1`\n",
    ] {
        assert!(ran.stderr().contains(text), "{}", ran.stderr());
    }
    let ran =
        sandbox.run(["build", "-q", "--push=false", "--base-image=127.0.0.1:1/base"]).exits(1);
    assert_eq!(
        ran.stderr(),
        "error[connection-failed]: could not pull the base image `127.0.0.1:1/base`\n\
         caused by: could not pull a manifest from `127.0.0.1:1/base`\n\
         caused by: could not connect to `127.0.0.1:1`\n\
         caused by: Connection refused (os error 111)\n\
         hint: check that a registry is running at `127.0.0.1:1`\n"
    );
    let engine = sandbox.env("DOCKER_HOST", "tcp://127.0.0.1:1");
    fails(
        &engine,
        ["build", "-q", "-L"],
        1,
        "error[engine-unreachable]: could not publish the image of `hello`\n\
         caused by: could not load the image into the Docker Engine\n\
         caused by: could not reach the Docker Engine at tcp://127.0.0.1:1\n\
         caused by: Connection refused (os error 111)\n\
         hint: is Docker running? DOCKER_HOST says where it is; for minikube, `eval $(minikube docker-env)`\n",
    );
}

#[test]
fn a_cluster_that_is_not_there_is_named_before_anything_is_built() {
    let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
        clusters: [{name: k, cluster: {server: 'http://127.0.0.1:1'}}]\n\
        users: [{name: u, user: {}}]\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n";
    let object =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: ko://link-service}\n";
    let sandbox = workspace().file("kubeconfig", kubeconfig).file("x.yaml", object);
    let before = Instant::now();
    for command in ["apply", "create", "delete"] {
        let ran = sandbox.run([command, "--kubeconfig=kubeconfig", "-f", "x.yaml"]).exits(1);
        assert_eq!(ran.stdout(), "");
        assert!(ran.stderr().contains("127.0.0.1:1"), "{command}: {}", ran.stderr());
        assert!(!ran.stderr().contains("Building"), "{command}: {}", ran.stderr());
    }
    assert!(before.elapsed() < Duration::from_secs(60), "{:?}", before.elapsed());
    let ran = sandbox.run(["apply", "--kubeconfig=gone", "-f", "x.yaml"]).exits(1);
    assert!(ran.stderr().contains("`gone`") || ran.stderr().contains("/gone`"), "{}", ran.stderr());
}

/// Cargo would compile for a minute.
#[test]
fn an_engine_that_is_not_there_is_said_so_before_all_is_compiled() {
    let slow = "fn main() { std::thread::sleep(std::time::Duration::from_secs(60)); }\n";
    let sandbox = crate::build::package(Sandbox::new(), "", "slow", "").file("build.rs", slow);
    let address = format!("unix://{}", sandbox.outside("docker.sock").display());
    let sandbox = sandbox.env("KO_DOCKER_REPO", "ko.local").env("DOCKER_HOST", &address);
    let started = std::time::Instant::now();
    let ran = sandbox.run(["build", "-q"]).exits(1);
    assert!(started.elapsed() < std::time::Duration::from_secs(30), "{:?}", started.elapsed());
    assert_eq!(
        ran.stderr(),
        format!(
            "error[engine-unreachable]: could not publish the image of `slow`
caused by: could not load the image into the Docker Engine
caused by: could not reach the Docker Engine at {address}
caused by: No such file or directory (os error 2)
hint: is Docker running? DOCKER_HOST says where it is; for minikube, `eval $(minikube docker-env)`
"
        )
    );
}

#[test]
fn what_is_not_written_is_not_said_to_be_published() {
    let sandbox = Sandbox::inside_fixture("crates/hello").env("KO_DOCKER_REPO", "x.example/y");
    let folder = sandbox.outside("images.tar");
    std::fs::create_dir_all(folder.join("in the way")).unwrap();
    let tarball = format!("--tarball={}", folder.display());
    let ran = sandbox.run(["build", "--push=false", &tarball]).exits(1);
    assert!(
        ran.stderr().contains("error[image-not-written]: could not write the archive"),
        "{}",
        ran.stderr()
    );
    assert!(!ran.stderr().contains("Published"), "{}", ran.stderr());
    std::fs::remove_dir_all(&folder).unwrap();
    let ran = sandbox.run(["build", "--push=false", &tarball]).exits(0);
    assert_eq!(ran.stderr().matches("Published").count(), 1, "{}", ran.stderr());
}
