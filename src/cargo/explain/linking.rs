//! What a linker says when it fails, and which crate it is about.

use super::Lack;
use crate::cargo::messages::{Heard, Package};

/// What was lacking, each with the crate that brought it where that can be told.
pub(super) fn lacks(text: &str, heard: &Heard) -> Vec<(Option<Package>, Lack)> {
    if text.starts_with("ko-rs: there is no ld") {
        return vec![(None, Lack::Linker)];
    }
    let mut found: Vec<(Option<Package>, Lack)> = Vec::new();
    for (line, next) in text.lines().zip(text.lines().skip(1).chain([""])) {
        let Some((_, said)) = line.split_once("error: ").or_else(|| line.split_once("warning: "))
        else {
            continue;
        };
        if let Some(library) = said.strip_prefix("unable to find library -l") {
            found.push((heard.links(library), Lack::Library(library.to_owned())));
        } else if let Some(argument) = said.strip_prefix("unknown argument '") {
            let argument = argument.split('\'').next().unwrap_or(argument).to_owned();
            found.push((None, Lack::LinkArgument(argument)));
        } else if let Some(objects) = foreign(said) {
            let (file, found_format) = objects;
            let lack = Lack::Objects { file: short(file), found: found_format };
            found.push((owner(file, heard), lack));
        } else if let Some(symbol) = said.strip_prefix("undefined symbol: ") {
            let file = next.rsplit_once(" in archive ").map_or("", |(_, file)| file.trim());
            if let Some((package, library)) = system_library(file, heard) {
                found.push((Some(package), Lack::Library(library)));
            } else if only_glibc_has(symbol) {
                found.push((owner(file, heard), Lack::Musl { symbol: symbol.to_owned() }));
            }
        }
    }
    // One object of a library stands for all of them, and one function for all that are missing.
    let mut kept: Vec<(Option<Package>, Lack)> = Vec::new();
    for (package, lack) in found {
        let same = |(other, known): &(Option<Package>, Lack)| {
            *other == package
                && (*known == lack
                    || matches!((known, &lack), (Lack::Musl { .. }, Lack::Musl { .. }))
                    || matches!((known, &lack), (Lack::Objects { .. }, Lack::Objects { .. })))
        };
        if !kept.iter().any(same) {
            kept.push((package, lack));
        }
    }
    kept
}

/// A file whose objects are for something else, and for what.
fn foreign(said: &str) -> Option<(&str, Option<String>)> {
    if let Some((file, wanted)) = said.split_once(" is incompatible with ") {
        // Another file says nothing; a format says all.
        let format = (!wanted.contains('/')).then(|| format!("the linker wants {wanted}"));
        return Some((file, format));
    }
    if let Some((file, _)) = said.split_once(": unknown file type") {
        return Some((file, None));
    }
    let (file, _) = said
        .split_once(": archive member '")
        .filter(|(_, rest)| rest.contains("is neither ET_REL nor LLVM bitcode"))?;
    Some((file, None))
}

/// A library that a build script asked for and that lies where the system has it: compiled for the
/// system, and calling what only the system has.
fn system_library(file: &str, heard: &Heard) -> Option<(Package, String)> {
    let name = file.rsplit('/').next()?.strip_prefix("lib")?.strip_suffix(".a")?;
    let is_system = ["/usr/", "/lib", "/opt/"].iter().any(|start| file.starts_with(start));
    Some((heard.links(name).filter(|_| is_system)?, name.to_owned()))
}

/// Functions that glibc's headers make of others, and musl does not have.
fn only_glibc_has(symbol: &str) -> bool {
    symbol.starts_with("__isoc23_")
        || symbol.starts_with("__isoc99_")
        || (symbol.starts_with("__") && symbol.ends_with("_chk"))
}

/// `libfoo.a(x.o)` of `/a/b/libfoo.a(x.o)`.
fn short(file: &str) -> String {
    file.rsplit('/').next().unwrap_or(file).to_owned()
}

/// Whose a file is: it lies in the folder of a build script's output, or it is a library that rustc
/// made of a crate.
fn owner(file: &str, heard: &Heard) -> Option<Package> {
    let parts: Vec<&str> = file.split('/').collect();
    let out = parts.windows(3).find(|part| part[0] == "build" && part[2].starts_with("out"));
    if let Some((name, _hash)) = out.and_then(|part| part[1].rsplit_once('-')) {
        return heard.package(name);
    }
    let library = parts.last()?.split(".rlib").next()?.strip_prefix("lib")?;
    heard.package(library.rsplit_once('-')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard() -> Heard {
        let mut heard = Heard::default();
        for line in [
            r#"{"reason":"compiler-artifact","package_id":"registry+https://x#pq-sys@0.7.2","target":{"kind":["lib"],"name":"pq_sys"},"executable":null}"#,
            r#"{"reason":"build-script-executed","package_id":"registry+https://x#pq-sys@0.7.2","linked_libs":["pq"]}"#,
            r#"{"reason":"build-script-executed","package_id":"path+file:///w/mine-sys#0.1.0","linked_libs":["static=mine"]}"#,
        ] {
            heard.line(line);
        }
        heard
    }

    fn told(text: &str) -> Vec<(Option<String>, Lack)> {
        let lacks = lacks(text, &heard());
        lacks.into_iter().map(|(package, lack)| (package.map(|p| p.to_string()), lack)).collect()
    }

    #[test]
    fn a_library_that_is_not_found_is_its_crate_s() {
        assert_eq!(
            told("rust-lld: error: unable to find library -lpq\n"),
            [(Some("pq-sys v0.7.2".to_owned()), Lack::Library("pq".to_owned()))]
        );
        assert_eq!(told("rust-lld: error: unable to find library -lz\n")[0].0, None);
    }

    #[test]
    fn a_library_of_the_system_that_wants_more_of_the_system_is_none_for_the_target() {
        let text = "rust-lld: error: undefined symbol: ldap_init\n>>> referenced by fe-connect.o:(f) in archive /usr/lib/x86_64-linux-gnu/libpq.a\n";
        let pq = (Some("pq-sys v0.7.2".to_owned()), Lack::Library("pq".to_owned()));
        assert_eq!(told(text), [pq]);
    }

    #[test]
    fn objects_for_another_system_are_told_once_a_crate() {
        let text = "rust-lld: warning: /t/build/mine-sys-0a/out/libmine.a: archive member 'a.o' is neither ET_REL nor LLVM bitcode\n\
                    rust-lld: warning: /t/build/mine-sys-0a/out/libmine.a: archive member 'b.o' is neither ET_REL nor LLVM bitcode\n\
                    rust-lld: error: undefined symbol: answer\n\
                    rust-lld: error: /t/deps/libpq_sys-0b.rlib(c.o) is incompatible with elf64-x86-64\n\
                    rust-lld: error: /t/d/x.rlib(d.o) is incompatible with /sysroot/lib/crt1.o\n";
        let objects = |file: &str, found: Option<&str>| Lack::Objects {
            file: file.to_owned(),
            found: found.map(str::to_owned),
        };
        let wanted = "the linker wants elf64-x86-64";
        assert_eq!(
            told(text),
            [
                (Some("mine-sys v0.1.0".to_owned()), objects("libmine.a", None)),
                (Some("pq-sys v0.7.2".to_owned()), objects("libpq_sys-0b.rlib(c.o)", Some(wanted))),
                (None, objects("x.rlib(d.o)", None)),
            ]
        );
    }

    #[test]
    fn a_function_of_glibc_alone_gives_away_what_compiled_it() {
        let text = "rust-lld: error: undefined symbol: __memcpy_chk\n>>> referenced by x.c:(f) in archive /t/deps/libpq_sys-0b.rlib\n";
        assert_eq!(told(text)[0].1, Lack::Musl { symbol: "__memcpy_chk".to_owned() });
        assert_eq!(told("rust-lld: error: undefined symbol: mine\n"), []);
    }
}
