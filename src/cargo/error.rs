//! What can go wrong between a reference and its executable, and the ways out.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use super::TargetTriple;
use super::explain::Cause;
use crate::oci::Platform;
use crate::reference::{InvalidReference, without_users};

/// A failure to find or to compile.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program could not be started.
    #[error("could not start `{program}`")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A program that answers questions failed.
    #[error("`{command}` failed ({status}){}", indented(stderr))]
    Command {
        /// As its user would type it.
        command: String,
        /// How it ended.
        status: String,
        /// What it said.
        stderr: String,
    },
    /// Cargo's answer could not be read.
    #[error("could not read the answer of `cargo metadata`")]
    Metadata {
        /// Why.
        source: cargo_metadata::Error,
    },
    /// A configuration file of Cargo could not be read.
    #[error("could not read Cargo's configuration `{path}`{}", indented(reason))]
    Config {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is no `Cargo.toml` where one was named.
    #[error("there is no `{path}`")]
    NoManifest {
        /// The file.
        path: PathBuf,
    },
    /// There is no Cargo workspace.
    #[error("there is no Cargo workspace in `{directory}` or above it")]
    NoWorkspace {
        /// The working directory.
        directory: PathBuf,
    },
    /// Several workspaces may be meant.
    #[error("{} may be meant{}", listed(roots), for_reference(reference.as_ref()))]
    AmbiguousWorkspace {
        /// The reference that is in several.
        reference: Option<String>,
        /// Their roots.
        roots: Vec<PathBuf>,
    },
    /// A reference is none.
    #[error(transparent)]
    InvalidReference {
        /// Why.
        source: InvalidReference,
    },
    /// A reference names no package.
    #[error("`{reference}` names no crate of {}", listed(workspaces))]
    NoSuchCrate {
        /// The reference.
        reference: String,
        /// Where it was looked for.
        workspaces: Vec<PathBuf>,
        /// `did you mean …?`
        nearest: Option<String>,
        /// What can be named, if there is anything.
        crates: Option<String>,
    },
    /// A package has several binaries and no default.
    #[error("`{reference}` may be any of the binaries of `{package}`: {}", quoted(bins))]
    AmbiguousBinary {
        /// The reference.
        reference: String,
        /// The package.
        package: String,
        /// Its binaries.
        bins: Vec<String>,
    },
    /// A package has no binary at all.
    #[error("`{reference}` is the library `{package}`, which has no binary")]
    NoBinary {
        /// The reference.
        reference: String,
        /// The package.
        package: String,
    },
    /// A package has no binary of that name.
    #[error("`{reference}` names no binary of `{package}`, which has {}", quoted(bins))]
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
    /// Flags ask for code that only this machine's processor is sure to run.
    #[error("`target-cpu=native` ({place}) would compile for the processor of this machine")]
    NativeCpu {
        /// Where it is written.
        place: String,
    },
    /// rustc has no target for the platform.
    #[error("rustc has no target for {platform}")]
    UnsupportedPlatform {
        /// The platform.
        platform: Platform,
    },
    /// A platform has no static executables, and the base has no C library.
    #[error("there is no musl target of rustc for {platform}, and the base image has no glibc")]
    NeedsGlibc {
        /// The platform.
        platform: Platform,
    },
    /// None of the targets that settings name is for a platform.
    #[error("{} of the settings is not for {platform}", quoted(&shown(targets)))]
    Contradiction {
        /// The targets.
        targets: Vec<TargetTriple>,
        /// The platform.
        platform: Platform,
    },
    /// The standard library of a target is not installed and could not be.
    #[error("the standard library for `{target}` is not in `{sysroot}`")]
    MissingTarget {
        /// The target.
        target: TargetTriple,
        /// Where it was looked for.
        sysroot: PathBuf,
        /// Whether it was not added because nothing may be fetched.
        offline: bool,
    },
    /// A script that stands for a compiler or a linker could not be written.
    #[error("could not write `{path}`")]
    Tool {
        /// The script.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Cargo ran and failed; what it had to say, it has said.
    #[error("could not compile {}", quoted(binaries))]
    Compile {
        /// What does not compile, as `package` or `package#bin`.
        binaries: Vec<String>,
        /// Build scripts that failed for want of something outside Cargo.
        causes: Vec<Cause>,
        /// A package that fails although the same code may compile with its neighbours' features.
        alone: Option<String>,
    },
    /// Cargo succeeded without naming an executable.
    #[error("Cargo compiled `{binary}` and named no executable")]
    NoExecutable {
        /// The binary.
        binary: String,
    },
    /// Cargo's output or end could not be had.
    #[error("lost touch with `{command}`")]
    Lost {
        /// As its user would type it.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// An executable could not be opened.
    #[error("could not open the executable `{path}`")]
    Executable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    pub(super) fn start(command: &std::process::Command, source: io::Error) -> Self {
        Self::Start { program: command.get_program().to_string_lossy().into_owned(), source }
    }

    /// A program's failure in its own words, but for the passwords in them: Cargo and Git name a
    /// dependency's URL as it is written.
    pub(super) fn command(command: String, status: ExitStatus, said: &str) -> Self {
        Self::Command { command, status: status.to_string(), stderr: without_users(said.trim()) }
    }

    /// Whether `cargo build` itself ran and failed.
    #[must_use]
    pub fn is_compilation(&self) -> bool {
        matches!(self, Self::Compile { .. })
    }

    /// The way out.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Start { program, .. } => {
                Some(format!("install Rust (https://rustup.rs) so that `{program}` is on the PATH"))
            }
            Self::NoManifest { .. } | Self::NoWorkspace { .. } => Some(
                "run in a Cargo workspace, or name it: `--manifest-path PATH/Cargo.toml`, or \
                 `workspaces: [PATH]` in `.ko-rs.yaml`"
                    .to_owned(),
            ),
            Self::AmbiguousWorkspace { .. } => Some(
                "run in one of them, or name it: `--manifest-path PATH/Cargo.toml`".to_owned(),
            ),
            Self::InvalidReference { source } => source.hint(),
            Self::NoSuchCrate { nearest, crates, .. } => {
                let none = || "the workspace has no package with a binary".to_owned();
                Some(nearest.clone().or_else(|| crates.clone()).unwrap_or_else(none))
            }
            Self::NoSuchBinary { suggestion, .. } => suggestion.clone(),
            Self::AmbiguousBinary { reference, bins, .. } => bins.first().map(|bin| {
                format!("write `{reference}#{bin}`, or set `default-run` in the package's Cargo.toml")
            }),
            Self::NoBinary { .. } => Some("an image is made of a binary: name its package".to_owned()),
            Self::NativeCpu { .. } => Some(
                "name the oldest processor that shall run the image, as in `-C target-cpu=x86-64-v3`"
                    .to_owned(),
            ),
            Self::UnsupportedPlatform { .. } => Some(
                "set `target:` of the build to another triple, and a base image that has its C library"
                    .to_owned(),
            ),
            Self::NeedsGlibc { .. } => Some(
                "set a base image that has it: `base:` of the build, or `--base-image`".to_owned(),
            ),
            Self::Contradiction { platform, .. } => Some(match TargetTriple::for_platform(platform) {
                Some(own) => format!(
                    "leave `target:` out (`{own}` is taken then), name one for each platform \
                     (`target: [{own}, …]`), or build for another `--platform`"
                ),
                None => "build for another `--platform`".to_owned(),
            }),
            Self::MissingTarget { target, offline: true, .. } => {
                Some(format!("nothing may be fetched now; run `rustup target add {}` before", target.as_str()))
            }
            Self::MissingTarget { target, offline: false, .. } => Some(format!(
                "install Rust with rustup (https://rustup.rs) and run `rustup target add {}`, \
                 or install your distribution's package for that target",
                target.as_str()
            )),
            Self::Compile { causes, alone, .. } => {
                let hints: Vec<String> = causes.iter().map(Cause::hint).collect();
                let alone = alone.as_ref().map(|package| {
                    format!(
                        "`{package}` is built with only the features it asks for itself; if it needs \
                         what others in the workspace switch on, as under `cargo build --workspace`, \
                         set `featureUnification: workspace`"
                    )
                });
                let hints: Vec<String> = hints.into_iter().chain(alone).collect();
                (!hints.is_empty()).then(|| hints.join("\n"))
            }
            Self::Command { .. }
            | Self::Metadata { .. }
            | Self::Config { .. }
            | Self::Tool { .. }
            | Self::NoExecutable { .. }
            | Self::Lost { .. }
            | Self::Executable { .. } => None,
        }
    }
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

fn for_reference(reference: Option<&String>) -> String {
    reference.map(|reference| format!(" by `{reference}`")).unwrap_or_default()
}

/// What a program said, on lines of its own.
fn indented(text: &str) -> String {
    text.lines().map(|line| format!("\n  {line}")).collect()
}
