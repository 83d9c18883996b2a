//! `ko-rs dev` and `ko-rs down`, judged by kubectl and by the pods.
//!
//! * `session`: a running `ko-rs dev` whose lines are read.
//! * `edits`: what is edited while it runs.
//! * `ends`: what is left at the end, and `down`.
//! * `once`: one round, for CI.
//! * `refused`: clusters and objects that are left alone.

mod edits;
mod ends;
mod once;
mod refused;
mod session;
