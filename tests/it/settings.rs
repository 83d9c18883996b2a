//! A flag goes before a variable before the file, and nothing else counts.

use std::fs;

use ko_rs::settings::table::Key;
use serde_json::{Value, json};

use crate::oci;
use crate::support::Sandbox;

const REPO: &str = "registry.example/team";

/// A sandbox with a copy of `hello` whose own settings are these.
fn with_settings(text: &str) -> Sandbox {
    let sandbox = Sandbox::with_fixture("crates/hello").env("KO_DOCKER_REPO", REPO);
    sandbox.file(".ko-rs.yaml", text)
}

/// The name that is printed, and the image.
#[track_caller]
fn built(sandbox: &Sandbox, args: &[&str]) -> (String, oci::Image) {
    let layout = sandbox.outside("layout");
    let _ = fs::remove_dir_all(&layout);
    let path = format!("--oci-layout-path={}", layout.display());
    let mut all = vec!["build", "--push=false", "-q", &path];
    all.extend(args);
    let line = sandbox.run(all).exits(0).line().to_owned();
    (line, oci::validate(&layout).remove(0))
}

/// What a build with these sources does, seen by `look`: from the file, then with the variable too,
/// then with the flag too.
#[track_caller]
fn in_turn<T: PartialEq + std::fmt::Debug>(
    file: &str,
    variable: (&str, &str),
    flag: &str,
    look: impl Fn(&str, &oci::Image) -> T,
    expected: [T; 3],
) {
    let look = |sandbox: &Sandbox, args: &[&str]| {
        let (line, image) = built(sandbox, args);
        look(&line, &image)
    };
    let from_file = with_settings(file);
    let first = look(&from_file, &[]);
    let from_variable = from_file.env(variable.0, variable.1);
    let second = look(&from_variable, &[]);
    let third = look(&from_variable, &[flag]);
    assert_eq!([first, second, third], expected);
}

#[test]
fn a_platform() {
    let architecture = |_: &str, image: &oci::Image| image.config["architecture"].clone();
    in_turn(
        "defaultPlatforms: [linux/arm64]\n",
        ("KO_RS_DEFAULTPLATFORMS", "linux/amd64"),
        "--platform=linux/arm64",
        architecture,
        ["arm64", "amd64", "arm64"].map(Value::from),
    );
}

#[test]
fn tags_of_the_variable_and_of_the_flag() {
    in_turn(
        "{}\n",
        ("KO_RS_TAGS", "v1"),
        "-t=v2",
        |line, _| line.split('@').next().unwrap().rsplit('/').next().unwrap().to_owned(),
        ["", ":v1", ":v2"].map(|tag| format!("hello-5d41402abc4b2a76b9719d911017c592{tag}")),
    );
}

#[test]
fn a_base_image() {
    // The layers of `static` and of nothing, with the executable's.
    in_turn(
        "defaultBaseImage: scratch\n",
        ("KO_RS_DEFAULTBASEIMAGE", "static"),
        "--base-image=scratch",
        |_, image| image.layers.len(),
        [1, 2, 1],
    );
}

#[test]
fn the_time_of_creation() {
    in_turn(
        "{}\n",
        ("SOURCE_DATE_EPOCH", "86400"),
        "--created=7",
        |_, image| image.config["created"].clone(),
        ["1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z", "1970-01-01T00:00:07Z"].map(Value::from),
    );
}

#[test]
fn compression() {
    in_turn(
        "layerCompression: zstd\n",
        ("KO_RS_LAYERCOMPRESSION", "none"),
        "--layer-compression=gzip",
        |_, image| {
            let layers = image.manifest["layers"].as_array().unwrap();
            let kind = layers.last().unwrap()["mediaType"].as_str().unwrap();
            kind.split_once(".tar").unwrap().1.to_owned()
        },
        ["+zstd", "", "+gzip"].map(str::to_owned),
    );
}

/// What an image says about its container, with its files in `/etc` and whether the executable has
/// a capability.
fn container(sandbox: &Sandbox, args: &[&str]) -> Value {
    let none = ["--layer-compression=none"];
    let image = built(sandbox, &[args, &none].concat()).1;
    let config = &image.config["config"];
    let variables = config["Env"].as_array().unwrap().iter().filter(|variable| {
        variable.as_str().is_some_and(|text| text.starts_with("A=") || text.starts_with("B="))
    });
    let files = image.layers.iter().flatten().map(|file| file.path.as_str());
    let layer = image.manifest["layers"].as_array().unwrap().last().unwrap();
    let hex = layer["digest"].as_str().unwrap().trim_start_matches("sha256:");
    let tar = fs::read(sandbox.outside("layout/blobs/sha256").join(hex)).unwrap();
    let xattr = b"SCHILY.xattr.security.capability";
    json!({
        "env": variables.collect::<Vec<_>>(),
        "args": config["Cmd"],
        "folder": config["WorkingDir"],
        "user": config["User"],
        "labels": config["Labels"],
        "annotations": [image.manifest["annotations"]["A"], image.manifest["annotations"]["B"]],
        "ports": config["ExposedPorts"],
        "files": files.filter(|path| path.ends_with(".txt")).collect::<Vec<_>>(),
        "capability": tar.windows(xattr.len()).any(|window| window == xattr),
    })
}

#[test]
fn what_is_said_of_every_image_gives_way_to_a_build_and_a_build_to_flags() {
    let image = |who: &str, user: u8, capabilities: &str, variables: &str| {
        format!(
            "{{env: {{{variables}}}, labels: {{{variables}}}, annotations: {{{variables}}}, \
             args: [{who}], workingDir: /{who}, user: \"{user}\", ports: [{user}/tcp], \
             capabilities: {capabilities}}}"
        )
    };
    let every = image("every", 1, "[net_bind_service]", "A: every, B: every");
    let every = format!("defaultImage: {every}\nfiles:\n  - {{from: motd, to: /etc/every.txt}}\n");
    let sandbox = with_settings(&every).file("motd", "hi");
    let expected = json!({
        "env": ["A=every", "B=every"],
        "args": ["every"],
        "folder": "/every",
        "user": "1",
        "labels": {"A": "every", "B": "every"},
        "annotations": ["every", "every"],
        "ports": {"1/tcp": {}},
        "files": ["etc/every.txt"],
        "capability": true,
    });
    assert_eq!(container(&sandbox, &[]), expected);
    let build = image("build", 2, "[]", "B: build");
    let build = format!(
        "{every}builds:\n  - package: hello\n    image: {build}\n    \
         files:\n      - {{from: motd, to: /etc/build.txt}}\n"
    );
    sandbox.write(".ko-rs.yaml", &build);
    let mut expected = json!({
        "env": ["A=every", "B=build"],
        "args": ["build"],
        "folder": "/build",
        "user": "2",
        "labels": {"A": "every", "B": "build"},
        "annotations": ["every", "build"],
        "ports": {"1/tcp": {}, "2/tcp": {}},
        "files": ["etc/build.txt", "etc/every.txt"],
        "capability": false,
    });
    assert_eq!(container(&sandbox, &[]), expected);
    let flags = ["--image-user=3", "--image-label=B=flag", "--image-annotation=B=flag"];
    expected["user"] = json!("3");
    expected["labels"]["B"] = json!("flag");
    expected["annotations"][1] = json!("flag");
    assert_eq!(container(&sandbox, &flags), expected);
}

#[test]
fn a_profile() {
    let profiles = "\n[profile.small]\ninherits = \"release\"\nopt-level = \"z\"\n";
    let sandbox = with_settings("defaultProfile: dev\n");
    let manifest = sandbox.read("Cargo.toml") + profiles;
    let sandbox = sandbox.file("Cargo.toml", &manifest);
    let target = sandbox.outside("target");
    let sandbox = sandbox.env("CARGO_TARGET_DIR", &target);
    let profiles = |sandbox: &Sandbox, args: &[&str]| {
        let _ = fs::remove_dir_all(&target);
        let _ = built(sandbox, args);
        let triple = format!("ko-rs/{}-unknown-linux-musl", std::env::consts::ARCH);
        let mut names: Vec<_> = fs::read_dir(target.join(triple))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| ["debug", "release", "small"].contains(&name.as_str()))
            .collect();
        names.sort();
        names
    };
    assert_eq!(profiles(&sandbox, &[]), ["debug"]);
    let sandbox = sandbox.env("KO_RS_DEFAULTPROFILE", "release");
    assert_eq!(profiles(&sandbox, &[]), ["release"]);
    assert_eq!(profiles(&sandbox, &["--profile=small"]), ["small"]);
}

#[test]
fn a_build_s_own_settings_go_before_the_defaults_and_after_flags() {
    let builds = "defaultBaseImage: static\nbuilds:\n  - package: hello\n    base: scratch\n  - package: other\n    base: gone\n";
    let sandbox = with_settings(builds).file(".git/HEAD", "");
    let sandbox = crate::build::package(sandbox, "beside", "other", "[workspace]");
    assert_eq!(built(&sandbox, &[]).1.layers.len(), 1);
    assert_eq!(built(&sandbox, &["--base-image=static"]).1.layers.len(), 2);
}

#[test]
fn the_file_is_found_upwards_until_the_repository_s_root_and_its_paths_start_from_it() {
    let sandbox = with_settings("files:\n  - {from: motd, to: /etc/motd}\n").file("motd", "hi");
    let image = built(&sandbox, &["-C", "src", "hello"]).1;
    assert_eq!(image.file("etc/motd").content, b"hi");
    // Beyond the root of a repository nobody's settings count.
    fs::create_dir(sandbox.directory().join("src/.git")).unwrap();
    let image = built(&sandbox, &["-C", "src", "hello"]).1;
    assert!(image.layers.iter().flatten().all(|file| file.path != "etc/motd"));
    let named = built(&sandbox, &["-C", "src", "--config", "../.ko-rs.yaml", "hello"]).1;
    assert_eq!(named.file("etc/motd").content, b"hi");
}

#[test]
fn variables_of_go_s_ko_are_not_read_and_that_is_said() {
    let sandbox = Sandbox::inside_fixture("crates/hello")
        .env("KO_DEFAULTBASEIMAGE", "gone.example/base")
        .env("KO_CONFIG_PATH", "/nowhere");
    let ran = sandbox.run(["build", "--push=false", "--repo", REPO]).exits(0);
    for variable in ["KO_DEFAULTBASEIMAGE", "KO_CONFIG_PATH"] {
        let note = format!(
            "note: {variable} is not read, since it is specific to Go; the variables of ko-rs start with KO_RS_\n"
        );
        assert!(ran.stderr().contains(&note), "{}", ran.stderr());
    }
}

/// Libraries like to read the environment by themselves. Where flags say everything, nonsense in
/// every variable that they or ko-rs know must change nothing.
#[test]
fn nonsense_in_the_environment_changes_nothing_where_flags_say_everything() {
    let layout =
        |sandbox: &Sandbox| format!("--oci-layout-path={}", sandbox.outside("layout").display());
    let run = |sandbox: &Sandbox| {
        let layout = layout(sandbox);
        let args = [
            "build",
            "--push=false",
            "-q",
            "--repo",
            REPO,
            "--config=.ko-rs.yaml",
            "--tags=v1",
            "--platform=linux/amd64",
            "--base-image=static",
            "--profile=release",
            "--feature-unification=package",
            "--created=7",
            "--layer-compression=gzip",
            "--layer-compression-level=2",
            "--sbom=none",
            "--jobs=2",
            "--registry-timeout=1m",
            "--color=never",
            "--manifest-path=Cargo.toml",
            &layout,
        ];
        sandbox.run(args).exits(0)
    };
    let clean = Sandbox::with_fixture("crates/hello").file(".ko-rs.yaml", "{}\n");
    let expected = run(&clean);
    let mut poisoned = Sandbox::with_fixture("crates/hello").file(".ko-rs.yaml", "{}\n");
    let nonsense = poisoned.outside("nonsense \u{1F4A3}");
    for setting in ko_rs::settings::table::SETTINGS {
        // What no flag can say has to be right, but for the cache's place: it only saves work.
        let said = setting.flag.is_some() || setting.key == Key::CachePath;
        if let Some(variable) = setting.variable.filter(|_| said) {
            poisoned = poisoned.env(variable, &nonsense);
        }
    }
    for variable in [
        "KO_DEFAULTBASEIMAGE",
        "KO_CONFIG_PATH",
        "KIND_CLUSTER_NAME",
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "DOCKER_CONFIG",
        "DOCKER_CERT_PATH",
        "DOCKER_TLS_VERIFY",
        "DOCKER_API_VERSION",
        "REGISTRY_AUTH_FILE",
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
        "NO_PROXY",
        "KUBERNETES_SERVICE_HOST",
        "KUBERNETES_SERVICE_PORT",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "TMPDIR",
        "XDG_CONFIG_HOME",
        "XDG_RUNTIME_DIR",
        "RUST_LOG",
        "RAYON_NUM_THREADS",
        "TOKIO_WORKER_THREADS",
        "COLUMNS",
        "LC_ALL",
        "TZ",
        "NO_COLOR",
        "CLICOLOR_FORCE",
    ] {
        poisoned = poisoned.env(variable, &nonsense);
    }
    let ran = run(&poisoned);
    assert_eq!(ran.stdout(), expected.stdout());
    assert_eq!(oci::validate(&poisoned.outside("layout")).len(), 1);
}
