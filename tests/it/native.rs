//! What crates bring that Rust does not compile, and executables for other machines.
//!
//! These take minutes, and what `tests/servers/install compilers` installs: zig and emulators.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::oci;
use crate::programs::write_program;
use crate::support::{Ran, Sandbox, fixture};

/// What each package of `fixtures/native` prints that brings its own C or C++.
const BRING: [(&str, &str); 7] = [
    ("ring", "e3\n"),
    ("sqlite", "42\n"),
    ("zstd", "there and back\n"),
    ("libgit2", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\n"),
    ("cxx", "C++ says hello\n"),
    ("aws-lc", "e3\n"),
    ("openssl-vendored", "e3\n"),
];

/// The same of one whose build script starts `configure`, which knows nothing of targets.
const CONFIGURED: (&str, &str) = ("rdkafka", "20c01ff\n");

fn sandbox(place: &str) -> Sandbox {
    Sandbox::inside_fixture(place).env("KO_DOCKER_REPO", "registry.example/team")
}

/// The folder of a program that these tests need.
#[track_caller]
fn folder_of(sandbox: &Sandbox, program: &str) -> String {
    let output = sandbox.command("sh").args(["-c", &format!("command -v {program}")]).output();
    let path = String::from_utf8(output.unwrap().stdout).unwrap();
    match path.trim().rsplit_once('/') {
        Some((folder, _)) => folder.to_owned(),
        None => panic!("there is no `{program}`: run `tests/servers/install compilers`"),
    }
}

/// Builds for one platform, and gives what the program of the image prints, emulated if need be.
#[track_caller]
fn said(sandbox: &Sandbox, platform: &str, name: &str) -> String {
    let layout = sandbox.outside("layout");
    let _ = std::fs::remove_dir_all(&layout);
    let path = format!("--oci-layout-path={}", layout.display());
    let place = format!("./{name}");
    let place = if name == "hello" { "." } else { &place };
    let args = ["build", "--push=false", "--platform", platform, &path, place];
    let _ = sandbox.run(args).exits(0);
    let image = &oci::validate(&layout)[0];
    let program = sandbox.outside("program");
    let bin = if name == "hello" { name.to_owned() } else { format!("{name}-user") };
    write_program(&program, &image.file(&format!("ko-app/{bin}")).content);
    let emulator = match platform {
        "linux/amd64" => None,
        "linux/arm64" => Some("qemu-aarch64-static"),
        "linux/386" => Some("qemu-i386-static"),
        "linux/riscv64" => Some("qemu-riscv64-static"),
        "linux/ppc64le" => Some("qemu-ppc64le-static"),
        "linux/s390x" => Some("qemu-s390x-static"),
        _ => Some("qemu-arm-static"),
    };
    let mut command = match emulator {
        None => sandbox.command(&program),
        Some(emulator) => {
            folder_of(sandbox, emulator);
            let mut command = sandbox.command(emulator);
            command.arg(&program);
            command
        }
    };
    let output = command.output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let _ = std::fs::remove_file(program);
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
#[expect(clippy::print_stderr, reason = "how long each takes is worth knowing")]
fn each_of_them_runs(sandbox: &Sandbox, platform: &str) {
    for (name, expected) in BRING {
        let start = Instant::now();
        assert_eq!(said(sandbox, platform, name), expected, "{name}");
        eprintln!("{platform}: {name}, {:?}", start.elapsed());
    }
}

#[test]
#[ignore = "compiles a lot of C"]
fn crates_that_bring_c_are_compiled_for_this_machine() {
    let sandbox = sandbox("native");
    folder_of(&sandbox, "zig");
    each_of_them_runs(&sandbox, "linux/amd64");
    assert_eq!(said(&sandbox, "linux/amd64", CONFIGURED.0), CONFIGURED.1);
}

#[test]
#[ignore = "compiles a lot of C"]
fn crates_that_bring_c_are_compiled_for_other_machines_by_zig() {
    let sandbox = sandbox("native");
    folder_of(&sandbox, "zig");
    each_of_them_runs(&sandbox, "linux/arm64");
}

#[test]
#[ignore = "compiles a lot of C"]
fn a_crate_that_is_configured_for_this_machine_alone_is_named_with_the_remedy() {
    let sandbox = sandbox("native");
    folder_of(&sandbox, "zig");
    let (name, expected) = CONFIGURED;
    let place = format!("./{name}");
    let ran = sandbox.run(["build", "--push=false", "--platform=linux/arm64", &place]).exits(101);
    let hint = hint(&ran);
    assert!(hint.starts_with("`rdkafka-sys v4"), "{hint}");
    assert!(hint.contains(" (required by `rdkafka-user v0.1.0`) links `librdkafka_sys-"), "{hint}");
    let zig = |tool: &str| format!("zig {tool} -target aarch64-linux-musl");
    let remedy = format!("`CC='{}' CXX='{}' HOST_CC=cc HOST_CXX=c++`", zig("cc"), zig("c++"));
    assert!(hint.ends_with(&remedy), "{hint}");
    // Its list of symbols to export names some that are not there, which zig's linker minds.
    let zig = |tool: &str| format!("{} -Wl,--undefined-version", zig(tool));
    let sandbox = sandbox.env("CC", zig("cc")).env("CXX", zig("c++"));
    let sandbox = sandbox.env("HOST_CC", "cc").env("HOST_CXX", "c++");
    // Cargo does not know that the build script looks at these variables.
    let fresh = sandbox.outside("target");
    let sandbox = sandbox.env("CARGO_TARGET_DIR", fresh);
    assert_eq!(said(&sandbox, "linux/arm64", name), expected);
}

#[test]
#[ignore = "needs zig"]
fn what_zig_compiles_is_the_same_from_any_folder() {
    let digest = |folder: &str| {
        let sandbox = Sandbox::new().env("KO_DOCKER_REPO", "registry.example/team");
        folder_of(&sandbox, "zig");
        let place = sandbox.outside(folder);
        let mut copy = sandbox.command("cp");
        copy.arg("-r").arg(fixture("crates/with-c")).arg(&place);
        assert!(copy.status().unwrap().success());
        let sandbox = sandbox.env("CARGO_TARGET_DIR", place.join("target"));
        let folder = place.to_str().unwrap();
        let args = ["-C", folder, "build", "--push=false", "--platform=linux/arm64", "."];
        sandbox.run(args).exits(0).line().to_owned()
    };
    assert_eq!(digest("here"), digest("over there"));
}

/// The hint of a failed build.
#[track_caller]
fn hint(ran: &Ran) -> &str {
    ran.stderr().lines().last().unwrap().strip_prefix("hint: ").unwrap()
}

#[test]
#[ignore = "compiles a lot of Rust"]
fn a_crate_that_needs_something_of_the_machine_is_named_with_its_dependents() {
    let target = "for `x86_64-unknown-linux-musl`: compile it from source:";
    let glibc = "; or set `target: x86_64-unknown-linux-gnu` for this build and a base image that has glibc";
    let expected: BTreeMap<&str, String> = [
        (
            "openssl-plain",
            format!(
                "needs the system library `openssl` {target} `cargo add openssl --features vendored`{glibc}"
            ),
        ),
        (
            "pq",
            format!("{target} `cargo add pq-sys --features bundled`{glibc}"),
        ),
        (
            "prost",
            "is built with `protoc`, which is not installed: install it (Debian, Ubuntu: `apt install \
             protobuf-compiler`; macOS: `brew install protobuf`)"
                .to_owned(),
        ),
    ]
    .into();
    let sandbox = sandbox("native");
    for (name, end) in expected {
        let place = format!("./{name}");
        let args = ["build", "--push=false", "--platform=linux/amd64", &place];
        let ran = sandbox.run(args).exits(101);
        assert!(hint(&ran).ends_with(&end), "{name}: {}", hint(&ran));
        assert!(hint(&ran).contains(&format!("`{name}-user v0.1.0`")), "{name}: {}", hint(&ran));
    }
}

#[test]
#[ignore = "needs emulators"]
fn executables_run_on_the_machine_they_are_for() {
    let sandbox = sandbox("crates/hello");
    for platform in ["linux/amd64", "linux/arm64", "linux/386"] {
        assert_eq!(said(&sandbox, platform, "hello"), "Hello there\n", "{platform}");
    }
}

/// A sandbox where the standard library is compiled too. The crate has to be a copy, as Cargo's
/// configuration lies in its folder.
fn sandbox_that_builds_std() -> Sandbox {
    let sandbox = Sandbox::with_fixture("crates/hello")
        .env("KO_DOCKER_REPO", "registry.example/team")
        .env("RUSTC_BOOTSTRAP", "1")
        .file(".cargo/config.toml", "[unstable]\nbuild-std = [\"std\", \"panic_abort\"]\n");
    let mut add = sandbox.command("rustup");
    let output = add.args(["component", "add", "rust-src"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    sandbox
}

#[test]
#[ignore = "needs emulators and zig, and compiles the standard library"]
fn executables_run_on_the_rarer_machines_they_are_for() {
    for (platform, target) in [
        ("linux/riscv64", "riscv64gc-unknown-linux-musl"),
        ("linux/arm/v7", "armv7-unknown-linux-musleabihf"),
        ("linux/arm/v6", "arm-unknown-linux-musleabihf"),
        ("linux/ppc64le", "powerpc64le-unknown-linux-musl"),
        ("linux/s390x", "s390x-unknown-linux-musl"),
    ] {
        let start = Instant::now();
        let ready = sandbox("crates/hello");
        let added = ready.command("rustup").args(["target", "add", target]).output().unwrap();
        let sandbox = if added.status.success() { ready } else { sandbox_that_builds_std() };
        folder_of(&sandbox, "zig");
        let settings = format!("builds:\n  - package: hello\n    target: {target}\n");
        let file = sandbox.outside("target.yaml");
        std::fs::write(&file, settings).unwrap();
        let sandbox =
            sandbox.env("KO_RS_CONFIG_PATH", file).env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
        assert_eq!(said(&sandbox, platform, "hello"), "Hello there\n", "{platform}");
        let way = if added.status.success() { "rustup's" } else { "a compiled" };
        eprintln!("{platform}: {way} standard library, {:?}", start.elapsed());
    }
}

/// The newest glibc that an executable asks for, as `readelf` of binutils tells it.
#[track_caller]
fn newest_glibc(sandbox: &Sandbox, target: &str) -> (u32, u32) {
    let output = sandbox.command("sh").args(["-c", "echo $CARGO_TARGET_DIR"]).output().unwrap();
    let folder = String::from_utf8(output.stdout).unwrap();
    let program = format!("{}/ko-rs/{target}/release/hello", folder.trim());
    let output = sandbox.command("readelf").args(["-V", &program]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let versions = text.split("GLIBC_").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (major, minor) = rest[..end].split_once('.')?;
        Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
    });
    versions.max().unwrap()
}

#[test]
#[ignore = "needs zig"]
fn glibc_of_other_machines_and_older_glibc_are_linked_by_zig() {
    let settings = "linkCheck: false\nbuilds:\n  - package: hello\n    base: scratch\n    target: \
                    [x86_64-unknown-linux-gnu.2.17, s390x-unknown-linux-gnu]\n";
    let sandbox = Sandbox::with_fixture("crates/hello")
        .env("KO_DOCKER_REPO", "registry.example/team")
        .file("no-link-check.yaml", settings);
    folder_of(&sandbox, "zig");
    let args = ["build", "--push=false", "--config=no-link-check.yaml", "--no-link-check"];
    let _ = sandbox.run(args.iter().chain(&["--platform=linux/amd64,linux/s390x", "."])).exits(0);
    assert!(newest_glibc(&sandbox, "x86_64-unknown-linux-gnu") <= (2, 17));
    newest_glibc(&sandbox, "s390x-unknown-linux-gnu");
    // Nothing that links for it is installed, and that is said.
    let path: Vec<String> = ["cargo", "cc", "sh"].map(|name| folder_of(&sandbox, name)).into();
    let path: Vec<String> =
        path.into_iter().filter(|folder| *folder != folder_of(&sandbox, "zig")).collect();
    let sandbox = sandbox.env("PATH", path.join(":")).file("src/main.rs", "fn main() {}");
    let ran = sandbox.run(args.iter().chain(&["--platform=linux/s390x", "."])).exits(101);
    assert!(
        hint(&ran).starts_with("there is no linker for `s390x-unknown-linux-gnu`: install zig")
    );
}

/// A library for another system, as one that was checked in on somebody's laptop.
#[test]
#[ignore = "needs zig"]
fn a_static_library_for_another_system_is_named_with_its_crate() {
    let sandbox = Sandbox::new().env("KO_DOCKER_REPO", "registry.example/team");
    let zig = format!("{}/zig", folder_of(&sandbox, "zig"));
    let sandbox = sandbox
        .file("Cargo.toml", "[package]\nname = \"app\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n[dependencies]\nanswer-sys = { path = \"answer-sys\" }\n")
        .file("src/main.rs", "fn main() { println!(\"{}\", answer_sys::get()); }")
        .file("answer-sys/Cargo.toml", "[package]\nname = \"answer-sys\"\nversion = \"1.0.0\"\nedition = \"2024\"\n")
        .file("answer-sys/src/lib.rs", "unsafe extern \"C\" { fn answer() -> i32; }\npub fn get() -> i32 { unsafe { answer() } }")
        .file("answer-sys/build.rs", "fn main() { println!(\"cargo:rustc-link-search=native={}/lib\", std::env::var(\"CARGO_MANIFEST_DIR\").unwrap()); println!(\"cargo:rustc-link-lib=static=answer\"); }")
        .file("answer-sys/answer.c", "int answer(void) { return 42; }")
        .file("answer-sys/lib/.keep", "");
    for target in ["aarch64-linux-musl", "aarch64-macos", "x86_64-windows-gnu"] {
        let _ = std::fs::remove_file(sandbox.directory().join("answer-sys/lib/libanswer.a"));
        let compile = format!(
            "'{zig}' cc -target {target} -c answer-sys/answer.c -o answer.o && '{zig}' ar rcs answer-sys/lib/libanswer.a answer.o"
        );
        let output = sandbox.command("sh").args(["-c", &compile]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let ran = sandbox.run(["build", "--push=false", "--platform=linux/amd64", "."]).exits(101);
        let hint = hint(&ran);
        assert!(
            hint.starts_with("`answer-sys v1.0.0` (required by `app v1.0.0`) links `libanswer_sys"),
            "{target}: {}",
            ran.stderr()
        );
        assert!(hint.contains("whose objects are not for `x86_64-unknown-linux-musl`"), "{hint}");
    }
}

#[test]
#[ignore = "compiles the standard library"]
fn the_standard_library_is_compiled_where_cargo_s_configuration_says_so() {
    let sandbox = sandbox_that_builds_std();
    assert_eq!(said(&sandbox, "linux/amd64", "hello"), "Hello there\n");
}
