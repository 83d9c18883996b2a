//! The `ko-rs` program.

fn main() {}
