//! Why a build script failed, where the reason lies outside Cargo: a compiler, a library or a tool
//! that is not there.
//!
//! Cargo's own words went to the user as they came. They are asked for once more, and read, only
//! after a build script failed.

use std::fmt;

use super::TargetTriple;
use super::c::{self, Compiler};
use super::group::{self, Progress};
use super::program;
use super::recipe::{Packages, Recipe, specification};

/// A crate whose build script failed, who wants the crate, and what it lacked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// The crate with its version: `ring v0.17.14`.
    pub name: String,
    /// Who depends on it, the nearest first and a package of the workspace last.
    pub wanted_by: Vec<String>,
    /// What it lacked.
    pub lack: Lack,
    /// The target it was compiled for.
    pub target: TargetTriple,
}

/// What a build script may lack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// A C compiler.
    C,
    /// A C++ compiler with its library.
    Cxx,
    /// A library of the system, which pkg-config was to find.
    Library(String),
    /// A program of this machine.
    Tool(&'static str),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name)?;
        if !self.wanted_by.is_empty() {
            write!(f, ", which {} needs,", self.wanted_by.join(" for "))?;
        }
        match &self.lack {
            Lack::C => write!(f, " has C in it, and there is no C compiler for `{}`", self.target),
            Lack::Cxx => {
                write!(f, " has C++ in it, and there is no C++ compiler for `{}`", self.target)
            }
            Lack::Library(library) => {
                write!(f, " wants the system's library `{library}` for `{}`", self.target)
            }
            Lack::Tool(tool) => write!(f, " is built with `{tool}`, which is not installed"),
        }
    }
}

impl Cause {
    /// What is lacking, and the ways out.
    #[must_use]
    pub fn hint(&self) -> String {
        let musl = self.target.is_musl();
        let glibc = if musl {
            let target = self.target.as_str().replace("-musl", "-gnu");
            format!("; or set `target: {target}` for this build, with a base image that has glibc")
        } else {
            String::new()
        };
        let compiler = c::prefix(&self.target);
        let way = match &self.lack {
            Lack::C if self.target.as_str() == "x86_64-unknown-linux-musl" => {
                format!(
                    "install `musl-gcc` (Debian, Ubuntu: `apt install musl-tools`) or `{compiler}gcc`{glibc}"
                )
            }
            Lack::C if musl => format!("install `{compiler}gcc`{glibc}"),
            Lack::C => "install a C compiler and name it in `CC_<target>`".to_owned(),
            Lack::Cxx => format!("install `{compiler}g++`{glibc}"),
            Lack::Library(_) => format!(
                "switch on the crate's `vendored` or `bundled` feature, or use a crate without a \
                 library, such as rustls{glibc}"
            ),
            Lack::Tool(tool) => format!("install `{tool}`"),
        };
        format!("{self}: {way}")
    }
}

/// Lets the build scripts fail once more and reads what they lack.
pub(crate) async fn causes(recipe: &Recipe, packages: &Packages) -> Vec<Cause> {
    let mut command = recipe.cargo(packages);
    command.arg("--keep-going").env("CARGO_TERM_COLOR", "never");
    let Ok(output) = group::output(command, Progress::Hidden).await else { return Vec::new() };
    let mut causes = Vec::new();
    for (name, text) in failures(&output.stderr) {
        let lack = lack(name, text).or_else(|| {
            // A build script may hide the message of `cc`; the compiler's name it does not.
            matches!(&recipe.compiler, Compiler::Missing(name) if text.contains(name.as_str()))
                .then_some(Lack::C)
        });
        let Some(lack) = lack else { continue };
        let wanted_by = dependents(recipe, packages, name).await;
        let target = recipe.target.clone();
        causes.push(Cause { name: name.to_owned(), wanted_by, lack, target });
    }
    causes
}

/// Each failed build script's crate, as `name vVERSION`, and what was said of it.
fn failures(stderr: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = stderr.split("error: failed to run custom build command for `").skip(1);
    parts.filter_map(|part| {
        let (name, text) = part.split_once('`')?;
        // A package of the workspace has its folder behind its version.
        let name = name.split_once(" (").map_or(name, |(name, _)| name);
        Some((name, text.split("\nerror: ").next().unwrap_or(text)))
    })
}

fn lack(name: &str, text: &str) -> Option<Lack> {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let find_tool = text.find("ailed to find tool").map(|at| &text[at..]);
    if let Some(tool) = find_tool.and_then(|text| text.lines().next()) {
        let cxx = tool.contains("g++") || tool.contains("c++") || tool.contains("clang++");
        return Some(if cxx { Lack::Cxx } else { Lack::C });
    }
    const TOOLS: [(&str, &[&str]); 5] = [
        ("protoc", &["Could not find `protoc`"]),
        ("cmake", &["is `cmake` not installed?", "Missing dependency: cmake"]),
        ("libclang", &["Unable to find libclang"]),
        ("perl", &["Command 'perl' not found", ".pm in @INC"]),
        ("make", &["Command 'make' not found"]),
    ];
    if let Some((tool, _)) = TOOLS.iter().find(|(_, words)| has(words)) {
        return Some(Lack::Tool(tool));
    }
    if let Some((_, rest)) = text.split_once("The system library `") {
        return Some(Lack::Library(rest.split('`').next().unwrap_or(rest).to_owned()));
    }
    if has(&["Could not find directory of OpenSSL installation"]) {
        return Some(Lack::Library("openssl".to_owned()));
    }
    has(&[
        "pkg-config has not been configured to support cross-compilation",
        "pkg-config command could not be found",
    ])
    .then(|| Lack::Library(library(name)))
}

/// The library that a crate is named after: `openssl` of `openssl-sys v0.9.0`.
fn library(name: &str) -> String {
    let name = name.split(' ').next().unwrap_or(name);
    name.strip_suffix("-sys").unwrap_or(name).to_owned()
}

/// Who depends on a crate: one way from it up to a package of the workspace.
async fn dependents(recipe: &Recipe, packages: &Packages, name: &str) -> Vec<String> {
    let mut command = program::command("cargo", &recipe.environment, &recipe.root);
    command.args(["tree", "--prefix", "depth", "-e", "normal,build", "--target"]);
    command.args([recipe.target.as_str(), "-i", &name.replace(" v", "@")]);
    for package in packages.keys() {
        command.args(["-p", &specification(package)]);
    }
    match group::output(command, Progress::Hidden).await {
        Ok(output) => way_up(&output.stdout),
        Err(_) => Vec::new(),
    }
}

fn way_up(tree: &str) -> Vec<String> {
    let mut way = Vec::new();
    for line in tree.lines().skip(1) {
        let name = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let depth = line[..line.len() - name.len()].parse::<usize>();
        if depth != Ok(way.len() + 1) {
            break;
        }
        way.push(format!("`{}`", name.split(" (").next().unwrap_or(name).trim()));
    }
    way
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

    #[test]
    fn each_failed_build_script_is_read_for_what_it_lacks() {
        let found: Vec<_> = failures(RING).map(|(name, text)| (name, lack(name, text))).collect();
        assert_eq!(
            found,
            [
                ("ring v0.17.14", Some(Lack::C)),
                ("mine v0.1.0", Some(Lack::Library("openssl".to_owned())))
            ]
        );
        assert_eq!(
            lack("pq-sys v0.4.0", "failed to find tool \"musl-g++\": No such file"),
            Some(Lack::Cxx)
        );
        assert_eq!(
            lack("pq-sys v0.4.0", "Could not find `protoc`. If"),
            Some(Lack::Tool("protoc"))
        );
        let cross = "pkg-config has not been configured to support cross-compilation.";
        assert_eq!(lack("pq-sys v0.4.0", cross), Some(Lack::Library("pq".to_owned())));
        assert_eq!(lack("pq-sys v0.4.0", "thread 'main' panicked at build.rs:2:5"), None);
    }

    #[test]
    fn the_way_up_ends_at_a_package_of_the_workspace() {
        let tree =
            "0ring v0.17.14\n1rustls v0.23.0\n2link-service v0.1.0 (/home/x/svc)\n1other v1.0.0\n";
        assert_eq!(way_up(tree), ["`rustls v0.23.0`", "`link-service v0.1.0`"]);
    }

    #[test]
    fn a_hint_names_crate_dependents_and_ways_out() {
        let cause = Cause {
            name: "ring v0.17.14".to_owned(),
            wanted_by: vec!["`rustls v0.23.0`".to_owned(), "`link-service v0.1.0`".to_owned()],
            lack: Lack::C,
            target: "x86_64-unknown-linux-musl".parse().unwrap(),
        };
        insta::assert_snapshot!(cause.hint(), @"`ring v0.17.14`, which `rustls v0.23.0` for `link-service v0.1.0` needs, has C in it, and there is no C compiler for `x86_64-unknown-linux-musl`: install `musl-gcc` (Debian, Ubuntu: `apt install musl-tools`) or `x86_64-linux-musl-gcc`; or set `target: x86_64-unknown-linux-gnu` for this build, with a base image that has glibc");
    }
}
