//! Runs the real `ko-rs` against real servers on loopback.
