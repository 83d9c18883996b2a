//! Reads the output of a linker that failed: what is wrong, and in which crate.

use crate::cargo::cause::Problem;
use crate::cargo::messages::{BuildMessages, Package};

/// The problems, each with its crate where that is known.
pub(super) fn problems(text: &str, messages: &BuildMessages) -> Vec<(Option<Package>, Problem)> {
    if text.starts_with("ko-rs: there is no ld") {
        return vec![(None, Problem::NoLinker)];
    }
    let mut found: Vec<(Option<Package>, Problem)> = Vec::new();
    for (line, next) in text.lines().zip(text.lines().skip(1).chain([""])) {
        let Some((_, message)) =
            line.split_once("error: ").or_else(|| line.split_once("warning: "))
        else {
            continue;
        };
        if let Some(library) = message.strip_prefix("unable to find library -l") {
            found.push((messages.links(library), Problem::Library(library.to_owned())));
        } else if let Some(argument) = message.strip_prefix("unknown argument '") {
            let argument = argument.split('\'').next().unwrap_or(argument).to_owned();
            found.push((None, Problem::LinkArgument(argument)));
        } else if let Some(objects) = foreign(message) {
            let (file, found_format) = objects;
            let problem = Problem::ForeignObjects { file: short(file), found: found_format };
            found.push((owner(file, messages), problem));
        } else if let Some(symbol) = message.strip_prefix("undefined symbol: ") {
            let file = next.rsplit_once(" in archive ").map_or("", |(_, file)| file.trim());
            if let Some((package, library)) = system_library(file, messages) {
                found.push((Some(package), Problem::Library(library)));
            } else if is_glibc_only(symbol) {
                found.push((
                    owner(file, messages),
                    Problem::GlibcObjects { symbol: symbol.to_owned() },
                ));
            }
        }
    }
    // One object of a library is enough to report, and so is one missing function.
    let mut kept: Vec<(Option<Package>, Problem)> = Vec::new();
    for (package, problem) in found {
        let same = |(other, known): &(Option<Package>, Problem)| {
            *other == package
                && (*known == problem
                    || matches!(
                        (known, &problem),
                        (Problem::GlibcObjects { .. }, Problem::GlibcObjects { .. })
                    )
                    || matches!(
                        (known, &problem),
                        (Problem::ForeignObjects { .. }, Problem::ForeignObjects { .. })
                    ))
        };
        if !kept.iter().any(same) {
            kept.push((package, problem));
        }
    }
    kept
}

/// A file whose objects are for another target, and what the linker expects.
fn foreign(message: &str) -> Option<(&str, Option<String>)> {
    if let Some((file, wanted)) = message.split_once(" is incompatible with ") {
        // The name of another file is of no use; that of a format is.
        let format = (!wanted.contains('/')).then(|| format!("the linker expects {wanted}"));
        return Some((file, format));
    }
    if let Some((file, _)) = message.split_once(": unknown file type") {
        return Some((file, None));
    }
    let (file, _) = message
        .split_once(": archive member '")
        .filter(|(_, rest)| rest.contains("is neither ET_REL nor LLVM bitcode"))?;
    Some((file, None))
}

/// A library of this system that a build script links. It calls functions that only this system has.
fn system_library(file: &str, messages: &BuildMessages) -> Option<(Package, String)> {
    let name = file.rsplit('/').next()?.strip_prefix("lib")?.strip_suffix(".a")?;
    let is_system = ["/usr/", "/lib", "/opt/"].iter().any(|start| file.starts_with(start));
    Some((messages.links(name).filter(|_| is_system)?, name.to_owned()))
}

/// Functions that the headers of glibc substitute for others, and that musl does not have.
fn is_glibc_only(symbol: &str) -> bool {
    symbol.starts_with("__isoc23_")
        || symbol.starts_with("__isoc99_")
        || (symbol.starts_with("__") && symbol.ends_with("_chk"))
}

/// `libfoo.a(x.o)` of `/a/b/libfoo.a(x.o)`.
fn short(file: &str) -> String {
    file.rsplit('/').next().unwrap_or(file).to_owned()
}

/// The crate of a file: the file is in the output folder of a build script, or is a library that rustc
/// compiled from a crate.
fn owner(file: &str, messages: &BuildMessages) -> Option<Package> {
    let parts: Vec<&str> = file.split('/').collect();
    let out = parts.windows(3).find(|part| part[0] == "build" && part[2].starts_with("out"));
    if let Some((name, _hash)) = out.and_then(|part| part[1].rsplit_once('-')) {
        return messages.package(name);
    }
    let library = parts.last()?.split(".rlib").next()?.strip_prefix("lib")?;
    messages.package(library.rsplit_once('-')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages() -> BuildMessages {
        let mut messages = BuildMessages::default();
        for line in [
            r#"{"reason":"compiler-artifact","package_id":"registry+https://x#pq-sys@0.7.2","target":{"kind":["lib"],"name":"pq_sys"},"executable":null}"#,
            r#"{"reason":"build-script-executed","package_id":"registry+https://x#pq-sys@0.7.2","linked_libs":["pq"]}"#,
            r#"{"reason":"build-script-executed","package_id":"path+file:///w/mine-sys#0.1.0","linked_libs":["static=mine"]}"#,
        ] {
            messages.read(line);
        }
        messages
    }

    fn found(text: &str) -> Vec<(Option<String>, Problem)> {
        let problems = problems(text, &messages()).into_iter();
        problems.map(|(package, problem)| (package.map(|p| p.to_string()), problem)).collect()
    }

    #[test]
    fn a_missing_library_is_attributed_to_the_crate_that_links_it() {
        assert_eq!(
            found("rust-lld: error: unable to find library -lpq\n"),
            [(Some("pq-sys v0.7.2".to_owned()), Problem::Library("pq".to_owned()))]
        );
        assert_eq!(found("rust-lld: error: unable to find library -lz\n")[0].0, None);
    }

    #[test]
    fn a_library_of_the_system_is_not_one_for_the_target() {
        let text = "rust-lld: error: undefined symbol: ldap_init\n>>> referenced by fe-connect.o:(f) in archive /usr/lib/x86_64-linux-gnu/libpq.a\n";
        let pq = (Some("pq-sys v0.7.2".to_owned()), Problem::Library("pq".to_owned()));
        assert_eq!(found(text), [pq]);
    }

    #[test]
    fn objects_for_another_system_are_reported_once_per_crate() {
        let text = "rust-lld: warning: /t/build/mine-sys-0a/out/libmine.a: archive member 'a.o' is neither ET_REL nor LLVM bitcode\n\
                    rust-lld: warning: /t/build/mine-sys-0a/out/libmine.a: archive member 'b.o' is neither ET_REL nor LLVM bitcode\n\
                    rust-lld: error: undefined symbol: answer\n\
                    rust-lld: error: /t/deps/libpq_sys-0b.rlib(c.o) is incompatible with elf64-x86-64\n\
                    rust-lld: error: /t/d/x.rlib(d.o) is incompatible with /sysroot/lib/crt1.o\n";
        let objects = |file: &str, found: Option<&str>| Problem::ForeignObjects {
            file: file.to_owned(),
            found: found.map(str::to_owned),
        };
        let wanted = "the linker expects elf64-x86-64";
        assert_eq!(
            found(text),
            [
                (Some("mine-sys v0.1.0".to_owned()), objects("libmine.a", None)),
                (Some("pq-sys v0.7.2".to_owned()), objects("libpq_sys-0b.rlib(c.o)", Some(wanted))),
                (None, objects("x.rlib(d.o)", None)),
            ]
        );
    }

    #[test]
    fn a_function_that_only_glibc_has_shows_which_compiler_was_used() {
        let text = "rust-lld: error: undefined symbol: __memcpy_chk\n>>> referenced by x.c:(f) in archive /t/deps/libpq_sys-0b.rlib\n";
        assert_eq!(found(text)[0].1, Problem::GlibcObjects { symbol: "__memcpy_chk".to_owned() });
        assert_eq!(found("rust-lld: error: undefined symbol: mine\n"), []);
    }
}
