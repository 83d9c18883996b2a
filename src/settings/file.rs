//! `.ko-rs.yaml`: where it is found, and its keys held against the table.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::builds::Reader;
use super::codes;
use super::error::Error;
use super::table::{Key, Keys, Kind};
use super::tree::{self, Node, Value};
use crate::reference::did_you_mean;
use crate::report::Code;
use crate::source::{Source, Spot};
use crate::template::Values;

/// The name that is looked for.
pub(crate) const NAME: &str = ".ko-rs.yaml";

/// The largest settings file that is read.
const LARGEST: u64 = 4 << 20;

/// A settings file: its values by key, each with its place.
#[derive(Clone, Debug)]
pub(super) struct File {
    source: Source,
    pub(super) folder: PathBuf,
    pub(super) values: Entry<Key>,
}

/// The values of a mapping: of the whole file, a build, an image or a file rule.
pub(super) type Entry<K> = BTreeMap<K, Node>;

/// The nearest settings file from a folder up to the Git root (or the file system's root where
/// there is no repository).
pub(super) fn find(directory: &Path) -> Option<PathBuf> {
    for folder in directory.ancestors() {
        let candidate = folder.join(NAME);
        if candidate.is_file() {
            return Some(candidate);
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

/// The root of the Git repository around a folder: where `.git` lies, a folder or a worktree's file.
pub(super) fn repository_root(directory: &Path) -> Option<PathBuf> {
    directory.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned)
}

/// Reads a settings file; `shown` is its name in errors.
pub(super) fn read(path: &Path, shown: &str) -> Result<File, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > LARGEST {
        return Err(failed(std::io::Error::other("the file is larger than 4 MiB")));
    }
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    parse(Source::new(shown, text), folder)
}

pub(super) fn parse(source: Source, folder: PathBuf) -> Result<File, Error> {
    let mut file = File { source, folder, values: BTreeMap::new() };
    if file.source.text().lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#'))
    {
        return Ok(file);
    }
    let root = tree::parse(&file.source).map_err(|broken| {
        let code = &codes::SETTINGS_NOT_YAML;
        file.error(code, broken.span, "the settings are not valid YAML", &broken.reason, None)
    })?;
    let mut errors = Vec::new();
    let values = file.entry(&root, "settings", &mut errors);
    file.values = values;
    // The file is read completely here so that all errors are reported at once.
    let mut reader = Reader { file: &file, locations: Default::default(), errors };
    reader.nested();
    reader.check_templates(&Values::sample());
    let errors = reader.errors;
    Error::all(errors)?;
    Ok(file)
}

impl File {
    /// An error at a place of the file.
    pub(super) fn error(
        &self,
        code: &'static Code,
        span: std::ops::Range<usize>,
        message: &str,
        label: &str,
        hint: Option<String>,
    ) -> Error {
        let spot = Box::new(self.source.spot(span, label));
        Error::File { code, message: message.to_owned(), spot, hint }
    }

    fn invalid(&self, node: &Node, message: &str, label: &str) -> Error {
        self.error(&codes::INVALID_SETTING, node.span.clone(), message, label, None)
    }

    /// A place of the file with its line.
    pub(super) fn spot(&self, span: std::ops::Range<usize>, label: &str) -> Spot {
        self.source.spot(span, label)
    }

    /// The span of a part of a value, or of the whole value if the part is escaped.
    pub(super) fn span_in(&self, node: &Node, part: &str) -> std::ops::Range<usize> {
        let written = self.source.text().get(node.span.clone()).unwrap_or_default();
        match written.find(part.trim()).filter(|_| !part.trim().is_empty()) {
            Some(at) => node.span.start + at..node.span.start + at + part.trim().len(),
            None => node.span.clone(),
        }
    }

    /// The span of an item of a list.
    pub(super) fn span_of(&self, node: &Node, wanted: &str) -> std::ops::Range<usize> {
        match &node.value {
            Value::List(items) => {
                let item = items.iter().find(|item| scalar(item) == Some(wanted));
                item.map_or_else(|| node.span.clone(), |item| item.span.clone())
            }
            Value::Null | Value::Scalar(_) | Value::Map(_) => self.span_in(node, wanted),
        }
    }

    /// Checks a mapping for unknown keys and values of the wrong kind, and returns the others.
    pub(super) fn entry<K: Keys>(
        &self,
        node: &Node,
        what: &str,
        errors: &mut Vec<Error>,
    ) -> Entry<K> {
        let mut entry = Entry::new();
        let Value::Map(pairs) = &node.value else {
            if node.value != Value::Null {
                let label = format!("found {}", node.kind());
                let message = format!("{what} must be a mapping of keys to values");
                errors.push(self.invalid(node, &message, &label));
            }
            return entry;
        };
        for (key, value) in pairs {
            let Value::Scalar(name) = &key.value else {
                errors.push(self.invalid(key, "a key must be a string", key.kind()));
                continue;
            };
            let found = K::all().find(|(_, known, ..)| known == name);
            let Some((known, _, kind, _)) = found else {
                let message = format!("unknown key `{name}` in {what}");
                let hint =
                    did_you_mean(name, K::all().map(|(_, name, ..)| name)).unwrap_or_else(|| {
                        let names: Vec<&str> = K::all().map(|(_, name, ..)| name).collect();
                        format!("the keys are {}", names.join(", "))
                    });
                let (code, span) = (&codes::UNKNOWN_SETTING, key.span.clone());
                errors.push(self.error(code, span, &message, "unknown key", Some(hint)));
                continue;
            };
            for Mismatch { node, part, expected } in mismatches(kind, value) {
                let message = match part {
                    Some(part) => format!("`{part}` in `{name}` must be {expected}"),
                    None => format!("`{name}` must be {expected}"),
                };
                let label = format!("found {}", node_label(node));
                errors.push(self.invalid(node, &message, &label));
            }
            entry.insert(known, value.clone());
        }
        entry
    }

    /// A list of mappings, each with its node.
    pub(super) fn entries<'a, K: Keys>(
        &self,
        node: &'a Node,
        what: &str,
        errors: &mut Vec<Error>,
    ) -> Vec<(&'a Node, Entry<K>)> {
        match &node.value {
            Value::List(items) => {
                items.iter().map(|item| (item, self.entry(item, what, errors))).collect()
            }
            Value::Null => Vec::new(),
            Value::Scalar(_) | Value::Map(_) => {
                let label = format!("found {}", node.kind());
                errors.push(self.invalid(node, &format!("{what} must be in a list"), &label));
                Vec::new()
            }
        }
    }
}

fn node_label(node: &Node) -> String {
    match &node.value {
        Value::Scalar(text) => format!("`{}`", text.chars().take(40).collect::<String>()),
        Value::Null | Value::List(_) | Value::Map(_) => node.kind().to_owned(),
    }
}

/// A value of the wrong kind.
struct Mismatch<'a> {
    node: &'a Node,
    /// Its key, if it is a value of a mapping.
    part: Option<&'a str>,
    expected: &'static str,
}

/// The parts of a value that are of the wrong kind.
fn mismatches<'a>(kind: Kind, node: &'a Node) -> Vec<Mismatch<'a>> {
    let whole = |expected| vec![Mismatch { node, part: None, expected }];
    let is_scalar = |node: &Node| matches!(node.value, Value::Scalar(_));
    match (kind, &node.value) {
        (_, Value::Null) | (Kind::Nested, _) => Vec::new(),
        (Kind::Text | Kind::List | Kind::Texts, Value::Scalar(_)) => Vec::new(),
        (Kind::Switch, Value::Scalar(text)) if matches!(text.as_str(), "true" | "false") => {
            Vec::new()
        }
        (Kind::Number, Value::Scalar(text)) if text.parse::<i64>().is_ok() => Vec::new(),
        (Kind::List | Kind::Texts, Value::List(items)) => {
            let wrong = items.iter().filter(|item| !is_scalar(item));
            wrong.map(|node| Mismatch { node, part: None, expected: "a list of strings" }).collect()
        }
        (Kind::Map, Value::Map(pairs)) => {
            let in_pair = |(key, value): &'a (Node, Node)| match (scalar(key), is_scalar(value)) {
                (None, _) => Some((key, None, "a mapping of strings to strings")),
                (part, false) => Some((value, part, "a string")),
                (Some(_), true) => None,
            };
            let wrong = pairs.iter().filter_map(in_pair);
            wrong.map(|(node, part, expected)| Mismatch { node, part, expected }).collect()
        }
        (Kind::Switch, _) => whole("`true` or `false`"),
        (Kind::Number, _) => whole("a whole number"),
        (Kind::Text, _) => whole("a string"),
        (Kind::List | Kind::Texts, Value::Map(_)) => whole("a list of strings"),
        (Kind::Map, _) => whole("a mapping of strings to strings"),
    }
}

/// The text of a scalar.
pub(super) fn text(node: &Node) -> Option<String> {
    scalar(node).map(str::to_owned)
}

fn scalar(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar(text) => Some(text),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// The strings of a list; a single string is split into words, as in ko.
pub(super) fn texts(node: &Node) -> Vec<String> {
    match &node.value {
        Value::Scalar(text) => words(text),
        Value::List(items) => items.iter().filter_map(text).collect(),
        Value::Null | Value::Map(_) => Vec::new(),
    }
}

/// The words of a string; `{{ }}` is never split.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut depth = 0;
    for word in text.split_whitespace() {
        match words.last_mut().filter(|_| depth > 0) {
            Some(last) => last.extend([" ", word]),
            None => words.push(word.to_owned()),
        }
        let count = |braces| isize::try_from(word.matches(braces).count()).unwrap_or(0);
        depth += count("{{") - count("}}");
    }
    words
}

/// The pairs of a mapping.
pub(super) fn pairs(node: &Node) -> BTreeMap<String, String> {
    match &node.value {
        Value::Map(pairs) => {
            pairs.iter().filter_map(|(key, value)| Some((text(key)?, text(value)?))).collect()
        }
        Value::Null | Value::Scalar(_) | Value::List(_) => BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let error = parse(Source::new(NAME, text), PathBuf::new()).err().unwrap();
        error.summary()
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place_and_the_nearest_key() {
        insta::assert_snapshot!(error("# mine\ndefaultBaseimage: static\n"), @"
        unknown-setting: unknown key `defaultBaseimage` in settings
          2:1 `defaultBaseimage`: unknown key
          hint: did you mean `defaultBaseImage`?
        ");
    }

    #[test]
    fn a_value_of_another_kind_is_refused() {
        insta::assert_snapshot!(error("defaultPlatforms: {linux: amd64}\n"), @"
        invalid-setting: `defaultPlatforms` must be a list of strings
          1:19 `{`: found a mapping
        ");
    }

    #[test]
    fn what_is_wrong_inside_a_value_is_pointed_at() {
        let two = "lints:\n  latest-tag: off\n  unexposed-port: ~\nimageFields:\n- a\n- {b: c}\n";
        insta::assert_snapshot!(error(two), @"
        invalid-setting: `unexposed-port` in `lints` must be a string
          3:19 `~`: found nothing
        invalid-setting: `imageFields` must be a list of strings
          6:3 `{`: found a mapping
        ");
        insta::assert_snapshot!(error("images: {a/b: x, c/d: [x]}\n"), @"
        invalid-setting: `c/d` in `images` must be a string
          1:23 `[`: found a list
        ");
        insta::assert_snapshot!(error("images:\n  a/b: x\n  [c/d]: x\n"), @"
        invalid-setting: `images` must be a mapping of strings to strings
          3:3 `[`: found a list
        ");
    }

    #[test]
    fn what_is_no_yaml_is_pointed_at_as_in_manifests() {
        insta::assert_snapshot!(error("keepTag: true\ndefaultPlatforms: [a, , b]\n"), @"
        settings-not-yaml: the settings are not valid YAML
          2:23 `,`: a value belongs here, not `,`
        ");
        assert!(error("keepTag: *nope\n").contains("`*nope`: found unknown anchor `nope`"));
        assert!(error("repo: \"a\\q\"\n").contains("`\\q`: while parsing a quoted scalar"));
        // What is wrong only as settings is said by who reads those.
        assert!(error("keepTag: true\nkeepTag: true\n").contains("duplicate"));
    }

    #[test]
    fn of_a_list_the_item_that_is_wrong_is_pointed_at() {
        let place = |text: &str| {
            let error = parse(Source::new(NAME, text), PathBuf::new()).err().unwrap();
            let found = error.diagnostics().remove(0);
            (found.message, format!("{}:{}", found.spots[0].line, found.spots[0].column))
        };
        for (text, message, expected) in [
            ("imageFields: [a, b, a..b]\n", "`imageFields` cannot be read", "1:21"),
            ("imageFields: a b..c\n", "`imageFields` cannot be read", "1:16"),
            ("builds:\n- package: a\n- bin: b\n", "a build must have `package` or `dir`", "3:3"),
            (
                "builds:\n- package: a\n  env:\n  - A=a\n  - B\n",
                "`env` must be a list of KEY=VALUE",
                "5:5",
            ),
            (
                "files:\n- {from: a, to: b}\n- {from: c}\n",
                "a file must have `from` and `to`",
                "3:3",
            ),
        ] {
            assert_eq!(place(text), (message.to_owned(), expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn comments_alone_are_no_settings() {
        assert!(
            parse(Source::new(NAME, "# nothing\n\n"), PathBuf::new()).unwrap().values.is_empty()
        );
        assert!(parse(Source::new(NAME, ""), PathBuf::new()).unwrap().values.is_empty());
    }

    #[test]
    fn the_nearest_file_up_to_the_git_root_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("repo/a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(folder.path().join(NAME), "").unwrap();
        assert_eq!(find(&deep), Some(folder.path().join(NAME)));
        std::fs::create_dir(folder.path().join("repo/.git")).unwrap();
        assert_eq!(find(&deep), None);
        std::fs::write(folder.path().join("repo").join(NAME), "").unwrap();
        assert_eq!(find(&deep), Some(folder.path().join("repo").join(NAME)));
    }
}
