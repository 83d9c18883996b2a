//! Two builds, one digest.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::programs::write_program;
use crate::support::{Ran, Sandbox, fixture};

/// A workspace whose executables hold what differs between machines where nobody takes care: paths of
/// sources, of a build script's output, of a dependency, of generated code; and data files.
fn workspace(sandbox: Sandbox) -> Sandbox {
    let member = |name: &str, feature: &str| {
        format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
             [dependencies]\nshared = {{ path = \"../shared\", features = [{feature}] }}\n"
        )
    };
    let shared = "[package]\nname = \"shared\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[features]\nloud = []\n";
    let main = "include!(concat!(env!(\"OUT_DIR\"), \"/generated.rs\"));\n\
                fn main() {\n    let list: Vec<u8> = std::env::args().map(|a| a.len() as u8).collect();\n    \
                println!(\"{} {} {}\", file!(), shared::greeting(list[0]), generated(list[0]));\n}\n";
    let script = "fn main() {\n    let out = std::env::var(\"OUT_DIR\").unwrap();\n    \
                  let text = \"fn generated(n: u8) -> u8 { assert!(n > 0, \\\"generated\\\"); n }\";\n    \
                  std::fs::write(format!(\"{out}/generated.rs\"), text).unwrap();\n}\n";
    let greeting = "pub fn greeting(n: u8) -> String {\n    \
                    if cfg!(feature = \"loud\") { format!(\"HELLO {}\", 100 / n) } else { panic!(\"{n}\") }\n}\n";
    sandbox
        .file("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\nresolver = \"3\"\n")
        .file("shared/Cargo.toml", shared)
        .file("shared/src/lib.rs", greeting)
        .file("a/Cargo.toml", &member("a", ""))
        .file("a/src/main.rs", main)
        .file("a/build.rs", script)
        .file("a/kodata/z.txt", "z")
        .file("a/kodata/a/b.txt", "b")
        .file("b/Cargo.toml", &member("b", "\"loud\""))
        .file("b/src/main.rs", main)
        .file("b/build.rs", script)
}

/// The name and digest of `a`'s image, built with some more arguments before it.
#[track_caller]
fn image(sandbox: &Sandbox, args: &[&str]) -> String {
    let mut all = vec!["build", "--push=false", "-q"];
    all.extend(args);
    all.push("a");
    let ran = sandbox.run(all).exits(0);
    assert_eq!(ran.stderr(), "");
    ran.stdout().lines().last().unwrap().to_owned()
}

fn sandbox() -> Sandbox {
    Sandbox::new().env("KO_DOCKER_REPO", "registry.example/team")
}

#[test]
fn folder_target_folder_time_zone_home_and_jobs_do_not_reach_an_image() {
    let first = workspace(sandbox());
    let expected = image(&first, &[]);
    assert_eq!(image(&first, &[]), expected);

    let other = sandbox();
    std::fs::create_dir(other.directory().join("my projects")).unwrap();
    let target = other.outside("an other/target");
    let home = other.outside("cargo-home");
    std::fs::create_dir(&home).unwrap();
    let other = other
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_HOME", home)
        .env("TZ", "Pacific/Auckland")
        .env("LANG", "de_DE.UTF-8")
        .env("USER", "somebody");
    let other = workspace(other);
    // Moved into a folder with a space, and built from there.
    for name in ["Cargo.toml", "shared", "a", "b"] {
        let from = other.directory().join(name);
        std::fs::rename(from, other.directory().join("my projects").join(name)).unwrap();
    }
    assert_eq!(image(&other, &["-C", "my projects", "-j1", "--no-cache"]), expected);
}

/// `b` activates a feature of a dependency that `a` does without.
#[test]
fn what_is_built_beside_a_crate_does_not_reach_its_image() {
    let alone = image(&workspace(sandbox()), &[]);
    let beside = workspace(sandbox());
    assert_eq!(image(&beside, &["b"]), alone);
    assert_eq!(image(&beside, &[]), alone);
}

#[test]
fn what_is_dated_by_settings_changes_the_image() {
    let sandbox = workspace(sandbox());
    let expected = image(&sandbox, &[]);
    let dated = image(&sandbox, &["--created=1"]);
    assert_ne!(dated, expected);
    let sandbox = sandbox.env("SOURCE_DATE_EPOCH", "1");
    assert_eq!(image(&sandbox, &[]), dated);
    let sandbox = sandbox.env("KO_DATA_DATE_EPOCH", "5");
    assert_ne!(image(&sandbox, &[]), dated);
}

/// The image of `a`, of a build with a cold target folder of its own, started by another program.
#[track_caller]
fn image_by(sandbox: &Sandbox, starter: &[&str], args: &[&str]) -> String {
    let target = sandbox.outside("own-target");
    let _ = std::fs::remove_dir_all(&target);
    let mut command = sandbox.command(starter[0]);
    command.args(&starter[1..]).arg(env!("CARGO_BIN_EXE_ko-rs"));
    command.args(["build", "--push=false", "-q", "--no-cache"]).args(args).arg("a");
    let output = command.env("CARGO_TARGET_DIR", &target).stdin(Stdio::null()).output();
    let ran = Ran::of(output.unwrap_or_else(|error| panic!("{} is missing: {error}", starter[0])));
    let ran = ran.exits(0);
    assert_eq!(ran.stderr(), "");
    ran.stdout().lines().last().unwrap().to_owned()
}

const UMASK: [&str; 4] = ["sh", "-c", "umask 077; exec \"$@\"", "sh"];
/// Another number, name and group, as the program sees itself.
const USER: [&str; 4] = ["unshare", "--user", "--map-user=12345", "--map-group=23456"];
const ONE_CORE: [&str; 3] = ["taskset", "-c", "0"];

#[test]
fn user_umask_locale_cores_and_a_cold_target_folder_do_not_reach_an_image() {
    let sandbox = workspace(sandbox());
    let expected = image(&sandbox, &[]);
    assert_eq!(image_by(&sandbox, &UMASK, &[]), expected, "umask");
    assert_eq!(image_by(&sandbox, &ONE_CORE, &[]), expected, "one core");
    assert_eq!(image_by(&sandbox, &["env", "LC_ALL=tr_TR.UTF-8", "LANG=ja"], &["-j3"]), expected);
    let home = sandbox.outside("another-home");
    std::fs::create_dir(&home).unwrap();
    let sandbox = sandbox.env("HOME", home).env("USER", "mallory").env("LOGNAME", "mallory");
    assert_eq!(image_by(&sandbox, &USER, &[]), expected, "another user");
}

/// Runs Git in a sandbox, as somebody.
#[track_caller]
fn git(sandbox: &Sandbox, args: &[&str]) {
    let mut command = sandbox.command("git");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Ann");
        command.env(format!("GIT_{role}_EMAIL"), "ann@example.com");
    }
    let output = command.args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_commit_gives_one_image_from_a_worktree_and_from_an_archive() {
    let sandbox = workspace(sandbox());
    let expected = image(&sandbox, &[]);
    git(&sandbox, &["init", "-q", "-b", "main"]);
    git(&sandbox, &["add", "."]);
    git(&sandbox, &["commit", "-qm", "All"]);
    assert_eq!(image(&sandbox, &[]), expected, "in a repository");
    let tree = sandbox.outside("a work tree");
    git(&sandbox, &["worktree", "add", "-q", "-b", "other", tree.to_str().unwrap()]);
    assert_eq!(image(&sandbox, &["-C", tree.to_str().unwrap()]), expected, "worktree");
    let unpacked = sandbox.outside("unpacked");
    std::fs::create_dir(&unpacked).unwrap();
    let archive = sandbox.outside("all.tar");
    git(&sandbox, &["archive", "-o", archive.to_str().unwrap(), "HEAD"]);
    let untar = sandbox.command("tar").arg("-xf").arg(&archive).arg("-C").arg(&unpacked).status();
    assert!(untar.unwrap().success());
    assert_eq!(image(&sandbox, &["-C", unpacked.to_str().unwrap()]), expected, "archive");
}

/// rustc puts the real path of the standard library's sources into executables where they are
/// installed. One file of them is enough for it to believe so.
#[test]
fn an_image_is_the_same_with_and_without_rust_src() {
    let sandbox = workspace(sandbox()).file(
        "a/src/main.rs",
        "use std::collections::BTreeMap;\n\
         fn main() {\n    let mut all: BTreeMap<String, usize> = BTreeMap::new();\n    \
         for word in std::env::args() { *all.entry(word).or_default() += 1; }\n    \
         while let Some((word, count)) = all.pop_first() { println!(\"{word} {count}\"); }\n}\n",
    );
    let printed = sandbox.command("rustc").args(["--print", "sysroot"]).output().unwrap();
    let sysroot = PathBuf::from(String::from_utf8(printed.stdout).unwrap().trim());
    let mirror = |name: &str, with_source: bool| {
        let mirror = sandbox.outside(name);
        let folder = mirror.join("lib/rustlib");
        std::fs::create_dir_all(&folder).unwrap();
        for entry in std::fs::read_dir(sysroot.join("lib/rustlib")).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() != "src" {
                symlink(entry.path(), folder.join(entry.file_name())).unwrap();
            }
        }
        if with_source {
            let source = folder.join("src/rust/library/std/src");
            std::fs::create_dir_all(&source).unwrap();
            std::fs::write(source.join("lib.rs"), "").unwrap();
        }
        let rustc = sandbox.outside(&format!("rustc-{name}"));
        let script = format!(
            "#!/bin/sh\nexec '{}' --sysroot '{}' \"$@\"\n",
            sysroot.join("bin/rustc").display(),
            mirror.display()
        );
        write_program(&rustc, script);
        format!("RUSTC={}", rustc.display())
    };
    let without = image_by(&sandbox, &["env", &mirror("without", false)], &[]);
    let with = image_by(&sandbox, &["env", &mirror("with", true)], &[]);
    assert_eq!(with, without);
}

/// A copy of `with-c` whose C knows the name of its file, and another Cargo's home with the same
/// crates in it.
#[test]
fn c_does_not_know_where_it_was_compiled() {
    let place = |name: &str| {
        let sandbox = Sandbox::with_fixture("crates/with-c").env("KO_DOCKER_REPO", "x.example/y");
        sandbox.write(
            "src/sum.c",
            "#include <assert.h>\nconst char *where(void) { return __FILE__; }\n\
             int sum(int a, int b) { assert(a != b + 12345); return where()[0] ? a + b : 0; }\n",
        );
        // By its absolute path, as many build scripts name it.
        sandbox.write(
            "build.rs",
            "fn main() {\n    let file = concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/src/sum.c\");\n    \
             cc::Build::new().file(file).compile(\"sum\");\n}\n",
        );
        let elsewhere = sandbox.directory().join(name);
        std::fs::create_dir_all(&elsewhere).unwrap();
        for entry in ["Cargo.toml", "Cargo.lock", "build.rs", "src"] {
            std::fs::rename(sandbox.directory().join(entry), elsewhere.join(entry)).unwrap();
        }
        sandbox
    };
    let build = |sandbox: &Sandbox, starter: &[&str], folder: &str| {
        let target = sandbox.outside("own-target");
        let mut command = sandbox.command(starter[0]);
        command.args(&starter[1..]).arg(env!("CARGO_BIN_EXE_ko-rs"));
        command.args(["build", "--push=false", "-q", "-C", folder]);
        let output = command.env("CARGO_TARGET_DIR", target).output().unwrap();
        Ran::of(output).exits(0).line().to_owned()
    };
    let first = build(&place("one"), &["env"], "one");
    let other = place("an other/place");
    let home = other.outside("another-cargo-home");
    std::fs::create_dir(&home).unwrap();
    for entry in std::fs::read_dir(other.variable("CARGO_HOME")).unwrap() {
        let entry = entry.unwrap();
        symlink(entry.path(), home.join(entry.file_name())).unwrap();
    }
    let other = other.env("CARGO_HOME", home).env("TZ", "Asia/Kolkata");
    assert_eq!(build(&other, &UMASK, "an other/place"), first);
}

#[test]
#[ignore = "needs sccache, which `tests/servers/install compilers` installs"]
fn what_sccache_compiles_and_what_it_kept_make_the_same_image() {
    let sandbox = Sandbox::new();
    let [folder, socket, target] =
        ["sccache", "sccache.socket", "target"].map(|name| sandbox.outside(name));
    let sandbox = sandbox
        .env("KO_DOCKER_REPO", "registry.example/team")
        .env("SCCACHE_DIR", folder)
        .env("SCCACHE_SERVER_UDS", socket)
        .env("CARGO_TARGET_DIR", target);
    let sccache = |args: &str| {
        let output = sandbox.command("sccache").args(args.split(' ')).output();
        let output = output.expect("run `tests/servers/install compilers`");
        String::from_utf8(output.stdout).unwrap()
    };
    for crates in ["with-c", "proc-macro-workspace"] {
        let mut copy = sandbox.command("cp");
        copy.arg("-r").arg(fixture(&format!("crates/{crates}"))).arg(".");
        assert!(copy.status().unwrap().success());
        let build = |wrapper: &str| {
            let _ = fs::remove_dir_all(sandbox.outside("target"));
            let package = if crates == "with-c" { "with-c" } else { "app" };
            let args = ["-C", crates, "build", "--push=false", "--platform=linux/amd64", package];
            let mut command = sandbox.command(env!("CARGO_BIN_EXE_ko-rs"));
            let output = command.args(args).env("RUSTC_WRAPPER", wrapper).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let plain = build("");
        assert_eq!([build("sccache"), build("sccache")], [plain.clone(), plain], "{crates}");
    }
    let counted = sccache("--show-stats --stats-format=json");
    sccache("--stop-server");
    for language in ["Rust", "C/C++"] {
        let hits = counted.split_once("\"cache_hits\"").unwrap().1.split_once('}').unwrap().0;
        assert!(hits.contains(&format!("\"{language}\":")), "{counted}");
    }
}

/// A crate whose program holds what a build script or macro tells it.
fn telling(main: &str, script: &str) -> Sandbox {
    let sandbox = crate::build::package(sandbox(), "svc/tells", "tells", "[workspace]");
    let sandbox = sandbox.file("svc/tells/src/main.rs", main).file("svc/tells/build.rs", script);
    let scratch = sandbox.outside("scratch");
    std::fs::create_dir(&scratch).unwrap();
    sandbox.env("TMPDIR", scratch)
}

/// Verifies; nothing is left of the second build.
#[track_caller]
fn verified(sandbox: &Sandbox, code: i32) -> Ran {
    let ran = sandbox.run(["build", "--push=false", "--verify", "-C", "svc/tells"]).exits(code);
    let left = std::fs::read_dir(sandbox.outside("scratch")).unwrap().count();
    assert_eq!(left, 0, "the second build is left behind");
    ran
}

const QUIET: &str = "fn main() {}\n";

#[test]
fn what_is_the_same_elsewhere_is_verified_and_published() {
    let sandbox = telling("fn main() { println!(\"{}\", file!()); }\n", QUIET);
    let ran = verified(&sandbox, 0);
    assert!(ran.stderr().contains("note: built in two folders, the same: `tells`\n"));
    let plain = sandbox.run(["build", "--push=false", "-C", "svc/tells"]).exits(0);
    assert_eq!(plain.line(), ran.line());
    // Of a repository only what Git knows is copied, with its history.
    git(&sandbox, &["init", "-q", "-b", "main"]);
    git(&sandbox, &["add", "."]);
    git(&sandbox, &["commit", "-qm", "All"]);
    assert_eq!(verified(&sandbox, 0).line(), ran.line());
    sandbox.write(".gitignore", "kodata/\n");
    sandbox.write("svc/tells/kodata/only-here.txt", "x");
    let ran = verified(&sandbox, 1);
    assert_eq!(ran.stdout(), "");
    assert!(ran.stderr().contains("/var/run/ko/only-here.txt: only the first build has it\n"));
    assert!(ran.stderr().contains("hint: files that Git ignores are not part of the second build"));
}

#[test]
fn what_differs_elsewhere_is_named_with_its_likely_cause_and_not_published() {
    let sources = "fn main() { println!(\"{}\", env!(\"CARGO_MANIFEST_DIR\")); }\n";
    let out = "fn main() { println!(\"{}\", env!(\"OUT_DIR\")); }\n";
    let told = "fn main() { println!(\"{}\", env!(\"TOLD\")); }\n";
    let tell = |value: &str| {
        format!(
            "use std::time::*;\nfn main() {{\n    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();\n    \
             let _ = now;\n    println!(\"cargo::rustc-env=TOLD={{}}\", {value});\n}}\n"
        )
    };
    let clock = tell("format!(\"built at {} ns\", now.as_nanos())");
    for (main, script, cause) in [
        (sources, QUIET, "the program contains the folder of the sources"),
        (out, QUIET, "the build script of `tells` writes the path of its folder (OUT_DIR)"),
        (told, &clock, "a build script or macro uses the current time"),
    ] {
        let sandbox = telling(main, script);
        let ran = verified(&sandbox, 1);
        assert_eq!(ran.stdout(), "");
        let error = ran.stderr();
        assert!(error.contains("differs when it is built in another folder\n/ko-app/tells: section .rodata differs at 0x"), "{error}");
        assert!(error.contains("\n  first:  \"") && error.contains("\n  second: \""), "{error}");
        assert!(error.contains(&format!("\nhint: {cause}")), "{error}");
        assert!(!error.contains("Published"), "{error}");
    }
}

#[test]
fn a_path_of_this_machine_in_an_executable_is_warned_of_each_time() {
    let main =
        "fn main() { println!(\"{} {}\", env!(\"CARGO_MANIFEST_DIR\"), env!(\"OUT_DIR\")); }\n";
    let sandbox = telling(main, QUIET);
    let folder = sandbox.directory().join("svc/tells");
    let expected = format!("warning[local-path]: `tells` contains the path `{}", folder.display());
    for _ in 0..2 {
        let ran = sandbox.run(["build", "--push=false", "-q", "-C", "svc/tells"]).exits(0);
        assert!(ran.stderr().contains(&expected), "{}", ran.stderr());
        let count = ran.stderr().matches("put there by its crate `tells`").count();
        assert_eq!(count, 2, "{}", ran.stderr());
        assert!(ran.stderr().contains("docs/reproducible.md"), "{}", ran.stderr());
    }
}

#[test]
fn ctrl_c_leaves_nothing_of_a_second_build() {
    let slow = "fn main() {\n    if std::env::var(\"OUT_DIR\").unwrap().contains(\"built-elsewhere\") {\n        \
                std::thread::sleep(std::time::Duration::from_secs(60));\n    }\n}\n";
    let sandbox = telling("fn main() {}\n", slow);
    let child = sandbox.start(["build", "--push=false", "--verify", "-C", "svc/tells"]);
    let scratch = sandbox.outside("scratch");
    let begun = || {
        let copies = std::fs::read_dir(&scratch).unwrap();
        copies.map(|copy| copy.unwrap().path().join("built-elsewhere")).any(|f| f.exists())
    };
    let started = Instant::now();
    while !begun() {
        assert!(started.elapsed() < Duration::from_secs(100), "there was no second build");
        std::thread::sleep(Duration::from_millis(50));
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let _ = Ran::of(child.wait_with_output().unwrap()).exits(130);
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
}
