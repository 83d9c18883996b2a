//! The codes of what can go wrong between a reference and its executable.

use crate::report::codes;

codes! {
    NO_WORKSPACE = "no-workspace", Failure,
        "There is no Cargo workspace, or not where it was named.",
        "ko-rs uses the workspace of `--manifest-path`, else that of the working directory, else those \
         listed under `workspaces` in `.ko-rs.yaml`, else those that it finds in the Git repository. \
         Run it in a folder with a `Cargo.toml`, or name one.";
    AMBIGUOUS_WORKSPACE = "ambiguous-workspace", Failure,
        "Several workspaces are possible.",
        "The repository contains several Cargo workspaces, and the reference or argument matches a \
         crate in more than one of them, or there is none to decide by. Run ko-rs in one of them, or \
         name it with `--manifest-path`.";
    UNKNOWN_CRATE = "unknown-crate", Failure,
        "A reference or an argument names a crate that the workspace does not have.",
        "The name must be that of a package, the path of its folder from the root of the workspace, \
         or its import path: the `repository` of its `Cargo.toml` followed by the path. On the \
         command line, `./PATH` is relative to the working directory.";
    UNKNOWN_BINARY = "unknown-binary", Failure,
        "A package does not have the binary that is named after `#`.",
        "The message lists the binaries of the package. An example is named `#examples/NAME`.";
    AMBIGUOUS_BINARY = "ambiguous-binary", Failure,
        "A package has several binaries and no default one.",
        "Name the binary after `#`, as in `ko://tools#worker`, or set `default-run` in the package's \
         `Cargo.toml`.";
    NO_BINARY = "no-binary", Failure,
        "A package is a library without a binary.",
        "An image contains an executable, so the package must have a `src/main.rs`, a file in \
         `src/bin` or a `[[bin]]` section. Name the package that contains the program.";
    PROGRAM_NOT_FOUND = "program-not-found", Failure,
        "Cargo or another program that ko-rs runs could not be started.",
        "The program is not on the PATH, or cannot be executed. Install Rust with \
         [rustup](https://rustup.rs).";
    CARGO_FAILED = "cargo-failed", Failure,
        "Cargo, rustc or Git failed at something other than compiling.",
        "The output of the command follows the message. Frequent reasons are a `Cargo.toml` with an \
         error, a lock file that must be updated although `--locked` is set (as it is on CI), or a \
         registry that cannot be reached.";
    NATIVE_CPU = "native-cpu", Failure,
        "`target-cpu=native` is set for code that goes into an image.",
        "The executable would use the instructions of the processor that compiles it, and could crash \
         on another one. Name a processor instead, such as `-C target-cpu=x86-64-v3`.";
    UNSUPPORTED_PLATFORM = "unsupported-platform", Failure,
        "There is no target for the platform.",
        "ko-rs compiles for the musl target of a platform, or for its glibc target where rustup has no \
         other. Set `target` in `builds` for any other platform, with a base image that has its C \
         library.";
    BASE_WITHOUT_GLIBC = "base-without-glibc", Failure,
        "The platform needs glibc, which the base image does not have.",
        "rustup has no musl target for the platform, so the executable is linked to glibc. Set a base \
         image that has glibc, such as `gcr.io/distroless/cc-debian12`.";
    TARGET_PLATFORM_MISMATCH = "target-platform-mismatch", Failure,
        "None of the targets in the settings is for the platform.",
        "`target` in `builds` lists target triples, and the image is built for a platform that none \
         of them fits. List one for each platform, or remove `target`.";
    MISSING_TARGET = "missing-target", Failure,
        "The standard library of the target is not installed.",
        "ko-rs adds a missing target with `rustup target add`, unless it is offline or Rust was not \
         installed with rustup. Install the target before running ko-rs.";
    TARGET_DIRECTORY = "target-directory-not-writable", Failure,
        "A file in Cargo's target directory cannot be written.",
        "ko-rs writes scripts for the compiler and the linker below `target/ko-rs`. The disk is full, \
         or the directory belongs to another user. Set `CARGO_TARGET_DIR` to use another one.";
    COMPILATION_FAILED = "compilation-failed", Compilation,
        "`cargo build` ran and failed.",
        "The errors of the compiler are printed before this message. If a crate compiles with `cargo \
         build --workspace` but not alone, it may need features that only other packages enable: \
         enable them in its `Cargo.toml`, or set `featureUnification: workspace`.";
    MISSING_C_COMPILER = "missing-c-compiler", Compilation,
        "A crate contains C or C++, and there is no compiler for the target.",
        "Executables for musl need a C compiler for musl: `musl-gcc`, a cross compiler such as \
         `aarch64-linux-musl-gcc`, or [zig](https://ziglang.org/download), which ko-rs uses for any \
         target. See [compiling.md](compiling.md).";
    MISSING_LIBRARY = "missing-library", Compilation,
        "A crate needs a library of the system that is not available for the target.",
        "The libraries that are installed are for this machine, not for the target. Most crates have \
         a feature that compiles the library from source, called `vendored` or `bundled`; or use a \
         crate without C, such as rustls.";
    MISSING_TOOL = "missing-tool", Compilation,
        "A build script runs a program that is not installed.",
        "Crates generate code with `protoc`, `cmake`, `perl` and other programs. Install the program \
         on this machine.";
    FOREIGN_OBJECTS = "foreign-objects", Compilation,
        "A crate links object files that were not compiled for the target.",
        "A library that is downloaded or checked in is for another system, or a build script ran a \
         compiler other than the one in `CC_TARGET`. The message names the file.";
    UNSUITABLE_LINKER = "unsuitable-linker", Compilation,
        "There is no linker for the target, or the linker does not support an argument.",
        "ko-rs links with the `rust-lld` that comes with Rust, or with zig for glibc of another \
         machine or version. Arguments for a C compiler need a `linker` in `.cargo/config.toml`.";
}
