//! Why a crate could not be compiled or linked, as a value.

use std::fmt;

use super::TargetTriple;

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
