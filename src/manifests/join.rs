//! Several manifests as one stream.

use super::Rendered;
use super::split::{BOM, Marker, marker};

/// Writes manifests one after the other. A single one comes out as it is; between two stands `---`
/// unless the second starts with one, or `...` where the second starts with a directive.
#[must_use]
pub fn join(rendered: Vec<Rendered>) -> String {
    let mut joined = String::new();
    for Rendered { text, .. } in rendered {
        if joined.is_empty() {
            joined = text;
            continue;
        }
        // A mark belongs to the start of a stream.
        let text = without_mark(&text);
        if !text.is_empty() {
            separate(&mut joined, text);
            joined.push_str(text);
        }
    }
    joined
}

/// Ends a stream so that another one, which is added next, keeps its documents.
pub(super) fn separate(joined: &mut String, next: &str) {
    if without_mark(joined).is_empty() {
        return;
    }
    if !joined.ends_with(['\n', '\r']) {
        joined.push('\n');
    }
    match first(next) {
        First::Directive => joined.push_str(if ended(joined) { "" } else { "...\n" }),
        First::Marker => {}
        First::Content => joined.push_str("---\n"),
    }
}

/// A text without the byte order mark that it may start with.
pub(super) fn without_mark(text: &str) -> &str {
    text.strip_prefix(BOM).unwrap_or(text)
}

enum First {
    /// `%YAML` or `%TAG`, behind comments or not.
    Directive,
    /// A `---` of its own, behind comments or not.
    Marker,
    Content,
}

fn first(text: &str) -> First {
    let line = text.lines().find(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    });
    match line {
        Some(line) if line.starts_with('%') => First::Directive,
        Some(line) if marker(line) == Some(Marker::Start) => First::Marker,
        _ => First::Content,
    }
}

/// Whether a stream ends in `...`, so that a directive may follow.
fn ended(text: &str) -> bool {
    text.lines().next_back().is_some_and(|line| marker(line) == Some(Marker::End))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(texts: &[&str]) -> String {
        let rendered: Vec<Rendered> = texts
            .iter()
            .map(|text| Rendered { name: String::new(), text: (*text).to_owned() })
            .collect();
        join(rendered)
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
}
