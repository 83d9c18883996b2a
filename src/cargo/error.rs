//! What can go wrong between a reference and its executable.

use std::io;
use std::path::{Path, PathBuf};

use super::cause::{Cause, Problem};
use super::{TargetTriple, codes, remedies};
use crate::oci::Platform;
use crate::process;
use crate::reference::{CrateReference, InvalidReference};
use crate::report::{Details, Diagnose};

/// A failure to find or to compile a binary.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program other than `cargo build` could not be run, or failed.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// The output of `cargo metadata` could not be parsed.
    #[error("could not parse the output of `cargo metadata`")]
    Metadata {
        /// The cause.
        source: cargo_metadata::Error,
    },
    /// A configuration file of Cargo could not be read.
    #[error("could not read Cargo's configuration file `{path}`{}", indented(reason))]
    Config {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The named `Cargo.toml` does not exist.
    #[error("`{path}` does not exist")]
    NoManifest {
        /// The file.
        path: PathBuf,
    },
    /// There is no Cargo workspace.
    #[error("could not find a Cargo workspace in `{directory}` or any parent folder")]
    NoWorkspace {
        /// The working directory.
        directory: PathBuf,
        /// A reference to a Go module of the repository, and its `go.mod`.
        go: Option<(CrateReference, PathBuf)>,
    },
    /// Several workspaces are possible.
    #[error("{}", ambiguous(reference.as_deref(), roots))]
    AmbiguousWorkspace {
        /// The reference that matches several.
        reference: Option<String>,
        /// Their roots.
        roots: Vec<PathBuf>,
    },
    /// An argument is not a valid reference.
    #[error(transparent)]
    InvalidReference {
        /// The cause.
        source: InvalidReference,
    },
    /// A reference does not match a package.
    #[error("`{reference}` does not match any crate of {}", listed(workspaces))]
    NoSuchCrate {
        /// The reference.
        reference: String,
        /// The workspaces that were searched.
        workspaces: Vec<PathBuf>,
        /// `did you mean …?`
        nearest: Option<String>,
        /// A list of crates that have a binary.
        crates: Option<String>,
        /// The `go.mod` of the Go module of the repository that the reference is in.
        go_module: Option<PathBuf>,
    },
    /// A package has several binaries and no default.
    #[error("`{reference}` could be any of the binaries of `{package}`: {}", quoted(bins))]
    AmbiguousBinary {
        /// The reference.
        reference: String,
        /// The package.
        package: String,
        /// Its binaries.
        bins: Vec<String>,
    },
    /// A package has no binary.
    #[error("`{reference}` is the library `{package}`, which has no binary")]
    NoBinary {
        /// The reference.
        reference: String,
        /// The package.
        package: String,
    },
    /// A package has no binary of that name.
    #[error(
        "`{package}` does not have the binary that `{reference}` names; it has {}",
        quoted(bins)
    )]
    NoSuchBinary {
        /// The reference.
        reference: String,
        /// The package.
        package: String,
        /// Its binaries.
        bins: Vec<String>,
        /// `did you mean …?`
        suggestion: Option<String>,
    },
    /// Flags select the processor of this machine.
    #[error("`target-cpu=native` ({place}) would compile for the processor of this machine only")]
    NativeCpu {
        /// Where it is set.
        place: String,
    },
    /// No target is known for the platform.
    #[error("no Rust target is known for {platform}")]
    UnsupportedPlatform {
        /// The platform.
        platform: Platform,
    },
    /// The platform has only a glibc target, and the base image no glibc.
    #[error("Rust has no musl target for {platform}, and the base image has no glibc")]
    NeedsGlibc {
        /// The platform.
        platform: Platform,
    },
    /// None of the targets in the settings is for the platform.
    #[error("{} in the settings is not for {platform}", quoted(&shown(targets)))]
    Contradiction {
        /// The targets.
        targets: Vec<TargetTriple>,
        /// The platform.
        platform: Platform,
    },
    /// The standard library of a target is not installed and could not be added.
    #[error("the standard library for `{target}` is not installed")]
    MissingTarget {
        /// The target.
        target: TargetTriple,
        /// Where it was looked for.
        sysroot: PathBuf,
        /// Whether it was not added because ko-rs must not use the network.
        offline: bool,
    },
    /// A script for a compiler or a linker could not be written.
    #[error("could not write `{path}`")]
    Tool {
        /// The script.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// `cargo build` failed; its output has been shown.
    #[error("could not compile {}", quoted(binaries))]
    Compile {
        /// What does not compile, as `package` or `package#bin`.
        binaries: Vec<String>,
        /// What crates needed from outside of Cargo.
        causes: Vec<Cause>,
        /// A package that may compile only with the features that its neighbours enable.
        alone: Option<String>,
    },
    /// Cargo succeeded without naming an executable.
    #[error("Cargo compiled `{binary}` but did not report an executable")]
    NoExecutable {
        /// The binary.
        binary: String,
    },
    /// An executable could not be opened.
    #[error("could not open the executable `{path}`")]
    Executable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl Diagnose for Error {
    fn details(&self) -> Details {
        match self {
            Self::Process(process::Error::Start { program, .. }) => {
                Details::new(&codes::PROGRAM_NOT_FOUND).hint(format!(
                    "install Rust (https://rustup.rs), or add the folder of `{program}` to the PATH"
                ))
            }
            Self::NoWorkspace { go: Some((_, module)), .. } => {
                Details::new(&codes::NO_WORKSPACE).hint(go_hint(module))
            }
            Self::NoManifest { .. } | Self::NoWorkspace { go: None, .. } => {
                Details::new(&codes::NO_WORKSPACE).hint(
                    "run ko-rs in a Cargo workspace, or name one with `--manifest-path \
                     PATH/Cargo.toml` or `workspaces: [PATH]` in .ko-rs.yaml",
                )
            }
            Self::AmbiguousWorkspace { .. } => Details::new(&codes::AMBIGUOUS_WORKSPACE)
                .hint("run ko-rs in one of them, or name it: `--manifest-path PATH/Cargo.toml`"),
            Self::InvalidReference { source } => source.details(),
            Self::NoSuchCrate { nearest, go_module: Some(module), .. } => {
                Details::new(&codes::UNKNOWN_CRATE).hints(nearest.clone()).hint(go_hint(module))
            }
            Self::NoSuchCrate { nearest, crates, go_module: None, .. } => {
                let none = || "the workspace has no package with a binary".to_owned();
                let hint = nearest.clone().or_else(|| crates.clone()).unwrap_or_else(none);
                Details::new(&codes::UNKNOWN_CRATE).hint(hint)
            }
            Self::NoSuchBinary { suggestion, .. } => {
                Details::new(&codes::UNKNOWN_BINARY).hints(suggestion.clone())
            }
            Self::AmbiguousBinary { reference, bins, .. } => {
                let hint = bins.first().map(|bin| {
                    format!(
                        "write `{reference}#{bin}`, or set `default-run` in the package's Cargo.toml"
                    )
                });
                Details::new(&codes::AMBIGUOUS_BINARY).hints(hint)
            }
            Self::NoBinary { .. } => Details::new(&codes::NO_BINARY)
                .hint("an image needs an executable: name a package that has a binary"),
            Self::NativeCpu { .. } => Details::new(&codes::NATIVE_CPU).hint(
                "name the oldest processor that must run the image: `-C target-cpu=x86-64-v3`",
            ),
            Self::UnsupportedPlatform { .. } => Details::new(&codes::UNSUPPORTED_PLATFORM)
                .hint("set `target` of the build, and a base image that has its C library"),
            Self::NeedsGlibc { .. } => Details::new(&codes::BASE_WITHOUT_GLIBC)
                .hint("set a base image that has glibc: `base` of the build, or `--base-image`"),
            Self::Contradiction { platform, .. } => {
                let hint = match TargetTriple::for_platform(platform) {
                    Some(own) => format!(
                        "remove `target` to use `{own}`, list one target for each platform \
                         (`target: [{own}, …]`), or build for another `--platform`"
                    ),
                    None => "build for another `--platform`".to_owned(),
                };
                Details::new(&codes::TARGET_PLATFORM_MISMATCH).hint(hint)
            }
            Self::MissingTarget { target, sysroot, offline } => {
                let add = format!("`rustup target add {}`", target.as_str());
                Details::new(&codes::MISSING_TARGET).hint(match offline {
                    true => format!("ko-rs is offline: run {add} while there is a network"),
                    false => format!(
                        "install Rust with rustup (https://rustup.rs) and run {add}, or install the \
                         package of your distribution for that target: it is not in `{}`",
                        sysroot.display()
                    ),
                })
            }
            Self::Compile { causes, alone, .. } => {
                let alone = alone.as_ref().map(|package| {
                    format!(
                        "`{package}` is compiled with only the features that it enables itself; if it \
                         needs those that other packages enable, as in `cargo build --workspace`, set \
                         `featureUnification: workspace`"
                    )
                });
                let code = causes.first().map(|cause| cause.problem.code());
                Details::new(code.unwrap_or(&codes::COMPILATION_FAILED))
                    .hints(causes.iter().map(remedies::hint))
                    .hints(alone)
            }
            Self::Tool { .. } => Details::new(&codes::TARGET_DIRECTORY),
            Self::Process(_)
            | Self::Metadata { .. }
            | Self::Config { .. }
            | Self::NoExecutable { .. }
            | Self::Executable { .. } => Details::new(&codes::CARGO_FAILED),
        }
    }
}

impl Problem {
    fn code(&self) -> &'static crate::report::Code {
        match self {
            Self::NoCCompiler | Self::NoCxxCompiler | Self::BrokenZig { .. } => {
                &codes::MISSING_C_COMPILER
            }
            Self::Library(_) => &codes::MISSING_LIBRARY,
            Self::Tool(_) => &codes::MISSING_TOOL,
            Self::ForeignObjects { .. } | Self::GlibcObjects { .. } => &codes::FOREIGN_OBJECTS,
            Self::NoLinker | Self::LinkArgument(_) => &codes::UNSUITABLE_LINKER,
        }
    }
}

/// The hint for a reference that is for Go's ko.
fn go_hint(module: &Path) -> String {
    format!(
        "this is a path in the Go module of `{}`; where Go and Rust share manifests, write `ko-rs://` \
         for Rust crates, set `referencePrefixes: [ko-rs://]` in .ko-rs.yaml, and run `ko resolve -f \
         PATH | ko-rs apply -f -`",
        module.display()
    )
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn shown(targets: &[TargetTriple]) -> Vec<String> {
    targets.iter().map(|target| format!("target: {target}")).collect()
}

fn listed(roots: &[PathBuf]) -> String {
    let names: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
    let workspaces = if names.len() == 1 { "the workspace" } else { "the workspaces" };
    format!("{workspaces} {}", quoted(&names))
}

fn ambiguous(reference: Option<&str>, roots: &[PathBuf]) -> String {
    match reference {
        Some(reference) => format!("`{reference}` matches crates of {}", listed(roots)),
        None => format!("could not choose between {}", listed(roots)),
    }
}

/// The output of a program, on lines of their own.
fn indented(text: &str) -> String {
    text.lines().map(|line| format!("\n  {line}")).collect()
}
