//! Why Cargo failed, where the reason lies outside Cargo: a compiler, a library or a tool that is not
//! there, or a library that is not for the target.
//!
//! Cargo's own words went to the user as they came. They are asked for once more, and read, only
//! after a build script failed; what a linker said was kept by its script.

mod build_script;
mod linking;
mod ways_out;

use std::fmt;

use super::TargetTriple;
use super::group::{self, Progress};
use super::messages::{Heard, Package};
use super::program;
use super::recipe::{Packages, Recipe, specification};
use super::zig::Zig;

/// A crate that could not be compiled or linked, who wants the crate, and what it lacked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// The crate with its version: `ring v0.17.14`; none where nobody can say.
    pub name: Option<String>,
    /// Who depends on it, the nearest first and a package of the workspace last.
    pub wanted_by: Vec<String>,
    /// What it lacked.
    pub lack: Lack,
    /// The target it was compiled for.
    pub target: TargetTriple,
}

/// What may be lacking.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// A C compiler.
    C,
    /// A C++ compiler with its library.
    Cxx,
    /// A zig that can do what it was asked: this one cannot.
    Zig {
        /// Its version.
        version: String,
        /// One that can.
        works: &'static str,
    },
    /// A library of the system, which pkg-config or the linker was to find.
    Library(String),
    /// A program of this machine.
    Tool(&'static str),
    /// Objects for the target: those in this file are for something else.
    Objects {
        /// The library or object.
        file: String,
        /// What the linker says they are.
        found: Option<String>,
    },
    /// C that was compiled for musl: a function that only glibc has is called.
    Musl {
        /// The function.
        symbol: String,
    },
    /// A linker that knows this argument.
    LinkArgument(String),
    /// A linker for another machine's glibc, or for an older one.
    Linker,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = &self.target;
        if self.lack == Lack::Linker {
            return write!(f, "there is no linker for `{target}`");
        }
        match &self.name {
            Some(name) => write!(f, "`{name}`")?,
            None => write!(f, "a crate")?,
        }
        if !self.wanted_by.is_empty() {
            write!(f, ", which {} needs,", self.wanted_by.join(" for "))?;
        }
        match &self.lack {
            Lack::C => write!(f, " has C in it, and there is no C compiler for `{target}`"),
            Lack::Cxx => write!(f, " has C++ in it, and there is no C++ compiler for `{target}`"),
            Lack::Zig { version, .. } => {
                write!(f, " was compiled by zig {version}, which is known to fail here")
            }
            Lack::Library(library) => {
                write!(f, " wants the system's library `{library}` for `{target}`")
            }
            Lack::Tool(tool) => write!(f, " is built with `{tool}`, which is not installed"),
            Lack::Objects { file, found } => {
                write!(f, " brings `{file}`, whose objects are not for `{target}`")?;
                found.as_ref().map_or(Ok(()), |found| write!(f, " ({found})"))
            }
            Lack::Musl { symbol } => {
                write!(f, " was compiled for glibc (it calls `{symbol}`), not for `{target}`")
            }
            Lack::Linker => Ok(()),
            Lack::LinkArgument(argument) => {
                write!(f, " is linked with `{argument}`, which `rust-lld` does not know")
            }
        }
    }
}

impl Cause {
    /// What is lacking, and the ways out.
    #[must_use]
    pub fn hint(&self) -> String {
        format!("{self}: {}", ways_out::of(self))
    }
}

/// Works out why Cargo failed.
pub(crate) async fn causes(recipe: &Recipe, packages: &Packages, heard: &Heard) -> Vec<Cause> {
    let mut found: Vec<(Option<Package>, Lack)> = Vec::new();
    if !heard.unfinished_build_scripts().is_empty() {
        let mut command = recipe.cargo(packages);
        command.arg("--keep-going").env("CARGO_TERM_COLOR", "never");
        if let Ok(output) = group::output(command, Progress::Hidden).await {
            let zig = Zig::find(&recipe.environment, &recipe.root);
            let compilers = recipe.compiler.of_zig(&recipe.tools);
            found.extend(build_script::failures(&output.stderr).filter_map(|(package, text)| {
                let lack = build_script::lack(&package, text, &compilers, zig.as_ref());
                Some((Some(package), lack?))
            }));
        }
    }
    for text in recipe.tools.said() {
        found.extend(linking::lacks(&text, heard));
    }
    found.sort();
    found.dedup();
    let mut causes = Vec::new();
    for (package, lack) in found {
        let wanted_by = match &package {
            Some(package) => dependents(recipe, packages, package).await,
            None => Vec::new(),
        };
        let name = package.as_ref().map(ToString::to_string);
        causes.push(Cause { name, wanted_by, lack, target: recipe.target.clone() });
    }
    causes
}

/// Who depends on a crate: one way from it up to a package of the workspace.
async fn dependents(recipe: &Recipe, packages: &Packages, package: &Package) -> Vec<String> {
    let mut command = program::command("cargo", &recipe.environment, &recipe.root);
    command.args(["tree", "--prefix", "depth", "-e", "normal,build", "--target"]);
    command.args([recipe.target.as_str(), "-i", &package.specification()]);
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
        // A crate that build scripts use has a heading in between.
        if name.starts_with('[') {
            continue;
        }
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

    #[test]
    fn the_way_up_ends_at_a_package_of_the_workspace() {
        let tree =
            "0ring v0.17.14\n1rustls v0.23.0\n2link-service v0.1.0 (/home/x/svc)\n1other v1.0.0\n";
        assert_eq!(way_up(tree), ["`rustls v0.23.0`", "`link-service v0.1.0`"]);
        let tree = "0prost-build v0.14.1\n[build-dependencies]\n1mine v0.1.0 (/home/x/svc)\n";
        assert_eq!(way_up(tree), ["`mine v0.1.0`"]);
    }
}
