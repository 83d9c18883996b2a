//! Draws the change of an object as a unified diff of YAML.

use std::io::{self, Write};

use annotate_snippets::renderer::{AnsiColor, Effects, Style};
use similar::{ChangeTag, TextDiff};

use super::draw::Look;
use crate::cluster::ObjectDiff;
use crate::source::visible;

/// Writes a unified diff of an object as YAML. Characters that a terminal would obey are escaped.
pub(super) fn write(object: &ObjectDiff, look: Look, to: &mut dyn Write) -> io::Result<()> {
    let live = object.live.as_ref().map(yaml).transpose()?.unwrap_or_default();
    let would_be = yaml(&object.would_be)?;
    let namespace = object.namespace.as_ref().map(|name| format!("{name}/")).unwrap_or_default();
    let name = format!("{namespace}{}", object.object);
    let bold = Style::new().effects(Effects::BOLD);
    let from = match &object.live {
        Some(_) => format!("live/{name}"),
        None => "/dev/null".to_owned(),
    };
    writeln!(to, "{}", look.paint(&visible(&format!("--- {from}")), bold))?;
    writeln!(to, "{}", look.paint(&visible(&format!("+++ applied/{name}")), bold))?;
    for hunk in TextDiff::from_lines(&live, &would_be).unified_diff().iter_hunks() {
        let header = hunk.header().to_string();
        writeln!(to, "{}", look.paint(header.trim_end(), AnsiColor::Cyan.on_default()))?;
        for change in hunk.iter_changes() {
            let style = match change.tag() {
                ChangeTag::Delete => AnsiColor::Red.on_default(),
                ChangeTag::Insert => AnsiColor::Green.on_default(),
                ChangeTag::Equal => Style::new(),
            };
            let line =
                format!("{}{}", change.tag(), visible(change.value().trim_end_matches('\n')));
            writeln!(to, "{}", look.paint(&line, style))?;
        }
    }
    Ok(())
}

fn yaml(value: &serde_json::Value) -> io::Result<String> {
    let mut text = serde_yaml::to_string(value).map_err(io::Error::other)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Operation;
    use serde_json::json;

    fn drawn(live: Option<serde_json::Value>, look: Look) -> String {
        let would_be =
            json!({"data": {"a": "2\u{1b}[31m", "text": "one\ntwo\n"}, "kind": "ConfigMap"});
        let object = ObjectDiff {
            object: "configmap/a".to_owned(),
            namespace: Some("shop".to_owned()),
            operation: Operation::Configure,
            live,
            would_be,
        };
        let mut text = Vec::new();
        write(&object, look, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_change_is_a_unified_diff_of_yaml() {
        let live = json!({"data": {"a": "1", "text": "one\n"}, "kind": "ConfigMap"});
        let plain = drawn(Some(live.clone()), Look::default());
        let expected = "--- live/shop/configmap/a\n+++ applied/shop/configmap/a\n@@ -1,5 +1,6 @@\n data:\n\
            -  a: \"1\"\n+  a: \"2\\e[31m\"\n   text: |\n     one\n+    two\n kind: ConfigMap\n";
        assert_eq!(plain, expected);
        let created = drawn(None, Look::default());
        assert!(
            created.starts_with("--- /dev/null\n+++ applied/shop/configmap/a\n@@ -0,0 "),
            "{created}"
        );
        let colored = drawn(Some(live), Look { color: true, width: None });
        assert!(colored.contains("\u{1b}[31m-  a: "), "{colored:?}");
    }
}
