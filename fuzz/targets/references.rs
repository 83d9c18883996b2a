//! Any text as a reference: no panic; what is read is written as something that reads the same,
//! holds neither tag nor digest, and means the same with either prefix.
#![no_main]

use ko_rs::reference::{CrateReference, OWN_PREFIX, PREFIX};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let prefixes = [OWN_PREFIX.to_owned(), PREFIX.to_owned()];
    match CrateReference::bare(text) {
        Ok(read) => {
            let again = CrateReference::bare(&read.to_string()).expect("what is written is read");
            assert_eq!(again, read);
            assert!(!read.place().is_empty() && read.bin() != Some(""));
            let last = read.place().rsplit('/').next().unwrap_or_default();
            assert!(!last.contains([':', '@']), "{last}");
        }
        Err(reason) => {
            assert!(reason.to_string().len() < 4_000);
            let _ = reason.hint();
        }
    }
    let with = |prefix: &str| {
        CrateReference::parse(&format!("{prefix}{text}"), &prefixes).expect("it has a prefix")
    };
    match (with(PREFIX), with(OWN_PREFIX)) {
        (Ok(one), Ok(other)) => assert_eq!(one, other),
        (Err(_), Err(_)) => {}
        (one, other) => panic!("{one:?} is not {other:?}"),
    }
});
