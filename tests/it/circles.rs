//! Files of a module use each other in one direction.
//!
//! A file uses another if it names something that is defined there, be it through a re-export. What
//! a `mod.rs` names is left out: it is the table of contents of its folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::repository;

/// A module as the names that lead to it from the crate's root.
type Module = Vec<String>;

/// The files of the crate by module.
struct Tree(BTreeMap<Module, String>);

impl Tree {
    fn read() -> Self {
        let mut tree = Self(BTreeMap::new());
        tree.add(&repository().join("src"), &[]);
        tree
    }

    fn add(&mut self, folder: &Path, module: &[String]) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let below = [module, std::slice::from_ref(&name)].concat();
            match name.as_str() {
                "tests" | "main" => {}
                _ if path.is_dir() => self.add(&path, &below),
                "mod" | "lib" => drop(self.0.insert(module.to_owned(), code(&path))),
                _ => drop(self.0.insert(below, code(&path))),
            }
        }
    }

    /// The module in which what a path names is defined.
    fn definition(&self, from: &Module, path: &[String]) -> Option<Module> {
        let mut at = from.clone();
        for (index, name) in path.iter().enumerate() {
            match name.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()),
                _ => {
                    let below = [at.as_slice(), std::slice::from_ref(name)].concat();
                    if self.0.contains_key(&below) {
                        at = below;
                        continue;
                    }
                    let exported = paths(self.0.get(&at)?, "use ");
                    let exported = exported.into_iter().find(|path| path.last() == Some(name));
                    return match exported {
                        Some(found) if index == 0 || found != path[index..] => {
                            self.definition(&at, &found)
                        }
                        _ => Some(at),
                    };
                }
            }
        }
        Some(at)
    }

    /// The modules whose files a file uses, below the same folder of `src`.
    fn uses(&self, module: &Module) -> BTreeSet<Module> {
        let code = &self.0[module];
        let starts = ["crate::", "super::", "self::"];
        let named = starts.iter().flat_map(|start| paths(code, start));
        let found = named.filter_map(|path| self.definition(module, &path));
        found.filter(|found| found != module && found.first() == module.first()).collect()
    }
}

/// The code of a file without comments and unit tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().take_while(|line| *line != "mod tests {");
    lines
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// The paths that begin where `start` is found; a group in braces is one path for each of its items.
fn paths(code: &str, start: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    for (at, _) in code.match_indices(start) {
        let before = code[..at].chars().next_back();
        // `super::super::x` is one path.
        if before.is_some_and(|c| is_name(c) || c == ':') {
            continue;
        }
        let from = if start == "use " { at + start.len() } else { at };
        let code = &code[from..];
        let end = code.find(';').unwrap_or(code.len());
        tree(&code[..end], &[], &mut found);
    }
    found
}

/// Reads one path of a `use`, and returns what follows it.
fn tree<'a>(code: &'a str, before: &[String], found: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = before.to_vec();
    let mut rest = code.trim_start();
    loop {
        if let Some(mut group) = rest.strip_prefix('{') {
            loop {
                group = group.trim_start_matches([',', ' ', '\n']);
                if let Some(rest) = group.strip_prefix('}') {
                    return rest;
                }
                let after = tree(group, &path, found);
                if after.len() == group.len() {
                    return "";
                }
                group = after;
            }
        }
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if length > 0 {
            path.push(rest[..length].to_owned());
        }
        rest = &rest[length..];
        match rest.strip_prefix("::") {
            Some(after)
                if length > 0
                    && after.starts_with(|c: char| c.is_alphanumeric() || "_{".contains(c)) =>
            {
                rest = after
            }
            _ => break,
        }
    }
    if let Some(name) = rest.strip_prefix(" as ") {
        let length = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
        rest = &name[length..];
    }
    found.push(path);
    rest
}

#[test]
fn files_of_a_module_form_no_circle() {
    let tree = Tree::read();
    let is_logic = |module: &&Module| {
        let folder = module.iter().fold(repository().join("src"), |path, name| path.join(name));
        !folder.join("mod.rs").exists() && !module.is_empty()
    };
    let uses: BTreeMap<&Module, BTreeSet<Module>> =
        tree.0.keys().filter(is_logic).map(|module| (module, tree.uses(module))).collect();
    let reached = |from: &Module| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&Module> = uses[from].iter().collect();
        while let Some(module) = next.pop() {
            if seen.insert(module) {
                next.extend(uses.get(module).into_iter().flatten());
            }
        }
        seen
    };
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        uses.keys().map(|module| (*module, reached(module))).collect();
    let name = |module: &Module| module.join("/");
    let mut circles = BTreeSet::new();
    for (module, others) in &reached {
        let circle = others
            .iter()
            .filter(|other| reached.get(**other).is_some_and(|back| back.contains(module)));
        let circle: Vec<String> = circle.map(|module| name(module)).collect();
        if !circle.is_empty() {
            circles.insert(circle.join(" "));
        }
    }
    assert!(circles.is_empty(), "files that use each other in a circle: {circles:#?}");
}

#[test]
fn paths_are_read_in_every_form() {
    let code = "pub use a::{B, c::{self, D as E}};\nlet x = super::super::f::<u8>(crate::g::H);";
    let joined = |start| paths(code, start).iter().map(|path| path.join("::")).collect::<Vec<_>>();
    assert_eq!(joined("use "), ["a::B", "a::c::self", "a::c::D"]);
    assert_eq!(joined("super::"), ["super::super::f"]);
    assert_eq!(joined("crate::"), ["crate::g::H"]);
}
