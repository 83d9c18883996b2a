//! Cargo's configuration files, as far as ko-rs needs them: flags and linkers ([Cargo's
//! reference][spec]). Every value has the place where it is set.
//!
//! [spec]: https://doc.rust-lang.org/cargo/reference/config.html

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Error;
use super::program;
use crate::process::{self, Environment};

/// A value and where the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) value: String,
    pub(crate) place: String,
}

/// The maximum depth of `include`. It also ends circles, which Cargo rejects.
const INCLUDES: usize = 16;

/// All configuration for a folder, the lowest precedence first.
#[derive(Clone, Debug, Default)]
pub(crate) struct CargoConfig {
    files: Vec<PathBuf>,
    layers: Vec<(String, Table)>,
}

impl CargoConfig {
    /// Reads the files that Cargo reads when it runs in `root`, then the `--config` arguments in
    /// `flags`.
    pub(crate) fn read(
        root: &Path,
        environment: &Environment,
        flags: &[String],
    ) -> Result<Self, Error> {
        let mut config = Self::default();
        for path in files(root, environment).into_iter().rev() {
            if path.is_file() {
                config.file(&path, 0)?;
            }
        }
        let mut words = flags.iter();
        while let Some(word) = words.next() {
            let argument = match word.strip_prefix("--config") {
                Some("") => words.next().map(String::as_str),
                Some(rest) => rest.strip_prefix('='),
                None => None,
            };
            let Some(argument) = argument else { continue };
            match argument.parse::<Table>() {
                Ok(table) => {
                    let shown = process::without_token(argument);
                    config.layers.push((format!("`--config {shown}`"), table));
                }
                Err(_) => config.file(&root.join(argument), 0)?,
            }
        }
        Ok(config)
    }

    fn file(&mut self, path: &Path, depth: usize) -> Result<(), Error> {
        let failed = |reason: String| Error::Config { path: path.to_owned(), reason };
        if depth > INCLUDES {
            return Err(failed("`include` is nested too deeply".to_owned()));
        }
        self.files.push(path.to_owned());
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| failed(error.to_string().trim_end().to_owned()))?;
        for (include, optional) in includes(&table) {
            let included = path.parent().unwrap_or(path).join(include);
            if !optional || included.exists() {
                self.file(&included, depth + 1)?;
            }
        }
        self.layers.push((format!("`{}`", path.display()), table));
        Ok(())
    }

    /// The files that were read, including included ones.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// A list of flags: the lists of all layers, the highest precedence last. A string is split at
    /// blanks and replaces layers of lower precedence.
    pub(crate) fn flags(&self, key: &[&str]) -> Vec<Placed> {
        let mut flags: Vec<Placed> = Vec::new();
        let name = key.join(".");
        for (place, value) in self.values(key) {
            let place = format!("{name} in {place}");
            let placed = |flag: &str| Placed { value: flag.to_owned(), place: place.clone() };
            match value {
                Value::String(text) => flags = text.split_whitespace().map(placed).collect(),
                Value::Array(list) => {
                    flags.extend(list.iter().filter_map(Value::as_str).map(placed))
                }
                _ => {}
            }
        }
        flags
    }

    /// A string, from the layer with the highest precedence.
    pub(crate) fn text(&self, key: &[&str]) -> Option<Placed> {
        let (place, value) = self.values(key).last()?;
        let value = value.as_str()?.to_owned();
        Some(Placed { value, place: format!("{} in {place}", key.join(".")) })
    }

    /// Whether any layer has a value for a key.
    pub(crate) fn has(&self, key: &[&str]) -> bool {
        self.values(key).next().is_some()
    }

    /// The `cfg(…)` keys of `[target]`, in the order in which Cargo evaluates them.
    pub(crate) fn conditions(&self) -> BTreeSet<&str> {
        let targets = self.layers.iter().filter_map(|(_, table)| table.get("target")?.as_table());
        targets
            .flat_map(Table::keys)
            .map(String::as_str)
            .filter(|k| k.starts_with("cfg("))
            .collect()
    }

    /// Variables in `[env]` for build scripts without `force`: those of the user take precedence.
    pub(crate) fn environment(&self) -> BTreeMap<&str, &str> {
        let mut found = BTreeMap::new();
        for (_, value) in self.values(&["env"]) {
            for (name, value) in value.as_table().into_iter().flatten() {
                let text = value.as_str().or_else(|| value.get("value")?.as_str());
                if let Some(text) = text {
                    found.insert(name.as_str(), text);
                }
            }
        }
        found
    }

    fn values(&self, key: &[&str]) -> impl Iterator<Item = (&str, &Value)> {
        self.layers.iter().filter_map(move |(place, table)| {
            let (first, rest) = key.split_first()?;
            let value = rest.iter().try_fold(table.get(*first)?, |value, key| value.get(key))?;
            Some((place.as_str(), value))
        })
    }
}

/// Where Cargo searches for configuration, the highest precedence first: each parent folder, then
/// its home. In each, the name without an extension takes precedence.
pub(crate) fn files(root: &Path, environment: &Environment) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = root.ancestors().map(|folder| folder.join(".cargo")).collect();
    if let Some(home) = program::cargo_home(environment, root)
        && !folders.contains(&home)
    {
        folders.push(home);
    }
    let file = |folder: PathBuf| {
        let (old, new) = (folder.join("config"), folder.join("config.toml"));
        if old.is_file() { old } else { new }
    };
    folders.into_iter().map(file).collect()
}

fn includes(table: &Table) -> Vec<(String, bool)> {
    let one = |value: &Value| match value {
        Value::String(path) => Some((path.clone(), false)),
        Value::Table(table) => Some((
            table.get("path")?.as_str()?.to_owned(),
            table.get("optional").and_then(Value::as_bool).unwrap_or(false),
        )),
        _ => None,
    };
    match table.get("include") {
        Some(Value::Array(list)) => list.iter().filter_map(one).collect(),
        Some(value) => one(value).into_iter().collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)], flags: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let environment = [("CARGO_HOME".into(), folder.path().join("home").into())].into();
        let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        let root = folder.path().join("a/b");
        let config = CargoConfig::read(&root, &environment, &flags).unwrap();
        let flags = config.flags(&["build", "rustflags"]);
        flags.into_iter().map(|flag| flag.value).collect()
    }

    #[test]
    fn lists_are_joined_with_the_strongest_last() {
        let list = |flag: &str| format!("build.rustflags = ['{flag}']");
        let files = [
            ("home/config.toml", list("home")),
            ("a/.cargo/config.toml", list("above")),
            ("a/b/.cargo/config", list("here")),
            ("a/b/.cargo/config.toml", list("shadowed")),
            ("a/b/more.toml", list("file")),
        ];
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        assert_eq!(read(&files, &[]), ["home", "above", "here"]);
        assert_eq!(
            read(&files, &["--config", "build.rustflags=['line']", "--config=more.toml"]),
            ["home", "above", "here", "line", "file"]
        );
    }

    #[test]
    fn a_text_replaces_what_is_weaker_and_includes_are_weaker_than_the_file() {
        let files = [
            ("home/config.toml", "build.rustflags = 'x'"),
            ("a/b/.cargo/config.toml", "build.rustflags = '--cfg  y'"),
        ];
        assert_eq!(read(&files, &[]), ["--cfg", "y"]);
        let files = [
            ("a/b/.cargo/in.toml", "build.rustflags = ['in']"),
            (
                "a/b/.cargo/config.toml",
                "include = ['in.toml', {path = 'no.toml', optional = true}]\nbuild.rustflags = ['out']",
            ),
        ];
        assert_eq!(read(&files, &[]), ["in", "out"]);
    }
}
