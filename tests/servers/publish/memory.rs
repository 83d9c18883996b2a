//! How much memory a push takes: no more for large layers than for small ones.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use super::{NAME, hello};
use crate::judges::is_complete;
use crate::servers::{Registry, RegistryOptions, expect_success, registry, tool};
use crate::support::peak;

/// The most memory that ko-rs may take, in kB of 1024.
const LIMIT: u64 = 24_000_000 / 1024;

/// Bytes that no compression makes less of.
fn write_noise(path: &Path, length: u64) {
    let mut noise = File::open("/dev/urandom").unwrap().take(length);
    std::io::copy(&mut noise, &mut File::create(path).unwrap()).unwrap();
}

#[test]
fn a_layer_of_150_mb_takes_no_more_memory_than_24() {
    let sandbox = hello();
    let data = sandbox.directory().join("kodata");
    fs::create_dir(&data).unwrap();
    write_noise(&data.join("data"), 150_000_000);
    for compression in ["none", "gzip", "zstd"] {
        let repo = format!("{}/memory/layer-{compression}", registry().host);
        let flag = format!("--layer-compression={compression}");
        let (ran, most) = peak(sandbox.start(["build", &flag, "--repo", &repo]));
        let _ = ran.exits(0);
        assert!(most > 1000 && most <= LIMIT, "{most} kB with {compression}");
        println!("{compression}: {most} kB");
    }
}

#[test]
fn an_archive_of_several_platforms_takes_no_more_memory_than_24() {
    let sandbox = hello();
    let data = sandbox.directory().join("kodata");
    fs::create_dir(&data).unwrap();
    write_noise(&data.join("data"), 75_000_000);
    let tarball = sandbox.outside("images.tar");
    let place = ["--push=false", "--repo=x", "--tarball", tarball.to_str().unwrap()];
    for compression in ["none", "gzip"] {
        let flag = format!("--layer-compression={compression}");
        let build = ["build", "--platform=linux/amd64,linux/arm64", &flag];
        let (ran, most) = peak(sandbox.start(build.into_iter().chain(place)));
        let _ = ran.exits(0);
        assert!(most > 1000 && most <= LIMIT, "{most} kB with {compression}");
        println!("{compression}: {most} kB");
        // The data is the same for both, and there once.
        let size = fs::metadata(&tarball).unwrap().len();
        assert!((75_000_000..100_000_000).contains(&size), "{size}");
    }
}

#[test]
#[ignore = "writes and copies 2 GB"]
fn a_base_of_2_gb_is_copied_between_registries_in_24_mb() {
    let [from, to] = [(); 2].map(|()| Registry::start_private(&RegistryOptions::default()));
    let folder = tempfile::tempdir().unwrap();
    let base = from.push_glibc_base("base:1");
    for size in [1_500_000_000, 500_000_000] {
        let noise = folder.path().join("noise");
        write_noise(&noise, size);
        let layer = folder.path().join("layer.tar");
        let mut tar = Command::new(tool("tar"));
        tar.arg("-C").arg(folder.path()).arg("-cf").arg(&layer).arg("noise");
        expect_success(&tar.output().unwrap());
        fs::remove_file(noise).unwrap();
        let mut crane = Command::new(tool("crane"));
        crane.args(["append", "--insecure", "-b", &base, "-t", &base, "-f"]).arg(&layer);
        expect_success(&crane.output().unwrap());
        fs::remove_file(layer).unwrap();
    }
    let sandbox = hello();
    let repo = format!("{}/copied", to.host);
    let arguments = ["build", "--base-image", &base, "--repo", &repo];
    let (ran, most) = peak(sandbox.start(arguments));
    let _ = ran.exits(0);
    assert!(most > 1000 && most <= LIMIT, "{most} kB");
    println!("{most} kB");
    is_complete(&format!("docker://{repo}/{NAME}:latest"));
}
