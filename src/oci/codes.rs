//! The codes of what can go wrong with layers and blobs.

use crate::report::codes;

codes! {
    LAYER_NOT_PACKED = "layer-not-packed", Failure,
        "A layer could not be packed, or a file of it changed in the meantime.",
        "Another program writes to the file: wait for it to finish, then run ko-rs again. Files of `/proc` \
         and `/sys` cannot be added to an image, since their length is not known in advance.";
    WRONG_DIGEST = "wrong-digest", Failure,
        "Content does not have the digest by which it was requested.",
        "The content was damaged where it is stored or on its way, or a registry or a proxy returned \
         something else. ko-rs never uses such content. Pull the image with another tool to find \
         out whether the registry has it intact, and push it again if not.";
}
