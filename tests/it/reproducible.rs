//! Two builds, one digest.

use crate::support::Sandbox;

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
