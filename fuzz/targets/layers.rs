//! Any bytes as the tar of a layer: no panic, and no more is kept than was there.
#![no_main]

use ko_rs::image::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzzing::layer(bytes));
