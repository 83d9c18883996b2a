//! The codes of what can go wrong with the cache.

use crate::report::codes;

codes! {
    CACHE_NOT_WRITABLE = "cache-not-writable", Failure,
        "A file of the cache cannot be written or removed.",
        "The disk is full, or the cache folder belongs to another user. `ko-rs cache show` prints the \
         folder and its size; `ko-rs cache clean` empties it. Set `KOCACHE` to use another folder, \
         or run with `--no-cache`.";
}
