//! Any text as an image's name or a part of one, a platform, a digest or what is logged in to.
#![no_main]

use ko_rs::registry::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| fuzzing::names(text));
