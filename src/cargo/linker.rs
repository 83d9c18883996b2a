//! Selects the linker for a target.

use super::c;
use super::rustflags::UserFlags;
use super::toolchain::Toolchain;
use super::tools::Tools;
use super::{Error, TargetTriple, codes};
use crate::process::Environment;
use crate::report::{Diagnostic, Reporter};

/// The flags that make rustc link for a target: a static executable for musl with the linker of the
/// toolchain, or with zig if the toolchain does not have the target; for glibc of another machine
/// or version, with a compiler for it.
pub(crate) fn flags(
    target: &TargetTriple,
    user: &UserFlags,
    toolchain: &Toolchain,
    environment: &Environment,
    tools: &Tools,
    report: &Reporter,
) -> Result<Vec<String>, Error> {
    let mut flags = Vec::new();
    if target.is_musl() {
        flags.push("-Ctarget-feature=+crt-static".to_owned());
    }
    if let Some(why) = user.own_linker() {
        report
            .detail(format!("linking with the configured linker: `{}` ({})", why.value, why.place));
        return Ok(flags);
    }
    let linker = |path: &std::path::Path| format!("-Clinker={}", path.display());
    if target.is_musl() {
        if Tools::can_be_used() && !toolchain.has_std(target) {
            // The standard library is compiled too, but musl and an unwinder are missing.
            flags.extend([linker(&tools.zig("ld", target)?), "-Clinker-flavor=gcc".to_owned()]);
            flags.push("-Clink-self-contained=no".to_owned());
        } else if toolchain.has_lld() {
            let lld = if Tools::can_be_used() { tools.rust_lld()? } else { "rust-lld".into() };
            flags.extend([linker(&lld), "-Clinker-flavor=ld.lld".to_owned()]);
        } else {
            let message = format!(
                "`{}` does not contain `rust-lld`; linking with the linker of the system",
                toolchain.sysroot.display()
            );
            report.diagnostic(
                Diagnostic::warning(&codes::UNSUITABLE_LINKER, message)
                    .hint("install Rust with rustup (https://rustup.rs)"),
            );
        }
    } else if target.is_gnu() && c::is_foreign(target, &toolchain.host) {
        match c::cross_compiler(target, environment) {
            Some(name) => flags.push(format!("-Clinker={name}")),
            None if Tools::can_be_used() => {
                flags.push(linker(&tools.zig("ld", target)?));
                // Zig provides the startup code of an executable.
                flags.push("-Clinker-flavor=gcc".to_owned());
            }
            None => {}
        }
    }
    Ok(flags)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::cache::Cache;
    use crate::cargo::config::CargoConfig;
    use crate::report::{Event, Severity};

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test runs the real rustc")]
    fn a_toolchain_without_rust_lld_is_reported_as_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let target: TargetTriple = "x86_64-unknown-linux-musl".parse().unwrap();
        let std = folder.path().join("lib/rustlib").join(target.as_str()).join("lib");
        std::fs::create_dir_all(&std).unwrap();
        std::fs::write(std.join("libstd-0.rlib"), "").unwrap();
        let environment: Environment = std::env::vars_os().collect();
        let found = Toolchain::find(
            folder.path(),
            &target,
            &environment,
            &CargoConfig::default(),
            &Cache::none(),
        );
        let mut toolchain = found.unwrap();
        toolchain.sysroot = folder.path().to_owned();
        let reporter = Reporter::new();
        let events = reporter.reader();
        let tools = Tools::of(folder.path(), &target);
        let user = UserFlags::default();
        let flags = flags(&target, &user, &toolchain, &environment, &tools, &reporter);
        assert_eq!(flags.unwrap(), ["-Ctarget-feature=+crt-static"]);
        let Some(Event::Diagnostic(found)) = events.try_iter().next() else { panic!() };
        assert_eq!(
            (found.severity, found.code),
            (Severity::Warning, Some(&codes::UNSUITABLE_LINKER))
        );
    }
}
