//! The codes of what goes wrong in a development loop.

use crate::report::codes;

codes! {
    CONTEXT_NOT_LOCAL = "context-not-local", Failure,
        "A development loop would change a cluster that others may use.",
        "`ko-rs dev` and `ko-rs down` only use clusters on this machine: those of kind, k3d and minikube, \
         and those with a server on loopback. Name the context in `allowContexts` of `.ko-rs.yaml` to use \
         another cluster for development.";
    MANAGED_OBJECT = "managed-object", Failure,
        "Another tool manages an object that a development loop would change.",
        "The object has a label or an annotation of Argo CD, Flux, Helm, kapp or Config Sync, which would \
         change it back. Nothing was written. Use a namespace of your own: `dev.namespace` in \
         `.ko-rs.yaml`, or `-n`.";
    INVALID_RECORD = "invalid-record", Failure,
        "The ConfigMap `ko-rs-dev` of a namespace cannot be read.",
        "It lists what a session of `ko-rs dev` created, and was changed by hand or written by another \
         version of ko-rs. Delete it to start anew; the objects that it lists then have to be deleted by \
         other means, such as `ko-rs delete`.";
}
