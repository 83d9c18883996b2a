//! What to do about a [`Cause`], as commands and settings.

use super::TargetTriple;
use super::cause::{Cause, Problem};

/// Crates that compile their library from source with a feature: the crate that fails, the crate to
/// name, and the feature.
const BUNDLED: [(&str, &str, &str); 14] = [
    ("openssl-sys", "openssl", "vendored"),
    ("pq-sys", "pq-sys", "bundled"),
    ("mysqlclient-sys", "mysqlclient-sys", "bundled"),
    ("libsqlite3-sys", "libsqlite3-sys", "bundled"),
    ("libgit2-sys", "git2", "vendored-libgit2"),
    ("libssh2-sys", "ssh2", "vendored-openssl"),
    ("curl-sys", "curl", "static-curl"),
    ("libz-sys", "libz-sys", "static"),
    ("lzma-sys", "lzma-sys", "static"),
    ("bzip2-sys", "bzip2-sys", "static"),
    ("sasl2-sys", "sasl2-sys", "vendored"),
    ("libdbus-sys", "libdbus-sys", "vendored"),
    ("rdkafka-sys", "rdkafka", "cmake-build"),
    ("libusb1-sys", "libusb1-sys", "vendored"),
];

/// Programs, and the packages of Debian and of Homebrew that contain them.
const PACKAGES: [(&str, &str, &str); 7] = [
    ("protoc", "protobuf-compiler", "protobuf"),
    ("cmake", "cmake", "cmake"),
    ("libclang", "libclang-dev", "llvm"),
    ("perl", "perl", "perl"),
    ("make", "make", "make"),
    ("nasm", "nasm", "nasm"),
    ("go", "golang-go", "go"),
];

/// A cause and what to do about it.
pub(super) fn hint(cause: &Cause) -> String {
    format!("{cause}: {}", of(cause))
}

fn of(cause: &Cause) -> String {
    let target = &cause.target;
    let compiler = target.compiler_prefix();
    let zig = "zig (`pip install ziglang`, or https://ziglang.org/download)";
    match &cause.problem {
        Problem::NoCCompiler if target.as_str() == "x86_64-unknown-linux-musl" => format!(
            "install `musl-gcc` (Debian, Ubuntu: `apt install musl-tools`), `{compiler}gcc` or {zig}{}",
            glibc(target)
        ),
        Problem::NoCCompiler => format!("install {zig} or `{compiler}gcc`{}", glibc(target)),
        Problem::NoCxxCompiler => format!("install {zig} or `{compiler}g++`{}", glibc(target)),
        Problem::BrokenZig { works, .. } => {
            format!("install a version that works: `pip install ziglang=={works}`")
        }
        Problem::Library(_) => match bundled(cause) {
            Some((name, feature)) => format!(
                "compile it from source: `cargo add {name} --features {feature}`{}",
                glibc(target)
            ),
            None => format!(
                "enable the `vendored` or `bundled` feature of the crate, or use a crate without a \
                 system library, such as rustls{}",
                glibc(target)
            ),
        },
        Problem::Tool(tool) => package_of(tool),
        Problem::ForeignObjects { .. } => format!(
            "a library that is checked in or downloaded must be for `{target}`; one that a build \
             script compiles must be compiled with the tools in `CC_{0}` and `AR_{0}`, or, if it \
             runs `configure` or `make`, with \
             `CC='zig cc -target {1}' CXX='zig c++ -target {1}' HOST_CC=cc HOST_CXX=c++`",
            target.as_str().replace('-', "_"),
            target.zig()
        ),
        Problem::GlibcObjects { .. } => format!(
            "compile it with the compiler in `CC_{}`{}",
            target.as_str().replace('-', "_"),
            glibc(target)
        ),
        Problem::NoLinker if target.glibc().is_some() || target.is_musl() => {
            format!("install {zig}")
        }
        Problem::NoLinker => format!("install {zig} or `{compiler}gcc`"),
        Problem::LinkArgument(_) => format!(
            "write it as an argument of the linker, or link with a C compiler: \
             `[target.{}] linker = \"…\"` in `.cargo/config.toml`",
            target.as_str()
        ),
    }
}

/// The alternative to musl.
fn glibc(target: &TargetTriple) -> String {
    if !target.is_musl() {
        return String::new();
    }
    let target = target.as_str().replace("-musl", "-gnu");
    format!("; or set `target: {target}` for this build and a base image that has glibc")
}

fn bundled(cause: &Cause) -> Option<(&'static str, &'static str)> {
    let name = cause.package.as_deref()?.split(' ').next()?;
    let known = BUNDLED.iter().find(|(failing, _, _)| *failing == name);
    known.map(|(_, name, feature)| (*name, *feature))
}

fn package_of(tool: &str) -> String {
    match PACKAGES.iter().find(|(name, _, _)| *name == tool) {
        Some((_, debian, homebrew)) => format!(
            "install it (Debian, Ubuntu: `apt install {debian}`; macOS: `brew install {homebrew}`)"
        ),
        None => format!("install `{tool}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint_for(name: &str, problem: Problem, target: &str) -> String {
        let cause = Cause {
            package: Some(name.to_owned()),
            dependents: vec!["`rustls v0.23.0`".to_owned(), "`link-service v0.1.0`".to_owned()],
            problem,
            target: target.parse().unwrap(),
        };
        super::hint(&cause)
    }

    #[test]
    fn a_hint_names_the_crate_its_dependents_and_remedies() {
        let musl = "x86_64-unknown-linux-musl";
        insta::assert_snapshot!(hint_for("ring v0.17.14", Problem::NoCCompiler, musl), @"`ring v0.17.14` (required by `rustls v0.23.0`, which is required by `link-service v0.1.0`) contains C, but there is no C compiler for `x86_64-unknown-linux-musl`: install `musl-gcc` (Debian, Ubuntu: `apt install musl-tools`), `x86_64-linux-musl-gcc` or zig (`pip install ziglang`, or https://ziglang.org/download); or set `target: x86_64-unknown-linux-gnu` for this build and a base image that has glibc");
        insta::assert_snapshot!(hint_for("cxx v1.0.0", Problem::NoCxxCompiler, "aarch64-unknown-linux-musl"), @"`cxx v1.0.0` (required by `rustls v0.23.0`, which is required by `link-service v0.1.0`) contains C++, but there is no C++ compiler for `aarch64-unknown-linux-musl`: install zig (`pip install ziglang`, or https://ziglang.org/download) or `aarch64-linux-musl-g++`; or set `target: aarch64-unknown-linux-gnu` for this build and a base image that has glibc");
        insta::assert_snapshot!(hint_for("pq-sys v0.7.2", Problem::Library("pq".to_owned()), musl), @"`pq-sys v0.7.2` (required by `rustls v0.23.0`, which is required by `link-service v0.1.0`) needs the system library `pq` for `x86_64-unknown-linux-musl`: compile it from source: `cargo add pq-sys --features bundled`; or set `target: x86_64-unknown-linux-gnu` for this build and a base image that has glibc");
        insta::assert_snapshot!(hint_for("mine v0.1.0", Problem::Tool("protoc"), musl), @"`mine v0.1.0` (required by `rustls v0.23.0`, which is required by `link-service v0.1.0`) is built with `protoc`, which is not installed: install it (Debian, Ubuntu: `apt install protobuf-compiler`; macOS: `brew install protobuf`)");
        insta::assert_snapshot!(hint_for("x", Problem::NoLinker, "s390x-unknown-linux-gnu"), @"there is no linker for `s390x-unknown-linux-gnu`: install zig (`pip install ziglang`, or https://ziglang.org/download) or `s390x-linux-gnu-gcc`");
    }
}
