//! Any bytes as an index, an image manifest or an image configuration.
#![no_main]

use ko_rs::image::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzzing::documents(bytes));
