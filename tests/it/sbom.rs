//! Bills of materials as files: their names, their bytes, and what must never be in them.

use std::fs;
use std::path::Path;

use crate::support::Sandbox;

const HOST: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// Builds and returns the one bill of materials that is written, by name, and all that is printed.
#[track_caller]
fn bill_and_words(sandbox: &Sandbox, arguments: &[&str]) -> (String, String, String) {
    let folder = sandbox.outside("bills");
    let _ = fs::remove_dir_all(&folder);
    let build = ["build", "--push=false", "--repo=x", "--sbom-dir", folder.to_str().unwrap()];
    let ran = sandbox.run(build.iter().chain(arguments)).exits(0);
    let mut entries: Vec<_> = fs::read_dir(&folder).unwrap().map(Result::unwrap).collect();
    assert_eq!(entries.len(), 1, "one file, and nothing half-written beside it");
    let path = entries.remove(0).path();
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    (name, fs::read_to_string(path).unwrap(), format!("{}{}", ran.stdout(), ran.stderr()))
}

#[track_caller]
fn bill(sandbox: &Sandbox, arguments: &[&str]) -> (String, String) {
    let (name, text, _) = bill_and_words(sandbox, arguments);
    (name, text)
}

#[test]
fn a_bill_has_ko_s_name_and_is_the_same_from_another_folder() {
    let build = || bill(&Sandbox::with_fixture("crates/proc-macro-workspace"), &["app"]);
    let (name, text) = build();
    assert!(name.ends_with(&format!("-linux-{HOST}.spdx.json")), "{name}");
    assert_eq!(build(), (name, text));
}

#[test]
fn two_programs_of_one_name_are_refused_before_anything_is_compiled() {
    let package = |name: &str| {
        format!(
            "[package]\nname = \"{name}\"\nedition = \"2024\"\n[[bin]]\nname = \"app\"\npath = \"main.rs\"\n"
        )
    };
    let sandbox = Sandbox::new()
        .file("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\nresolver = \"3\"\n")
        .file("a/Cargo.toml", &package("a"))
        .file("a/main.rs", "fn main() {}\n")
        .file("b/Cargo.toml", &package("b"))
        .file("b/main.rs", "fn main() {}\n");
    let arguments = ["build", "--workspace", "--push=false", "--repo=x", "--sbom-dir=bills"];
    let ran = sandbox.run(arguments).exits(1);
    assert_eq!(
        ran.stderr(),
        "error[same-sbom-name]: could not make the SBOM of the image\n\
         caused by: `a` and `b` would both write `app-….spdx.json`\n\
         hint: build them in two runs with a different --sbom-dir each\n"
    );
}

/// The bill names musl by a table of versions of Rust; the library itself knows better.
#[test]
fn musl_has_the_version_of_the_toolchain_s_own() {
    let sandbox = Sandbox::with_fixture("crates/hello");
    let (_, text) = bill(&sandbox, &["."]);
    let sysroot = sandbox.command("rustc").args(["--print", "sysroot"]).output().unwrap().stdout;
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let library = Path::new(std::str::from_utf8(&sysroot).unwrap().trim())
        .join("lib/rustlib")
        .join(target)
        .join("lib/self-contained/libc.a");
    let bill: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut packages = bill["packages"].as_array().unwrap().iter();
    let musl = packages.find(|package| package["name"] == "musl").unwrap();
    let version = format!("\0{}\0", musl["versionInfo"].as_str().unwrap());
    let library = fs::read(library).unwrap();
    let found = library.windows(version.len()).any(|window| window == version.as_bytes());
    assert!(found, "libc.a has another version than {version:?}");
}

const SECRET: &str = "hunter2";

#[track_caller]
fn git(sandbox: &Sandbox, folder: &Path, arguments: &[&str]) {
    let mut git = sandbox.command("git");
    git.current_dir(folder).args(["-c", "user.name=a", "-c", "user.email=a@example.org"]);
    let output = git.args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A crate of a workspace whose remote, repository, Git dependency and registry have passwords in
/// their URLs, and whose path dependencies lie inside and outside of the workspace.
fn with_secrets() -> Sandbox {
    let git_url = format!("https://me:{SECRET}@git.example.org/dep.git");
    let index = format!("sparse+https://{SECRET}@registry.example.org/index/");
    let library = |name: &str| {
        format!(
            "[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[lib]\npath = \"lib.rs\"\n"
        )
    };
    let sandbox = Sandbox::new().env("CARGO_NET_GIT_FETCH_WITH_CLI", "true");
    let (home, target) = (sandbox.outside("cargo-home"), sandbox.outside("target"));
    let sandbox = sandbox.env("CARGO_HOME", home).env("CARGO_TARGET_DIR", target);

    let dependency = sandbox.outside("from-git");
    fs::create_dir(&dependency).unwrap();
    fs::write(dependency.join("Cargo.toml"), library("from-git")).unwrap();
    fs::write(dependency.join("lib.rs"), "").unwrap();
    git(&sandbox, &dependency, &["init", "--quiet", "--initial-branch=main"]);
    git(&sandbox, &dependency, &["add", "."]);
    git(&sandbox, &dependency, &["commit", "--quiet", "-m", "x"]);
    let instead = format!(
        "[url \"file://{}\"]\n\tinsteadOf = {git_url}\n[safe]\n\tdirectory = *\n",
        dependency.display()
    );
    fs::write(sandbox.outside("home/.gitconfig"), instead).unwrap();

    let outside = sandbox.outside("outside-of-it");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("Cargo.toml"), library("outside-of-it")).unwrap();
    fs::write(outside.join("lib.rs"), "").unwrap();

    let manifest = format!(
        "[workspace]\nmembers = [\"app\", \"inside\"]\nresolver = \"3\"\n\
         [workspace.package]\nrepository = \"https://me:{SECRET}@example.org/team/repo\"\n"
    );
    let app = format!(
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\nrepository.workspace = true\n\
         [[bin]]\nname = \"app\"\npath = \"main.rs\"\n[dependencies]\n\
         from-git = {{ git = \"{git_url}\" }}\n\
         from-registry = {{ version = \"1\", registry = \"mine\" }}\n\
         inside = {{ path = \"../inside\" }}\n\
         outside-of-it = {{ path = \"../../outside-of-it\" }}\n"
    );
    let config = format!(
        "[registries.mine]\nindex = \"{index}\"\n\
         [source.mine]\nregistry = \"{index}\"\nreplace-with = \"vendored\"\n\
         [source.vendored]\ndirectory = \"vendor\"\n"
    );
    let sandbox = sandbox
        .file("Cargo.toml", &manifest)
        .file(".cargo/config.toml", &config)
        .file("app/Cargo.toml", &app)
        .file("app/main.rs", "fn main() {}\n")
        .file("inside/Cargo.toml", &library("inside"))
        .file("inside/lib.rs", "")
        .file("vendor/from-registry/Cargo.toml", &library("from-registry"))
        .file("vendor/from-registry/lib.rs", "")
        .file(
            "vendor/from-registry/.cargo-checksum.json",
            &format!(r#"{{"files":{{}},"package":"{}"}}"#, "ab".repeat(32)),
        );
    let directory = sandbox.directory().to_owned();
    git(&sandbox, &directory, &["init", "--quiet"]);
    let origin = format!("https://x-access-token:{SECRET}@github.com/team/repo");
    git(&sandbox, &directory, &["remote", "add", "origin", &origin]);
    sandbox
}

/// What Cargo and Git print while they work is theirs, and goes to the terminal as they say it.
#[track_caller]
fn says_nothing(words: &str) {
    let theirs = ["    Updating git repository ", "   Compiling from-git "];
    let ours = words.lines().filter(|line| theirs.iter().all(|start| !line.starts_with(start)));
    for line in ours {
        for hidden in [SECRET, "x-access-token"] {
            assert!(!line.contains(hidden), "{words}");
        }
    }
}

#[test]
fn no_password_and_no_folder_of_the_machine_gets_into_a_bill_or_an_image() {
    let sandbox = with_secrets();
    let layout = sandbox.outside("layout");
    let layout_flag = format!("--oci-layout-path={}", layout.display());
    let machine = sandbox.outside("").to_str().unwrap().trim_end_matches('/').to_owned();
    for format in ["spdx", "cyclonedx"] {
        let format = format!("--sbom={format}");
        let arguments = ["app", "-v", &format, &layout_flag, "--layer-compression=none"];
        let (_, text, words) = bill_and_words(&sandbox, &arguments);
        says_nothing(&words);
        for hidden in [SECRET, &machine, "x-access-token"] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
        for shown in [
            "pkg:cargo/from-git@1.0.0?vcs_url=git%2Bhttps://git.example.org/dep.git%40",
            "pkg:cargo/from-registry@1.0.0?repository_url=https://registry.example.org/index",
            "folder of the workspace: inside",
            "folder outside of the workspace",
            "example.org/team/repo",
        ] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
    }
    for blob in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
        let bytes = fs::read(blob.unwrap().path()).unwrap();
        let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!found, "a password is in the image");
    }
}
