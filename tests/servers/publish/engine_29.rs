//! Docker Engine 29, whose images lie in containerd's store: what is loaded keeps its digest there.

use super::{NAME, hello};
use crate::judges::{HELLO, run};
use crate::servers::{DockerEngine, expect_success};

#[test]
#[ignore = "builds Docker Engine 29 once a machine: minutes"]
fn an_engine_with_containerd_s_store_takes_images_and_archives() {
    let engine = DockerEngine::start_private_29();
    let said = |arguments: &[&str]| {
        let output = engine.docker(arguments);
        expect_success(&output);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let driver = said(&["info", "--format", "{{.DriverStatus}}"]);
    assert!(driver.contains("io.containerd.snapshotter.v1"), "{driver}");

    // Over its socket; again, with nothing to send; and changed.
    let sandbox = hello()
        .env("KO_DOCKER_REPO", "ko.local/engine")
        .env("DOCKER_HOST", format!("unix://{}", engine.socket.display()));
    let loaded = sandbox.run(["build", "."]).exits(0).line().to_owned();
    assert_eq!(run(&engine, &loaded), HELLO);
    assert_eq!(run(&engine, &format!("ko.local/engine/{NAME}:latest")), HELLO);
    assert_eq!(sandbox.run(["build", "."]).exits(0).line(), loaded);
    super::edit(&sandbox, "Another text");
    let changed = sandbox.run(["build", "."]).exits(0).line().to_owned();
    assert_eq!(run(&engine, &changed), "Another text\n");

    // As a base for the next.
    let base = format!("--base-image={changed}");
    let on_it = ["build", &base, "--repo=ko.local/on-it", "."];
    let on_it = sandbox.run(on_it).exits(0).line().to_owned();
    assert_eq!(run(&engine, &on_it), "Another text\n");

    // Archives: for one platform, and for several, which this engine reads too.
    for (tag, platforms) in [("one", "linux/amd64"), ("two", "linux/amd64,linux/arm64")] {
        let tarball = sandbox.outside("images.tar");
        let path = tarball.to_str().unwrap();
        let build = ["build", "--push=false", "--repo=engine.example", "-t", tag];
        let archive = ["--platform", platforms, "--tarball", path];
        let ran = sandbox.run(build.iter().chain(&archive)).exits(0);
        let name = format!("engine.example/{NAME}:{tag}");
        let loaded = said(&["load", "--input", path]);
        assert!(loaded.contains(&name), "{loaded}");
        assert_eq!(run(&engine, &name), "Another text\n");
        if tag == "two" {
            let digest = ran.line().rsplit_once('@').unwrap().1.to_owned();
            assert_eq!(said(&["image", "inspect", "--format", "{{.Id}}", &name]), digest);
        }
    }
}
