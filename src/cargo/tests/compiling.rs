//! From binaries to executables.

use std::path::Path;

use super::*;
use crate::cargo::cause::Problem;

#[test]
fn with_nothing_changed_one_process_is_started_and_every_change_is_seen() {
    let mut sandbox = workspace();
    let starts = sandbox.count_starts();
    let link = sandbox.compile_one("link-service").unwrap();
    assert_eq!(output(&link), "hello\n");
    std::thread::sleep(std::time::Duration::from_millis(60));
    sandbox.compile_one("link-service").unwrap();
    starts();
    sandbox.compile_one("link-service").unwrap();
    assert_eq!(starts(), 1);
    sandbox.write("svc/new/Cargo.toml", &package("new", ""));
    sandbox.write("svc/new/src/main.rs", HELLO);
    assert_eq!(sandbox.find("new").unwrap().bin, "new");
    std::thread::sleep(std::time::Duration::from_millis(60));
    sandbox.find("new").unwrap();
    sandbox.write("svc/new/src/bin/second.rs", HELLO);
    assert_eq!(sandbox.find("new#second").unwrap().bin, "second");
}

#[test]
fn an_executable_is_static_and_the_same_from_any_folder() {
    let files = [
        ("Cargo.toml", &*package("same", "")),
        (
            "build.rs",
            "fn main() { let out = std::env::var(\"OUT_DIR\").unwrap();\
          std::fs::write(out + \"/x.rs\", \"fn here() -> &'static str { file!() }\").unwrap(); }",
        ),
        (
            "src/main.rs",
            "include!(concat!(env!(\"OUT_DIR\"), \"/x.rs\"));\n\
             fn main() { println!(\"{}\", here()); let v: Vec<String> = std::env::args().collect(); println!(\"{}\", v[0]); }",
        ),
    ];
    let here = Sandbox::named("here", &files);
    let there = Sandbox::named("over there", &files);
    let one = here.compile_one("same").unwrap();
    let two = there.compile_one("same").unwrap();
    assert_eq!(one.target.as_str(), MUSL);
    assert!(output(&one).starts_with("/target/"), "{}", output(&one));
    assert!(bytes(&one) == bytes(&two));
    assert!(!holds(&bytes(&one), here.folder.path().to_str().unwrap()));
    // An interpreter would be named in the executable.
    assert!(!holds(&bytes(&one), "/lib/ld-musl"));
}

#[test]
fn a_gnu_target_is_linked_as_ever() {
    let sandbox = Sandbox::new(&[("Cargo.toml", &package("gnu", "")), ("src/main.rs", HELLO)]);
    let target = "x86_64-unknown-linux-gnu".parse().ok();
    let (artifacts, result) = sandbox.compile(&[Build { target, ..sandbox.build("gnu") }]);
    result.unwrap();
    assert!(holds(&bytes(&artifacts[0]), "/ld-linux-x86-64.so.2"));
    assert_eq!(output(&artifacts[0]), "hello\n");
}

#[test]
fn several_builds_are_handed_over_by_their_index() {
    let sandbox = workspace();
    let references = ["tools#two", "link-service", "tools#one", "link-service"];
    let builds: Vec<Build> = references.iter().map(|r| sandbox.build(r)).collect();
    let (artifacts, result) = sandbox.compile(&builds);
    result.unwrap();
    let bins: Vec<&str> = artifacts.iter().map(|artifact| artifact.binary.bin.as_str()).collect();
    assert_eq!(bins, ["two", "link-service", "one", "link-service"]);
    assert_eq!(artifacts[1].executable.stamp(), artifacts[3].executable.stamp());
}

#[test]
fn all_failures_are_told_and_the_rest_is_compiled() {
    let sandbox = workspace();
    sandbox.write("svc/link_service/src/main.rs", "fn main() { 1 }");
    sandbox.write("svc/tools/src/bin/one.rs", "fn main() { 2 }");
    let builds =
        ["link-service", "tools#one", "tools#two"].map(|reference| sandbox.build(reference));
    let (artifacts, result) = sandbox.compile(&builds);
    let error = result.unwrap_err();
    assert_eq!(error.details().code().exit, Some(Exit::Compilation));
    assert_eq!(error.to_string(), "could not compile `link-service`, `tools#one`");
    assert_eq!(artifacts.len(), 1);
    assert_eq!(output(&artifacts[0]), "hello\n");
}

/// Where a neighbour switches on a feature, an image is as if it had been built alone.
#[test]
fn neighbours_share_a_run_only_if_that_changes_nothing() {
    let main = "fn main() { println!(\"{}\", shared::what()); }";
    let depends = |features: &str| {
        format!("[dependencies]\nshared = {{ path = \"../shared\", features = [{features}] }}\n")
    };
    let mut sandbox = Sandbox::new(&[
        (
            "Cargo.toml",
            "[workspace]\nresolver = \"2\"\nmembers = [\"*\"]\nexclude = [\"target\"]\n",
        ),
        ("a/Cargo.toml", &package("a", &depends(""))),
        ("a/src/main.rs", main),
        ("b/Cargo.toml", &package("b", &depends("\"loud\""))),
        ("b/src/main.rs", main),
        ("c/Cargo.toml", &package("c", &depends(""))),
        ("c/src/main.rs", main),
        ("shared/Cargo.toml", &package("shared", "[features]\nloud = []\n")),
        (
            "shared/src/lib.rs",
            "pub fn what() -> &'static str { if cfg!(feature = \"loud\") { \"LOUD\" } else { \"quiet\" } }",
        ),
    ]);
    let starts = sandbox.count_starts();
    let builds = ["a", "b", "c"].map(|reference| sandbox.build(reference));
    let (artifacts, result) = sandbox.compile(&builds);
    result.unwrap();
    let said: Vec<String> = artifacts.iter().map(output).collect();
    assert_eq!(said, ["quiet\n", "LOUD\n", "quiet\n"]);
    std::thread::sleep(std::time::Duration::from_millis(60));
    sandbox.compile(&builds).1.unwrap();
    starts();
    sandbox.compile(&builds).1.unwrap();
    assert_eq!(starts(), 2, "a and c share a run, b has its own");
}

/// With the features of the whole workspace there is one run, and a digest that hangs on nothing that
/// is asked for.
#[test]
fn features_of_the_whole_workspace_are_those_of_cargo_build_workspace() {
    let main = "fn main() { println!(\"{}\", shared::what()); }";
    let depends = |features: &str| {
        format!("[dependencies]\nshared = {{ path = \"../shared\", features = [{features}] }}\n")
    };
    let mut sandbox = Sandbox::new(&[
        (
            "Cargo.toml",
            "[workspace]\nresolver = \"2\"\nmembers = [\"a\", \"b\", \"c\", \"shared\"]\n",
        ),
        ("a/Cargo.toml", &package("a", &depends(""))),
        ("a/src/main.rs", main),
        ("b/Cargo.toml", &package("b", &depends("\"loud\""))),
        ("b/src/main.rs", main),
        ("c/Cargo.toml", &package("c", &format!("[features]\nextra = []\n{}", depends("")))),
        (
            "c/src/main.rs",
            "fn main() { println!(\"{} {}\", shared::what(), cfg!(feature = \"extra\")); }",
        ),
        // Called like a's, so that one of both has to stay away.
        ("c/src/bin/a.rs", main),
        ("shared/Cargo.toml", &package("shared", "[features]\nloud = []\n")),
        (
            "shared/src/lib.rs",
            "pub fn what() -> &'static str { if cfg!(feature = \"loud\") { \"LOUD\" } else { \"quiet\" } }",
        ),
    ]);
    let starts = sandbox.count_starts();
    let build =
        |reference: &str| Build { unification: Unification::Workspace, ..sandbox.build(reference) };
    let (artifacts, result) = sandbox.compile(&[build("b"), build("c#c")]);
    result.unwrap();
    let said: Vec<String> = artifacts.iter().map(output).collect();
    assert_eq!(said, ["LOUD\n", "LOUD false\n"]);
    std::thread::sleep(std::time::Duration::from_millis(60));
    sandbox.compile(&[build("b"), build("c#c")]).1.unwrap();
    starts();
    sandbox.compile(&[build("b"), build("c#c")]).1.unwrap();
    assert_eq!(starts(), 1);
    let (alone, result) = sandbox.compile(&[build("a")]);
    result.unwrap();
    assert_eq!(output(&alone[0]), "LOUD\n");
    let features = Features { list: vec!["extra".to_owned()], ..Features::default() };
    let (extra, result) = sandbox.compile(&[Build { features, ..build("c#c") }]);
    result.unwrap();
    assert_eq!(output(&extra[0]), "LOUD true\n");
}

#[test]
fn the_error_for_a_package_that_needs_features_of_others_names_the_setting() {
    let depends = |features: &str| {
        format!("[dependencies]\nshared = {{ path = \"../shared\", features = [{features}] }}\n")
    };
    let sandbox = Sandbox::new(&[
        (
            "Cargo.toml",
            "[workspace]\nresolver = \"2\"\nmembers = [\"a\", \"b\", \"c\", \"shared\"]\n",
        ),
        ("a/Cargo.toml", &package("a", &depends(""))),
        ("a/src/main.rs", "fn main() { shared::loud(); }"),
        ("b/Cargo.toml", &package("b", &depends("\"loud\""))),
        ("b/src/main.rs", HELLO),
        ("c/Cargo.toml", &package("c", "")),
        ("c/src/main.rs", "fn main() { nothing(); }"),
        ("shared/Cargo.toml", &package("shared", "[features]\nloud = []\n")),
        ("shared/src/lib.rs", "#[cfg(feature = \"loud\")] pub fn loud() {}"),
    ]);
    let hints = |name| Diagnostic::of(&sandbox.compile_one(name).unwrap_err()).hints;
    let hint = hints("a").concat();
    assert!(
        hint.starts_with("`a` is compiled with only")
            && hint.contains("featureUnification: workspace")
    );
    assert!(hints("c").is_empty());
    let beside = Build { unification: Unification::Workspace, ..sandbox.build("a") };
    sandbox.compile(&[beside]).1.unwrap();
}

#[test]
fn an_executable_for_a_debugger_has_a_folder_of_its_own() {
    let sandbox = Sandbox::new(&[("Cargo.toml", &package("app", "")), ("src/main.rs", HELLO)]);
    let plain = sandbox.compile_one("app").unwrap();
    let before = bytes(&plain);
    let (artifacts, result) = sandbox.compile(&[Build { debug: true, ..sandbox.build("app") }]);
    result.unwrap();
    let path = artifacts[0].executable.path().to_owned();
    assert!(path.ends_with("ko-rs-debug/app"), "{}", path.display());
    let is_described = |bytes: &[u8]| {
        use object::Object as _;
        let file = object::read::elf::ElfFile64::<object::Endianness>::parse(bytes).unwrap();
        file.section_by_name(".debug_info").is_some()
    };
    assert!(is_described(&bytes(&artifacts[0])) && !is_described(&before));
    // The workspace's folder has another name in there, which is what a debugger is told.
    assert!(holds(&bytes(&artifacts[0]), "/workspace"));
    assert!(bytes(&sandbox.compile_one("app").unwrap()) == before);
}

#[test]
fn equally_named_binaries_do_not_overwrite_each_other() {
    let sandbox = Sandbox::new(&[
        ("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"a\", \"b\"]\n"),
        ("a/Cargo.toml", &package("a", "")),
        ("a/src/bin/server.rs", "fn main() { println!(\"a\"); }"),
        ("b/Cargo.toml", &package("b", "")),
        ("b/src/bin/server.rs", "fn main() { println!(\"b\"); }"),
    ]);
    let (artifacts, result) =
        sandbox.compile(&["a", "b"].map(|reference| sandbox.build(reference)));
    result.unwrap();
    for (artifact, letter) in artifacts.iter().zip(["a\n", "b\n"]) {
        let mut bytes = vec![0; usize::try_from(artifact.executable.size()).unwrap()];
        artifact.executable.read_at(&mut bytes, 0).unwrap();
        assert!(holds(&bytes, letter));
    }
}

#[test]
fn a_native_cpu_is_an_error_that_names_the_file() {
    let sandbox = Sandbox::new(&[
        ("Cargo.toml", &package("native", "")),
        ("src/main.rs", HELLO),
        (".cargo/config.toml", "build.rustflags = [\"-Ctarget-cpu=native\"]"),
    ]);
    let error = sandbox.compile_one("native").unwrap_err().to_string();
    let file = sandbox.path(".cargo/config.toml");
    assert!(error.contains(&format!("(build.rustflags in `{}`)", file.display())), "{error}");
}

#[test]
fn a_target_that_is_not_installed_is_not_fetched_when_offline() {
    let sandbox = Sandbox::new(&[("Cargo.toml", &package("far", "")), ("src/main.rs", HELLO)]);
    let target = "loongarch64-unknown-linux-musl".parse().ok();
    let (_, result) = sandbox.compile(&[Build { target, ..sandbox.build("far") }]);
    let error = result.unwrap_err();
    assert!(matches!(error, Error::MissingTarget { offline: true, .. }), "{error}");
}

#[test]
fn a_build_script_without_a_c_compiler_is_explained() {
    let sandbox = Sandbox::new(&[
        ("Cargo.toml", &package("app", "[dependencies]\nc-sys = { path = \"c-sys\" }\n")),
        ("src/main.rs", HELLO),
        ("c-sys/Cargo.toml", &package("c-sys", "")),
        ("c-sys/src/lib.rs", ""),
        (
            "c-sys/build.rs",
            "fn main() { let cc = std::env::var(\"CC_x86_64_unknown_linux_musl\").unwrap();\n\
             eprintln!(\"error occurred in cc-rs: failed to find tool \\\"{cc}\\\"\"); std::process::exit(1) }",
        ),
    ]);
    let error = sandbox.compile_one("app").unwrap_err();
    let Error::Compile { binaries, causes, .. } = &error else { panic!("{error}") };
    assert_eq!(binaries, &["app"]);
    assert_eq!(causes[0].problem, Problem::NoCCompiler);
    assert_eq!(causes[0].package.as_deref(), Some("c-sys v0.1.0"));
    assert_eq!(causes[0].dependents, ["`app v0.1.0`"]);
    assert!(Diagnostic::of(&error).hints[0].contains("musl-tools"));
}

#[cfg(target_os = "linux")]
#[test]
fn dropping_the_future_ends_everything_that_cargo_started() {
    let sandbox = Sandbox::new(&[
        ("Cargo.toml", &package("slow", "")),
        ("src/main.rs", HELLO),
        (
            "build.rs",
            "fn main() { std::fs::write(\"pid\", std::process::id().to_string()).unwrap();\n\
             std::thread::sleep(std::time::Duration::from_secs(60)) }",
        ),
    ]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let workspace = sandbox.open().unwrap();
    let builds = [sandbox.build("slow")];
    let pid = runtime.block_on(async {
        let mut take = |_, _| {};
        let silent = Reporter::new();
        let written = async {
            loop {
                match std::fs::read_to_string(sandbox.path("pid")) {
                    Ok(pid) if !pid.is_empty() => return pid,
                    _ => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
                }
            }
        };
        tokio::select! {
            result = workspace.compile(&builds, &silent, &mut take) => panic!("{result:?}"),
            pid = written => pid,
        }
    });
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    assert!(stat.is_err() || stat.unwrap().contains(") Z "));
}

#[test]
fn a_package_outside_the_workspace_leaves_no_trace_of_its_folder() {
    let says = "pub fn here() -> &'static str { file!() }";
    let sandbox = Sandbox::new(&[
        ("Cargo.toml", &package("inside", "[dependencies]\nnear = { path = \"../near\" }\n")),
        ("src/main.rs", "fn main() { print!(\"{} {}\", near::here(), near::further()); }"),
        ("../near/Cargo.toml", &package("near", "[dependencies]\nfar = { path = \"../far\" }\n")),
        (
            "../near/src/lib.rs",
            &format!("{says} pub fn further() -> &'static str {{ far::here() }}"),
        ),
        ("../far/Cargo.toml", &package("far", "")),
        ("../far/src/lib.rs", says),
    ]);
    let artifact = sandbox.compile_one("inside").unwrap();
    assert_eq!(output(&artifact), "/path/near/src/lib.rs /path/far/src/lib.rs");
    assert!(!holds(&bytes(&artifact), sandbox.folder.path().to_str().unwrap()));
}

#[test]
fn where_nobody_can_commit_it_the_lock_file_is_not_written() {
    let mut sandbox = Sandbox::new(&[("Cargo.toml", &package("ci", "")), ("src/main.rs", HELLO)]);
    sandbox.set("CI", "true");
    let error = sandbox.compile_one("ci").unwrap_err();
    assert_eq!(error.details().code().exit, Some(Exit::Compilation));
    sandbox.set("CI", "false");
    sandbox.compile_one("ci").unwrap();
    sandbox.set("CI", "true");
    sandbox.compile_one("ci").unwrap();
}

/// What a folder of the workspace says to Cargo counts only where Cargo runs: in the root.
#[test]
fn configuration_is_the_root_s_from_wherever_ko_rs_is_started() {
    let mut sandbox = workspace();
    let noisy = "build.target-dir = \"elsewhere\"";
    sandbox.write("svc/link_service/.cargo/config.toml", noisy);
    sandbox.settings.directory = sandbox.path("svc/link_service");
    let root = std::fs::canonicalize(sandbox.path("../..")).unwrap();
    assert_eq!(
        recipe::target_directory(&sandbox.open().unwrap().facts[0]),
        root.join("target/ko-rs")
    );
}

#[test]
fn what_a_binary_is_made_of_is_told_apart_from_what_makes_it() {
    let depends = "[dependencies]\nlinked = { path = \"linked\" }\n[build-dependencies]\n\
                   helper = { path = \"helper\" }\n[dev-dependencies]\ntester = { path = \"tester\" }\n\
                   [target.'cfg(windows)'.dependencies]\nother = { path = \"other\" }\n";
    let sandbox = Sandbox::new(&[
        ("Cargo.toml", &package("made", &format!("license = \"MIT\"\n{depends}"))),
        ("src/main.rs", HELLO),
        ("build.rs", "fn main() {}"),
        (
            "linked/Cargo.toml",
            &package("linked", "[dependencies]\ndeep = { path = \"../deep\" }\n"),
        ),
        ("linked/src/lib.rs", ""),
        ("deep/Cargo.toml", &package("deep", "")),
        ("deep/src/lib.rs", ""),
        ("helper/Cargo.toml", &package("helper", "")),
        ("helper/src/lib.rs", ""),
        ("tester/Cargo.toml", &package("tester", "")),
        ("tester/src/lib.rs", ""),
        ("other/Cargo.toml", &package("other", "")),
        ("other/src/lib.rs", ""),
    ]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let workspace = sandbox.open().unwrap();
    let (build, silent) = (sandbox.build("made"), Reporter::new());
    let made = runtime.block_on(workspace.dependencies(&build, &silent)).unwrap();
    let name = |place: &usize| made.packages[*place].name.as_str();
    let found: Vec<(&str, bool, Vec<&str>)> = made
        .packages
        .iter()
        .map(|package| (&*package.name, package.linked, package.needs.iter().map(name).collect()))
        .collect();
    assert_eq!(
        found,
        [
            ("deep", true, vec![]),
            ("helper", false, vec![]),
            ("linked", true, vec!["deep"]),
            ("made", true, vec!["helper", "linked"]),
        ]
    );
    let root = &made.packages[made.root];
    assert_eq!(
        (root.license.as_deref(), &root.origin),
        (Some("MIT"), &Origin::Folder(Some(String::new())))
    );
    assert!(made.rustc.is_some_and(|version| version.starts_with("1.")));
}
