//! Any text as a file of credentials or of where pulls go: no panic, and what is put into a file of
//! credentials is found there again.
#![no_main]

use std::sync::OnceLock;

use ko_rs::registry::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a folder can be made"));
    let image = "quay.io/team/app:1".parse().expect("it is a name");
    fuzzing::files(text, &image, folder.path());
});
