//! Finds out why Cargo failed where the reason is outside of Cargo: a compiler, a library or a tool
//! that is not installed, or a library that is not for the target.
//!
//! The user has seen Cargo's own output. If a build script failed, Cargo is run again to read that
//! output; the output of a linker is kept by the script that runs it.

mod build_script;
mod linker;
mod remedies;

use std::fmt;

use super::TargetTriple;
use super::group::{self, Progress};
use super::messages::{BuildMessages, Package};
use super::program;
use super::recipe::{Packages, Recipe, specification};
use super::zig::Zig;

/// A crate that could not be compiled or linked, and the reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// The crate with its version (`ring v0.17.14`), if it is known.
    pub package: Option<String>,
    /// What depends on it: the nearest first, a package of the workspace last.
    pub dependents: Vec<String>,
    /// The reason.
    pub problem: Problem,
    /// The target that it was compiled for.
    pub target: TargetTriple,
}

/// The reason why a crate could not be compiled or linked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// There is no C compiler.
    NoCCompiler,
    /// There is no C++ compiler with its standard library.
    NoCxxCompiler,
    /// The installed version of zig is known to fail.
    BrokenZig {
        /// Its version.
        version: String,
        /// A version that works.
        works: &'static str,
    },
    /// A library of the system was not found, by pkg-config or by the linker.
    Library(String),
    /// A program that runs on this machine is not installed.
    Tool(&'static str),
    /// The objects in a file are for another target.
    ForeignObjects {
        /// The library or object file.
        file: String,
        /// What the linker reports about them.
        found: Option<String>,
    },
    /// C code was compiled for glibc: it calls a function that musl does not have.
    GlibcObjects {
        /// The function.
        symbol: String,
    },
    /// The linker does not support an argument.
    LinkArgument(String),
    /// There is no linker for glibc of another machine or version.
    NoLinker,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = &self.target;
        if self.problem == Problem::NoLinker {
            return write!(f, "there is no linker for `{target}`");
        }
        match &self.package {
            Some(name) => write!(f, "`{name}`")?,
            None => write!(f, "a crate")?,
        }
        if !self.dependents.is_empty() {
            write!(f, " (required by {})", self.dependents.join(", which is required by "))?;
        }
        match &self.problem {
            Problem::NoCCompiler => {
                write!(f, " contains C, but there is no C compiler for `{target}`")
            }
            Problem::NoCxxCompiler => {
                write!(f, " contains C++, but there is no C++ compiler for `{target}`")
            }
            Problem::BrokenZig { version, .. } => {
                write!(f, " was compiled by zig {version}, which is known to fail on this system")
            }
            Problem::Library(library) => {
                write!(f, " needs the system library `{library}` for `{target}`")
            }
            Problem::Tool(tool) => write!(f, " is built with `{tool}`, which is not installed"),
            Problem::ForeignObjects { file, found } => {
                write!(f, " links `{file}`, whose objects are not for `{target}`")?;
                found.as_ref().map_or(Ok(()), |found| write!(f, " ({found})"))
            }
            Problem::GlibcObjects { symbol } => {
                write!(f, " was compiled for glibc (it calls `{symbol}`), not for `{target}`")
            }
            Problem::NoLinker => Ok(()),
            Problem::LinkArgument(argument) => {
                write!(f, " is linked with `{argument}`, which `rust-lld` does not support")
            }
        }
    }
}

impl Cause {
    /// The reason and what to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        format!("{self}: {}", remedies::of(self))
    }
}

/// Finds the reasons why Cargo failed.
pub(crate) async fn causes(
    recipe: &Recipe,
    packages: &Packages,
    messages: &BuildMessages,
) -> Vec<Cause> {
    let mut found: Vec<(Option<Package>, Problem)> = Vec::new();
    if !messages.unfinished_build_scripts().is_empty() {
        let mut command = recipe.cargo(packages);
        command.arg("--keep-going").env("CARGO_TERM_COLOR", "never");
        if let Ok(output) = group::output(command, Progress::Hidden).await {
            let zig = Zig::find(&recipe.environment, &recipe.root);
            let compilers = recipe.compiler.of_zig(&recipe.tools);
            found.extend(build_script::failures(&output.stderr).filter_map(|(package, text)| {
                let problem = build_script::problem(&package, text, &compilers, zig.as_ref());
                Some((Some(package), problem?))
            }));
        }
    }
    for text in recipe.tools.linker_output() {
        found.extend(linker::problems(&text, messages));
    }
    found.sort();
    found.dedup();
    let mut causes = Vec::new();
    for (package, problem) in found {
        let dependents = match &package {
            Some(package) => dependents(recipe, packages, package).await,
            None => Vec::new(),
        };
        let name = package.as_ref().map(ToString::to_string);
        causes.push(Cause { package: name, dependents, problem, target: recipe.target.clone() });
    }
    causes
}

/// What depends on a crate: one path from it up to a package of the workspace.
async fn dependents(recipe: &Recipe, packages: &Packages, package: &Package) -> Vec<String> {
    let mut command = program::command("cargo", &recipe.environment, &recipe.root);
    command.args(["tree", "--prefix", "depth", "-e", "normal,build", "--target"]);
    command.args([recipe.target.as_str(), "-i", &package.specification()]);
    for package in packages.keys() {
        command.args(["-p", &specification(package)]);
    }
    match group::output(command, Progress::Hidden).await {
        Ok(output) => path_up(&output.stdout),
        Err(_) => Vec::new(),
    }
}

fn path_up(tree: &str) -> Vec<String> {
    let mut path = Vec::new();
    for line in tree.lines().skip(1) {
        let name = line.trim_start_matches(|c: char| c.is_ascii_digit());
        // Before the dependents of a build dependency there is a heading.
        if name.starts_with('[') {
            continue;
        }
        let depth = line[..line.len() - name.len()].parse::<usize>();
        if depth != Ok(path.len() + 1) {
            break;
        }
        path.push(format!("`{}`", name.split(" (").next().unwrap_or(name).trim()));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_up_ends_at_a_package_of_the_workspace() {
        let tree =
            "0ring v0.17.14\n1rustls v0.23.0\n2link-service v0.1.0 (/home/x/svc)\n1other v1.0.0\n";
        assert_eq!(path_up(tree), ["`rustls v0.23.0`", "`link-service v0.1.0`"]);
        let tree = "0prost-build v0.14.1\n[build-dependencies]\n1mine v0.1.0 (/home/x/svc)\n";
        assert_eq!(path_up(tree), ["`mine v0.1.0`"]);
    }
}
