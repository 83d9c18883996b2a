use super::super::contents::tests::{Put, layer};
use super::super::elf::tests::elf;
use super::*;
use crate::report::Diagnostic;

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
const MUSL: &str = "/lib/ld-musl-x86_64.so.1";
const AMD64: u16 = 62;
const ARM64: u16 = 183;

fn facts(bytes: &[u8]) -> ElfFacts {
    ElfFacts::read_from(bytes).unwrap()
}

fn program(needed: &[&str], search: &str) -> ElfFacts {
    facts(&elf(AMD64, Some(LOADER), needed, search))
}

fn library(machine: u16, needed: &[&str]) -> Vec<u8> {
    elf(machine, None, needed, "")
}

fn base(entries: &[(&str, Put<'_>)]) -> Contents {
    let loader = library(AMD64, &[]);
    let own = layer(&[
        ("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", Put::File(&loader)),
        ("usr/lib/x86_64-linux-gnu/libc.so.6", Put::File(&loader)),
        ("lib", Put::Link("usr/lib")),
        ("lib64", Put::Link("usr/lib64")),
        ("usr/lib64/ld-linux-x86-64.so.2", Put::Link("/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")),
    ]);
    Contents::from_layers([own, layer(entries)])
}

/// What is missing, as it is said.
fn missing(program: &ElfFacts, contents: &Contents, library_path: Option<&str>) -> String {
    match check("link", program, contents, library_path) {
        Ok(()) => String::new(),
        Err(LinkError::Missing { missing, .. }) => list(&missing),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn loader_and_libraries_are_found_through_links_and_missed_by_name() {
    let needs = program(&["libc.so.6", "ld-linux-x86-64.so.2", "libssl.so.3"], "");
    assert_eq!(missing(&needs, &base(&[]), None), "`libssl.so.3`");
    let all = format!("`{LOADER}`, `libc.so.6`, `libssl.so.3`");
    assert_eq!(missing(&needs, &Contents::default(), None), all);
    let gone = layer(&[("usr/lib/x86_64-linux-gnu/.wh.libc.so.6", Put::File(b""))]);
    let below = layer(&[("usr/lib/x86_64-linux-gnu/libc.so.6", Put::File(b""))]);
    let contents = Contents::from_layers([below, gone]);
    assert_eq!(
        missing(&program(&["libc.so.6"], ""), &contents, None),
        format!("`{LOADER}`, `libc.so.6`")
    );
}

#[test]
fn a_library_is_looked_for_where_the_loader_looks_and_nowhere_else() {
    let own = library(AMD64, &[]);
    let at = |path: &'static str| base(&[(path, Put::File(&own))]);
    let needs = |search| program(&["libown.so.1"], search);
    for (path, search, variable) in [
        ("usr/lib/libown.so.1", "", None),
        ("lib/x86_64-linux-gnu/libown.so.1", "", None),
        ("usr/lib64/libown.so.1", "", None),
        ("opt/own/libown.so.1", "/opt/none:/opt/own", None),
        ("ko-app/lib/libown.so.1", "$ORIGIN/lib", None),
        ("srv/libown.so.1", "${ORIGIN}/../srv", None),
        ("opt/own/libown.so.1", "", Some("/x:/opt/own")),
    ] {
        assert_eq!(missing(&needs(search), &at(path), variable), "", "{path}");
    }
    for path in ["opt/own/libown.so.1", "usr/local/lib/libown.so.1", "libown.so.1"] {
        assert_eq!(missing(&needs(""), &at(path), None), "`libown.so.1`", "{path}");
    }
    let error = check("link", &needs(""), &at("usr/local/lib/libown.so.1"), None).unwrap_err();
    let hint = &Diagnostic::of(&error).hints[0];
    assert!(hint.starts_with("`libown.so.1` is in `/usr/local/lib`, where the loader"), "{hint}");
}

#[test]
fn a_library_of_other_machines_is_passed_over_and_libraries_of_libraries_are_asked_for() {
    let foreign = library(ARM64, &[]);
    let own = library(AMD64, &["libdeep.so.2", "libc.so.6"]);
    let contents = base(&[
        ("usr/lib/x86_64-linux-gnu/liba.so", Put::File(&foreign)),
        ("usr/lib/libb.so", Put::File(&own)),
        ("usr/lib/x86_64-linux-gnu/libb.so", Put::File(&foreign)),
    ]);
    let needs = program(&["liba.so", "libb.so"], "");
    assert_eq!(missing(&needs, &contents, None), "`liba.so`, `libdeep.so.2` (for `libb.so`)");
}

#[test]
fn musl_s_loader_is_its_own_libc_and_has_its_own_folders() {
    let needs = facts(&elf(AMD64, Some(MUSL), &["libc.so", "libgcc_s.so.1", "libown.so"], ""));
    let loader = library(AMD64, &[]);
    let entries: [(&str, Put<'_>); 3] = [
        ("lib/ld-musl-x86_64.so.1", Put::File(&loader)),
        ("usr/local/lib/libgcc_s.so.1", Put::File(&loader)),
        ("opt/own/libown.so", Put::File(&loader)),
    ];
    let contents = Contents::from_layers([layer(&entries)]);
    assert_eq!(missing(&needs, &contents, None), "`libown.so`");
    let path = layer(&[("etc/ld-musl-x86_64.path", Put::File(b"/usr/local/lib\n/opt/own\n"))]);
    assert_eq!(missing(&needs, &Contents::from_layers([layer(&entries), path]), None), "");
}

#[test]
fn missing_symbol_versions_are_reported_with_those_of_the_base() {
    let versions = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let lacking = |wanted, defined| {
        missing_versions("libc.so.6", &versions(wanted), &versions(defined), None)
    };
    let has: &[&str] = &["GLIBC_2.2.5", "GLIBC_2.4", "GLIBC_2.31", "GLIBC_PRIVATE"];
    assert_eq!(lacking(&["GLIBC_2.31", "GLIBC_2.4"], has), None);
    assert_eq!(lacking(&["GLIBC_2.34"], &[]), None);
    let older = lacking(&["GLIBC_2.4", "GLIBC_2.34", "GLIBC_2.100"], has).unwrap();
    let error = LinkError::Older { program: "link".to_owned(), older: vec![older] };
    insta::assert_snapshot!(format!("{error}\n{}", Diagnostic::of(&error).hints.join("\n")), @"
    `link` needs `libc.so.6` with GLIBC_2.100, but the base image has GLIBC_2.31
    use a base image with glibc 2.100 or newer, or compile for a musl target (the default), or link for the older one with zig: `target: …-gnu.2.31`
    skip this check with --no-link-check
    ");
}
