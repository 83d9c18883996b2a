//! Tools that nobody here wrote, asked about images: skopeo, umoci and docker.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::servers::{DockerEngine, expect_success, tool};

/// The one line that `fixtures/crates/hello` prints.
pub(crate) const HELLO: &str = "Hello there\n";

/// What skopeo says about an image.
#[derive(Debug)]
pub(crate) struct Inspected {
    /// The digest of the manifest's bytes.
    pub(crate) digest: String,
    pub(crate) manifest: Value,
    pub(crate) config: Value,
}

/// Inspects an image as skopeo names it: `docker://HOST/NAME`, `oci:FOLDER:NAME`.
#[track_caller]
pub(crate) fn inspect(image: &str) -> Inspected {
    let manifest = skopeo(["inspect", "--tls-verify=false", "--raw", image]);
    expect_success(&manifest);
    let config = skopeo(["inspect", "--tls-verify=false", "--config", "--raw", image]);
    expect_success(&config);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &manifest.stdout).unwrap();
    let digest = skopeo(["manifest-digest", file.path().to_str().unwrap()]);
    expect_success(&digest);
    Inspected {
        digest: String::from_utf8(digest.stdout).unwrap().trim().to_owned(),
        manifest: serde_json::from_slice(&manifest.stdout).unwrap(),
        config: serde_json::from_slice(&config.stdout).unwrap(),
    }
}

/// Whether a registry has an image.
pub(crate) fn exists(image: &str) -> bool {
    skopeo(["inspect", "--tls-verify=false", "--raw", image]).status.success()
}

/// Copies an image; skopeo verifies the digest of everything in it.
#[track_caller]
pub(crate) fn copy(from: &str, to: &str, options: &[&str]) {
    let tls = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    let arguments = ["copy", "--quiet"].iter().chain(&tls).chain(options).chain([&from, &to]);
    expect_success(&skopeo(arguments));
}

/// Asserts that a registry's image is complete: skopeo fetches all of it.
#[track_caller]
pub(crate) fn is_complete(image: &str) {
    let folder = tempfile::tempdir().unwrap();
    copy(image, &format!("dir:{}", folder.path().display()), &[]);
}

/// Copies an image of skopeo's naming into an engine.
#[track_caller]
pub(crate) fn copy_into(engine: &DockerEngine, from: &str, name: &str) {
    let host = format!("unix://{}", engine.socket.display());
    copy(from, &format!("docker-daemon:{name}"), &["--dest-daemon-host", &host]);
}

/// Unpacks an image of a layout into a new folder; `rootfs` is in there.
#[track_caller]
pub(crate) fn unpack(layout: &Path, name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(tool("umoci"))
        .args(["unpack", "--rootless", "--image"])
        .arg(format!("{}:{name}", layout.display()))
        .arg(folder.path().join("bundle"))
        .output()
        .unwrap();
    expect_success(&output);
    folder
}

/// Runs an image of an engine and returns what it printed.
#[track_caller]
pub(crate) fn run(engine: &DockerEngine, image: &str) -> String {
    let output = engine.docker(["run", "--rm", "--network", "none", image]);
    expect_success(&output);
    String::from_utf8(output.stdout).unwrap()
}

/// Loads an archive into a storage that ends with the folder it lies in; says what came of
/// `podman load` and of a question about an image.
#[track_caller]
pub(crate) fn podman_loads(archive: &Path, name: &str) -> (String, Value) {
    let folder = tempfile::tempdir().unwrap();
    let podman = |arguments: &[&str]| {
        let output = Command::new(tool("podman"))
            .args(["--storage-driver=vfs", "--root"])
            .arg(folder.path().join("root"))
            .arg("--runroot")
            .arg(folder.path().join("run"))
            .args(arguments)
            .output()
            .unwrap();
        expect_success(&output);
        String::from_utf8(output.stdout).unwrap()
    };
    let said = podman(&["load", "--quiet", "--input", archive.to_str().unwrap()]);
    let image = podman(&["image", "inspect", name]);
    (said, serde_json::from_str::<Value>(&image).unwrap()[0].take())
}

fn skopeo<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    Command::new(tool("skopeo"))
        .arg("--insecure-policy")
        .args(arguments)
        .env("REGISTRY_AUTH_FILE", "/nonexistent")
        .output()
        .unwrap()
}
