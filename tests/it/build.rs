//! Which binary an argument means, what is printed for it, and what it is called.

use crate::support::Sandbox;

const REPO: &str = "registry.example/team";

/// A sandbox from which nothing is pushed.
fn building(sandbox: Sandbox) -> Sandbox {
    sandbox.env("KO_DOCKER_REPO", REPO)
}

/// A package whose program does nothing.
pub(crate) fn package(sandbox: Sandbox, folder: &str, name: &str, more: &str) -> Sandbox {
    let manifest =
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{more}\n");
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    sandbox
        .file(&format!("{prefix}Cargo.toml"), &manifest)
        .file(&format!("{prefix}src/main.rs"), "fn main() {}\n")
}

/// The names printed by a build that pushes nothing: without repository and digest.
#[track_caller]
fn names(sandbox: &Sandbox, args: &[&str]) -> Vec<String> {
    let mut all = vec!["build", "--push=false"];
    all.extend(args);
    let ran = sandbox.run(all).exits(0);
    ran.stdout().lines().map(|line| name(line).to_owned()).collect()
}

#[track_caller]
fn name(line: &str) -> &str {
    let name = line.strip_prefix(REPO).unwrap().strip_prefix('/').unwrap();
    let (name, digest) = name.split_once(":latest@sha256:").unwrap();
    assert!(digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()), "{line}");
    name
}

/// A name as ko makes it: what comes before the dash and the hash.
fn stem(name: &str) -> &str {
    let (stem, hash) = name.rsplit_once('-').unwrap();
    assert_eq!(hash.len(), 32, "{name}");
    stem
}

#[test]
fn the_crate_of_the_working_directory_is_built_where_none_is_named() {
    let sandbox = building(Sandbox::inside_fixture("crates/hello"));
    let hello = ["hello-5d41402abc4b2a76b9719d911017c592"];
    assert_eq!(names(&sandbox, &[]), hello);
    let forms = [".", "hello", "ko://hello", "ko-rs://hello", "hello#hello", ".#hello"];
    assert_eq!(names(&sandbox, &forms), [hello[0]; 6]);
    let absolute = sandbox.directory().to_str().unwrap().to_owned();
    assert_eq!(names(&sandbox, &[&absolute]), hello);
}

#[test]
fn a_dry_run_prints_what_would_be_built_and_where_it_would_go() {
    let sandbox = package(Sandbox::new(), "", "link", "")
        .file(".ko-rs.yaml", "baseImageOverrides: {link: scratch}\ndefaultProfile: dev\n");
    let sandbox = building(sandbox);
    let platforms = "--platform=linux/amd64,linux/arm64";
    let ran = sandbox.run(["build", "--dry-run", "--tags=v1,latest", platforms]).exits(0);
    let expected = "\
destination: `registry.example/team` is a registry's repository

link
  image: registry.example/team/link-2a304a1348456ccd2234cd71a81bd338:v1
  image: registry.example/team/link-2a304a1348456ccd2234cd71a81bd338:latest
  base: scratch (baseImageOverrides: link)
  build: linux/amd64 (x86_64-unknown-linux-musl, profile dev)
  build: linux/arm64 (aarch64-unknown-linux-musl, profile dev)
  platforms from: flags and variables
";
    assert_eq!(ran.stdout(), expected);
    assert_eq!(ran.stderr(), "");
    assert!(!sandbox.directory().join("target").exists());
}

/// The name, to the digit, that the real ko gives the book's link service.
#[test]
fn a_service_of_the_book_has_the_name_that_ko_gives_it() {
    let sandbox = building(Sandbox::inside_fixture("delinkcious"));
    let expected = ["link_service-1819ff5de960487aed3f9074cd43cc03"; 5];
    let import_path = "ko://github.com/the-gigi/delinkcious/svc/link_service";
    let forms = [
        import_path,
        "link-service",
        "./svc/link_service",
        "svc/link_service",
        "svc/link_service/",
    ];
    assert_eq!(names(&sandbox, &forms), expected);
    let manifests = ["resolve", "--push=false", "-f", "svc/link_service/k8s"];
    let resolved = sandbox.run(manifests).exits(0);
    assert!(resolved.stdout().contains(&format!("image: {REPO}/{}:latest@", expected[0])));
    assert!(!resolved.stdout().contains("image: ko://"));
}

#[test]
fn a_path_is_relative_to_the_working_directory_and_a_folder_to_the_workspace() {
    let sandbox = building(Sandbox::new())
        .file("Cargo.toml", "[workspace]\nmembers = [\"svc/*\"]\nresolver = \"3\"\n");
    let sandbox = package(sandbox, "svc/a", "a", "");
    let sandbox = package(sandbox, "svc/b", "beta", "");
    let b = names(&sandbox, &["svc/b"]);
    assert_eq!(stem(&b[0]), "b");
    for (folder, place) in [
        (".", "./svc/b"),
        ("svc/b", "."),
        ("svc/b/src", ".."),
        ("svc", "./b"),
        ("svc/a", "../b"),
        ("svc/a", "svc/b"),
        ("svc/a", "beta"),
    ] {
        assert_eq!(names(&sandbox, &["-C", folder, place]), b, "{place} in {folder}");
    }
    assert_eq!(names(&sandbox, &["-p", "beta"]), b);
    assert_eq!(names(&sandbox, &["--manifest-path", "svc/b/Cargo.toml", "beta"]), b);
    assert_eq!(names(&sandbox, &["--workspace"]).len(), 2);
}

#[test]
fn one_line_is_printed_for_each_crate_in_the_order_in_which_they_were_named() {
    let sandbox = building(Sandbox::inside_fixture("crates/default-run"));
    let args = [".#client", ".", "default-run#client", "ko://default-run#server"];
    let printed = names(&sandbox, &args);
    let stems: Vec<_> = printed.iter().map(|name| stem(name)).collect();
    assert_eq!(stems, ["client", "default-run", "client", "default-run"]);
    assert_eq!(printed[0], printed[2]);
    assert_eq!(printed[1], printed[3]);
    let both = names(&sandbox, &["-p", "default-run", ".#client"]);
    assert_eq!(both, [printed[1].clone(), printed[0].clone()]);
}

#[test]
fn a_workspace_s_binaries_are_the_defaults_and_all_of_a_package_without_one() {
    let printed = names(&building(Sandbox::inside_fixture("crates/default-run")), &["--workspace"]);
    assert_eq!(printed.iter().map(|name| stem(name)).collect::<Vec<_>>(), ["default-run"]);
    let printed =
        names(&building(Sandbox::inside_fixture("crates/several-binaries")), &["--workspace"]);
    assert_eq!(printed.iter().map(|name| stem(name)).collect::<Vec<_>>(), ["export", "import"]);
}

#[test]
fn names_and_tags_are_formed_as_flags_say() {
    let sandbox = building(Sandbox::inside_fixture("crates/default-run"));
    let printed = |args: &[&str]| {
        let mut all = vec!["build", "--push=false", "."];
        all.extend(args);
        let ran = sandbox.run(all).exits(0);
        let (name, digest) = match ran.line().split_once('@') {
            Some((name, digest)) => (name, digest.starts_with("sha256:")),
            None => (ran.line(), false),
        };
        (name.strip_prefix(REPO).unwrap().to_owned(), digest)
    };
    let hashed = "/default-run-54951b4f769c9c23834776f95c9b91ea";
    let of = |name: &str, digest: bool| (name.to_owned(), digest);
    assert_eq!(printed(&[]), of(&format!("{hashed}:latest"), true));
    assert_eq!(printed(&["-B"]), of("/default-run:latest", true));
    assert_eq!(printed(&["-P"]), of("/default-run:latest", true));
    assert_eq!(printed(&["--bare"]), of(":latest", true));
    assert_eq!(printed(&["-t", "v1,v2", "-t", "v3"]), of(&format!("{hashed}:v1"), true));
    assert_eq!(printed(&["-B", "-t", "v1", "--tag-only"]), of("/default-run:v1", false));
    let client = sandbox.run(["build", "--push=false", "-P", ".#client"]).exits(0);
    assert!(client.line().starts_with(&format!("{REPO}/default-run/client:latest@")));
}

#[test]
fn names_of_images_are_written_to_a_file_too() {
    let sandbox = Sandbox::with_fixture("crates/default-run").env("KO_DOCKER_REPO", REPO);
    sandbox.write("refs.txt", "old");
    let args = ["build", "--push=false", "--image-refs=refs.txt", ".", ".#client"];
    let ran = sandbox.run(args).exits(0);
    assert_eq!(sandbox.read("refs.txt"), ran.stdout());
    let text = "a: [ko://default-run, ko://default-run]\n";
    let args = ["resolve", "--push=false", "--image-refs=refs.txt", "-f", "-"];
    let resolved = sandbox.run_with_input(args, text).exits(0);
    let first = ran.stdout().lines().next().unwrap();
    assert_eq!(sandbox.read("refs.txt"), format!("{first}\n"));
    assert_eq!(resolved.stdout(), format!("a: [{first}, {first}]\n"));
}

#[test]
fn quiet_leaves_only_the_result() {
    let sandbox = building(Sandbox::inside_fixture("crates/hello"));
    let ran = sandbox.run(["build", "--push=false", "-q"]).exits(0);
    assert_eq!(ran.stderr(), "");
}

#[test]
fn workspaces_that_lie_in_one_another_are_told_apart() {
    let outer = "[workspace]\nmembers = [\"app\"]\nexclude = [\"tools\"]\nresolver = \"3\"\n";
    let sandbox = building(Sandbox::new()).file("Cargo.toml", outer);
    let sandbox = package(sandbox, "app", "app", "repository = \"https://git@GitHub.com/A/B.git\"");
    let tools = "repository = \"https://github.com/a/tools/tree/main\"\n[workspace]\n";
    let sandbox = package(sandbox, "tools", "tools", tools);
    let app = names(&sandbox, &["app"]);
    assert_eq!(names(&sandbox, &["-C", "app", "."]), app);
    assert_eq!(names(&sandbox, &["github.com/A/B/app"]), app);
    // The folder is relative to its own workspace, whose root it is.
    let tools = names(&sandbox, &["-C", "tools", "."]);
    assert_eq!(stem(&tools[0]), "tools");
    assert_eq!(names(&sandbox, &["-C", "tools", "github.com/a/tools"]), tools);
    assert_eq!(names(&sandbox, &["--manifest-path", "tools/Cargo.toml", "tools"]), tools);
    let both = sandbox.file(".ko-rs.yaml", "workspaces: [., tools]\n");
    assert_eq!(names(&both, &["tools", "app"]), [tools[0].clone(), app[0].clone()]);
}

#[test]
fn the_repository_s_only_workspace_is_found_from_beside_it() {
    let sandbox = building(Sandbox::new()).file(".git/HEAD", "").file("k8s/README", "");
    let sandbox = package(sandbox, "rust/service", "service", "");
    assert_eq!(stem(&names(&sandbox, &["-C", "k8s", "service"])[0]), "service");
}

#[test]
fn a_repository_s_workspaces_are_told_apart_by_what_is_referred_to() {
    let sandbox = building(Sandbox::new()).file(".git/HEAD", "").file("k8s/README", "");
    let sandbox = package(sandbox, "one/service", "service", "");
    let sandbox = package(sandbox, "two/worker", "worker", "");
    let sandbox = package(sandbox, "three/worker", "worker", "");
    assert_eq!(stem(&names(&sandbox, &["-C", "k8s", "service"])[0]), "service");
    let ran = sandbox.run(["build", "--push=false", "-C", "k8s", "worker"]).exits(1);
    let root = std::fs::canonicalize(sandbox.directory()).unwrap();
    assert_eq!(
        ran.stderr().replace(root.to_str().unwrap(), "ROOT"),
        "error[ambiguous-workspace]: `worker` matches crates of the workspaces `ROOT/three/worker`, `ROOT/two/worker`\n\
         hint: run ko-rs in one of them, or name it: `--manifest-path PATH/Cargo.toml`\n"
    );
    // All of a set is looked for, and what is in none of them is shown where it stands.
    let text = "a: ko://service\nb: ko://gone\n";
    let args = ["resolve", "--push=false", "-C", "k8s", "-f", "-"];
    let ran = sandbox.run_with_input(args, text).exits(1);
    assert!(ran.stderr().contains(" --> <stdin>:2:4\n"), "{}", ran.stderr());
}
