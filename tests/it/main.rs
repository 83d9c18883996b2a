//! Runs the real `ko-rs`, with Cargo and the fixtures and no server.
//!
//! * `architecture`: who may use whom.
//! * `build`: which binary an argument means, what is printed for it, and what it is called.
//! * `cache`: whatever befalls the cache, a result is right or there is none.
//! * `check`: lints and references, with nothing built.
//! * `circles`: files of a module use each other in one direction.
//! * `debuggers`: a debugger finds its way in what `--debug` builds; `make test-all`.
//! * `docs`: what the documentation names exists, and what exists is documented.
//! * `every_example`: each code of `docs/errors.md` is provoked, and prints what is documented.
//! * `errors`: every failure that needs no server, word by word, with its exit code.
//! * `interrupt`: Ctrl-C and SIGTERM leave nothing running and nothing half-written.
//! * `json`: results and events as JSON, held against their schemas.
//! * `layout`: what is in an image, seen in an OCI layout and in an archive.
//! * `memory`: how much of it large and hostile manifests take.
//! * `native`: C and C++ in crates, executables for other machines; takes minutes, `make test-all`.
//! * `outputs`: where manifests go, all of them or none.
//! * `read_back`: what is written, read by a library that is not ours.
//! * `reproducible`: two builds, one digest.
//! * `resolve`: which bytes of manifests change; a case is a folder of `fixtures/manifests`.
//! * `rustflags`: rustc gets the flags that it gets from a plain `cargo build`.
//! * `sbom`: bills of materials as files, and what must never be in them.
//! * `sources`: where manifests are read from.
//! * `settings`: a flag goes before a variable before the file, and nothing else counts.
//! * `workspaces`: what a real workspace has means what it means to Cargo.
//! * `yaml_suite`: every input of the YAML test suite, byte for byte.
//! * `templates`: `{{ … }}` in settings is filled in, or an error that points.

#[path = "../support/blocks.rs"]
mod blocks;
#[path = "../support/examples.rs"]
mod examples;
#[path = "../support/mounts.rs"]
mod mounts;
#[path = "../support/oci.rs"]
mod oci;
#[cfg(unix)]
#[path = "../support/programs.rs"]
mod programs;
#[path = "../support/schemas.rs"]
mod schemas;
#[expect(dead_code, reason = "`tests/servers` uses the rest")]
#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod build;
mod cache;
mod check;
mod circles;
#[cfg(target_os = "linux")]
mod debuggers;
mod docs;
mod errors;
mod every_example;
mod interrupt;
mod json;
mod layout;
#[cfg(target_os = "linux")]
mod memory;
mod native;
mod outputs;
mod read_back;
mod reproducible;
mod resolve;
mod rustflags;
mod sbom;
mod settings;
mod workspaces;
mod sources;
mod yaml_suite;
mod templates;
