//! Patterns of paths, for shells that leave them to the program: `k8s/*.yaml`, `**/deploy-?.yml`.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::manifests::read::search;

/// How many files and folders a pattern is held against.
const ENTRIES: usize = 1_000_000;

/// The paths that a pattern means, sorted, and the folder that they are all below: what stands
/// before the first wildcard. None where a path is no pattern. Where nothing can be read, nothing
/// matches.
///
/// `*` and `?` stand for any characters of one name, `[a-z]` and `[!a-z]` for one character, `**`
/// for any folders or none. A name that starts with a dot is matched by a pattern that does.
pub(crate) fn expand(pattern: &Path) -> Option<(Vec<PathBuf>, PathBuf)> {
    let mut folder = PathBuf::new();
    let mut names: Vec<Vec<char>> = Vec::new();
    for part in pattern.components() {
        match part {
            Component::Normal(name) => {
                let name = name.to_str()?;
                if names.is_empty() && !is_pattern(name) {
                    folder.push(name);
                } else {
                    names.push(name.chars().collect());
                }
            }
            other if names.is_empty() => folder.push(other),
            other => names.push(other.as_os_str().to_str()?.chars().collect()),
        }
    }
    if names.is_empty() {
        return None;
    }
    let mut found = Vec::new();
    let mut left = ENTRIES;
    walk(&folder, &names, &mut found, &mut left);
    found.sort();
    found.dedup();
    Some((found, folder))
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

fn walk(folder: &Path, names: &[Vec<char>], found: &mut Vec<PathBuf>, left: &mut usize) {
    let Some((name, rest)) = names.split_first() else { return };
    let deep = name.as_slice() == ['*', '*'];
    if deep {
        match rest {
            [] => found.push(folder.to_owned()),
            rest => walk(folder, rest, found, left),
        }
    }
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = fs::read_dir(here) else { return };
    for entry in entries.flatten() {
        let Some(rest_left) = left.checked_sub(1) else { return };
        *left = rest_left;
        let entry_name = entry.file_name();
        let Some(text) = entry_name.to_str() else { continue };
        let path = folder.join(&entry_name);
        if deep {
            // A link to a folder could lead anywhere, back up too.
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && !text.starts_with('.') && !search::is_made(&path) {
                walk(&path, names, found, left);
            }
        } else if matches(name, &text.chars().collect::<Vec<_>>()) {
            match rest {
                [] => found.push(path),
                rest => walk(&path, rest, found, left),
            }
        }
    }
}

/// Whether a name matches a pattern. Goes back to the last `*` alone, which is enough.
fn matches(pattern: &[char], name: &[char]) -> bool {
    if name.first() == Some(&'.') && pattern.first() != Some(&'.') {
        return false;
    }
    let (mut at, mut in_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        let one = match pattern.get(at) {
            Some('*') => {
                star = Some((at, in_name));
                at += 1;
                continue;
            }
            Some('?') => Some(at + 1),
            Some('[') => match class(&pattern[at..], name[in_name]) {
                Some((true, length)) => Some(at + length),
                Some((false, _)) => None,
                None => (name[in_name] == '[').then_some(at + 1),
            },
            Some(c) => (*c == name[in_name]).then_some(at + 1),
            None => None,
        };
        match (one, star) {
            (Some(next), _) => (at, in_name) = (next, in_name + 1),
            (None, Some((star_at, from))) => {
                star = Some((star_at, from + 1));
                (at, in_name) = (star_at + 1, from + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

/// Whether a character is one of `[abc]`, `[a-c]`, `[!a]` or `[^a]`, and how long that is; none
/// where the bracket is not closed.
fn class(pattern: &[char], c: char) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(1), Some('!' | '^'));
    let start = if negated { 2 } else { 1 };
    // A bracket right at the start is one of the characters.
    let length = pattern.iter().skip(start + 1).position(|c| *c == ']')?;
    let end = start + 1 + length;
    let (mut found, mut at) = (false, start);
    while at < end {
        match pattern[at..end] {
            [low, '-', high, ..] => {
                found |= (low..=high).contains(&c);
                at += 3;
            }
            [one, ..] => {
                found |= one == c;
                at += 1;
            }
            [] => break,
        }
    }
    Some((found != negated, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*", "a.yaml", true),
            ("*", ".a", false),
            (".*", ".a", true),
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "a.yml", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-c-", false),
            ("?.y*ml", "a.yml", true),
            ("?.yml", ".yml", false),
            ("[a-c].yml", "b.yml", true),
            ("[!a-c].yml", "b.yml", false),
            ("[^a].yml", "b.yml", true),
            ("[]a].yml", "].yml", true),
            ("[a", "[a", true),
            ("é?", "éa", true),
            ("", "a", false),
            ("a", "", false),
        ] {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(matches(&chars(pattern), &chars(name)), expected, "{pattern} {name}");
        }
        let many: Vec<char> = "*a".repeat(50).chars().collect();
        assert!(!matches(&many, &['a'; 2000].iter().copied().chain(['b']).collect::<Vec<_>>()));
    }

    #[test]
    fn paths_match_name_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in ["a.yaml", "x/b.yaml", "x/y/c.yaml", "x/y/d.json", ".git/e.yaml"] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = |pattern: &str| {
            let (found, base) = expand(&root.join(pattern)).unwrap();
            let shown = |path: &PathBuf| path.strip_prefix(root).unwrap().display().to_string();
            (found.iter().map(shown).collect::<Vec<_>>(), shown(&base))
        };
        let all = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        assert_eq!(found("*.yaml"), (all(&["a.yaml"]), String::new()));
        assert_eq!(found("x/*/*.yaml"), (all(&["x/y/c.yaml"]), "x".to_owned()));
        assert_eq!(found("**/*.yaml").0, all(&["a.yaml", "x/b.yaml", "x/y/c.yaml"]));
        assert_eq!(found("x/**").0, all(&["x", "x/y"]));
        assert_eq!(found("?").0, all(&["x"]));
        assert_eq!(found("no/*").0, all(&[]));
        assert_eq!(expand(&root.join("a.yaml")), None);
    }
}
