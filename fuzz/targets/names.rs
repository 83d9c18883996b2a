//! Any text as an image's name, a platform or a digest: no panic, and what is read is written as
//! something that reads the same.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use ko_rs::oci::{Digest, ImageReference, Platform};
use libfuzzer_sys::fuzz_target;

fn round_trip<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        assert_eq!(read.to_string().parse::<T>().expect("what is written can be read"), read);
    }
}

fuzz_target!(|text: &str| {
    round_trip::<ImageReference>(text);
    round_trip::<Platform>(text);
    round_trip::<Digest>(text);
});
