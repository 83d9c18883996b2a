//! Runs the real `ko-rs`, with Cargo and fixture crates and no server.
