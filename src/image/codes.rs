//! The codes of what can be wrong with base images and with what is put on them.

use crate::report::codes;

codes! {
    INVALID_BASE_IMAGE = "invalid-base-image", Failure,
        "The documents of a base image are not those of a container image.",
        "The name refers to something else, such as a Helm chart or a single layer, or to an image in \
         a format that is too old. ko-rs accepts the manifests, indexes and configurations of OCI and \
         of Docker (schema 2). The message names the document and what is wrong with it.";
    BASE_IMAGE_PLATFORM = "base-image-platform", Failure,
        "The base image is not available for the platform.",
        "The message lists the platforms of the base image. Build for one of these with `--platform`, \
         or use another base image: the default, `static`, is available for every platform.";
    BASE_IMAGE_UNREADABLE = "base-image-unreadable", Failure,
        "A layer or a file of the base image cannot be read.",
        "A layer is not a tar archive, is compressed in an unknown way or is larger than any real \
         layer, or a file of an OCI image layout is missing or too long, or the Docker Engine does not have the image. `ko.local/NAME` is never pulled: \
         `docker images` lists what the engine has. Pull or copy any other base image again.";
    SEVERAL_IMAGES_IN_LAYOUT = "several-images-in-layout", Failure,
        "The OCI image layout does not contain exactly one image for the platform.",
        "A base image `oci:PATH` must be the only image of the layout, or its only image for the \
         platform. Copy it to a layout of its own: `skopeo copy oci:PATH:TAG oci:OTHER`.";
    FILE_UNREADABLE = "file-unreadable", Failure,
        "A file or folder for the image cannot be read.",
        "A path under `files` in `.ko-rs.yaml`, or a file in the data folder of the crate, does not \
         exist or may not be read. The message names it.";
    LINK_OUTSIDE_REPOSITORY = "link-outside-repository", Failure,
        "A symbolic link in the data points outside of the repository.",
        "ko-rs follows symbolic links, but only within the repository: otherwise a link could put \
         private files of this machine into an image. Copy the file into the repository, or list it \
         under `files` in `.ko-rs.yaml`.";
    BROKEN_LINK = "broken-link", Failure,
        "A symbolic link in the data points to nothing, or to a folder that it is in.",
        "Remove the link, or create what it points to before running ko-rs.";
    UNSUPPORTED_FILE = "unsupported-file", Failure,
        "A file cannot be added to an image because of its type, its name or their number.",
        "Only files and folders can be added, not sockets, devices or pipes. Their names must be \
         UTF-8 and must not begin with `.wh.`, which marks a removed file in a layer. A folder must \
         not contain more than 200,000 files.";
    DUPLICATE_FILE = "duplicate-file", Failure,
        "Two files have the same path in the image.",
        "The message names both. Change `to` of one of the entries under `files` in `.ko-rs.yaml`.";
    WRONG_EXECUTABLE = "wrong-executable", Failure,
        "The compiled file is not an executable for Linux on the architecture of the image.",
        "A linker in `.cargo/config.toml` or a wrapper produced something else, or `target` in the settings \
         is for another architecture.";
    MISSING_SHARED_LIBRARY = "missing-shared-library", Failure,
        "The executable needs shared libraries that the base image does not have, or has in an older version.",
        "A container would fail to start with `no such file or directory`. Compile a static executable \
         (the default, for musl), or use a base image with the libraries, such as \
         `gcr.io/distroless/cc-debian12` for glibc. An older glibc can be set in the target, as in \
         `x86_64-unknown-linux-gnu.2.36`. `--no-link-check` skips this check.";
    INVALID_IMAGE_SETTINGS = "invalid-image-settings", Failure,
        "A setting for the image has a value that an image cannot have.",
        "The message names the value: a port, the name of an environment variable, the creation time, \
         or the name of the executable.";
}
