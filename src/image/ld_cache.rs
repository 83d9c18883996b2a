//! Reads `/etc/ld.so.cache` of glibc: the libraries that `ldconfig` found in the folders of
//! `/etc/ld.so.conf`.

/// Its path.
pub(super) const PATH: &str = "etc/ld.so.cache";

/// The format since glibc 2.2, on its own or after the older one.
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER: usize = 48;
const ENTRY: usize = 24;
/// The maximum number of libraries.
const MOST: usize = 100_000;

/// The paths in a cache, in order and without duplicates. Invalid caches have none.
pub(super) fn paths(cache: &[u8]) -> Vec<String> {
    let Some(start) = cache.windows(MAGIC.len()).position(|window| window == MAGIC) else {
        return Vec::new();
    };
    let cache = &cache[start..];
    let number = |at: usize| {
        let bytes: [u8; 4] = cache.get(at..at + 4)?.try_into().ok()?;
        // It has the byte order of its architecture, and states it since 2.33.
        let big = cache.get(28).is_some_and(|flags| flags & 3 == 3);
        let value = if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        usize::try_from(value).ok()
    };
    let Some(count) = number(MAGIC.len()) else { return Vec::new() };
    let mut found = Vec::new();
    for index in 0..count.min(MOST) {
        // Flags, then the offsets of the soname and the path from the start of this format.
        let text = number(HEADER + index * ENTRY + 8).and_then(|at| {
            let text = cache.get(at..)?;
            let end = text.iter().position(|&byte| byte == 0)?;
            std::str::from_utf8(&text[..end]).ok()
        });
        match text {
            Some(path) if path.starts_with('/') => found.push(path.to_owned()),
            Some(_) => {}
            None => break,
        }
    }
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_a_cache_are_read_and_noise_has_none() {
        let mut cache = MAGIC.to_vec();
        for number in [2_u32, 0, 0, 0, 0, 0, 0] {
            cache.extend_from_slice(&number.to_le_bytes());
        }
        let texts = b"liba.so\0/usr/lib/liba.so\0/opt/lib/libb.so\0";
        let at = HEADER + 2 * ENTRY;
        for (key, value) in [(0, 8), (12, 25)] {
            for number in [1, at + key, at + value, 0, 0, 0] {
                cache.extend_from_slice(&(number as u32).to_le_bytes());
            }
        }
        cache.extend_from_slice(texts);
        assert_eq!(paths(&cache), ["/usr/lib/liba.so", "/opt/lib/libb.so"]);
        for length in 0..cache.len() {
            let _ = paths(&cache[..length]);
        }
        assert_eq!(paths(b"ld.so-1.7.0\0nothing"), Vec::<String>::new());
    }
}
