//! Any bytes as what a registry answers with: headers, refusals, certificates.
#![no_main]

use ko_rs::registry::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    fuzzing::headers(bytes);
    fuzzing::bodies(bytes);
});
