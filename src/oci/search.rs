//! Searches a file for paths while it is read for packing, so that it is not read twice.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The maximum length of the text that is kept after a match.
const AFTER: usize = 256;
/// The maximum number of matches.
const MOST: usize = 16;

/// The texts of a search, and the matches in one file. Clones share them.
#[derive(Clone, Debug)]
pub struct Search(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    texts: Vec<String>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of bytes so far.
    come: u64,
    /// The last of them, in which a match may continue.
    tail: Vec<u8>,
    found: BTreeSet<String>,
}

impl Search {
    /// Searches for texts. Each must start with a slash.
    #[must_use]
    pub fn new(texts: Vec<String>) -> Self {
        Self(Arc::new(Inner { texts, state: Mutex::default() }))
    }

    /// The texts.
    #[must_use]
    pub fn texts(&self) -> &[String] {
        &self.0.texts
    }

    /// The matches in a file of that size, each with the printable text after it, or `None` if the
    /// file was not read to its end.
    #[must_use]
    pub fn found(&self, size: u64) -> Option<BTreeSet<String>> {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.come != size {
            return None;
        }
        let mut found = state.found.clone();
        self.look(&state.tail, state.tail.len(), &mut found);
        Some(found)
    }

    /// The maximum length of a match.
    fn reach(&self) -> usize {
        AFTER + self.0.texts.iter().map(String::len).max().unwrap_or(0)
    }

    /// Adds the next bytes of the file. Offset 0 starts again; other gaps end the search.
    pub(super) fn see(&self, offset: u64, bytes: &[u8]) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if offset == 0 {
            *state = State::default();
        }
        if offset != state.come {
            return;
        }
        state.come += bytes.len() as u64;
        let reach = self.reach();
        let State { tail, found, .. } = &mut *state;
        // Matches that begin before these bytes and end in them.
        let old = tail.len();
        tail.extend_from_slice(&bytes[..bytes.len().min(reach)]);
        if bytes.len() < reach {
            self.look(tail, (tail.len() + 1).saturating_sub(reach), found);
            tail.drain(..tail.len().saturating_sub(reach));
            return;
        }
        self.look(tail, old, found);
        self.look(bytes, bytes.len() + 1 - reach, found);
        tail.clear();
        tail.extend_from_slice(&bytes[bytes.len() - reach..]);
    }

    /// Adds the matches that begin before `end`.
    fn look(&self, bytes: &[u8], end: usize, found: &mut BTreeSet<String>) {
        let mut at = 0;
        while let Some(slash) = first_slash(&bytes[at..]) {
            let start = at + slash;
            if start >= end || found.len() >= MOST {
                return;
            }
            let here = |text: &&String| bytes[start..].starts_with(text.as_bytes());
            at = match self.texts().iter().filter(here).map(String::len).max() {
                None => start + 1,
                Some(length) => {
                    let behind = start + length;
                    found.insert(printable(&bytes[start..bytes.len().min(behind + AFTER)]));
                    behind
                }
            };
        }
    }
}

/// The position of the first slash. Many bytes are compared at once: a file may have hundreds of
/// megabytes, and machine code contains few slashes.
fn first_slash(bytes: &[u8]) -> Option<usize> {
    let (chunks, rest) = bytes.as_chunks::<32>();
    let has = |chunk: &[u8; 32]| chunk.iter().fold(false, |any, byte| any | (*byte == b'/'));
    let (start, part) = match chunks.iter().position(has) {
        Some(number) => (number * 32, &chunks[number][..]),
        None => (chunks.len() * 32, rest),
    };
    part.iter().position(|byte| *byte == b'/').map(|at| start + at)
}

/// The printable text at the start of bytes.
fn printable(bytes: &[u8]) -> String {
    let end = bytes.iter().position(u8::is_ascii_control).unwrap_or(bytes.len());
    let text = &bytes[..end];
    let valid = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&text[..error.valid_up_to()]).unwrap_or_default(),
    };
    valid.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two finds, one at the very end.
    const TEXT: &[u8] =
        b"\x7fELF..../work/app/src/a.rs\0more /work/app\xffand /other\0 /work/ap /work/app";

    fn found(pieces: &[&[u8]]) -> Option<Vec<String>> {
        let search = Search::new(vec!["/work/app".to_owned(), "/home/me/.cargo".to_owned()]);
        let mut offset = 0;
        for piece in pieces {
            search.see(offset, piece);
            offset += piece.len() as u64;
        }
        Some(search.found(TEXT.len() as u64)?.into_iter().collect())
    }

    #[test]
    fn finds_do_not_depend_on_how_the_file_is_read() {
        let expected = vec!["/work/app".to_owned(), "/work/app/src/a.rs".to_owned()];
        assert_eq!(found(&[TEXT]), Some(expected.clone()));
        for at in 0..TEXT.len() {
            let (one, two) = TEXT.split_at(at);
            assert_eq!(found(&[one, two]), Some(expected.clone()), "{at}");
        }
        assert_eq!(found(&TEXT.chunks(1).collect::<Vec<_>>()), Some(expected.clone()));
        assert_eq!(found(&[&TEXT[..20]]), None, "not read to its end");
    }

    #[test]
    fn a_find_far_from_either_end_is_seen_once_and_whole() {
        let mut bytes = vec![b'x'; 5000];
        bytes[2000..2015].copy_from_slice(b"/work/app/one.c");
        bytes[2015] = 0;
        for size in [1, 7, 300, 512, 2001, 5000] {
            let search = Search::new(vec!["/work/app".to_owned()]);
            for (number, piece) in bytes.chunks(size).enumerate() {
                search.see((number * size) as u64, piece);
            }
            let found = search.found(5000).unwrap();
            assert_eq!(found.into_iter().collect::<Vec<_>>(), ["/work/app/one.c"], "{size}");
        }
    }
}
