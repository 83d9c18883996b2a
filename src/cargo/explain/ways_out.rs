//! What to do about a cause, as commands and settings.

use super::{Cause, Lack};
use crate::cargo::TargetTriple;
use crate::cargo::{c, tools};

/// Crates that bring their library along where a feature says so: the crate that fails, the crate to
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

/// Programs, and the packages of Debian and of Homebrew that have them.
const PACKAGES: [(&str, &str, &str); 7] = [
    ("protoc", "protobuf-compiler", "protobuf"),
    ("cmake", "cmake", "cmake"),
    ("libclang", "libclang-dev", "llvm"),
    ("perl", "perl", "perl"),
    ("make", "make", "make"),
    ("nasm", "nasm", "nasm"),
    ("go", "golang-go", "go"),
];

/// The ways out of a cause.
pub(super) fn of(cause: &Cause) -> String {
    let target = &cause.target;
    let compiler = c::prefix(target);
    let zig = "zig (`pip install ziglang`, or https://ziglang.org/download)";
    match &cause.lack {
        Lack::C if target.as_str() == "x86_64-unknown-linux-musl" => format!(
            "install `musl-gcc` (Debian, Ubuntu: `apt install musl-tools`), `{compiler}gcc` or {zig}{}",
            glibc(target)
        ),
        Lack::C => format!("install {zig} or `{compiler}gcc`{}", glibc(target)),
        Lack::Cxx => format!("install {zig} or `{compiler}g++`{}", glibc(target)),
        Lack::Zig { works, .. } => {
            format!("install one that works: `pip install ziglang=={works}`")
        }
        Lack::Library(_) => match bundled(cause) {
            Some((name, feature)) => format!(
                "have the crate bring it: `cargo add {name} --features {feature}`{}",
                glibc(target)
            ),
            None => format!(
                "switch on the crate's `vendored` or `bundled` feature, or use a crate without a \
                 library, such as rustls{}",
                glibc(target)
            ),
        },
        Lack::Tool(tool) => tool_s_package(tool),
        Lack::Objects { .. } => format!(
            "a library that is checked in or downloaded has to be one for `{target}`; one that is \
             compiled here has to be compiled by what `CC_{0}` and `AR_{0}` name, or, by a build \
             script that starts `configure` or `make` itself, with \
             `CC='zig cc -target {1}' CXX='zig c++ -target {1}' HOST_CC=cc HOST_CXX=c++` set",
            target.as_str().replace('-', "_"),
            tools::zig_target(target)
        ),
        Lack::Musl { .. } => format!(
            "compile it by what `CC_{}` names{}",
            target.as_str().replace('-', "_"),
            glibc(target)
        ),
        Lack::Linker if target.glibc().is_some() || target.is_musl() => format!("install {zig}"),
        Lack::Linker => format!("install {zig} or `{compiler}gcc`"),
        Lack::LinkArgument(_) => format!(
            "write it as your linker's own argument, or name a C compiler that links: \
             `[target.{}] linker = \"…\"` in `.cargo/config.toml`",
            target.as_str()
        ),
    }
}

/// The way out that is left where musl is what makes it hard.
fn glibc(target: &TargetTriple) -> String {
    if !target.is_musl() {
        return String::new();
    }
    let target = target.as_str().replace("-musl", "-gnu");
    format!("; or set `target: {target}` for this build, with a base image that has glibc")
}

fn bundled(cause: &Cause) -> Option<(&'static str, &'static str)> {
    let name = cause.name.as_deref()?.split(' ').next()?;
    let known = BUNDLED.iter().find(|(failing, _, _)| *failing == name);
    known.map(|(_, name, feature)| (*name, *feature))
}

fn tool_s_package(tool: &str) -> String {
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

    fn hint(name: &str, lack: Lack, target: &str) -> String {
        let cause = Cause {
            name: Some(name.to_owned()),
            wanted_by: vec!["`rustls v0.23.0`".to_owned(), "`link-service v0.1.0`".to_owned()],
            lack,
            target: target.parse().unwrap(),
        };
        cause.hint()
    }

    #[test]
    fn a_hint_names_crate_dependents_and_ways_out() {
        let musl = "x86_64-unknown-linux-musl";
        insta::assert_snapshot!(hint("ring v0.17.14", Lack::C, musl), @"`ring v0.17.14`, which `rustls v0.23.0` for `link-service v0.1.0` needs, has C in it, and there is no C compiler for `x86_64-unknown-linux-musl`: install `musl-gcc` (Debian, Ubuntu: `apt install musl-tools`), `x86_64-linux-musl-gcc` or zig (`pip install ziglang`, or https://ziglang.org/download); or set `target: x86_64-unknown-linux-gnu` for this build, with a base image that has glibc");
        insta::assert_snapshot!(hint("cxx v1.0.0", Lack::Cxx, "aarch64-unknown-linux-musl"), @"`cxx v1.0.0`, which `rustls v0.23.0` for `link-service v0.1.0` needs, has C++ in it, and there is no C++ compiler for `aarch64-unknown-linux-musl`: install zig (`pip install ziglang`, or https://ziglang.org/download) or `aarch64-linux-musl-g++`; or set `target: aarch64-unknown-linux-gnu` for this build, with a base image that has glibc");
        insta::assert_snapshot!(hint("pq-sys v0.7.2", Lack::Library("pq".to_owned()), musl), @"`pq-sys v0.7.2`, which `rustls v0.23.0` for `link-service v0.1.0` needs, wants the system's library `pq` for `x86_64-unknown-linux-musl`: have the crate bring it: `cargo add pq-sys --features bundled`; or set `target: x86_64-unknown-linux-gnu` for this build, with a base image that has glibc");
        insta::assert_snapshot!(hint("mine v0.1.0", Lack::Tool("protoc"), musl), @"`mine v0.1.0`, which `rustls v0.23.0` for `link-service v0.1.0` needs, is built with `protoc`, which is not installed: install it (Debian, Ubuntu: `apt install protobuf-compiler`; macOS: `brew install protobuf`)");
        insta::assert_snapshot!(hint("x", Lack::Linker, "s390x-unknown-linux-gnu"), @"there is no linker for `s390x-unknown-linux-gnu`: install zig (`pip install ziglang`, or https://ziglang.org/download) or `s390x-linux-gnu-gcc`");
    }
}
