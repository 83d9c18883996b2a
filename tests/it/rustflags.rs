//! rustc gets the flags that it gets from a plain `cargo build`, wherever Cargo reads them.
//!
//! The fixture prints whether it was compiled with `--cfg tokio_unstable`; what it prints from an
//! image must be what it prints under Cargo.

use std::fs;

use crate::oci;
use crate::programs::write_program;
use crate::support::Sandbox;

const SET: &str = "tokio_unstable is set\n";
const NOT_SET: &str = "tokio_unstable is not set\n";

fn target() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

fn fixture() -> Sandbox {
    // Of its own, since Cargo's configuration is also read from there.
    let sandbox = Sandbox::with_fixture("crates/tokio-unstable");
    let home = sandbox.outside("cargo-home");
    fs::create_dir(&home).unwrap();
    sandbox.env("CARGO_HOME", home).env("KO_DOCKER_REPO", "registry.example/team")
}

/// What the fixture prints under Cargo and from its image, in this order.
#[track_caller]
fn printed(sandbox: &Sandbox, cargo_flags: &[&str]) -> (String, String) {
    let run = ["run", "--quiet", "--release", "--target", &target()];
    let plain = sandbox.command("cargo").args(run).args(cargo_flags).output().unwrap();
    assert!(plain.status.success(), "{}", String::from_utf8_lossy(&plain.stderr));
    (String::from_utf8(plain.stdout).unwrap(), from_image(sandbox, &[]))
}

/// What the fixture prints from its image.
#[track_caller]
fn from_image(sandbox: &Sandbox, args: &[&str]) -> String {
    let layout = sandbox.outside("layout");
    let _ = fs::remove_dir_all(&layout);
    let path = format!("--oci-layout-path={}", layout.display());
    let mut all = vec!["build", "--push=false", "-q", "--base-image=scratch", &path];
    all.extend(args);
    let _ = sandbox.run(all).exits(0);
    let images = oci::validate(&layout);
    let program = sandbox.outside("program");
    let _ = fs::remove_file(&program);
    write_program(&program, &images[0].file("ko-app/tokio-unstable").content);
    String::from_utf8(sandbox.command(program).output().unwrap().stdout).unwrap()
}

#[track_caller]
fn alike(sandbox: &Sandbox, expected: &str) {
    assert_eq!(printed(sandbox, &[]), (expected.to_owned(), expected.to_owned()));
}

#[test]
fn flags_of_every_variable_count() {
    let of_target = format!("CARGO_TARGET_{}_RUSTFLAGS", target().to_uppercase().replace('-', "_"));
    for (variable, value) in [
        ("RUSTFLAGS", "--cfg tokio_unstable"),
        ("CARGO_ENCODED_RUSTFLAGS", "--cfg\u{1f}tokio_unstable"),
        ("CARGO_BUILD_RUSTFLAGS", "--cfg tokio_unstable"),
        (of_target.as_str(), "--cfg=tokio_unstable"),
    ] {
        eprintln!("{variable}");
        alike(&fixture().env(variable, value), SET);
    }
    alike(&fixture(), NOT_SET);
}

#[test]
fn flags_of_every_file_and_table_count() {
    let target = target();
    let build = "[build]\nrustflags = [\"--cfg\", \"tokio_unstable\"]\n";
    let of_target = format!("[target.{target}]\nrustflags = \"--cfg tokio_unstable\"\n");
    let of_musl = "[target.'cfg(target_env = \"musl\")']\nrustflags = [\"--cfg=tokio_unstable\"]\n";
    let of_gnu = "[target.'cfg(target_env = \"gnu\")']\nrustflags = [\"--cfg=tokio_unstable\"]\n";
    for (file, text, expected) in [
        (".cargo/config.toml", build, SET),
        (".cargo/config.toml", &of_target, SET),
        (".cargo/config.toml", of_musl, SET),
        (".cargo/config.toml", of_gnu, NOT_SET),
        (".cargo/config", build, SET),
        ("../.cargo/config.toml", build, SET),
        ("../../cargo-home/config.toml", build, SET),
    ] {
        eprintln!("{file}: {text}");
        alike(&fixture().file(file, text), expected);
    }
}

#[test]
fn the_stronger_source_drops_the_weaker_one() {
    let config = |text: &str| fixture().file(".cargo/config.toml", text);
    let build = "[build]\nrustflags = [\"--cfg\", \"tokio_unstable\"]\n";
    alike(&config(build).env("RUSTFLAGS", "-C debuginfo=0"), NOT_SET);
    alike(&config(build).env("RUSTFLAGS", ""), NOT_SET);
    let both = format!("{build}[target.{}]\nrustflags = [\"-Cdebuginfo=0\"]\n", target());
    alike(&config(&both), NOT_SET);
}

#[test]
fn flags_of_the_settings_are_added_to_those_of_cargo() {
    let config = "--config=build.rustflags=[\"--cfg\",\"tokio_unstable\"]";
    let builds = |line: &str| {
        fixture()
            .file(".ko-rs.yaml", &format!("builds:\n  - package: tokio-unstable\n    {line}\n"))
    };
    let sandbox = builds(&format!("flags: ['{config}']"));
    assert_eq!(printed(&sandbox, &[config]), (SET.to_owned(), SET.to_owned()));
    assert_eq!(from_image(&builds("rustflags: [--cfg, tokio_unstable]"), &[]), SET);
    let both = builds("rustflags: [-Cdebuginfo=0]").env("RUSTFLAGS", "--cfg tokio_unstable");
    assert_eq!(from_image(&both, &[]), SET);
    let environment = builds("env: ['RUSTFLAGS=--cfg tokio_unstable']");
    assert_eq!(from_image(&environment, &[]), SET);
}
