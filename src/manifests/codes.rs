//! The codes of errors in manifests, or in what is given as manifests.

use crate::report::codes;

codes! {
    MANIFEST_NOT_FOUND = "manifest-not-found", Failure,
        "A file or folder that `-f` names does not exist, or no file matches its pattern.",
        "Paths are relative to the working directory. A pattern that the shell does not expand must be quoted: \
         `-f 'k8s/*.yaml'`. In a pattern, `**` matches any number of folders.";
    MANIFEST_NOT_READABLE = "manifest-not-readable", Failure,
        "A manifest cannot be read, or it is larger than 256 MiB.",
        "The cause is the operating system's, for example missing permissions. No manifest is as large as the \
         limit: check whether the file is one.";
    INVALID_ENCODING = "invalid-encoding", Failure,
        "A manifest is not encoded in UTF-8.",
        "Convert it, for example with `iconv -f UTF-16 -t UTF-8`. PowerShell's `>` writes UTF-16.";
    EMPTY_FOLDER = "empty-folder", Failure,
        "A folder contains no manifests.",
        "Files whose names end in `.yaml`, `.yml` or `.json` are read. `-R` also reads subfolders, but not \
         hidden ones, Cargo's `target` and caches.";
    INVALID_YAML = "invalid-yaml", Failure,
        "A document is not valid YAML.",
        "The place is where the parser stopped; the mistake may be a few lines above. A Helm template must \
         be rendered first: `helm template … | ko-rs resolve -f -`.";
    INVALID_FIELD = "invalid-field", Failure,
        "A document is valid YAML but has a value that cannot be sent to Kubernetes as JSON.",
        "Examples are a mapping with the same key twice, `.nan`, and an alias that contains itself.";
    NOT_AN_OBJECT = "not-an-object", Failure,
        "A document is not a Kubernetes object.",
        "An object is a mapping with `apiVersion`, `kind` and, unless it is a List, a name in `metadata`. \
         `check` skips files without objects that it finds in a folder or by a pattern.";
    SAME_IMAGE_KEY = "same-image-key", Failure,
        "Two images would have the same key in the file of `--images-file helm=FILE`.",
        "Images are listed there by the names of their executables, which two crates can share. The values of \
         Helm have no other key.";
    IMAGE_WITHOUT_DIGEST = "image-without-digest", Failure,
        "An image has no digest, but the file of `--images-file imgpkg=FILE` requires one.",
        "Images that are loaded into a Docker Engine have tags only. Push them to a registry, or write the \
         file for another tool.";
    LIST_NOT_SELECTABLE = "list-not-selectable", Failure,
        "A selector cannot remove single items from a List, because of how the List is written.",
        "Write the objects as separate documents, or the items without anchors and aliases.";
    TOO_MANY_ERRORS = "too-many-errors", Failure,
        "Manifests have more errors or references than are reported or read.",
        "Correct the errors that are reported, and run the command again. A file may have up to a million \
         references.";
}
