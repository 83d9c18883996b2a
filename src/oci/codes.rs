//! The codes of what can go wrong with layers and blobs.

use crate::report::codes;

codes! {
    FILE_CHANGED = "file-changed", Failure,
        "A file changed while it was being added to an image.",
        "Another program writes to the file. Wait for it to finish, then run ko-rs again. Files of \
         `/proc` and `/sys`, whose size is not known in advance, cannot be added to an image.";
    LAYER_NOT_PACKED = "layer-not-packed", Failure,
        "A layer could not be packed.",
        "A file of the layer cannot be read any more, or the system did not provide the memory or \
         threads for compressing it. The cause names the file.";
    WRONG_DIGEST = "wrong-digest", Failure,
        "Content does not have the digest by which it was requested.",
        "The content was damaged where it is stored or on its way, or a registry or a proxy returned \
         something else. ko-rs never uses such content. Pull the image with another tool to find \
         out whether the registry has it intact, and push it again if not.";
}
