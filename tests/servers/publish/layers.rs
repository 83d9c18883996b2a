//! Layers as they may be asked for: each is what skopeo takes it for.

use super::{NAME, hello, is_hello};
use crate::judges::{copy, inspect};
use crate::servers::registry;

#[track_caller]
fn is_valid(compression: &str, media_type: &str) {
    let repo = format!("{}/layers/{compression}", registry().host);
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    let flag = format!("--layer-compression={compression}");
    let ran = sandbox.run(["build", &flag]).exits(0);
    let name = format!("docker://{repo}/{NAME}:latest");
    let image = inspect(&name);
    is_hello(&image);
    assert_eq!(ran.line(), format!("{repo}/{NAME}@{}", image.digest));
    assert_eq!(image.manifest["layers"][1]["mediaType"], media_type);
    let unpacked = tempfile::tempdir().unwrap();
    let path = unpacked.path().display();
    copy(&name, &format!("dir:{path}"), &["--dest-decompress"]);
    for diff_id in image.config["rootfs"]["diff_ids"].as_array().unwrap() {
        let file = &diff_id.as_str().unwrap()["sha256:".len()..];
        assert!(unpacked.path().join(file).is_file(), "no layer unpacks to {diff_id}");
    }

    let layout = sandbox.outside("layout");
    let path = layout.to_str().unwrap();
    let written = sandbox.run(["build", &flag, "--push=false", "--oci-layout-path", path]).exits(0);
    assert_eq!(written.line(), ran.line(), "a layer is packed the same for all destinations");
    let again = hello().env("KO_DOCKER_REPO", &repo).run(["build", &flag]).exits(0);
    assert_eq!(again.line(), ran.line());
}

#[test]
fn a_layer_by_gzip_is_valid() {
    is_valid("gzip", "application/vnd.oci.image.layer.v1.tar+gzip");
}

#[test]
fn a_layer_by_zstd_is_valid() {
    is_valid("zstd", "application/vnd.oci.image.layer.v1.tar+zstd");
}

#[test]
fn a_layer_that_is_not_compressed_is_valid() {
    is_valid("none", "application/vnd.oci.image.layer.v1.tar");
}
