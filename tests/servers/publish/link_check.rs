//! What the link check lets through runs, and what it refuses does not: both are tried with the
//! real loader of real bases.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{NAME, hello};
use crate::judges::{HELLO, exists, run};
use crate::servers::{DockerEngine, docker_engine, expect_success, registry, tool};
use crate::support::{Ran, Sandbox};

const LIBRARY: &str = "libown.so.1";

/// A shared library of our own, which lies where no loader looks.
fn library(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("own.c"), folder.join(LIBRARY));
    std::fs::write(&source, "int own(void) { return 1; }\n").unwrap();
    let soname = format!("-Wl,-soname,{LIBRARY}");
    let output = Command::new(tool("gcc"))
        .args(["-shared", "-fPIC", &soname, "-o"])
        .args([&library, &source])
        .output()
        .unwrap();
    expect_success(&output);
    library
}

/// `hello` for glibc on a base, linked to the library, with more settings.
fn linked(base: &str, search: &str, files: &str) -> Sandbox {
    let sandbox = hello();
    let library = library(&sandbox.outside(""));
    let library = library.display();
    let flags = format!("-Clink-arg=-Wl,--no-as-needed,{search}{library}");
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let files = files.replace("OWN", &library.to_string());
    sandbox.file(
        ".ko-rs.yaml",
        &format!(
            "builds:\n  - package: hello\n    target: {target}\n    base: {base}\n    \
             rustflags: [\"{flags}\"]\n{files}"
        ),
    )
}

fn repo(name: &str) -> String {
    format!("{}/link-check/{name}", registry().host)
}

/// Runs an image and returns what its loader complained of.
#[track_caller]
fn fails(engine: &DockerEngine, image: &str) -> String {
    expect_success(&engine.docker(["pull", "--quiet", image]));
    let output = engine.docker(["run", "--rm", "--network", "none", image]);
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[track_caller]
fn runs(engine: &DockerEngine, ran: &Ran) {
    expect_success(&engine.docker(["pull", "--quiet", ran.line()]));
    assert_eq!(run(engine, ran.line()), HELLO);
}

#[test]
fn an_older_glibc_is_refused_with_both_versions_and_would_not_have_started() {
    let base = registry().push_older_glibc_base("link-check/bases:older");
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let settings = format!("builds:\n  - package: hello\n    target: {target}\n    base: {base}\n");
    let repo = repo("older");
    let sandbox = hello().file(".ko-rs.yaml", &settings).env("KO_DOCKER_REPO", &repo);
    let ran = sandbox.run(["build"]).exits(1);
    let stderr = ran.stderr();
    assert!(stderr.contains("`hello` needs `libc.so.6` with GLIBC_2.3"), "{stderr}");
    assert!(stderr.contains(", but the base image has GLIBC_2.30"), "{stderr}");
    assert!(stderr.contains("or compile for a musl target (the default)"), "{stderr}");
    assert!(!exists(&format!("docker://{repo}/{NAME}:latest")));

    let forced = sandbox.run(["build", "--no-link-check"]).exits(0);
    let said = fails(docker_engine(), forced.line());
    assert!(said.contains("libc.so.6: version `GLIBC_2.3"), "{said}");
}

#[test]
fn a_library_brought_by_files_counts_where_the_loader_looks() {
    let base = registry().push_glibc_base("link-check/bases:newer");
    let engine = docker_engine();
    let default = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    for (name, search, files) in [
        ("default", "", format!("    files: [{{from: OWN, to: /{default}/}}]\n")),
        ("origin", "-rpath,$ORIGIN,", "    files: [{from: OWN, to: /ko-app/}]\n".to_owned()),
        (
            "variable",
            "",
            "    files: [{from: OWN, to: /opt/own/}]\n    \
             image: {env: {LD_LIBRARY_PATH: /opt/own}}\n"
                .to_owned(),
        ),
    ] {
        let sandbox = linked(&base, search, &files).env("KO_DOCKER_REPO", repo(name));
        runs(engine, &sandbox.run(["build"]).exits(0));
    }
}

#[test]
fn a_library_that_only_ld_so_conf_names_counts_once_ldconfig_ran() {
    let base = registry().push_glibc_base("link-check/bases:conf");
    let engine = docker_engine();
    let files =
        "    files: [{from: OWN, to: /usr/local/lib/}, {from: conf, to: /etc/ld.so.conf}]\n";
    let sandbox = linked(&base, "", files).env("KO_DOCKER_REPO", repo("conf"));
    sandbox.write("conf", "/usr/local/lib\n");
    let ran = sandbox.run(["build"]).exits(1);
    let missing = format!("`hello` needs `{LIBRARY}`, which the base image does not contain");
    assert!(ran.stderr().contains(&missing), "{}", ran.stderr());
    let hint = format!("`{LIBRARY}` is in `/usr/local/lib`, where the loader does not look");
    assert!(ran.stderr().contains(&hint), "{}", ran.stderr());
    let forced = sandbox.run(["build", "--no-link-check"]).exits(0);
    let said = fails(engine, forced.line());
    assert!(said.contains(&format!("{LIBRARY}: cannot open shared object file")), "{said}");

    // What ldconfig would write in a base with these files.
    let root = sandbox.outside("root");
    std::fs::create_dir_all(root.join("usr/local/lib")).unwrap();
    std::fs::create_dir_all(root.join("etc")).unwrap();
    std::fs::copy(sandbox.outside(LIBRARY), root.join("usr/local/lib").join(LIBRARY)).unwrap();
    std::fs::write(root.join("etc/ld.so.conf"), "/usr/local/lib\n").unwrap();
    expect_success(&Command::new(tool("ldconfig")).arg("-r").arg(&root).output().unwrap());
    let cache = root.join("etc/ld.so.cache");
    let settings = sandbox.read(".ko-rs.yaml");
    let cache = format!(", {{from: {}, to: /etc/ld.so.cache}}]", cache.display());
    sandbox.write(".ko-rs.yaml", &settings.replace("}]\n", &format!("}}{cache}\n")));
    runs(engine, &sandbox.run(["build"]).exits(0));
}
