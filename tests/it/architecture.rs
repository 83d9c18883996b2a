//! Who may use whom, how long a file may be, and that no test file is forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What a module may use besides the ground floor.
enum Uses {
    /// These.
    Only(&'static [&'static str]),
    /// Every module above it.
    AllAbove,
}

use Uses::{AllAbove, Only};

/// Modules that every module below them may use.
const GROUND_FLOOR: &[&str] = &["source", "report", "process", "http", "http"];

/// The modules in the order of `lib.rs`, each with those it may use.
const MODULES: &[(&str, Uses)] = &[
    ("source", Only(&[])),
    ("report", Only(&[])),
    ("process", Only(&[])),
    ("http", Only(&[])),
    ("oci", Only(&[])),
    ("reference", Only(&[])),
    ("template", Only(&["reference"])),
    ("cache", Only(&["oci"])),
    ("watch", Only(&["oci"])),
    ("manifests", Only(&["oci", "reference"])),
    ("cargo", Only(&["oci", "reference", "cache"])),
    ("registry", Only(&["oci", "cache"])),
    ("daemon", Only(&["oci"])),
    ("image", Only(&["oci", "reference", "cache", "cargo", "registry", "daemon"])),
    (
        "publish",
        Only(&["oci", "reference", "template", "cache", "cargo", "registry", "daemon", "image"]),
    ),
    ("cluster", Only(&["oci", "manifests"])),
    ("settings", AllAbove),
    ("pipeline", AllAbove),
    ("dev", AllAbove),
    ("cli", AllAbove),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The code of a file without its comments, so that a link in a doc comment is no use.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules of this crate that a file names: `crate::x`, or `x` in `crate::{x, y::z}`.
fn uses(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            let mut in_name = true;
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        found.insert(std::mem::take(&mut name));
                        in_name = true;
                    }
                    ':' => in_name = false,
                    c if in_name && depth == 0 && !c.is_whitespace() => name.push(c),
                    _ => {}
                }
            }
            found.insert(name);
        } else {
            found.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found
}

#[test]
fn a_module_uses_only_those_that_it_may() {
    let names: Vec<&str> = MODULES.iter().map(|(name, _)| *name).collect();
    let mut wrong = Vec::new();
    for (place, (module, allowed)) in MODULES.iter().enumerate() {
        let may_use = |used: &str| {
            let above = names[..place].contains(&used);
            used == *module
                || above
                    && match allowed {
                        Only(named) => named.contains(&used) || GROUND_FLOOR.contains(&used),
                        AllAbove => true,
                    }
        };
        for path in module_files(module) {
            for used in uses(&code(&path)) {
                if names.contains(&used.as_str()) && !may_use(&used) {
                    wrong.push(format!("{} uses `{used}`", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn module_files(module: &str) -> Vec<PathBuf> {
    let folder = root().join("src").join(module);
    if folder.is_dir() { rust_files(&folder) } else { vec![folder.with_extension("rs")] }
}

#[test]
fn the_modules_stand_in_the_order_of_the_data() {
    let code = code(&root().join("src/lib.rs"));
    let declared = code.lines().map(|line| line.strip_prefix("pub ").unwrap_or(line));
    let declared: Vec<&str> =
        declared.filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
    assert_eq!(declared, MODULES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

#[test]
fn no_file_of_logic_has_grown_past_one_sitting() {
    let mut long = Vec::new();
    for path in rust_files(&root().join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        let is_table = path.ends_with("settings/table.rs");
        if lines > 500 && !is_table && !path.ends_with("tests.rs") {
            long.push(format!("{}: {lines} lines", path.display()));
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn every_test_file_is_run() {
    for binary in ["it", "servers"] {
        let folder = root().join("tests").join(binary);
        let main = fs::read_to_string(folder.join("main.rs")).unwrap();
        for path in rust_files(&folder) {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let nested = path.parent() != Some(&folder);
            assert!(
                name == "main" || nested || main.contains(&format!("mod {name};")),
                "{} is in no binary",
                path.display()
            );
        }
    }
}

#[test]
fn a_use_is_seen_in_every_form() {
    let seen = uses(
        "use crate::oci::{Digest, cache};\nuse crate::{report, source::{a, b}, cli};\ncrate::pipeline::x()",
    );
    let expected = ["cli", "oci", "pipeline", "report", "source"];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}
