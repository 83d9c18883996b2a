//! One image, taken to every destination, and judged by others: skopeo, umoci and docker.
//!
//! * `requests`: what is sent to a registry, and what is not.
//! * `bases`: bases pulled from a registry, and the services that need one.
//! * `cache`: nothing is read or compressed twice, and ko's cache is ko's.
//! * `containerd`: archives that it imports.
//! * `engine_29`: an engine whose images lie in containerd's store.
//! * `layers`: compressed layers.
//! * `memory`: large layers and bases in little memory.
//! * `link_check`: what is refused does not run, what is taken does.
//! * `nodes`: nodes of kind, k3d and minikube.
//! * `platforms`: images for several platforms.

mod bases;
mod cache;
mod containerd;
mod engine_29;
mod layers;
mod memory;
mod link_check;
mod nodes;
mod platforms;
mod requests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::judges::{HELLO, Inspected, copy_into, inspect, run, unpack};
use crate::servers::{DockerEngine, docker_engine, expect_success, registry};
use crate::support::{Sandbox, repository};

/// The name of `hello`, whose import path is `hello`.
pub(crate) const NAME: &str = "hello-5d41402abc4b2a76b9719d911017c592";

/// A copy of `hello`, with a target folder and a cache of its own.
pub(crate) fn hello() -> Sandbox {
    let sandbox = Sandbox::with_fixture("crates/hello");
    let target = sandbox.outside("target");
    sandbox.env("CARGO_TARGET_DIR", target)
}

/// Has `hello` print another text.
pub(crate) fn edit(sandbox: &Sandbox, text: &str) {
    sandbox.write("src/main.rs", &format!("fn main() {{\n    println!({text:?});\n}}\n"));
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Asserts what is the same wherever the image is.
#[track_caller]
fn is_hello(image: &Inspected) {
    let config = &image.config;
    assert_eq!(config["config"]["Entrypoint"], json!(["/ko-app/hello"]));
    assert_eq!(config["config"]["Cmd"], json!(null));
    assert_eq!(config["config"]["User"], "65532");
    let variables: Vec<_> = config["config"]["Env"].as_array().unwrap().iter().collect();
    assert!(variables.contains(&&json!("KO_DATA_PATH=/var/run/ko")), "{variables:?}");
    assert_eq!(config["created"], "1970-01-01T00:00:00Z");
    assert_eq!(config["os"], "linux");
    let layers = image.manifest["layers"].as_array().unwrap().len();
    assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), layers);
    assert_eq!(layers, 2, "the base's and the executable's");
}

/// The digest of the image's configuration, which is the same wherever the image is.
fn config_digest(image: &Inspected) -> String {
    image.manifest["config"]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn a_registry_gets_the_image_and_its_digest_is_printed() {
    let repo = format!("{}/publish/registry", registry().host);
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    let ran = sandbox.run(["build", "."]).exits(0);
    let image = inspect(&format!("docker://{repo}/{NAME}:latest"));
    is_hello(&image);
    assert_eq!(ran.line(), format!("{repo}/{NAME}@{}", image.digest));

    let engine = docker_engine();
    expect_success(&engine.docker(["pull", "--quiet", ran.line()]));
    assert_eq!(run(engine, ran.line()), HELLO);

    // Elsewhere, with nothing in the cache.
    let again = hello().env("KO_DOCKER_REPO", &repo).run(["build"]).exits(0);
    assert_eq!(again.line(), ran.line());
}

#[test]
fn the_docker_engine_gets_the_image_over_its_socket() {
    let engine = docker_engine();
    let host = format!("unix://{}", engine.socket.display());
    is_loaded(engine, "ko.local", &BTreeMap::from([("DOCKER_HOST", host)]));
}

#[test]
fn the_docker_engine_gets_the_image_as_minikube_sets_it() {
    let engine = docker_engine();
    is_loaded(engine, "ko.local/minikube", &engine.docker_env());
}

#[track_caller]
fn is_loaded(engine: &DockerEngine, repo: &str, variables: &BTreeMap<&str, String>) {
    let sandbox = || {
        let sandbox = hello().env("KO_DOCKER_REPO", repo);
        variables.iter().fold(sandbox, |sandbox, (name, value)| sandbox.env(name, value))
    };
    let name = &format!("{repo}/{NAME}");
    let (sandbox, other) = (sandbox(), sandbox());
    let layout = sandbox.outside("layout");
    let ran = sandbox.run(["build", "."]).exits(0);
    let image = ran.line();
    let (repository, tag) = image.rsplit_once(':').unwrap();
    assert_eq!(repository, name);
    let id = engine.docker(["image", "inspect", "--format", "{{.Id}} {{.Config.User}}", image]);
    expect_success(&id);
    assert_eq!(String::from_utf8(id.stdout).unwrap(), format!("sha256:{tag} 65532\n"));
    assert_eq!(run(engine, image), HELLO);
    assert_eq!(run(engine, &format!("{name}:latest")), HELLO);

    // It is the image that other destinations get.
    let layout = layout.to_str().unwrap();
    let arguments = ["build", "--push=false", "--repo=x", "--oci-layout-path", layout];
    let named = sandbox.run(arguments).exits(0);
    assert!(named.line().starts_with(&format!("x/{NAME}@sha256:")), "{}", named.line());
    let written = inspect(&format!("oci:{layout}"));
    assert_eq!(config_digest(&written), format!("sha256:{tag}"));
    is_hello(&written);

    let again = sandbox.run(["build", "."]).exits(0);
    assert_eq!(again.line(), image);
    let again = other.run(["build", "."]).exits(0);
    assert_eq!(again.line(), image);
}

#[test]
fn a_layout_gets_the_image_for_umoci_and_skopeo() {
    let sandbox = hello();
    let layout = sandbox.outside("layout");
    let path = layout.to_str().unwrap();
    let ran = sandbox.run(["build", "--oci-layout-path", path, "."]).exits(0);
    let tagged = format!("{NAME}:latest");
    let image = inspect(&format!("oci:{path}:{tagged}"));
    is_hello(&image);
    assert_eq!(ran.line(), format!("{NAME}@{}", image.digest));

    let folder = unpack(&layout, &tagged);
    let executable = folder.path().join("bundle/rootfs/ko-app/hello");
    let printed = sandbox.command(executable).output().unwrap();
    assert_eq!(printed.stdout, HELLO.as_bytes());

    let engine = docker_engine();
    copy_into(engine, &format!("oci:{path}:{tagged}"), "publish/layout:1");
    assert_eq!(run(engine, "publish/layout:1"), HELLO);

    let other = sandbox.outside("other-layout");
    let again = hello().run(["build", "--oci-layout-path", other.to_str().unwrap()]).exits(0);
    assert_eq!(again.line(), ran.line());
    // Written again, it is there once; with more tags, once for each.
    let times = || {
        let index = std::fs::read_to_string(layout.join("index.json")).unwrap();
        index.matches(&image.digest).count()
    };
    let again = sandbox.run(["build", "--oci-layout-path", path, "."]).exits(0);
    assert_eq!((again.line(), times()), (ran.line(), 1));
    for _ in 0..2 {
        let tagged = ["build", "--oci-layout-path", path, "-t", "latest", "-t", "v1", "-t", "v2"];
        assert_eq!(sandbox.run(tagged).exits(0).line(), ran.line());
        assert_eq!(times(), 3);
        for tag in ["latest", "v1", "v2"] {
            assert_eq!(inspect(&format!("oci:{path}:{NAME}:{tag}")).digest, image.digest);
        }
    }
}

#[test]
fn an_archive_gets_the_image_for_docker_load() {
    let sandbox = hello();
    let tarball = sandbox.outside("images.tar");
    let path = tarball.to_str().unwrap();
    let arguments = ["build", "--tarball", path, "--push=false", "--repo=publish.example/tarball"];
    let ran = sandbox.run(arguments).exits(0);
    let name = format!("publish.example/tarball/{NAME}");
    let (repository, digest) = ran.line().split_once('@').unwrap();
    assert_eq!(repository, name);
    assert!(digest.starts_with("sha256:"), "{digest}");
    is_hello(&inspect(&format!("docker-archive:{path}")));

    let engine = docker_engine();
    let loaded = engine.docker(["load", "--input", path]);
    expect_success(&loaded);
    assert_eq!(String::from_utf8(loaded.stdout).unwrap(), format!("Loaded image: {name}:latest\n"));
    assert_eq!(run(engine, &format!("{name}:latest")), HELLO);

    let first = std::fs::read(&tarball).unwrap();
    let again = hello().run(arguments).exits(0);
    assert_eq!(again.line(), ran.line());
    assert_eq!(std::fs::read(&tarball).unwrap(), first, "the archive is the same, byte for byte");
}

#[test]
fn without_a_push_only_the_name_is_made_and_it_is_what_a_push_would_print() {
    let repo = format!("{}/publish/nowhere", registry().host);
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    let ran = sandbox.run(["build", "--push=false", "."]).exits(0);
    let (name, digest) = ran.line().split_once('@').unwrap();
    assert_eq!(name, format!("{repo}/{NAME}:latest"));
    assert!(!crate::judges::exists(&format!("docker://{repo}/{NAME}:latest")));

    let pushed = sandbox.run(["build", "."]).exits(0);
    assert_eq!(pushed.line(), format!("{repo}/{NAME}@{digest}"));
}

#[test]
fn several_destinations_get_one_image_and_the_pushed_name_is_printed() {
    let repo = format!("{}/publish/several", registry().host);
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    let (layout, tarball) = (sandbox.outside("layout"), sandbox.outside("images.tar"));
    let (layout, tarball) = (layout.to_str().unwrap(), tarball.to_str().unwrap());
    let ran = sandbox.run(["build", "--oci-layout-path", layout, "--tarball", tarball]).exits(0);
    let pushed = inspect(&format!("docker://{repo}/{NAME}:latest"));
    assert_eq!(ran.line(), format!("{repo}/{NAME}@{}", pushed.digest));
    let written = inspect(&format!("oci:{layout}"));
    assert_eq!(written.digest, pushed.digest);
    assert_eq!(inspect(&format!("docker-archive:{tarball}")).config, pushed.config);
}

#[test]
#[ignore = "compiles ko-rs itself, for musl and optimised: minutes"]
fn ko_rs_makes_its_own_image_which_prints_the_version() {
    let engine = docker_engine();
    // The repository's own, where a build by hand leaves what it compiled.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let sandbox = Sandbox::new()
        .env("CARGO_TARGET_DIR", target)
        .env("KO_DOCKER_REPO", "ko.local/publish")
        .env("DOCKER_HOST", format!("unix://{}", engine.socket.display()));
    let ran = sandbox.run(["build", "-C", repository().to_str().unwrap(), "."]).exits(0);
    let output = engine.docker(["run", "--rm", "--network", "none", ran.line(), "version"]);
    expect_success(&output);
    let version = format!("ko-rs {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), version);
}
