//! Images for several platforms: an index where there can be one, else the one that fits.

use super::{NAME, hello};
use crate::judges::{HELLO, copy, inspect, run};
use crate::servers::{docker_engine, expect_success, registry};

const BOTH: &str = "linux/amd64,linux/arm64";

#[test]
fn a_registry_and_a_layout_get_an_index_with_every_image() {
    let repo = format!("{}/platforms/index", registry().host);
    let sandbox = hello().env("KO_DOCKER_REPO", &repo);
    let layout = sandbox.outside("layout");
    let path = layout.to_str().unwrap();
    let refs = sandbox.outside("refs");
    let arguments = [
        "build",
        "--platform",
        BOTH,
        "--oci-layout-path",
        path,
        "--image-refs",
        refs.to_str().unwrap(),
    ];
    let ran = sandbox.run(arguments).exits(0);
    for from in
        [format!("docker://{repo}/{NAME}:latest"), format!("oci:{path}:{repo}/{NAME}:latest")]
    {
        let image = inspect(&from);
        assert_eq!(ran.line(), format!("{repo}/{NAME}@{}", image.digest), "{from}");
        let children = image.manifest["manifests"].as_array().unwrap();
        let platforms: Vec<_> = children
            .iter()
            .map(|child| child["platform"]["architecture"].as_str().unwrap())
            .collect();
        assert_eq!(platforms, ["amd64", "arm64"]);
        let lines: String = std::iter::once(ran.line().to_owned())
            .chain(
                children
                    .iter()
                    .map(|child| format!("{repo}/{NAME}@{}", child["digest"].as_str().unwrap())),
            )
            .map(|line| line + "\n")
            .collect();
        assert_eq!(std::fs::read_to_string(&refs).unwrap(), lines);
        let folder = tempfile::tempdir().unwrap();
        copy(&from, &format!("dir:{}", folder.path().display()), &["--all"]);
    }
    let engine = docker_engine();
    expect_success(&engine.docker(["pull", "--quiet", ran.line()]));
    assert_eq!(run(engine, ran.line()), HELLO);
    let again = sandbox.run(["build", "--platform", "linux/arm64,linux/amd64"]).exits(0);
    assert_eq!(again.line().split_once('@').unwrap().0, format!("{repo}/{NAME}"));
}

#[test]
fn the_docker_engine_gets_the_image_that_it_runs() {
    let engine = docker_engine();
    let sandbox = hello()
        .env("KO_DOCKER_REPO", "ko.local/platforms")
        .env("DOCKER_HOST", format!("unix://{}", engine.socket.display()));
    let ran = sandbox.run(["build", "--platform", BOTH, "--tags", "v1,v2"]).exits(0);
    assert_eq!(run(engine, ran.line()), HELLO);
    for tag in ["v1", "v2"] {
        assert_eq!(run(engine, &format!("ko.local/platforms/{NAME}:{tag}")), HELLO);
    }
    let alone = sandbox.run(["build", "--tags", "v3"]).exits(0);
    assert_eq!(alone.line(), ran.line());
    assert_eq!(run(engine, &format!("ko.local/platforms/{NAME}:v3")), HELLO);
}

#[test]
fn an_archive_for_docker_holds_one_platform() {
    let sandbox = hello();
    let tarball = sandbox.outside("images.tar");
    let path = tarball.to_str().unwrap();
    let arguments = ["build", "--platform", BOTH, "--tarball", path, "--push=false", "--repo=x"];
    let ran = sandbox.run(arguments).exits(1);
    assert!(
        ran.stderr().ends_with(
            "caused by: an archive for `docker load` holds one platform, and 2 were asked for\n"
        ),
        "{}",
        ran.stderr()
    );
    assert!(!tarball.exists());
}
