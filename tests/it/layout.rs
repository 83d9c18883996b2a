//! What is in an image, seen in an OCI layout and in an archive.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Value, json};

use crate::oci::{self, File, Image};
use crate::support::{Ran, Sandbox};

const REPO: &str = "registry.example/team";

/// Builds the working directory's crate into `layout`, with some more arguments.
fn build(sandbox: &Sandbox, args: &[&str]) -> (Ran, Vec<Image>) {
    let layout = sandbox.outside("layout");
    let path = format!("--oci-layout-path={}", layout.display());
    let mut all = vec!["build", "--push=false", &path];
    all.extend(args);
    let ran = sandbox.run(all).exits(0);
    (ran, oci::validate(&layout))
}

fn only(mut images: Vec<Image>) -> Image {
    assert_eq!(images.len(), 1);
    images.remove(0)
}

fn variables(image: &Image) -> Vec<&str> {
    image.config["config"]["Env"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect()
}

/// Runs an executable of an image outside of it: what is static runs anywhere.
fn run(sandbox: &Sandbox, file: &File) -> String {
    let path = sandbox.outside("unpacked");
    fs::write(&path, &file.content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)).unwrap();
    let output = Command::new(&path).env_clear().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_image_holds_the_base_and_a_static_executable_and_says_how_it_is_run() {
    let sandbox = Sandbox::inside_fixture("crates/hello").env("KO_DOCKER_REPO", REPO);
    let (ran, images) = build(&sandbox, &[]);
    let image = only(images);
    let name = format!("{REPO}/hello-5d41402abc4b2a76b9719d911017c592");
    assert_eq!(ran.line(), format!("{name}@{}", image.digest));
    assert_eq!(image.name, Some(format!("{name}:latest")));

    let config = &image.config["config"];
    assert_eq!(image.config["os"], "linux");
    assert_eq!(image.config["architecture"], architecture());
    assert_eq!(image.config["created"], "1970-01-01T00:00:00Z");
    assert_eq!(config["Entrypoint"], json!(["/ko-app/hello"]));
    assert!(config["Cmd"].is_null());
    assert_eq!(config["User"], "65532");
    let variables = variables(&image);
    let path = variables.iter().find(|variable| variable.starts_with("PATH=")).unwrap();
    assert!(path.split(':').any(|folder| folder.trim_start_matches("PATH=") == "/ko-app"));
    assert!(variables.contains(&"KO_DATA_PATH=/var/run/ko"));
    assert!(variables.iter().any(|variable| variable.starts_with("SSL_CERT_FILE=")));
    assert_eq!(image.manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");

    let executable = image.file("ko-app/hello");
    assert_eq!(executable.mode, 0o555);
    assert_eq!((executable.owner, executable.mtime), ((0, 0), 0));
    assert_eq!(run(&sandbox, executable), "Hello there\n");
    let top = image.layers.len() - 1;
    assert_eq!(image.paths(top), ["ko-app", "ko-app/hello"]);
    // What the base promises to a static executable.
    for path in ["etc/passwd", "etc/group", "etc/ssl/certs/ca-certificates.crt", "tmp"] {
        image.file(path);
    }
    assert_eq!(image.file("tmp").mode & 0o7777, 0o1777);
}

/// The architecture of this machine, as OCI calls it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[test]
fn a_second_run_adds_nothing_and_another_image_is_put_beside_the_first() {
    let sandbox = Sandbox::inside_fixture("crates/default-run").env("KO_DOCKER_REPO", REPO);
    let (first, images) = build(&sandbox, &[]);
    let image = only(images);
    let index = fs::read(sandbox.outside("layout/index.json")).unwrap();
    let (second, images) = build(&sandbox, &[]);
    assert_eq!(only(images).digest, image.digest);
    assert_eq!(first.stdout(), second.stdout());
    assert_eq!(fs::read(sandbox.outside("layout/index.json")).unwrap(), index);
    let (_, images) = build(&sandbox, &[".#client"]);
    let names: Vec<_> = images.iter().map(|image| image.name.clone().unwrap()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    // The same name for another image: it is taken from the first, whose blobs stay.
    let layout = sandbox.outside("layout");
    let path = format!("--oci-layout-path={}", layout.display());
    let _ = sandbox.run(["build", "--push=false", &path, "--image-label=a=b"]).exits(0);
    let index = fs::read_to_string(layout.join("index.json")).unwrap();
    assert_eq!(index.matches("org.opencontainers.image.ref.name").count(), 2, "{index}");
    assert!(!index.contains(&image.digest), "{index}");
}

#[test]
fn what_flags_and_settings_say_about_an_image_is_in_its_configuration() {
    let settings = "builds:\n  - package: hello\n    image:\n      env: {MODE: fast, PATH: /mine}\n      args: [serve, --now]\n      workingDir: /srv\n      labels: {team: links, who: file}\n      ports: [8080/tcp]\n    files:\n      - {from: motd.txt, to: /etc/motd, mode: '0600'}\n";
    let sandbox = Sandbox::with_fixture("crates/hello")
        .env("KO_DOCKER_REPO", REPO)
        .env("SOURCE_DATE_EPOCH", "86400")
        .file(".ko-rs.yaml", settings)
        .file("motd.txt", "hi\n");
    let args = ["--image-label=who=flag", "--image-annotation=x=y,z", "--image-user=1000:1000"];
    let (_, images) = build(&sandbox, &args);
    let image = only(images);
    let config = &image.config["config"];
    assert_eq!(config["Cmd"], json!(["serve", "--now"]));
    assert_eq!(config["WorkingDir"], "/srv");
    assert_eq!(config["User"], "1000:1000");
    assert_eq!(config["Labels"], json!({"team": "links", "who": "flag"}));
    assert_eq!(config["ExposedPorts"], json!({"8080/tcp": {}}));
    let variables = variables(&image);
    assert!(variables.contains(&"MODE=fast"));
    let paths: Vec<_> = variables.iter().filter(|v| v.starts_with("PATH=")).collect();
    assert!(paths.len() == 1 && paths[0].contains("/mine"), "{paths:?}");
    assert_eq!(image.manifest["annotations"]["x"], "y,z");
    assert_eq!(image.config["created"], "1970-01-02T00:00:00Z");
    let file = image.file("etc/motd");
    assert_eq!((file.mode, file.content.as_slice()), (0o600, b"hi\n".as_slice()));
}

#[test]
fn kodata_is_laid_in_its_own_layer_with_links_followed() {
    let sandbox = Sandbox::with_fixture("crates/hello").env("KO_DOCKER_REPO", REPO);
    let sandbox = sandbox.file("kodata/a.txt", "a").file("kodata/run.sh", "#!/bin/sh\n");
    let sandbox = sandbox.file("kodata/v1/page.html", "<p>").file("shared/s.txt", "s");
    let kodata = sandbox.directory().join("kodata");
    let executable = fs::Permissions::from_mode(0o744);
    fs::set_permissions(kodata.join("run.sh"), executable).unwrap();
    std::os::unix::fs::symlink("v1", kodata.join("latest")).unwrap();
    fs::create_dir(sandbox.directory().join(".git")).unwrap();
    std::os::unix::fs::symlink("../shared/s.txt", kodata.join("s.txt")).unwrap();
    let (_, images) = build(&sandbox, &[]);
    let image = only(images);
    let seen = |path: &str| {
        let file = image.file(&format!("var/run/ko/{path}"));
        assert_eq!((file.owner, file.mtime), ((0, 0), 0), "{path}");
        (file.mode, String::from_utf8(file.content.clone()).unwrap())
    };
    assert_eq!(seen("a.txt"), (0o644, "a".to_owned()));
    assert_eq!(seen("run.sh").0, 0o755);
    assert_eq!(seen("latest/page.html"), (0o644, "<p>".to_owned()));
    assert_eq!(seen("v1/page.html"), (0o644, "<p>".to_owned()));
    assert_eq!(seen("s.txt"), (0o644, "s".to_owned()));
    let executable = image.layers.len() - 1;
    assert_eq!(image.paths(executable), ["ko-app", "ko-app/hello"]);
}

#[test]
fn the_base_may_be_nothing_or_a_layout_that_was_written_before() {
    let sandbox = Sandbox::inside_fixture("crates/hello").env("KO_DOCKER_REPO", REPO);
    let (_, images) = build(&sandbox, &["--base-image=scratch"]);
    let bare = only(images);
    assert_eq!(bare.layers.len(), 1);
    let base = sandbox.outside("base");
    fs::rename(sandbox.outside("layout"), &base).unwrap();
    let from = format!("--base-image=oci:{}", base.display());
    let (_, images) = build(&sandbox, &[&from]);
    let image = only(images);
    assert_eq!(image.layers.len(), 2);
    let digest = &image.manifest["annotations"]["org.opencontainers.image.base.digest"];
    assert_eq!(*digest, Value::from(bare.digest));
}

#[test]
fn compression_is_as_the_setting_says_and_changes_the_digest_only() {
    let sandbox = Sandbox::inside_fixture("crates/hello").env("KO_DOCKER_REPO", REPO);
    let layer = |how: &str| {
        let _ = fs::remove_dir_all(sandbox.outside("layout"));
        let (_, images) = build(&sandbox, &["--layer-compression", how]);
        let image = only(images);
        let layers = image.manifest["layers"].as_array().unwrap();
        let kind = layers.last().unwrap()["mediaType"].as_str().unwrap().to_owned();
        (kind, image.config["rootfs"].clone())
    };
    let (gzip, first) = layer("gzip");
    let (zstd, second) = layer("zstd");
    let (none, third) = layer("none");
    assert_eq!(gzip, "application/vnd.oci.image.layer.v1.tar+gzip");
    assert_eq!(zstd, "application/vnd.oci.image.layer.v1.tar+zstd");
    assert_eq!(none, "application/vnd.oci.image.layer.v1.tar");
    assert!(first == second && second == third);
}

#[test]
fn an_archive_for_several_platforms_is_compressed_and_one_for_docker_load_is_not() {
    let sandbox = Sandbox::inside_fixture("crates/hello").env("KO_DOCKER_REPO", REPO);
    let path = sandbox.outside("images.tar");
    let tarball = format!("--tarball={}", path.display());
    let both = "--platform=linux/amd64,linux/arm64";
    for (platform, compressed) in [(both, true), ("--platform=linux/amd64", false)] {
        let built = |more: &[&str]| {
            let args = [&["build", "--push=false", &tarball, platform], more].concat();
            let line = sandbox.run(args).exits(0).line().to_owned();
            (line, oci::read_layer(&fs::read(&path).unwrap()))
        };
        let (line, files) = built(&[]);
        let gzip = files.iter().filter(|file| file.content.starts_with(&[0x1f, 0x8b])).count();
        // The base's layer is compressed as the base has it.
        assert_eq!(gzip, if compressed { 3 } else { 1 }, "{platform}");
        let how = if compressed { "gzip" } else { "none" };
        assert_eq!(built(&[&format!("--layer-compression={how}")]), (line, files));
    }
}

#[test]
fn an_archive_for_docker_load_holds_every_image_of_the_run() {
    let sandbox = Sandbox::inside_fixture("crates/default-run").env("KO_DOCKER_REPO", REPO);
    let path = sandbox.outside("images.tar");
    let tarball = format!("--tarball={}", path.display());
    // By name, whichever was compiled first.
    let args = ["build", "--push=false", &tarball, "-B", "-t", "v1,v2", ".", ".#client"];
    let ran = sandbox.run(args).exits(0);
    assert_eq!(ran.stdout().lines().count(), 2);
    let first = fs::read(&path).unwrap();
    let tags = check_archive(&first);
    let tag = |name: &str, tag: &str| format!("{REPO}/{name}:{tag}");
    assert_eq!(
        tags,
        [
            tag("client", "v1"),
            tag("client", "v2"),
            tag("default-run", "v1"),
            tag("default-run", "v2")
        ]
    );
    let _ = sandbox.run(args).exits(0);
    assert!(fs::read(&path).unwrap() == first, "another archive from the same images");
    let folder = path.parent().unwrap();
    let left: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "beside home, work and the archive lies something: {left:?}");
}

/// Checks what `docker load` relies on; returns the images' names.
fn check_archive(bytes: &[u8]) -> Vec<String> {
    let files = oci::read_layer(bytes);
    let content = |path: &Value| {
        let path = path.as_str().unwrap();
        let found = files.iter().find(|file| file.path == path);
        &found.unwrap_or_else(|| panic!("no `{path}` in the archive")).content
    };
    let manifest: Value = serde_json::from_slice(content(&json!("manifest.json"))).unwrap();
    let mut tags = Vec::new();
    for image in manifest.as_array().unwrap() {
        let config = content(&image["Config"]);
        assert!(image["Config"].as_str().unwrap().contains(&oci::hex(config)));
        let config: Value = serde_json::from_slice(config).unwrap();
        let layers = image["Layers"].as_array().unwrap();
        let diff_ids = config["rootfs"]["diff_ids"].as_array().unwrap();
        assert_eq!(layers.len(), diff_ids.len());
        for (layer, diff_id) in layers.iter().zip(diff_ids) {
            let bytes = content(layer);
            let tar = match bytes.starts_with(&[0x1f, 0x8b]) {
                true => {
                    let mut tar = Vec::new();
                    let mut decoder = flate2::read::GzDecoder::new(bytes.as_slice());
                    std::io::Read::read_to_end(&mut decoder, &mut tar).unwrap();
                    tar
                }
                false => bytes.clone(),
            };
            assert_eq!(*diff_id, format!("sha256:{}", oci::hex(&tar)));
        }
        let names = image["RepoTags"].as_array().unwrap();
        tags.extend(names.iter().map(|name| name.as_str().unwrap().to_owned()));
    }
    tags
}

#[test]
fn several_platforms_are_one_index_whose_images_are_named_too() {
    let sandbox = Sandbox::inside_fixture("crates/hello").env("KO_DOCKER_REPO", REPO);
    let refs = sandbox.outside("refs.txt");
    let platforms = "--platform=linux/amd64,linux/arm64,linux/amd64";
    let (ran, images) = build(&sandbox, &[platforms, "--image-refs", refs.to_str().unwrap()]);
    let architectures: Vec<_> = images.iter().map(|image| &image.config["architecture"]).collect();
    assert_eq!(architectures, ["amd64", "arm64"]);
    assert!(images.iter().all(|image| ran.line().ends_with(&format!("@{}", image.digest))));
    let refs = fs::read_to_string(refs).unwrap();
    assert_eq!(refs.lines().count(), 3, "{refs}");
    assert_eq!(refs.lines().next(), Some(ran.line()));
    // For an emulator or another machine; what can be seen of it here is its header.
    for (image, machine) in images.iter().zip([62_u8, 183]) {
        let executable = &image.file("ko-app/hello").content;
        assert_eq!((&executable[..4], executable[18]), (b"\x7fELF".as_slice(), machine));
    }
}

#[test]
fn all_platforms_are_those_that_the_base_has_and_rustc_can_compile_for() {
    let sandbox = Sandbox::inside_fixture("crates/hello").env("KO_DOCKER_REPO", REPO);
    let base = sandbox.outside("base");
    let path = format!("--oci-layout-path={}", base.display());
    let _ = sandbox.run(["build", "--push=false", "--base-image=scratch", &path]).exits(0);
    // Another entry, for what rustc has no target for.
    let index = base.join("index.json");
    let mut entries: Value = serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
    let mut other = entries["manifests"][0].clone();
    let digest = format!("sha256:{}", "0".repeat(64));
    other["digest"] = json!(digest);
    other["platform"] = json!({"os": "linux", "architecture": "mips64le"});
    entries["manifests"][0]["platform"] = json!({"os": "linux", "architecture": architecture()});
    entries["manifests"].as_array_mut().unwrap().push(other);
    fs::write(&index, entries.to_string()).unwrap();
    let base = format!("--base-image=oci:{}", base.display());
    let (ran, images) = build(&sandbox, &["--platform=all", &base]);
    let image = only(images);
    assert_eq!(image.config["architecture"], json!(architecture()));
    let left = "also supports linux/mips64le, for which `hello` cannot be compiled";
    assert!(ran.stderr().contains(left), "{}", ran.stderr());
}

#[test]
fn what_is_named_twice_is_in_an_archive_once() {
    let sandbox = Sandbox::inside_fixture("crates/hello").env("KO_DOCKER_REPO", REPO);
    let path = sandbox.outside("images.tar");
    let tarball = format!("--tarball={}", path.display());
    let ran = sandbox.run(["build", "--push=false", &tarball, "-B", ".", "hello"]).exits(0);
    assert_eq!(ran.stdout().lines().count(), 2);
    assert_eq!(check_archive(&fs::read(&path).unwrap()), [format!("{REPO}/hello:latest")]);
}

#[test]
fn a_folder_of_something_else_is_not_written_into() {
    let sandbox = Sandbox::inside_fixture("crates/hello").env("KO_DOCKER_REPO", REPO);
    let folder = sandbox.outside("mine");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("README"), "mine").unwrap();
    let path = format!("--oci-layout-path={}", folder.display());
    let ran = sandbox.run(["build", "--push=false", "-q", &path]).exits(1);
    assert_eq!(ran.stdout(), "");
    let expected = format!(
        "error[not-a-layout]: could not write the image into an OCI layout\n\
         caused by: `{}` is neither an OCI layout nor empty\n\
         hint: use another folder, or an empty one\n",
        folder.display()
    );
    assert_eq!(ran.stderr(), expected);
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["README"]);
}
