//! A program of 150 MB: the races' payload, and a marker that they overwrite in the executable.

use std::hint::black_box;

static PAYLOAD: &[u8] = include_bytes!("../payload");
static MARKER: &str = "the marker of this round: 0000000000000000";

fn main() {
    println!("{MARKER}, {} bytes", black_box(PAYLOAD).len());
}
