//! Any text as an image's name or a part of one, a platform, a digest or what is logged in to: no
//! panic, and what is read is written as something that reads the same.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use ko_rs::oci::{Digest, ImageReference, Platform, Registry, Repository, Tag};
use ko_rs::registry::Account;
use libfuzzer_sys::fuzz_target;

fn round_trip<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        assert_eq!(read.to_string().parse::<T>().expect("what is written can be read"), read);
    }
}

fuzz_target!(|text: &str| {
    round_trip::<ImageReference>(text);
    round_trip::<Registry>(text);
    round_trip::<Repository>(text);
    round_trip::<Tag>(text);
    if let Ok(account) = text.parse::<Account>() {
        assert_eq!(account.to_string().parse(), Ok(account));
    }
    round_trip::<Platform>(text);
    round_trip::<Digest>(text);
});
