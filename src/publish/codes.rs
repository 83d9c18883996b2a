//! The codes of errors and warnings about publishing images.

use crate::report::codes;

codes! {
    NO_DESTINATION = "no-destination", Failure,
        "No destination for images is set.",
        "Images are to be built, but neither `KO_DOCKER_REPO`, `--repo`, `--local`, `--oci-layout-path` nor \
         `--tarball` is set. Set one of them; `--push=false` computes the names of images without \
         publishing them.";
    OTHER_CLUSTER = "other-cluster", Failure,
        "Pods of the cluster cannot run images of the destination.",
        "Images of `ko.local`, `kind.local`, `k3d.local` and `minikube.local` are on this machine only, in the \
         Docker Engine or in the nodes of one cluster. Use the destination in the hint, another context, or a registry.";
    NO_NODES = "no-nodes", Failure,
        "The Docker Engine has no nodes of the cluster that `kind.local`, `k3d.local` or `minikube.local` stands for.",
        "Nodes are containers with the labels of kind, k3d or minikube. The cluster may have another name, be \
         stopped, or belong to another engine.";
    NODE_NOT_LOADED = "node-not-loaded", Failure,
        "An image could not be loaded into a node.",
        "A command of the node's container runtime failed; the error contains its output.";
    INVALID_IMAGE_NAME = "invalid-image-name", Failure,
        "The name of an image is not valid in a registry.",
        "`KO_DOCKER_REPO` or `--repo` must be `REGISTRY/PATH`, in lower case, as in `ghcr.io/team`.";
    SAME_IMAGE_NAME = "same-image-name", Failure,
        "Two binaries would be pushed under the same name.",
        "With `-B` or `--bare`, names consist of less than the import path, so two binaries can have the same \
         one. Use the default names, or build the binaries in two runs with different repositories.";
    IMMUTABLE_TAG = "immutable-tag", Failure,
        "A tag names another image, and the registry does not allow it to be moved.",
        "Some registries have immutable tags. Push under a new tag with `--tags`, or without one: `--tags=`.";
    INVALID_KEEP_TAG = "invalid-keep-tag", Failure,
        "The template in `keepTag` does not make a valid tag.",
        "A tag has up to 128 characters of `A-Z`, `a-z`, `0-9`, `_`, `.` and `-`, and does not start with `.` or `-`.";
    KEEP_TAG_TAKEN = "keep-tag-taken", Warning,
        "The tag that should keep an image names another image already.",
        "Such a tag is set once and never moved, so it must be different for each image: \
         `keepTag: \"d-{{ Digest }}\"`. This is a warning: the image itself is published.";
    NOT_A_LAYOUT = "not-a-layout", Failure,
        "The folder of `--oci-layout-path` is neither an OCI image layout nor empty.",
        "Images are not mixed with other files. Use another folder, or an empty one.";
    IMAGE_NOT_WRITTEN = "image-not-written", Failure,
        "A file of an archive, a layout or the cache cannot be written, or a layer cannot be packed.",
        "The causes name the file and the reason: permissions, a full disk, or a source file that changed \
         while it was read.";
    SBOM_NOT_WRITTEN = "sbom-not-written", Failure,
        "An SBOM cannot be written to the folder of `--sbom-dir`.",
        "The cause names the file and the reason.";
    SAME_SBOM_NAME = "same-sbom-name", Failure,
        "The SBOMs of two executables would be written to the same file.",
        "Files in `--sbom-dir` are named like the executables. Build them in two runs with different folders.";
    SBOM_NOT_PUSHED = "sbom-not-pushed", Failure,
        "An image is published without its SBOM.",
        "The SBOM could not be made, or the registry did not accept it; the causes say why. This is a warning \
         unless `--sbom=required` is set. With `--sbom=none` no SBOM is made.";
    NO_SBOM = "no-sbom", Failure,
        "An image has no SBOM in the registry.",
        "ko-rs attaches an SBOM when it pushes a new image. Images that were pushed by other tools, or with \
         `--sbom=none`, have none. Build with `--no-cache` to push the same image again.";
    SBOM_NOT_READABLE = "sbom-not-readable", Failure,
        "The SBOM of an image is too large, or cannot be read from the cache.",
        "`ko-rs deps` reads SBOMs up to 256 MiB.";
    WRONG_BASE_DIGEST = "wrong-base-digest", Failure,
        "`ko-rs base push` was given the digest of another image.",
        "The digest of the embedded base image follows from its contents. Give a tag, or the repository alone.";
    LOCAL_PATH = "local-path", Warning,
        "An executable contains a path of this machine.",
        "Paths are remapped, but `env!(\"CARGO_MANIFEST_DIR\")` and the `OUT_DIR` of build scripts are not: built \
         on another machine, the image has another digest. `docs/reproducible.md` describes what to do. This is \
         a warning.";
}
