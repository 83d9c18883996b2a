//! Tests against real servers on loopback: registries, a Docker Engine, a Kubernetes cluster.
//! `make servers` installs them; one that is missing fails the test that needs it.
//!
//! * `apply`: `apply`, `create` and `delete` of a whole system, judged by kubectl and by its pods.
//! * `certificates`: those of registries, good and odd.
//! * `cluster_api`: the `cluster` module without the command line.
//! * `cluster_refusals`: failures of `apply`, after which nothing is applied.
//! * `dev`: the development loop, and what it leaves.
//! * `documents`: shell commands of the documentation work.
//! * `every_example`: each code of `docs/errors.md` that needs a server is provoked.
//! * `kubectl_reads`: what values mean, beside the real kubectl.
//! * `faults`: every way in which a registry can fail, at every step; the outcome is the right image or a
//!   clear error, and no secret leaves.
//! * `json`: results and events as JSON, held against their schemas.
//! * `login`: passwords that are kept, and found again by others.
//! * `mirrors`: `registries.conf`.
//! * `proxies`: registries behind `HTTPS_PROXY`.
//! * `oci_distribution`: another client pulls what is pushed, and pushes a base.
//! * `other_tools`: kubectl, kustomize, Helm and Go's ko in front of ko-rs and behind it.
//! * `publish`: one test a destination, with the same image and the same assertions; what is sent and
//!   what is not; bases from a registry.
//! * `refusals`: registries and engines that refuse, break off, lie or are gone, and Ctrl-C.
//! * `registries`: tokens that expire, scopes, referrers and their pages, on registries that want them.
//! * `sbom`: bills of materials, judged by validators, published and printed.
//! * `smoke`: the servers themselves work, ko-rs aside.

#[path = "../support/blocks.rs"]
mod blocks;
#[path = "../support/examples.rs"]
mod examples;
#[path = "../support/fault.rs"]
mod fault;
#[path = "../support/faulty.rs"]
mod faulty;
#[path = "../support/judges.rs"]
mod judges;
#[path = "../support/mounts.rs"]
mod mounts;
#[expect(dead_code, reason = "`tests/it` uses the rest")]
#[path = "../support/oci.rs"]
mod oci;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/schemas.rs"]
mod schemas;
#[path = "../support/servers.rs"]
mod servers;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/tokens.rs"]
mod tokens;
#[path = "../support/wire.rs"]
mod wire;

mod apply;
mod certificates;
mod cluster_api;
mod cluster_refusals;
mod dev;
mod documents;
mod every_example;
mod kubectl_reads;
mod faults;
mod json;
mod login;
mod mirrors;
mod proxies;
mod oci_distribution;
mod other_tools;
mod publish;
mod refusals;
mod registries;
mod sbom;
mod scene;
mod smoke;
