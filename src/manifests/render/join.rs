//! Several manifests as one stream.

use crate::manifests::yaml::split::{BOM, Marker, marker};
use crate::manifests::{Rendered, Text};

/// Writes manifests one after the other. A single one comes out as it is; between two stands `---`
/// unless the second starts with one, or `...` where the second starts with a directive. JSON objects
/// that follow one another are kept apart by `---` too, as they are no stream of JSON any more.
#[must_use]
pub fn join(rendered: Vec<Rendered>) -> Text {
    let texts = rendered.into_iter().map(|rendered| rendered.text);
    let texts: Vec<Text> = texts.filter(|text| !text.is_empty()).collect();
    let is_alone = texts.len() == 1;
    let mut joined = Text::default();
    for text in texts {
        let text = if is_alone { text } else { text.apart() };
        if joined.is_empty() {
            joined = text;
            continue;
        }
        // A mark belongs to the start of a stream.
        let text = text.without_mark();
        if !text.is_empty() {
            separate(&mut joined, text.pieces());
            joined.append(text);
        }
    }
    joined
}

/// Ends a stream so that another one, which is added next, keeps its documents.
pub(crate) fn separate<'a>(joined: &mut Text, mut next: impl Iterator<Item = &'a str>) {
    let Some(last) = joined.pieces().map(without_mark).rfind(|piece| !piece.is_empty()) else {
        return;
    };
    let (is_line, is_ended) = (last.ends_with(['\n', '\r']), ended(last));
    if !is_line {
        joined.mark("\n");
    }
    match next.find_map(first).unwrap_or(First::Content) {
        First::Directive => joined.mark(if is_ended { "" } else { "...\n" }),
        First::Marker => {}
        First::Content => joined.mark("---\n"),
    }
}

/// A text without the byte order mark that it may start with.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix(BOM).unwrap_or(text)
}

enum First {
    /// `%YAML` or `%TAG`, behind comments or not.
    Directive,
    /// A `---` of its own, behind comments or not.
    Marker,
    Content,
}

/// What the first piece of a stream that says so starts with. Only what has content follows within
/// a line of its own, so a piece never ends before it has said what its last line is.
fn first(piece: &str) -> Option<First> {
    let line = piece.lines().find(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    })?;
    Some(if line.starts_with('%') {
        First::Directive
    } else if marker(line) == Some(Marker::Start) {
        First::Marker
    } else {
        First::Content
    })
}

/// Whether a stream ends in `...`, so that a directive may follow; `last` is its last piece, in
/// which no line is behind something that was replaced and yet begins like that.
fn ended(last: &str) -> bool {
    last.lines().next_back().is_some_and(|line| marker(line) == Some(Marker::End))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::manifests::{Parse, Rules, parse};
    use crate::source::Source;

    /// What texts become, in one piece each or in as many as they have lines.
    fn joined(texts: &[&str]) -> String {
        let whole: fn(&str) -> Vec<&str> = |text| vec![text];
        let lines: fn(&str) -> Vec<&str> = |text| text.split_inclusive('\n').collect();
        let [whole, lines] = [whole, lines].map(|cut| {
            let rendered = texts.iter().map(|text| {
                let source = Arc::new(Source::new("", *text));
                let mut text = Text::default();
                let mut start = 0;
                for piece in cut(source.text()) {
                    text.keep(&source, start..start + piece.len());
                    start += piece.len();
                }
                Rendered { name: String::new(), text }
            });
            join(rendered.collect()).to_string()
        });
        assert_eq!(whole, lines);
        whole
    }

    #[test]
    fn one_manifest_comes_out_as_it_is() {
        for text in ["", "a", "\u{feff}a: 1\r\n", "---\n", "...\n"] {
            assert_eq!(joined(&[text]), text);
            assert_eq!(joined(&["", text, ""]), text);
        }
    }

    #[test]
    fn between_two_stands_what_keeps_them_apart() {
        for (texts, expected) in [
            (["a\n", "b\n"], "a\n---\nb\n"),
            (["a", "b"], "a\n---\nb"),
            (["a\r\n", "b"], "a\r\n---\nb"),
            (["a\n", "---\nb"], "a\n---\nb"),
            (["a\n", "--- # c\nb"], "a\n--- # c\nb"),
            (["a\n", "---b"], "a\n---\n---b"),
            (["a", "# c\n\n---\nb"], "a\n# c\n\n---\nb"),
            (["a", "\u{feff}b"], "a\n---\nb"),
            (["a", "\u{feff}---\nb"], "a\n---\nb"),
            (["\u{feff}a", "b"], "\u{feff}a\n---\nb"),
            (["a", "%YAML 1.2\n---\nb"], "a\n...\n%YAML 1.2\n---\nb"),
            (["a", "# c\n%YAML 1.2\n---\nb"], "a\n...\n# c\n%YAML 1.2\n---\nb"),
            (["a\n...\n", "%YAML 1.2\n---\nb"], "a\n...\n%YAML 1.2\n---\nb"),
            (["a\n...", "b"], "a\n...\n---\nb"),
            (["a", "\u{feff}"], "a"),
        ] {
            assert_eq!(joined(&texts), expected, "{texts:?}");
        }
    }

    #[test]
    fn json_objects_are_a_stream_only_where_they_are_alone() {
        let stream = "{\"a\": 1}{\"a\": 2}\n{\"a\": 3}\n";
        let read = |texts: &[&str]| {
            let sources = texts.iter().map(|text| Source::new("", *text)).collect();
            let manifests = parse(sources, &Rules::default(), Parse::OnlyReferences);
            join(manifests.substitute(&BTreeMap::new()).unwrap()).to_string()
        };
        let apart = "{\"a\": 1}\n---\n{\"a\": 2}\n---\n{\"a\": 3}\n";
        assert_eq!(read(&[stream]), stream);
        assert_eq!(read(&[stream, ""]), stream);
        assert_eq!(read(&[stream, "b: 1\n"]), format!("{apart}---\nb: 1\n"));
        assert_eq!(read(&["b: 1\n", stream]), format!("b: 1\n---\n{apart}"));
        assert_eq!(read(&["# c\n", stream]), format!("# c\n---\n{apart}"));
    }
}
