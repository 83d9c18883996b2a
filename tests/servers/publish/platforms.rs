//! Images for several platforms: an index where there can be one, else the one that fits.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::{NAME, files, hello};
use crate::judges::{HELLO, Inspected, copy, inspect, podman_loads, run, unpack};
use crate::servers::{docker_engine, expect_success, registry, tool};

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
        assert_eq!(architectures(&image), ["amd64", "arm64"]);
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
fn an_archive_of_several_platforms_is_ocis_and_keeps_its_digest_everywhere() {
    let sandbox = hello();
    let tarball = sandbox.outside("images.tar");
    let path = tarball.to_str().unwrap();
    let name = format!("archive.example/platforms/{NAME}:latest");
    for compression in ["none", "gzip"] {
        let flag = format!("--layer-compression={compression}");
        let arguments = [
            "build",
            "--platform",
            BOTH,
            "--tarball",
            path,
            "--push=false",
            "--repo=archive.example/platforms",
            &flag,
        ];
        let ran = sandbox.run(arguments).exits(0);
        let note = format!(
            "note: `{path}` is an oci-archive, since it holds images for several platforms\n"
        );
        assert!(ran.stderr().contains(&note), "{}", ran.stderr());
        let archive = format!("oci-archive:{path}:{name}");
        let image = inspect(&archive);
        assert_eq!(
            ran.line(),
            format!("{}@{}", name.strip_suffix(":latest").unwrap(), image.digest)
        );
        assert_eq!(architectures(&image), ["amd64", "arm64"]);

        // From the archive to a registry, a layout, a folder and back into an archive.
        let folder = tempfile::tempdir().unwrap();
        let place =
            |kind: &str, name: &str| format!("{kind}:{}", folder.path().join(name).display());
        let pushed = format!("docker://{}/platforms/from-archive:{compression}", registry().host);
        let (layout, dir) = (place("oci", "layout:a"), place("dir", "dir"));
        let back = place("oci-archive", "back.tar");
        let every = ["--all", "--preserve-digests"];
        for (from, to) in [(&archive, &pushed), (&pushed, &layout), (&layout, &dir), (&dir, &back)]
        {
            copy(from, to, &every);
            assert_eq!(inspect(to).digest, image.digest, "{from} to {to}");
        }
        // One of its images, for readers of one: an archive for `docker load`, and umoci.
        let docker = place("docker-archive", "docker.tar:hello:1");
        copy(&archive, &docker, &[]);
        let unpacked = place("oci", "umoci:hello");
        copy(&archive, &unpacked, &[]);
        let bundle = unpack(&folder.path().join("umoci"), "hello");
        assert!(bundle.path().join("bundle/rootfs/ko-app/hello").is_file());
        let engine = docker_engine();
        let loaded = folder.path().join("docker.tar");
        expect_success(&engine.docker(["load", "--input", loaded.to_str().unwrap()]));
        assert_eq!(run(engine, "hello:1"), HELLO);
        let (said, loaded) = podman_loads(&tarball, &name);
        assert!(said.contains(&name), "{said}");
        assert_eq!(loaded["Config"]["Entrypoint"][0], "/ko-app/hello");

        // Nothing is there twice, the tar is plain, and other machines make the same.
        let entries = entries(&tarball);
        assert_eq!(entries.iter().collect::<BTreeSet<_>>().len(), entries.len(), "{entries:?}");
        assert_eq!(entries[..2], ["oci-layout", "index.json"]);
        // The index, two manifests, two configurations, the base's layer, two executables.
        assert_eq!(entries.len(), 2 + 8, "{entries:?}");
        let first = std::fs::read(&tarball).unwrap();
        let again = hello().run(arguments).exits(0);
        assert_eq!(again.line(), ran.line());
        assert!(std::fs::read(&tarball).unwrap() == first, "the archive is the same");
    }
}

#[test]
fn an_archive_holds_every_image_of_a_run_and_every_tag() {
    let sandbox = hello().file("src/bin/other.rs", "fn main() {}\n");
    let tarball = sandbox.outside("images.tar");
    let path = tarball.to_str().unwrap();
    let arguments = ["--platform", BOTH, "--tarball", path, "--push=false", "--repo=two", "-B"];
    let crates = ["build", "hello", "hello#other", "--tags", "v1,v2"];
    let ran = sandbox.run(crates.into_iter().chain(arguments)).exits(0);
    let digests: Vec<_> =
        ran.stdout().lines().map(|line| line.split_once('@').unwrap().1.to_owned()).collect();
    for (name, digest) in ["hello", "other"].into_iter().zip(&digests) {
        for tag in ["v1", "v2"] {
            let image = inspect(&format!("oci-archive:{path}:two/{name}:{tag}"));
            assert_eq!(image.digest, *digest, "{name}:{tag}");
        }
    }
    // Without a tag it has no name, and is the only one there.
    let ran = sandbox.run(["build", "hello", "--tags="].into_iter().chain(arguments)).exits(0);
    assert_eq!(ran.line(), format!("two/hello@{}", digests[0]));
    assert_eq!(inspect(&format!("oci-archive:{path}")).digest, digests[0]);
}

#[test]
fn a_layout_that_is_written_again_gains_nothing() {
    let sandbox = hello();
    let layout = sandbox.outside("layout");
    let build = |platforms: &str| {
        let path = layout.to_str().unwrap();
        let flags = ["--push=false", "--repo=x", "--oci-layout-path", path];
        let ran = sandbox.run(["build", "--platform", platforms].into_iter().chain(flags));
        ran.exits(0).line().to_owned()
    };
    let index = || std::fs::read_to_string(layout.join("index.json")).unwrap();
    let first = build(BOTH);
    let (files_before, index_before) = (files(&layout), index());
    assert_eq!(build("linux/arm64,linux/amd64").split_once('@').unwrap().0, format!("x/{NAME}"));
    assert_eq!(build(BOTH), first);
    assert_eq!(index(), index_before);
    let blobs = files(&layout).len();
    // The other order of platforms made one more index, and no more.
    assert!(blobs - files_before.len() <= 1, "{blobs} files, before {}", files_before.len());
    for _ in 0..2 {
        assert_eq!(build(BOTH), first);
        assert_eq!((files(&layout).len(), index()), (blobs, index_before.clone()));
    }
}

/// The architectures of an index's images.
fn architectures(index: &Inspected) -> Vec<&str> {
    let children = index.manifest["manifests"].as_array().unwrap();
    children.iter().map(|child| child["platform"]["architecture"].as_str().unwrap()).collect()
}

/// The names of a tar's entries.
fn entries(tar: &Path) -> Vec<String> {
    let output = Command::new(tool("tar")).arg("-tf").arg(tar).output().unwrap();
    expect_success(&output);
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}
