//! Any text as a file of credentials or of where pulls go.
#![no_main]

use std::sync::OnceLock;

use ko_rs::registry::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a folder can be made"));
    fuzzing::files(text, folder.path());
});
