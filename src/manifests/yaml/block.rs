//! The header of a block scalar: `|` or `>`, and what it says of the newlines at its end.

use std::ops::Range;

/// Finds where a `-` has to be written so that a block scalar's value ends in no newline: the place
/// for it in the header, or the `+` that stands there. None within where it stands there already.
///
/// The text ends where the first line of the scalar starts. Behind `before`, where the last scalar
/// ends, stand only indicators, an anchor and a tag in front of the header.
pub(crate) fn strip(text: &str, before: usize) -> Option<Option<Range<usize>>> {
    let breaks = ['\n', '\r'];
    let lines = text.trim_end_matches([' ', '\t']).trim_end_matches(breaks);
    let start = lines.rfind(breaks).map_or(0, |newline| newline + 1).max(before);
    let mut rest = text.get(start..lines.len())?;
    let mut at = start;
    loop {
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        (at, rest) = (at + blanks, &rest[blanks..]);
        let word = rest.split([' ', '\t']).next().filter(|word| !word.is_empty())?;
        if let Some(indicators) = word.strip_prefix(['|', '>']) {
            return Some(place(indicators, at + 1));
        }
        (at, rest) = (at + word.len(), &rest[word.len()..]);
    }
}

fn place(indicators: &str, at: usize) -> Option<Range<usize>> {
    match indicators.find(['-', '+']) {
        None => Some(at..at),
        Some(sign) if indicators[sign..].starts_with('+') => Some(at + sign..at + sign + 1),
        Some(_) => None,
    }
}
