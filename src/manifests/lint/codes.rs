//! The codes of lints: what each finds and why it matters.

use crate::report::codes;

codes! {
    ALWAYS_PULLED = "always-pulled", Failure,
        "`imagePullPolicy: Always` for an image that is only loaded into a node.",
        "The node looks for the image in a registry at every start and does not find it. Remove the field: \
         it is `IfNotPresent` for images with a digest.";
    DUPLICATE_ENTRY = "duplicate-entry", Failure,
        "Two environment variables, ports, volumes or containers with the same key.",
        "The API server merges these lists by a key, such as `name`, and refuses two entries with the same one. \
         Remove one of them.";
    EMBEDDED_REFERENCE = "embedded-reference", Failure,
        "A reference inside longer text, or in a comment in place of a value.",
        "Only a string that is nothing but a reference is replaced, for example an argument of its own \
         (`[--image, ko://app]`). A `#` after a blank starts a comment: quote the value.";
    IMAGE_USER = "image-user", Failure,
        "A user that does not exist in the image, or `runAsNonRoot` with an image that runs as root.",
        "A node refuses `runAsNonRoot: true` if the image runs as root or as a user's name. Set `image.user` in \
         `.ko-rs.yaml` or `runAsUser` in the manifest to a number other than 0.";
    LATEST_TAG = "latest-tag", Failure,
        "An image without a tag, or with `latest`, next to images with digests.",
        "Such a tag moves, so that the same manifests run something else tomorrow. Write a fixed tag or a digest.";
    MISSING_COMMAND = "missing-command", Failure,
        "A `command` that does not exist in the image.",
        "Images of ko-rs start their program by themselves. Remove `command`, and pass arguments with `args`.";
    UNEXPOSED_PORT = "unexposed-port", Failure,
        "A `containerPort` that the image does not expose.",
        "The image lists the ports that it serves, and this is not one of them. Add it to `image.ports` in \
         `.ko-rs.yaml`, or correct it in the manifest.";
    UNMAPPED_REPOSITORY = "unmapped-repository", Failure,
        "An image whose name is similar to one in `images` but does not match it.",
        "It is not replaced. Add its name to `images` in `.ko-rs.yaml`, or correct it in the manifest.";
    VOLATILE_TEMPLATE = "volatile-template", Failure,
        "A template in the settings file changes with every commit or every run.",
        "Each commit makes another image then, so nothing is ever up to date. `Git.Path…` changes only with \
         commits to the crate's own files. `lints: {volatile-template: off}` disables the lint.";
}
