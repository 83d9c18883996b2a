//! Writing a string as a YAML scalar in the place of another one.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::manifests::yaml::scalar;

/// How a scalar is written. The two kinds of block scalars are one: their text stands as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Style {
    Plain,
    Single,
    Double,
    Block,
}

/// A string in the style of the scalar that it replaces; a plain one is quoted where it would not
/// be read as that string.
pub(crate) fn write(text: &str, style: Style) -> Cow<'_, str> {
    match style {
        Style::Block => Cow::Borrowed(text),
        Style::Plain if is_plain(text) => Cow::Borrowed(text),
        Style::Plain | Style::Single if !text.chars().any(must_escape) => {
            Cow::Owned(format!("'{}'", text.replace('\'', "''")))
        }
        Style::Plain | Style::Single | Style::Double => Cow::Owned(double(text)),
    }
}

/// The string that a scalar is which was found to be written so.
pub(crate) fn read(written: &str, style: Style) -> Option<Cow<'_, str>> {
    let inside = || written.get(1..written.len().checked_sub(1)?);
    match style {
        Style::Plain | Style::Block => Some(Cow::Borrowed(written)),
        Style::Single | Style::Double if !inside()?.contains(['\'', '\\', '\n', '\r']) => {
            Some(Cow::Borrowed(inside()?))
        }
        Style::Single | Style::Double => serde_yaml::from_str(written).ok().map(Cow::Owned),
    }
}

/// Whether a string means itself without quotes: in every context, to readers of YAML 1.1 and 1.2.
fn is_plain(text: &str) -> bool {
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | ':' | '@' | '-' | '+');
    // YAML 1.1 reads `22:30` as a number to base 60.
    let sexagesimal = text.chars().all(|c| c.is_ascii_digit() || matches!(c, ':' | '.' | '_'));
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/'))
        && text.chars().all(allowed)
        && !text.ends_with(':')
        && !text.starts_with("...")
        && !sexagesimal
        && scalar::is_string(text)
}

fn must_escape(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn double(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 2);
    written.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => written.extend(['\\', c]),
            // Four digits are enough: everything that has to be escaped is in the first plane.
            _ if must_escape(c) => {
                let _ = write!(written, "\\u{:04x}", u32::from(c));
            }
            _ => written.push(c),
        }
    }
    written.push('"');
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_stay_and_come_where_they_are_needed() {
        let image = "localhost:5000/a-b/c_d@sha256:0f";
        for (text, style, written) in [
            (image, Style::Plain, image),
            (image, Style::Single, "'localhost:5000/a-b/c_d@sha256:0f'"),
            (image, Style::Double, "\"localhost:5000/a-b/c_d@sha256:0f\""),
            (image, Style::Block, image),
            ("12:30", Style::Plain, "'12:30'"),
            ("0x1f", Style::Plain, "'0x1f'"),
            ("yes", Style::Plain, "'yes'"),
            ("", Style::Plain, "''"),
            ("a: b", Style::Plain, "'a: b'"),
            ("a:", Style::Plain, "'a:'"),
            ("it's", Style::Single, "'it''s'"),
            ("a\"\\b", Style::Double, "\"a\\\"\\\\b\""),
            ("a\nb", Style::Single, "\"a\\u000ab\""),
            ("@a", Style::Plain, "'@a'"),
            ("./layout@sha256:0f", Style::Plain, "./layout@sha256:0f"),
        ] {
            assert_eq!(write(text, style), written);
        }
    }

    #[test]
    fn a_scalar_is_read_as_it_was_written() {
        for (written, style, expected) in [
            ("ko://a:0.3", Style::Plain, "ko://a:0.3"),
            ("ko://a:0.3", Style::Block, "ko://a:0.3"),
            ("'ko://a:0.3'", Style::Single, "ko://a:0.3"),
            ("'it''s'", Style::Single, "it's"),
            ("\"ko://a:0.3\"", Style::Double, "ko://a:0.3"),
            (r#""\u006bo:\/\/a:0.3""#, Style::Double, "ko://a:0.3"),
            ("\"ko:\\\n  //a:0.3\"", Style::Double, "ko://a:0.3"),
        ] {
            assert_eq!(read(written, style).as_deref(), Some(expected), "{written}");
        }
        assert_eq!(read("'", Style::Single), None);
    }
}
