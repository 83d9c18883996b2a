use std::io::Write;

use super::*;

/// An ELF file of 64 bits, lowest byte first, without section headers: what `readelf -d` would
/// show as these libraries, loader and search path.
pub(in crate::image) fn elf(
    machine: u16,
    interpreter: Option<&str>,
    needed: &[&str],
    search: &str,
) -> Vec<u8> {
    let headers = 64 + 3 * 56;
    let interpreter = interpreter.map(|path| format!("{path}\0")).unwrap_or_default();
    let mut strings = format!("\0{search}\0").into_bytes();
    let mut entries: Vec<(u64, u64)> = Vec::new();
    for library in needed {
        entries.push((1, strings.len() as u64));
        strings.extend_from_slice(format!("{library}\0").as_bytes());
    }
    if !search.is_empty() {
        entries.push((29, 1));
    }
    let interpreter_at = headers as u64;
    let strings_at = interpreter_at + interpreter.len() as u64;
    let dynamic_at = (strings_at + strings.len() as u64).next_multiple_of(8);
    let base = 0x40_0000;
    entries.extend([(5, base + strings_at), (10, strings.len() as u64), (0, 0)]);
    let total = dynamic_at + 16 * entries.len() as u64;

    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    file.extend_from_slice(&2_u16.to_le_bytes());
    file.extend_from_slice(&machine.to_le_bytes());
    file.extend_from_slice(&1_u32.to_le_bytes());
    for word in [base, 64, 0] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.extend_from_slice(&0_u32.to_le_bytes());
    for half in [64_u16, 56, 3, 64, 0, 0] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    let dynamic = 16 * entries.len() as u64;
    // A loader is only stated where there is one, a list of libraries only where they are.
    let interp = if interpreter.is_empty() { 0 } else { 3_u32 };
    let list = if needed.is_empty() { 0 } else { 2_u32 };
    for (kind, at, size) in [
        (1_u32, 0, total),
        (interp, interpreter_at, interpreter.len() as u64),
        (list, dynamic_at, dynamic),
    ] {
        file.extend_from_slice(&kind.to_le_bytes());
        file.extend_from_slice(&4_u32.to_le_bytes());
        for word in [at, base + at, base + at, size, size, 8] {
            file.extend_from_slice(&word.to_le_bytes());
        }
    }
    file.extend_from_slice(interpreter.as_bytes());
    file.extend_from_slice(&strings);
    file.resize(dynamic_at as usize, 0);
    for (tag, value) in entries {
        file.extend_from_slice(&tag.to_le_bytes());
        file.extend_from_slice(&value.to_le_bytes());
    }
    file
}

fn read(bytes: &[u8]) -> Result<ElfFacts, NotElf> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    ElfFacts::read(&OpenedFile::open(file.path()).unwrap())
}

#[test]
fn loader_and_libraries_are_found_without_section_headers() {
    let loader = "/lib64/ld-linux-x86-64.so.2";
    let facts = read(&elf(62, Some(loader), &["libssl.so.3", "libc.so.6"], "$ORIGIN/lib")).unwrap();
    assert_eq!(facts.interpreter.as_deref(), Some(loader));
    assert_eq!(facts.needed, ["libssl.so.3", "libc.so.6"]);
    assert_eq!(facts.runpath, ["$ORIGIN/lib"]);
    assert!(!facts.is_static());
    assert_eq!(facts.runs_on(&Platform::linux("amd64")), Some(true));
    assert_eq!(facts.runs_on(&Platform::linux("arm64")), Some(false));
    assert_eq!(facts.runs_on(&Platform::linux("pdp11")), None);
    assert!(read(&elf(183, None, &[], "")).unwrap().is_static());
    assert_eq!(read(&elf(183, None, &[], "")).unwrap().architecture(), "arm64");
}

#[test]
fn the_running_test_itself_is_read() {
    let own = OpenedFile::open(&std::env::current_exe().unwrap()).unwrap();
    let facts = ElfFacts::read(&own).unwrap();
    assert_eq!(facts.runs_on(&Platform::host()), Some(true));
    if facts.interpreter.is_some() {
        assert!(facts.needed.iter().any(|library| library.starts_with("libc.")), "{facts:?}");
        let libc = &facts.wants["libc.so.6"];
        assert!(libc.iter().all(|version| version.starts_with("GLIBC_")), "{libc:?}");
        assert!(libc.iter().any(|version| version.starts_with("GLIBC_2.2")), "{libc:?}");
    }
}

#[test]
fn what_is_no_executable_or_is_cut_off_is_an_error_and_never_a_panic() {
    assert_eq!(read(b"#!/bin/sh\n"), Err(NotElf::Format));
    assert_eq!(read(b""), Err(NotElf::Format));
    let whole = elf(62, Some("/lib/ld.so"), &["libc.so.6"], "/x");
    for length in 0..whole.len() {
        let _ = read(&whole[..length]);
    }
    for at in 0..whole.len() {
        let mut noise = whole.clone();
        noise[at] ^= 0xff;
        let _ = read(&noise);
    }
}
