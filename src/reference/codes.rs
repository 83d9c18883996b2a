//! The codes of what can be wrong with a reference.

use crate::report::codes;

codes! {
    INVALID_REFERENCE = "invalid-reference", Failure,
        "A text starts like a reference to a crate but is not one.",
        "After `ko://` or `ko-rs://` a reference has the name of a package, the path of its folder, \
         or its import path, and optionally `#` with the name of a binary: `ko://link-service`, \
         `ko://svc/link`, `ko://github.com/org/repo/svc/link#worker`. It must not contain whitespace \
         or invisible characters and must not be longer than 4096 bytes.";
    REFERENCE_WITH_TAG = "reference-with-tag", Failure,
        "A reference to a crate ends with a tag or a digest.",
        "ko-rs replaces a reference with the name and the digest of the image that it builds, so the \
         reference itself must not have either. Remove the part after the name. If a template such \
         as a Helm chart always adds a tag, set `ignoreReferenceTags: true` in `.ko-rs.yaml`.";
}
