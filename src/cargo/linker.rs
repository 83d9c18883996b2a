//! What links a target's executables.

use super::c;
use super::program::Environment;
use super::rustflags::UserFlags;
use super::toolchain::Toolchain;
use super::tools::Tools;
use super::{Error, TargetTriple, codes};
use crate::report::{Diagnostic, Reporter};

/// The flags that make rustc link as a target needs it: an executable for musl static, by what comes
/// with rustc, or by zig where rustc has nothing for the target; one for glibc of another machine, or of
/// an older glibc, by a compiler that has it.
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
        report.detail(format!("linked by your own linker: `{}` ({})", why.value, why.place));
        return Ok(flags);
    }
    let linker = |path: &std::path::Path| format!("-Clinker={}", path.display());
    if target.is_musl() {
        if Tools::can_be_used() && !toolchain.has_std(target) {
            // The standard library is compiled too, and what comes with it lacks: musl, an unwinder.
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
            let warning = Diagnostic::warning(&codes::NO_RUST_LLD, message);
            report.diagnostic(warning.hint("install Rust with rustup (https://rustup.rs)"));
        }
    } else if target.is_gnu() && c::is_foreign(target, &toolchain.host) {
        match c::cross_compiler(target, environment) {
            Some(name) => flags.push(format!("-Clinker={name}")),
            None if Tools::can_be_used() => {
                flags.push(linker(&tools.zig("ld", target)?));
                // Zig brings what an executable starts with.
                flags.push("-Clinker-flavor=gcc".to_owned());
            }
            None => {}
        }
    }
    Ok(flags)
}
