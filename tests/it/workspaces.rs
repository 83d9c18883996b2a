//! What a real workspace has means under `ko-rs` what it means to Cargo.

use std::fs;
use std::path::Path;

use crate::build::package;
use crate::oci;
use crate::programs::write_program;
use crate::support::Sandbox;

const REPO: &str = "registry.example/team";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    // Of its own: Cargo's configuration and what it fetches lie there.
    let home = sandbox.outside("cargo-home");
    fs::create_dir(&home).unwrap();
    sandbox.env("CARGO_HOME", home).env("KO_DOCKER_REPO", REPO)
}

/// Builds, and gives what the programs of the images print, in their order.
#[track_caller]
fn said(sandbox: &Sandbox, args: &[&str], programs: &[&str]) -> Vec<String> {
    let layout = sandbox.outside("layout");
    let _ = fs::remove_dir_all(&layout);
    let path = format!("--oci-layout-path={}", layout.display());
    let mut all = vec!["build", "--push=false", "-q", "--base-image=scratch", &path];
    all.extend(args);
    let _ = sandbox.run(all).exits(0);
    let images = oci::validate(&layout);
    let run = |name: &&str| {
        let path = format!("ko-app/{name}");
        let mut files = images.iter().flat_map(|image| image.layers.iter().flatten());
        let file = files.find(|file| file.path == path).unwrap();
        let program = sandbox.outside(&format!("{name}-program"));
        let _ = fs::remove_file(&program);
        write_program(&program, &file.content);
        let output = sandbox.command(program).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    programs.iter().map(run).collect()
}

/// Writes a script that notes that it was started and goes on as what it is given.
fn noting(sandbox: &Sandbox, name: &str, then: &str) -> String {
    let path = sandbox.outside(name);
    let log = sandbox.outside(&format!("{name}.log"));
    write_program(&path, format!("#!/bin/sh\necho \"$*\" >>'{}'\n{then}\n", log.display()));
    path.to_str().unwrap().to_owned()
}

#[track_caller]
fn git(sandbox: &Sandbox, folder: &Path, args: &[&str]) {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-C", folder.to_str().unwrap()];
    let output = sandbox.command("git").args(identity).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A virtual workspace with crates of every edition, and one that depends on crates from everywhere.
#[test]
fn a_workspace_with_all_that_workspaces_have_is_built() {
    let sandbox = sandbox()
        .file(
            "Cargo.toml",
            "[workspace]\nresolver = \"2\"\nmembers = [\"app\", \"old\", \"newer\"]\nexclude = [\"left-out\"]\n\
             [profile.small]\ninherits = \"release\"\nopt-level = \"s\"\n",
        )
        .file(
            ".cargo/config.toml",
            "[env]\nGREETING = \"hello\"\n\
             [source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = \"vendor\"\n\
             [profile.small]\nlto = false\n",
        )
        .file("left-out/Cargo.toml", "this is no manifest")
        .file("vendor/bought/Cargo.toml", "[package]\nname = \"bought\"\nversion = \"1.0.0\"\n")
        .file("vendor/bought/.cargo-checksum.json", "{\"files\":{}}")
        .file("vendor/bought/src/lib.rs", "pub const WHENCE: &str = \"vendored\";")
        .file("../near/Cargo.toml", "[package]\nname = \"near\"\nversion = \"1.0.0\"\n")
        .file("../near/src/lib.rs", "pub const WHENCE: &str = \"path\";")
        .file("../cloned/Cargo.toml", "[package]\nname = \"cloned\"\nversion = \"1.0.0\"\n")
        .file("../cloned/src/lib.rs", "pub const WHENCE: &str = \"git\";")
        .file("old/Cargo.toml", "[package]\nname = \"old\"\nversion = \"1.0.0\"\nedition = \"2015\"\n")
        .file("old/src/main.rs", "fn main() { let async = 2015; println!(\"{}\", async); }")
        .file("newer/Cargo.toml", "[package]\nname = \"newer\"\nversion = \"1.0.0\"\nedition = \"2018\"\n")
        .file("newer/src/main.rs", "fn main() { let gen = 2018; println!(\"{}\", gen); }")
        .file(
            "app/linked/Cargo.toml",
            "[package]\nname = \"linked\"\nversion = \"1.0.0\"\nlinks = \"chain\"\nbuild = \"build.rs\"\n",
        )
        .file("app/linked/build.rs", "fn main() { println!(\"cargo:length=7\"); }")
        .file("app/linked/src/lib.rs", "")
        // Arguments for a C compiler that links reach the linker that comes with rustc.
        .file(
            "app/build.rs",
            "fn main() {\n    println!(\"cargo:rustc-link-arg=-Wl,-z,now,--build-id=none\");\n    \
             println!(\"cargo:rustc-link-arg-bins=-pthread\");\n    \
             println!(\"cargo:rustc-env=LENGTH={}\", std::env::var(\"DEP_CHAIN_LENGTH\").unwrap());\n}",
        )
        .file("app/src/lib.rs", "pub fn beside() -> &'static str { \"cdylib\" }")
        .file(
            "app/src/main.rs",
            "fn main() { println!(\"{} {} {} {} {} {}\", env!(\"GREETING\"), bought::WHENCE, near::WHENCE, \
             cloned::WHENCE, env!(\"LENGTH\"), app::beside()); }",
        )
        .file("app/examples/show.rs", "fn main() { println!(\"an example, {}\", app::beside()); }");
    let cloned = sandbox.outside("cloned");
    git(&sandbox, &cloned, &["init", "-q"]);
    git(&sandbox, &cloned, &["add", "."]);
    git(&sandbox, &cloned, &["commit", "-q", "-m", "a"]);
    let dependencies = format!(
        "[package]\nname = \"app\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\
         [lib]\ncrate-type = [\"lib\", \"cdylib\"]\n\
         [dependencies]\nbought = \"1\"\nnear = {{ path = \"../../near\" }}\n\
         cloned = {{ git = \"file://{}\" }}\nlinked = {{ path = \"linked\" }}\n",
        cloned.display()
    );
    let wrapper = noting(&sandbox, "wrapper", "exec \"$@\"");
    let sandbox = sandbox.file("app/Cargo.toml", &dependencies).env("RUSTC_WRAPPER", wrapper);
    let crates = ["--profile=small", "app", "old", "newer", "app#examples/show"];
    assert_eq!(
        said(&sandbox, &crates, &["app", "old", "newer", "show"]),
        ["hello vendored path git 7 cdylib", "2015", "2018", "an example, cdylib"]
    );
    let wrapped = fs::read_to_string(sandbox.outside("wrapper.log")).unwrap();
    assert!(wrapped.contains("--crate-name app ") && wrapped.contains("opt-level=s"), "{wrapped}");
}

#[test]
fn an_example_is_named_by_its_folder() {
    let sandbox = package(sandbox(), "", "app", "").file("examples/show.rs", "fn main() {}");
    let printed = |args: &[&str]| {
        let mut all = vec!["build", "--push=false", "-q", "-P"];
        all.extend(args);
        sandbox.run(all).exits(0).line().split(":latest").next().unwrap().to_owned()
    };
    assert_eq!(printed(&[".#examples/show"]), format!("{REPO}/app/examples/show"));
    // One that is there is still none of the workspace's images.
    assert_eq!(printed(&["--workspace"]), format!("{REPO}/app"));
    let ran = sandbox.run(["build", "--push=false", ".#examples/shaw"]).exits(1);
    assert!(ran.stderr().ends_with("hint: did you mean `examples/show`?\n"), "{}", ran.stderr());
}

#[test]
fn build_scripts_are_told_of_the_toolchain_as_cargo_tells_them() {
    let script = "fn main() {\n    for name in [\"RUSTUP_TOOLCHAIN\", \"RUSTUP_HOME\", \"CARGO_HOME\", \"CARGO\", \"RUSTC\"] {\n        \
                  let value = std::env::var(name).unwrap_or_default();\n        \
                  println!(\"cargo:rustc-env=SEEN_{name}={value}\");\n    }\n}";
    let main = "fn main() {\n    println!(\"{} {} {} {} {}\", env!(\"SEEN_RUSTUP_TOOLCHAIN\"), env!(\"SEEN_RUSTUP_HOME\"), \
                env!(\"SEEN_CARGO_HOME\"), env!(\"SEEN_CARGO\"), env!(\"SEEN_RUSTC\"));\n}";
    let sandbox = package(sandbox(), "", "app", "").file("build.rs", script);
    let sandbox = sandbox.file("src/main.rs", main);
    let output = sandbox.command("cargo").args(["run", "-q"]).output().unwrap();
    let by_cargo = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said(&sandbox, &["."], &["app"]), [by_cargo.trim_end()]);
}

#[test]
fn the_toolchain_is_the_workspace_s() {
    let toolchain = "[toolchain]\nchannel = \"1.31.0\"\n";
    let sandbox = package(sandbox(), "", "app", "").file("rust-toolchain.toml", toolchain);
    let sandbox = sandbox.env("RUSTUP_AUTO_INSTALL", "0");
    let ran = sandbox.run(["build", "--push=false", "."]).exits(1);
    assert!(ran.stderr().contains("1.31.0"), "{}", ran.stderr());
}

#[test]
fn what_forbids_cargo_to_fetch_or_to_write_forbids_it_here() {
    let plain = package(sandbox(), "", "app", "");
    for flag in ["--locked", "--frozen"] {
        let ran = plain.run(["build", "--push=false", flag, "."]).exits(101);
        assert!(ran.stderr().contains("Cargo.lock"), "{flag}: {}", ran.stderr());
        assert!(!plain.directory().join("Cargo.lock").exists());
    }
    let wants = package(sandbox(), "", "app", "[dependencies]\nserde = \"1\"\n");
    let ran = wants.run(["build", "--push=false", "--offline", "."]).exits(101);
    assert!(ran.stderr().contains("offline mode"), "{}", ran.stderr());
}

#[test]
fn a_linker_that_is_configured_links() {
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let sandbox = package(sandbox(), "", "app", "");
    let linker = noting(&sandbox, "linker", "exec cc \"$@\"");
    let sandbox = sandbox
        .file(".cargo/config.toml", &format!("[target.{triple}]\nlinker = \"{linker}\"\n"))
        .file("src/main.rs", "fn main() { println!(\"linked\"); }");
    assert_eq!(said(&sandbox, &["."], &["app"]), ["linked"]);
    let log = sandbox.outside("linker.log");
    assert!(fs::read_to_string(&log).unwrap().contains("-Wl,"));
    fs::remove_file(&log).unwrap();
    // rustflags with arguments for a C compiler keep what links otherwise: the machine's own `cc`.
    fs::remove_dir_all(sandbox.directory().join(".cargo")).unwrap();
    let sandbox = sandbox.env("RUSTFLAGS", "-Clink-arg=-Wl,-z,now -Clink-arg=-fuse-ld=bfd");
    assert_eq!(said(&sandbox, &["."], &["app"]), ["linked"]);
    assert!(!log.exists());
}

#[test]
fn a_build_folder_that_is_configured_is_not_used_beside_an_editor() {
    let sandbox = package(sandbox(), "", "app", "")
        .file(".cargo/config.toml", "[build]\nbuild-dir = \"own\"\n")
        .file("src/main.rs", "fn main() { println!(\"built\"); }");
    assert_eq!(said(&sandbox, &["."], &["app"]), ["built"]);
    assert!(!sandbox.directory().join("own").exists());
}

/// Serves one crate as a private registry does: whoever has no token is told to bring one.
fn serve_registry(crate_file: Vec<u8>, checksum: &str) -> u16 {
    use std::io::{BufRead as _, BufReader, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let entry = format!(
        r#"{{"name":"dear","vers":"1.0.0","deps":[],"cksum":"{checksum}","features":{{}},"yanked":false}}"#
    );
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> =
                lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
            let knows = head.iter().any(|line| line.eq_ignore_ascii_case("authorization: t0ken"));
            let config = format!(r#"{{"dl":"http://127.0.0.1:{port}/dl","auth-required":true}}"#);
            let (status, body) = match path {
                _ if !knows => ("401 Unauthorized", Vec::new()),
                "/index/config.json" => ("200 OK", config.into_bytes()),
                "/index/de/ar/dear" => ("200 OK", entry.clone().into_bytes()),
                "/dl/dear/1.0.0/download" => ("200 OK", crate_file.clone()),
                _ => ("404 Not Found", Vec::new()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(&[head.into_bytes(), body].concat());
        }
    });
    port
}

#[test]
fn a_private_registry_is_asked_with_what_its_credential_provider_gives() {
    let sandbox = package(
        sandbox(),
        "",
        "app",
        "[dependencies]\ndear = { version = \"1\", registry = \"ours\" }\n",
    )
    .file("src/main.rs", "fn main() { println!(\"{}\", dear::WHENCE); }")
    .file("../dear-1.0.0/Cargo.toml", "[package]\nname = \"dear\"\nversion = \"1.0.0\"\n")
    .file("../dear-1.0.0/src/lib.rs", "pub const WHENCE: &str = \"a private registry\";");
    let file = sandbox.outside("dear.crate");
    let outside = sandbox.outside("");
    let mut tar = sandbox.command("tar");
    tar.arg("-czf").arg(&file).arg("-C").arg(&outside).arg("dear-1.0.0");
    assert!(tar.status().unwrap().success());
    let checksum = sandbox.command("sha256sum").arg(&file).output().unwrap().stdout;
    let checksum = String::from_utf8(checksum).unwrap();
    let port = serve_registry(fs::read(&file).unwrap(), checksum.split(' ').next().unwrap());
    let provider = noting(&sandbox, "provider", "echo t0ken");
    let config = format!(
        "[registries.ours]\nindex = \"sparse+http://127.0.0.1:{port}/index/\"\n\
         credential-provider = [\"cargo:token-from-stdout\", \"{provider}\"]\n"
    );
    let sandbox = sandbox.file(".cargo/config.toml", &config);
    assert_eq!(said(&sandbox, &["."], &["app"]), ["a private registry"]);
    assert!(sandbox.outside("provider.log").exists());
}
