//! Reads the output of build scripts that failed: what they could not find.

use crate::cargo::cause::Problem;
use crate::cargo::messages::Package;
use crate::cargo::zig::Zig;

/// Programs that build scripts run, and how crates report that one is missing.
const TOOLS: [(&str, &[&str]); 7] = [
    ("protoc", &["Could not find `protoc`", "protoc failed to start", "protoc not found"]),
    ("cmake", &["is `cmake` not installed?", "Missing dependency: cmake"]),
    ("libclang", &["Unable to find libclang"]),
    ("perl", &["Command 'perl' not found", ".pm in @INC", "Can't locate ", "perl: not found"]),
    ("make", &["Command 'make' not found", "make: not found"]),
    ("nasm", &["Missing dependency: nasm", "NASM command not found"]),
    ("go", &["Missing dependency: go"]),
];

/// The crate and the output of each build script that failed.
pub(super) fn failures(stderr: &str) -> impl Iterator<Item = (Package, &str)> {
    let parts = stderr.split("error: failed to run custom build command for `").skip(1);
    parts.filter_map(|part| {
        let (name, text) = part.split_once('`')?;
        // A package of the workspace is followed by its folder.
        let name = name.split_once(" (").map_or(name, |(name, _)| name);
        let (name, version) = name.split_once(" v")?;
        let package = Package { name: name.to_owned(), version: version.to_owned() };
        Some((package, text.split("\nerror: ").next().unwrap_or(text)))
    })
}

/// Why the build script of a crate failed. `compilers` are the scripts for zig that it was given: for
/// C and for C++.
pub(super) fn problem(
    package: &Package,
    text: &str,
    compilers: &[Option<String>; 2],
    zig: Option<&Zig>,
) -> Option<Problem> {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    // What a crate reports itself is more certain than what its output implies.
    if let Some((tool, _)) = TOOLS.iter().find(|(_, words)| has(words)) {
        return Some(Problem::Tool(tool));
    }
    if let Some(tool) = missing_program(text) {
        return Some(tool);
    }
    if let Some(library) = library(package, text) {
        return Some(Problem::Library(library));
    }
    let find_tool = text.find("ailed to find tool").map(|at| &text[at..]);
    if let Some(tool) = find_tool.and_then(|text| text.lines().next()) {
        let cxx = ["g++", "c++", "clang++"].iter().any(|name| tool.contains(name));
        return Some(if cxx { Problem::NoCxxCompiler } else { Problem::NoCCompiler });
    }
    let used = |compiler: &Option<String>| compiler.as_ref().is_some_and(|c| text.contains(c));
    let [c, cxx] = compilers;
    match zig {
        None if used(cxx) => Some(Problem::NoCxxCompiler),
        None if used(c) => Some(Problem::NoCCompiler),
        Some(zig) if used(c) || used(cxx) => {
            let works = zig.better()?;
            Some(Problem::BrokenZig { version: zig.version.clone(), works })
        }
        _ => None,
    }
}

/// A known program that could not be started.
fn missing_program(text: &str) -> Option<Problem> {
    let not_found = text.contains("NotFound") || text.contains("No such file or directory");
    let failed = |tool: &str| {
        ["failed to execute command", "failed to spawn", "failed to run", "Failed to execute"]
            .iter()
            .any(|words| text.lines().any(|line| line.contains(words) && line.contains(tool)))
    };
    let tools = ["protoc", "cmake", "perl", "make"];
    tools.into_iter().find(|tool| not_found && failed(tool)).map(Problem::Tool)
}

/// The system library that a crate did not find.
fn library(package: &Package, text: &str) -> Option<String> {
    if let Some((_, rest)) = text.split_once("The system library `") {
        return Some(rest.split('`').next().unwrap_or(rest).to_owned());
    }
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["Could not find directory of OpenSSL installation"]) {
        return Some("openssl".to_owned());
    }
    if has(&["pg_config", "PQ_LIB_DIR"]) {
        return Some("libpq".to_owned());
    }
    let is_sys = package.name.ends_with("-sys");
    let generic = [
        "pkg-config has not been configured to support cross-compilation",
        "pkg-config command could not be found",
        "was not found in the pkg-config search path",
    ];
    // `openssl` of `openssl-sys`.
    let name = package.name.strip_suffix("-sys").unwrap_or(&package.name);
    (has(&generic) || (is_sys && has(&["pkg-config exited with status code"])))
        .then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RING: &str = "   Compiling ring v0.17.14
error: failed to run custom build command for `ring v0.17.14`

Caused by:
  process didn't exit successfully: `/x/build-script-build` (exit status: 1)
  --- stderr

  error occurred in cc-rs: failed to find tool \"x86_64-linux-musl-gcc\": No such file or directory (os error 2)

warning: build failed, waiting for other jobs to finish...
error: failed to run custom build command for `mine v0.1.0 (/home/x/mine)`

  --- stderr
  The system library `openssl` required by crate `openssl-sys` was not found.
error: could not compile `other`
  failed to find tool
";

    fn package(name: &str) -> Package {
        Package { name: name.to_owned(), version: "1.0.0".to_owned() }
    }

    fn of(name: &str, text: &str) -> Option<Problem> {
        problem(&package(name), text, &[None, None], None)
    }

    #[test]
    fn the_reason_of_each_failed_build_script_is_found() {
        let found: Vec<_> = failures(RING)
            .map(|(package, text)| {
                let problem = problem(&package, text, &[None, None], None);
                (package.to_string(), problem)
            })
            .collect();
        assert_eq!(
            found,
            [
                ("ring v0.17.14".to_owned(), Some(Problem::NoCCompiler)),
                ("mine v0.1.0".to_owned(), Some(Problem::Library("openssl".to_owned())))
            ]
        );
    }

    #[test]
    fn the_messages_of_known_crates_are_understood() {
        let library = |name: &str| Some(Problem::Library(name.to_owned()));
        for (name, text, expected) in [
            ("a", "failed to find tool \"musl-g++\": No such file", Some(Problem::NoCxxCompiler)),
            ("mine", "Could not find `protoc`. If", Some(Problem::Tool("protoc"))),
            (
                "pq-sys",
                "pkg-config has not been configured to support cross-compilation.",
                library("pq"),
            ),
            ("pq-sys", "Failed to run pg_config", library("libpq")),
            (
                "b",
                "failed to execute command: No such file\nis `cmake` not installed?",
                Some(Problem::Tool("cmake")),
            ),
            ("c", "thread 'main' panicked at build.rs:2:5", None),
        ] {
            assert_eq!(of(name, text), expected, "{text}");
        }
    }

    #[test]
    fn a_script_for_zig_fails_without_zig_or_with_a_broken_one() {
        let compilers = [Some("/t/cc".to_owned()), Some("/t/c++".to_owned())];
        let find = |text: &str, zig: Option<&Zig>| problem(&package("ring"), text, &compilers, zig);
        assert_eq!(find("ToolExecError: \"/t/cc\" \"-O3\"", None), Some(Problem::NoCCompiler));
        assert_eq!(find("ToolExecError: \"/t/c++\" \"-O3\"", None), Some(Problem::NoCxxCompiler));
        let zig = Zig { version: "0.15.2".to_owned() };
        assert_eq!(find("ToolExecError: \"/t/cc\" \"-O3\"", Some(&zig)), None);
    }
}
