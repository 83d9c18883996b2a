//! The codes of errors about a run as a whole.

use crate::report::codes;

codes! {
    NO_PLATFORM = "no-platform", Failure,
        "A binary cannot be compiled for any platform of its base image.",
        "`platforms: all` builds for each platform of the base image that rustc has a suitable target for. \
         Use another base image, or set `target`.";
    NO_OBJECTS = "no-objects", Failure,
        "There are no objects to apply.",
        "The manifests are empty, or a selector matches none of their objects.";
    NOT_REPRODUCIBLE = "not-reproducible", Failure,
        "An image differs when it is built in another folder.",
        "`--verify` builds in two folders and compares. The differences and the most likely cause are \
         reported; `docs/reproducible.md` describes what to do about each.";
    VERIFICATION_FAILED = "verification-failed", Failure,
        "The second build of `--verify` failed.",
        "The sources are copied to another folder without what Git ignores. Commit files that a build needs.";
    TOO_MANY_FINDINGS = "too-many-findings", Failure,
        "More findings or unresolved references than are reported one by one.",
        "Correct those that are reported, and run the command again.";
    KUSTOMIZE_NOT_FOUND = "kustomize-not-found", Failure,
        "Neither `kustomize` nor `kubectl` is on the PATH.",
        "`-k` builds a kustomization with one of them. Install `kustomize` or `kubectl`.";
    KUSTOMIZE_FAILED = "kustomize-failed", Failure,
        "`kustomize build` or `kubectl kustomize` could not be run or failed.",
        "The causes hold its output. Run the command that is shown to see the failure alone.";
}
