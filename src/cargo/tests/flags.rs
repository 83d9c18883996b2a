//! The flags of the user beside ours.

use super::*;
use crate::process;

/// In each place where Cargo reads rustflags, the user's own have the effect they have on `cargo
/// build`.
#[test]
fn rustflags_mean_what_they_mean_to_cargo_wherever_they_are() {
    let main = "#![allow(unexpected_cfgs)] fn main() { print!(\"{}\", cfg!(tokio_unstable)); }";
    let sandbox = |name: &str| {
        Sandbox::named(name, &[("Cargo.toml", &package("flags", "")), ("src/main.rs", main)])
    };
    let text = "--cfg tokio_unstable";
    let upper = "X86_64_UNKNOWN_LINUX_MUSL";
    let files = [
        format!("build.rustflags = \"{text}\""),
        "build.rustflags = [\"--cfg\", \"tokio_unstable\"]".to_owned(),
        format!("target.{MUSL}.rustflags = \"{text}\""),
        "target.'cfg(target_env = \"musl\")'.rustflags = [\"--cfg=tokio_unstable\"]".to_owned(),
        // The stronger source hides the weaker one, for Cargo as for us.
        format!("build.rustflags = \"{text}\"\ntarget.{MUSL}.rustflags = \"-Copt-level=1\""),
    ];
    let variables = [
        ("RUSTFLAGS", text),
        ("CARGO_ENCODED_RUSTFLAGS", "--cfg\u{1f}tokio_unstable"),
        ("CARGO_BUILD_RUSTFLAGS", text),
        (&format!("CARGO_TARGET_{upper}_RUSTFLAGS"), text),
    ];
    let mut cases: Vec<(String, Sandbox)> = Vec::new();
    for file in &files {
        let in_root = sandbox("root");
        in_root.write(".cargo/config.toml", file);
        cases.push((format!("root: {file}"), in_root));
    }
    let above = sandbox("below");
    above.write("../.cargo/config.toml", &files[0]);
    cases.push(("above the root".to_owned(), above));
    let mut home = sandbox("home");
    home.set("CARGO_HOME", home.path("home").to_str().unwrap());
    home.write("home/config.toml", &files[0]);
    cases.push(("Cargo's home".to_owned(), home));
    for (name, value) in variables {
        let mut with = sandbox("variable");
        with.set(name, value);
        cases.push((name.to_owned(), with));
    }
    let mut both = sandbox("both");
    both.set("RUSTFLAGS", "-Copt-level=1");
    both.write(".cargo/config.toml", &files[0]);
    cases.push(("RUSTFLAGS hide the file's".to_owned(), both));
    for (case, sandbox) in cases {
        let mut plain = process::command("cargo", &sandbox.settings.environment, &sandbox.path(""));
        plain.args(["run", "--quiet", "--offline", "--release", "--target", MUSL]);
        let expected = process::capture(plain).unwrap();
        let artifact = sandbox.compile_one("flags").unwrap();
        assert_eq!(output(&artifact), expected, "{case}");
        assert_eq!(
            expected == "true",
            !case.contains("opt-level") && !case.contains("hide"),
            "{case}"
        );
    }
}

#[test]
fn arguments_for_a_c_compiler_are_given_to_one() {
    let mut sandbox = Sandbox::new(&[("Cargo.toml", &package("own", "")), ("src/main.rs", HELLO)]);
    sandbox.set("RUSTFLAGS", "-Clink-arg=-Wl,-z,now");
    let artifact = sandbox.compile_one("own").unwrap();
    assert_eq!(output(&artifact), "hello\n");
    assert!(!holds(&bytes(&artifact), "/lib/ld-musl"));
}
